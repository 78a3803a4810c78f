import { get, request } from 'node:http';
import type { Manifest } from '@sonantica/wire';
import { expect, it, onTestFinished } from 'vitest';
import { Playhead } from '../core/playhead.ts';
import { SwarmError } from '../errors.ts';
import { systemClock } from '../system.ts';
import { createLocalServer } from './local-server.ts';
import type { PlayableTrack } from './playable-track.ts';

const SIZE = 3_000_000;
const BYTES = Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

function fakeSwarm() {
  const signals: AbortSignal[] = [];
  const stalls: string[] = [];
  const track: PlayableTrack & { close(): void } = {
    expectHead: () => undefined,
    trackId: 'song',
    playhead: new Playhead(systemClock),
    manifest: () =>
      Promise.resolve({
        trackId: 'song',
        size: SIZE,
        chunkSize: 262_144,
        mime: 'audio/flac',
        root: 'ab'.repeat(32),
      } as Manifest),
    read: ({ start, end }, { signal }) => {
      if (signal !== undefined) signals.push(signal);
      // The rest never comes.
      if (start >= 1_000_000 && stalls.includes('end')) return new Promise(() => undefined);
      return Promise.resolve(BYTES.slice(start, end));
    },
    blob: () => Promise.reject(new Error('not here')),
    close: () => undefined,
  };
  const open = (trackId: string) => {
    if (trackId !== 'song') throw new SwarmError('track-not-found', `no ${trackId}`);
    return track;
  };
  return { open, signals, stalls };
}

async function startServer() {
  const swarm = fakeSwarm();
  const server = await createLocalServer(swarm);
  onTestFinished(() => server.close());
  return { server, swarm };
}

it('gives a player the track, whole or in part', async () => {
  const { server } = await startServer();
  const whole = await fetch(server.url('song'));
  expect(whole.status).toBe(200);
  expect(whole.headers.get('content-type')).toBe('audio/flac');
  expect(Buffer.compare(Buffer.from(await whole.arrayBuffer()), BYTES)).toBe(0);
  const part = await fetch(server.url('song'), { headers: { Range: 'bytes=1000000-2000000' } });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe(`bytes 1000000-2000000/${SIZE}`);
  expect(Buffer.compare(Buffer.from(await part.arrayBuffer()), BYTES.subarray(1_000_000, 2_000_001))).toBe(0);
  const beyond = await fetch(server.url('song'), { headers: { Range: `bytes=${SIZE}-` } });
  expect(beyond.status).toBe(416);
  expect((await fetch(server.url('song'), { method: 'HEAD' })).headers.get('content-length')).toBe(`${SIZE}`);
});

it('knows no other track, and no path without its secret', async () => {
  const { server } = await startServer();
  expect((await fetch(server.url('other'))).status).toBe(404);
  for (const path of ['/', '/song', '/x/song', `/${'A'.repeat(22)}/song`, '/%00/song'])
    expect((await fetch(`http://127.0.0.1:${server.port}${path}`)).status).toBe(404);
  expect((await fetch(`${server.url('song')}/more`)).status).toBe(404);
});

it('does not answer to a name that is not its own', async () => {
  const { server } = await startServer();
  const { pathname } = new URL(server.url('song'));
  for (const host of ['evil.example', `evil.example:${server.port}`, '127.0.0.1']) {
    const status = await new Promise((resolve, reject) => {
      const asking = request({
        host: '127.0.0.1',
        port: server.port,
        path: pathname,
        headers: { Host: host },
      });
      asking.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
      asking.end();
    });
    expect(status).toBe(404);
  }
});

it('wants nothing more for a player that has gone', async () => {
  const { server, swarm } = await startServer();
  swarm.stalls.push('end');
  await new Promise<void>((resolve) => {
    const asking = get(server.url('song'), (response) => {
      response.once('data', () => asking.destroy());
      response.once('close', resolve);
      response.on('error', () => undefined);
    });
  });
  await expect.poll(() => swarm.signals.at(-1)?.aborted).toBe(true);
});

it('closes with players listening', async () => {
  const { server } = await startServer();
  const response = await fetch(server.url('song'));
  await server.close();
  await server.close();
  await response.arrayBuffer().catch(() => undefined);
  await expect(fetch(server.url('song'))).rejects.toThrow();
});
