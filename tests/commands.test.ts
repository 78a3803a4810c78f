import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { describe, expect, it } from 'vitest';
import { runNode, runNodeIn, swarmCommand } from './support/command.ts';
import { fetchWhole, listen } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { makeFolder, sha256Of, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

const STACKS = ['wrtc', 'werift'] as const;
const installed = await Promise.all(
  STACKS.map((stack) =>
    loadNodeRtc(stack).then(
      () => true,
      (error: unknown) => {
        if (process.env['CI'] === 'true') throw error;
        return false;
      },
    ),
  ),
);
const hasStacks = installed.every(Boolean);

describe('sonantica-swarm get', () => {
  const pairs = STACKS.flatMap((seeding) => STACKS.map((getting) => [seeding, getting] as const));

  it.skipIf(!hasStacks).each(pairs)(
    'fetches the very file from a seeder on %s by %s (npm install @roamhq/wrtc if skipped)',
    async (seeding, getting) => {
      const place = await startPlace({ chunks: 5 });
      const { tracker, track } = place;
      const noAudio = await startMirror(place, (good, { kind }) =>
        kind === 'audio' ? { status: 503, headers: {}, body: new Uint8Array() } : good,
      );
      const seeder = swarmCommand('seed', track.path, '--tracker', tracker.url, '--rtc', seeding, '--json');
      expect(await seeder.json()).toMatchObject({ size: track.size, sha256: track.sha256 });
      await until('the seeder is announced', () => tracker.stats().members === 1);
      const out = join(await makeFolder(), 'noise.wav');
      const { status, stdout, stderr } = await swarmCommand(
        ...['get', track.trackId, '--tracker', tracker.url, '--origin', noAudio.url],
        ...['--rtc', getting, '--out', out, '--json'],
      ).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout)).toEqual({
        trackId: track.trackId,
        size: track.size,
        sha256: track.sha256,
        ms: expect.any(Number),
        firstBlockMs: expect.any(Number),
        bytes: { cache: 0, aula: 0, global: track.size, origin: 0 },
        peers: 1,
        chunks: 5,
        rejectedBlocks: 0,
      });
      expect(sha256Of(await readFile(out))).toBe(track.sha256);
      seeder.kill('SIGTERM');
      expect((await seeder.ended).status).toBe(0);
    },
  );

  it('says where the bytes came from to people who do not ask for JSON', async () => {
    const { origin, track } = await startPlace({ chunks: 2 });
    const { status, stdout } = await swarmCommand('get', track.trackId, '--origin', origin.url).ended;
    expect(status).toBe(0);
    expect(stdout).toContain(track.sha256);
    expect(stdout).toContain('origin');
  });

  it('prints when it is complete, and goes on giving until it is stopped', async () => {
    const { origin, tracker, track } = await startPlace({ chunks: 3 });
    const args = [
      'get',
      track.trackId,
      '--tracker',
      tracker.url,
      '--origin',
      origin.url,
      '--aula',
      'red',
      '--json',
    ];
    const staying = swarmCommand(...args, '--stay');
    expect(await staying.json()).toMatchObject({ sha256: track.sha256, bytes: { origin: track.size } });
    await until('the tracker knows what it holds', () => tracker.stats().haves > 0);
    const next = await swarmCommand(...args).ended;
    expect(JSON.parse(next.stdout)).toMatchObject({
      sha256: track.sha256,
      bytes: { aula: track.size, origin: 0 },
    });
    staying.kill('SIGTERM');
    expect((await staying.ended).status).toBe(0);
  });

  it('finds its peers at a later tracker when the first does not answer', async () => {
    const { origin, tracker, track } = await startPlace({ chunks: 2 });
    const trackers = ['--tracker', 'ws://127.0.0.1:9', '--tracker', tracker.url];
    const seeder = swarmCommand('seed', track.path, ...trackers, '--origin', origin.url, '--json');
    await until('the seeder is announced at the second', () => tracker.stats().announces > 0);
    const args = [
      'get',
      track.trackId,
      ...trackers,
      '--origin',
      origin.url,
      '--aula',
      'red',
      '--json',
      '--stay',
    ];
    expect(await swarmCommand(...args).json()).toMatchObject({ sha256: track.sha256 });
    await until('the listener is announced at the second', () => tracker.stats().announces > 1);
    seeder.kill('SIGTERM');
    expect((await seeder.ended).status).toBe(0);
  });

  it('tells the tracker nothing with --server-only', async () => {
    const { origin, tracker, track } = await startPlace({ chunks: 2 });
    const args = [
      'get',
      track.trackId,
      '--tracker',
      tracker.url,
      '--origin',
      origin.url,
      '--server-only',
      '--json',
    ];
    const { status, stdout } = await swarmCommand(...args).ended;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ sha256: track.sha256, bytes: { origin: track.size } });
    expect(tracker.stats().joins + tracker.stats().announces).toBe(0);
  });

  it('--server-only holds for its run alone: what is kept is used and stays, and so does the choice', async () => {
    const { origin, tracker, track } = await startPlace({ chunks: 2 });
    const store = await makeFolder();
    const args = ['get', track.trackId, '--tracker', tracker.url, '--origin', origin.url];
    const report = async (...more: readonly string[]) =>
      JSON.parse(
        await swarmCommand(...args, '--store', store, '--json', ...more).ended.then((out) => out.stdout),
      ) as unknown;
    const cached = { bytes: { cache: track.size, aula: 0, global: 0, origin: 0 } };
    expect(await report()).toMatchObject({ bytes: { origin: track.size } });
    const { announces } = tracker.stats();
    expect(await report('--server-only')).toMatchObject(cached);
    expect(tracker.stats().announces).toBe(announces);
    await expect(readFile(join(store, 'documents', 'contribution.json'))).rejects.toThrow('ENOENT');
    const next = swarmCommand(...args, '--store', store, '--json', '--stay');
    expect(await next.json()).toMatchObject(cached);
    await until('it takes part again', () => tracker.stats().announces > announces);
  });

  it('leaves no file behind when it fails', async () => {
    const place = await startPlace({ chunks: 3 });
    const mirror = await startMirror(place, (good, { kind }) =>
      kind === 'audio' ? { status: 500, headers: {}, body: new Uint8Array() } : good,
    );
    const folder = await makeFolder();
    const args = ['get', place.track.trackId, '--origin', mirror.url, '--out', join(folder, 'x.wav')];
    const { status, stderr } = await swarmCommand(...args, '--json').ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/^sonantica-swarm: origin-unavailable: .+\n$/);
    await expect(readFile(join(folder, 'x.wav'))).rejects.toThrow('ENOENT');
    await expect(readFile(join(folder, 'x.wav.part'))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['in a folder that is not there', join('none', 'x.wav')],
    ['in what is no folder', join('file', 'x.wav')],
    ['in the place of a folder', 'folder'],
  ])('writes no file %s, and says so before it asks anybody', async (_, name) => {
    const place = await startPlace({ chunks: 1 });
    const { origin, track } = place;
    const folder = await makeFolder();
    await mkdir(join(folder, 'folder'));
    await writeFile(join(folder, 'file'), '');
    const out = join(folder, name);
    const { status, stdout, stderr } = await swarmCommand(
      ...['get', track.trackId, '--origin', origin.url, '--out', out, '--json'],
    ).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^sonantica-swarm: invalid-argument: .+ cannot be written: .+\n$/);
    expect((await readdir(folder)).sort()).toEqual(['file', 'folder']);
  });

  it('fails with one line when the file can no longer be written', async () => {
    const { origin, track } = await startPlace({ chunks: 1 });
    const out = join(await makeFolder(), 'x.wav');
    await mkdir(`${out}.part`);
    const { status, stdout, stderr } = await swarmCommand(
      ...['get', track.trackId, '--origin', origin.url, '--out', out, '--json'],
    ).ended;
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^sonantica-swarm: store-failed: writing .+: EISDIR.+\n$/);
  });

  it.skipIf(process.platform === 'win32')('writes into a pipe or a link, and lets it stand', async () => {
    const { origin, track } = await startPlace({ chunks: 3 });
    const folder = await makeFolder();
    const pipe = join(folder, 'pipe');
    const link = join(folder, 'link');
    execFileSync('mkfifo', [pipe]);
    await writeFile(join(folder, 'x.wav'), 'earlier');
    await symlink(join(folder, 'x.wav'), link);
    const args = ['get', track.trackId, '--origin', origin.url, '--json', '--out'];
    const run = swarmCommand(...args, pipe);
    const [read, { status, stderr }] = await Promise.all([
      readFile(pipe, { signal: AbortSignal.timeout(20_000) }),
      run.ended,
    ]);
    expect({ status, stderr, sha256: sha256Of(read) }).toEqual({
      status: 0,
      stderr: '',
      sha256: track.sha256,
    });
    expect((await swarmCommand(...args, link).ended).status).toBe(0);
    expect(sha256Of(await readFile(join(folder, 'x.wav')))).toBe(track.sha256);
    expect([(await lstat(pipe)).isFIFO(), (await lstat(link)).isSymbolicLink()]).toEqual([true, true]);
    expect((await readdir(folder)).sort()).toEqual(['link', 'pipe', 'x.wav']);
  });

  it('fails with one line for a track that is not there', async () => {
    const { origin } = await startPlace({ chunks: 1 });
    const { status, stdout, stderr } = await swarmCommand('get', 'unheard-of', '--origin', origin.url).ended;
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^sonantica-swarm: track-not-found: .+\n$/);
  });
});

describe('the upload of a day', () => {
  it.each([
    ['seed', 'SIGTERM', []],
    ['seed', 'SIGKILL', []],
    ['seed', 'SIGTERM', ['--store']],
    ['get', 'SIGTERM', []],
  ] as const)('is one over restarts of %s by %s %j', async (command, signal, where) => {
    const { origin, tracker, track } = await startPlace({ chunks: 5 });
    const state = await makeFolder();
    const store = await makeFolder();
    // 1,048,576 bytes are set aside at a time: a crash loses what is left of that.
    const limit = 1_000_000;
    await writeFile(
      join(await mkdirIn(state, 'sonantica'), 'contribution.json'),
      JSON.stringify({ maxBandwidthMBPerDay: limit / 1e6 }),
    );
    const args = [
      ...(command === 'seed'
        ? ['seed', track.path, '--upload-mb-per-day', '1']
        : ['get', track.trackId, '--stay', '--origin', origin.url]),
      ...['--tracker', tracker.url, '--json', ...where.flatMap((flag) => [flag, store])],
    ];
    const given: number[] = [];
    for (let run = 0; run < 2; run++) {
      const giver = runNodeIn({ XDG_STATE_HOME: state }, 'packages/swarm/dist/cli/main.js', ...args);
      await giver.json();
      await until('it is announced', () => tracker.stats().haves > 0 || tracker.stats().members > 0);
      const listener = listen({ tracker: tracker.url, origin: origin.url });
      given.push((await fetchWhole(listener, track.trackId)).stats.bytes.global);
      await listener.close();
      giver.kill(signal);
      await giver.ended;
    }
    expect(given[0]).toBeGreaterThan(0);
    expect((given[0] ?? 0) + (given[1] ?? 0)).toBeLessThanOrEqual(limit);
  });
});

it('gives nothing where what is given cannot be written down, and says so', async () => {
  const { origin, tracker, track } = await startPlace({ chunks: 2 });
  const environment = { XDG_STATE_HOME: track.path };
  const command = (...args: readonly string[]) =>
    runNodeIn(environment, 'packages/swarm/dist/cli/main.js', ...args, '--tracker', tracker.url).ended;
  const get = ['get', track.trackId, '--origin', origin.url, '--json'];
  const got = await command(...get);
  expect(got.status).toBe(0);
  expect(got.stderr).toMatch(/^sonantica-swarm: nothing is given to others this time: opening .+\n$/);
  for (const args of [
    [...get, '--stay'],
    ['seed', track.path],
  ]) {
    const { status, stdout, stderr } = await command(...args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^sonantica-swarm: store-failed: opening .+\n$/);
  }
});

describe('two processes on one store', () => {
  it('the second fails with store-locked in one line, and the first is not disturbed', async () => {
    const { origin, track } = await startPlace({ chunks: 2 });
    const store = await makeFolder();
    const args = ['get', track.trackId, '--origin', origin.url, '--store', store, '--json'];
    const first = swarmCommand(...args, '--stay');
    await first.json();
    const second = await swarmCommand(...args).ended;
    expect({ status: second.status, stdout: second.stdout }).toEqual({ status: 1, stdout: '' });
    expect(second.stderr).toMatch(/^sonantica-swarm: store-locked: .*process \d+\n$/);
    first.kill('SIGTERM');
    expect((await first.ended).status).toBe(0);
    const third = await swarmCommand(...args).ended;
    expect(JSON.parse(third.stdout)).toMatchObject({ bytes: { cache: track.size, origin: 0 } });
  });
});

describe('a misused command', () => {
  const ORIGIN = ['--origin', 'http://127.0.0.1:9'];
  it.each([
    ['an unknown flag', ['get', 'noise', ...ORIGIN, '--fast']],
    ['an unknown command', ['fetch', 'noise']],
    ['no track', ['get', ...ORIGIN]],
    ['no origin', ['get', 'noise']],
    ['an origin that is no URL', ['get', 'noise', '--origin', 'music']],
    ['an origin that is no HTTP', ['get', 'noise', '--origin', 'ftp://127.0.0.1/']],
    ['a tracker that is no URL', ['get', 'noise', ...ORIGIN, '--tracker', 'here']],
    [
      'a second tracker that is no URL',
      ['get', 'noise', ...ORIGIN, '--tracker', 'ws://127.0.0.1:9', '--tracker', 'there'],
    ],
    ['a tracker that is no WebSocket', ['get', 'noise', ...ORIGIN, '--tracker', 'http://127.0.0.1:9']],
    ['a WebRTC stack nobody knows', ['get', 'noise', ...ORIGIN, '--rtc', 'other']],
    ['a track id that is none', ['get', 'no/ise', ...ORIGIN]],
    ['an Aula id that is none', ['get', 'noise', ...ORIGIN, '--aula', 'the red room']],
    ['a publisher key that is none', ['get', 'noise', ...ORIGIN, '--publisher-key', 'abc']],
    ['nothing to seed', ['seed', '--tracker', 'ws://127.0.0.1:9']],
    ['a file that is not there', ['seed', '/nowhere/at-all.flac', '--tracker', 'ws://127.0.0.1:9']],
    ['what is no audio', ['seed', 'README.md', '--tracker', 'ws://127.0.0.1:9']],
    ['a folder without audio', ['seed', 'docs', '--tracker', 'ws://127.0.0.1:9']],
    ['no tracker to seed through', ['seed', 'package.json']],
    [
      'a limit that is no number',
      ['seed', 'package.json', '--tracker', 'ws://127.0.0.1:9', '--upload-mb-per-day', 'lots'],
    ],
  ])('ends with status 2 and one clear line: %s', async (_name, args) => {
    const { status, stdout, stderr } = await swarmCommand(...args).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^(error|sonantica-swarm): \S.{5,}\n$/);
  });

  it('is explained by --help, with status 0', async () => {
    for (const args of [['--help'], ['get', '--help'], ['seed', '--help']]) {
      const { status, stdout, stderr } = await swarmCommand(...args).ended;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('Usage: sonantica-swarm');
    }
  });
});

it('gives eight listeners the example track for at most one and a half copies of the origin’s', async () => {
  const { status, stdout, stderr } = await runNode(
    'examples/eight-listeners/dist/main.js',
    '--once',
    '--json',
  ).ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const report = JSON.parse(stdout) as { originCopies: number };
  expect(report).toEqual({
    listeners: 8,
    completed: 8,
    originCopies: expect.any(Number),
    offload: expect.any(Number),
    bytes: {
      cache: 0,
      aula: expect.any(Number),
      global: expect.any(Number),
      origin: expect.any(Number),
    },
    sha256Ok: true,
    ms: expect.any(Number),
  });
  expect(report.originCopies).toBeLessThanOrEqual(1.5);
}, 120_000);

async function mkdirIn(folder: string, name: string): Promise<string> {
  await mkdir(join(folder, name));
  return join(folder, name);
}
