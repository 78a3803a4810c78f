import { expect, it } from 'vitest';
import { buildManifest, checkManifest, ChunkSet, type TrackId } from '@sonantica/wire';
import { PeerSession } from './core/peer-session.ts';
import { PeerSource, type PeerSourceHandler } from './sources/peer-source.ts';
import type { SourceSink } from './sources/source.ts';
import { memoryLinkPair } from './testing/memory-link.ts';
import { FlagVerifier, zeros } from './testing/sim-proof.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import { TrackVersion } from './track-version.ts';
import { Uploads } from './uploads.ts';
import { nodeHasher } from './verify/sha256-node.ts';

const CHUNK = 131_072;

it('four are given to at a time, and the next as soon as one of them has what it asked for', async () => {
  const clock = new VirtualClock();
  const facts = { trackId: 'song' as TrackId, size: 6 * CHUNK, chunkSize: CHUNK, mime: 'audio/flac' };
  const chunkHashes = Array.from({ length: 6 }, (_, i) => nodeHasher(Uint8Array.of(i)));
  const document = await buildManifest({ ...facts, sha256: '0'.repeat(64), chunkHashes }, nodeHasher);
  const manifest = await checkManifest(document, { hasher: nodeHasher });
  const ignore = () => undefined;
  const sink: SourceSink = { block: ignore, proof: ignore, refused: ignore };
  const version = new TrackVersion(manifest, ChunkSet.all(6), new FlagVerifier(manifest), {
    proven: ignore,
    disproved: ignore,
    unhashed: ignore,
    wasted: ignore,
    complete: ignore,
    load: () => Promise.resolve(undefined),
  });
  const loading = new Map<number, (bytes: Uint8Array) => void>();
  const uploads = new Uploads({
    clock,
    timers: { after: (ms, run) => clock.schedule(ms, run), every: () => ignore },
    budget: { reserve: () => true },
    version: () => version,
    load: (_version, chunk) => new Promise((resolve) => loading.set(chunk, resolve)),
    mayServe: () => true,
    isStarving: () => false,
    tierOf: () => 'aula',
    gaveBytes: () => 0,
    sent: ignore,
  });
  const handler: PeerSourceHandler = {
    greeted: ignore,
    opened: ignore,
    proposed: ignore,
    shut: ignore,
    have: ignore,
    fetching: ignore,
    part: ignore,
    askedAhead: () => undefined,
    pinged: ignore,
    asked: (peer) => uploads.asked(peer),
    drained: (peer) => uploads.drained(peer),
    ended: (peer) => uploads.drained(peer),
  };
  const silent: PeerSourceHandler = { ...handler, asked: ignore, drained: ignore, ended: ignore };
  for (let i = 0; i < 6; i++) {
    const { a: near, b: far } = memoryLinkPair({ clock });
    const end = (link: typeof near, nonce: string, handling: PeerSourceHandler) =>
      new PeerSource(nonce, link, new PeerSession(nonce.repeat(16), 0), sink, handling, () => clock.nowMs());
    const giver = end(near, 'a0', handler);
    const taker = end(far, `b${i}`, silent);
    giver.start();
    taker.start();
    giver.open(manifest, version.held);
    taker.open(manifest, ChunkSet.none(6));
    await clock.advanceAsync(100);
    taker.fetch({
      track: version.key,
      manifest,
      chunk: i,
      first: 0,
      count: 1,
      dueInMs: 1_000,
      leavesKnown: true,
      together: false,
    });
    await clock.advanceAsync(10);
  }
  expect([...loading.keys()].toSorted()).toEqual([0, 1, 2, 3]);
  loading.get(2)?.(zeros(CHUNK));
  await clock.advanceAsync(1_000);
  expect(loading.size).toBe(5);
});
