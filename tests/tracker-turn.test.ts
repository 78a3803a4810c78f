import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fetchWhole, listen, readerOf } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { makeFolder, startPlace } from './support/place.ts';
import { Speaker, trackerForTest } from './support/tracker-process.ts';
import { until } from './support/until.ts';

const TURNSERVER = '/usr/bin/turnserver';
const hasCoturn = existsSync(TURNSERVER);
if (!hasCoturn && process.env['CI'] === 'true') throw new Error('coturn is needed: apt-get install coturn');

/** An address of this machine that others can reach: WebRTC passes over the loopback interface. */
const address = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

/** A coturn that shares a secret, gone after the test. */
async function startCoturn(secret: string): Promise<{ readonly url: string; log(): string }> {
  const port = await freePort();
  const child = spawn(
    TURNSERVER,
    [
      ...['-n', '--no-cli', '--no-tls', '--no-dtls', '--fingerprint', '--verbose', '--log-file', 'stdout'],
      ...['--listening-ip', String(address), '--relay-ip', String(address), '--listening-port', String(port)],
      ...['--realm', 'sonantica', '--use-auth-secret', '--static-auth-secret', secret],
      ...['--pidfile', join(await makeFolder(), 'turn.pid')],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  onTestFinished(async () => {
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  });
  await until('coturn listens', () => log.includes('listener opened on'));
  return { url: `turn:${address}:${port}?transport=udp`, log: () => log };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

async function place(trackerSecret: string) {
  const turn = await startCoturn('north wind');
  const tracker = await trackerForTest(['--turn-urls', turn.url, '--turn-ttl-seconds', '600'], {
    SONANTICA_TRACKER_TURN_SECRET: trackerSecret,
  });
  const home = await startPlace({ chunks: 3 });
  const noAudio = await startMirror(home, (good, { kind }) =>
    kind === 'audio' ? { status: 503, headers: {}, body: new Uint8Array() } : good,
  );
  const rtc = await loadNodeRtc('wrtc');
  const options = { tracker: tracker.url, rtc, iceTransportPolicy: 'relay' } as const;
  const seeder = listen(options);
  await seeder.seed(home.track.manifest, readerOf(home.track));
  await until('the seeder is announced', async () => (await tracker.stats())['members'] === 1);
  return { turn, tracker, home, listener: listen({ ...options, origin: noAudio.url }) };
}

describe.skipIf(!hasCoturn)('the TURN credentials of a tracker (apt-get install coturn if skipped)', () => {
  it('let two listeners who use relays alone fetch from each other through a real coturn', async () => {
    const { turn, home, listener } = await place('north wind');
    const { sha256, stats } = await fetchWhole(listener, home.track.trackId);
    expect(sha256).toBe(home.track.sha256);
    expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: home.track.size, origin: 0 });
    const users = [...turn.log().matchAll(/ALLOCATE processed, success/g)];
    expect(users.length).toBeGreaterThanOrEqual(2);
    expect(turn.log()).toMatch(/user <\d{10}>/);
  }, 40_000);

  it('are refused when they are signed with another secret', async () => {
    const { turn, home, listener } = await place('south wind');
    listener
      .open(home.track.trackId)
      .download()
      .catch(() => {});
    await until('coturn refuses', () => /check_stun_auth: Cannot find credentials|401/.test(turn.log()));
    expect(turn.log()).not.toContain('ALLOCATE processed, success');
  }, 40_000);

  it('are named afresh to who stays', async () => {
    const { url } = await trackerForTest([
      ...['--turn-urls', 'turn:turn.example.org:3478', '--turn-secret', 'north wind'],
      ...['--turn-ttl-seconds', '5'],
    ]);
    const speaker = await Speaker.welcomed(url);
    const first = speaker.welcome;
    await until('another welcome', () => speaker.welcome !== first);
    const [before, after] = [first, speaker.welcome].map((each) => Number(each?.iceServers[0]?.username));
    expect(after).toBeGreaterThan(Number(before));
    expect(speaker.id).toBe(first?.peerId);
  }, 20_000);

  it('are named in welcome with their expiry', async () => {
    const { url } = await trackerForTest([
      '--turn-urls',
      'turn:turn.example.org:3478',
      '--turn-secret',
      'north wind',
    ]);
    const { welcome } = await Speaker.welcomed(url);
    const [server] = welcome?.iceServers ?? [];
    expect(server).toMatchObject({
      urls: ['turn:turn.example.org:3478'],
      credential: expect.stringMatching(/^.{27}=$/),
    });
    expect(Number(server?.username) - Date.now() / 1_000).toBeGreaterThan(86_390);
  });
});
