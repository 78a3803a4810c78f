import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeStaticManifest } from '@sonantica/origin';
import { createSwarm, type Swarm } from '@sonantica/swarm';
import { createLocalServer } from '@sonantica/swarm/node';
import { parseTrackId } from '@sonantica/wire';
import { expect, it, onTestFinished } from 'vitest';
import { makeFolder } from './support/place.ts';

/** A version of a track as files of a static server. */
async function version(): Promise<{ folder: string; root: string }> {
  const folder = await makeFolder();
  writeFileSync(join(folder, 'song.wav'), randomBytes(700_000));
  await writeStaticManifest(join(folder, 'song.wav'), parseTrackId('song'), {});
  const { root } = JSON.parse(readFileSync(join(folder, 'song.manifest.json'), 'utf8'));
  return { folder, root };
}

/** A swarm whose origin changes its file. */
async function startSwarm() {
  const former = await version();
  const latter = await version();
  let now = former;
  const fetch = async (url: string, init: RequestInit) => {
    const { pathname, searchParams } = new URL(url);
    const wanted = searchParams.get('v');
    if (wanted !== null && wanted !== now.root.slice(0, 16)) return new Response('', { status: 404 });
    const name = /\.(json|leaves)$/.test(pathname) ? pathname : '/song.wav';
    const bytes = readFileSync(join(now.folder, name));
    const range = /bytes=(\d+)-(\d+)/.exec(new Headers(init.headers).get('range') ?? '');
    if (range === null) return new Response(bytes);
    const [start, end] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
    return new Response(bytes.subarray(start, end + 1), {
      status: 206,
      headers: { 'content-range': `bytes ${start}-${end}/${bytes.length}` },
    });
  };
  const swarm = createSwarm({ origin: 'http://origin.example', fetch });
  onTestFinished(() => swarm.close());
  return { swarm, former, latter, changes: () => void (now = latter) };
}

type Ask = (headers?: Record<string, string>) => Promise<Response>;

async function byServer(swarm: Swarm): Promise<Ask> {
  const server = await createLocalServer(swarm);
  onTestFinished(() => server.close());
  return (headers = {}) => fetch(server.url('song'), { headers });
}

const WAYS: readonly [string, (swarm: Swarm) => Promise<Ask>][] = [
  [
    'swarm.fetch',
    async (swarm) =>
      (headers = {}) =>
        swarm.fetch('song', { headers }),
  ],
  ['a local server', byServer],
];

it.each(WAYS)('%s gives the version there is, once one it gave before is not to be had', async (_, way) => {
  const { swarm, former, latter, changes } = await startSwarm();
  const ask = await way(swarm);
  const first = await ask({ Range: 'bytes=0-99' });
  expect(first.headers.get('etag')).toBe(`"${former.root}"`);
  expect((await first.arrayBuffer()).byteLength).toBe(100);
  changes();
  await expect(ask().then((answer) => answer.arrayBuffer())).rejects.toThrow();
  const then = await ask();
  expect(then.headers.get('etag')).toBe(`"${latter.root}"`);
  expect((await then.arrayBuffer()).byteLength).toBe(700_000);
});
