import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chunkLength, parseRootHash, parseTrackId } from '@sonantica/wire';
import { chooseEvictions, keepingPriority, type EvictionCandidate, type EvictionPolicy } from './eviction.ts';
import { trackKey, type TrackKey } from './track-key.ts';

const CHUNK = 262_144;
const MINUTE_MS = 60_000;
const now = Date.UTC(2026, 0, 1);

/** Few values each, so that equals are common. */
const candidates = fc
  .array(
    fc.record({
      chunks: fc.integer({ min: 1, max: 6 }),
      tailBytes: fc.integer({ min: 1, max: CHUNK }),
      held: fc.uniqueArray(fc.nat({ max: 5 })),
      inUse: fc.uniqueArray(fc.nat({ max: 5 }), { maxLength: 2 }),
      holders: fc.array(fc.nat({ max: 3 }), { minLength: 6, maxLength: 6 }),
      usedAtMs: fc.constantFrom(
        now - 200 * MINUTE_MS,
        now - 120 * MINUTE_MS,
        now - 30 * MINUTE_MS,
        now,
        now + 1,
      ),
      listeners: fc.nat({ max: 12 }),
      aulas: fc.nat({ max: 2 }),
      pinned: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  .map((tracks) =>
    tracks.map(({ chunks, tailBytes, held, inUse, holders, ...facts }, index): EvictionCandidate => ({
      ...facts,
      track: trackKey(parseTrackId(`track-${index}`), parseRootHash('a'.repeat(64))),
      geometry: { size: (chunks - 1) * CHUNK + tailBytes, chunkSize: CHUNK },
      held: held.filter((chunk) => chunk < chunks),
      inUse: new Set(inUse),
      holders: (chunk) => holders[chunk] ?? 0,
    })),
  );
const policies = fc.constantFrom<EvictionPolicy>('priority', 'lru');
const sizes = fc.integer({ min: 0, max: 20 * CHUNK });

interface Chunk {
  readonly track: TrackKey;
  readonly chunk: number;
  readonly bytes: number;
  readonly rank: number;
  readonly holders: number;
  readonly mayGo: boolean;
}

function chunksOf(policy: EvictionPolicy, tracks: readonly EvictionCandidate[]): Chunk[] {
  return tracks.flatMap((track) =>
    [...track.held].map((chunk) => ({
      track: track.track,
      chunk,
      bytes: chunkLength(track.geometry, chunk),
      rank: policy === 'lru' ? track.usedAtMs : keepingPriority(track, now),
      holders: track.holders(chunk),
      mayGo: !track.pinned && !track.inUse.has(chunk),
    })),
  );
}

/** Runs a property over what goes and what stays, each chunk with its facts. */
function holds(property: (gone: Chunk[], stay: Chunk[], bytes: number) => void): void {
  fc.assert(
    fc.property(candidates, policies, sizes, (tracks, policy, bytes) => {
      const evictions = chooseEvictions(policy, tracks, bytes, now);
      const names = new Set(
        evictions.flatMap(({ track, chunks }) => chunks.map((chunk) => `${track}/${chunk}`)),
      );
      const all = chunksOf(policy, tracks);
      const isGone = ({ track, chunk }: Chunk) => names.has(`${track}/${chunk}`);
      const gone = all.filter(isGone);
      // Each chunk goes once, and only what is held goes.
      expect(evictions.flatMap(({ chunks }) => chunks)).toHaveLength(gone.length);
      for (const { track, bytes: freed } of evictions)
        expect(freed).toBe(
          gone.filter((each) => each.track === track).reduce((sum, each) => sum + each.bytes, 0),
        );
      property(
        gone,
        all.filter((each) => !isGone(each)),
        bytes,
      );
    }),
  );
}

describe('whatever is stored', () => {
  it('frees enough, or all that may go, and not one chunk too many', () => {
    holds((gone, stay, bytes) => {
      const freed = gone.reduce((sum, each) => sum + each.bytes, 0);
      if (freed < bytes) expect(stay.filter(({ mayGo }) => mayGo)).toEqual([]);
      // Without some one of them it would not have been enough.
      if (gone.length > 0) expect(gone.some(({ bytes: own }) => freed - own < bytes)).toBe(true);
    });
  });

  it('spares pinned tracks and chunks that a player is about to need', () => {
    holds((gone) => expect(gone.every(({ mayGo }) => mayGo)).toBe(true));
  });

  it('lets nothing go while something of lower rank may go', () => {
    holds((gone, stay) => {
      const highest = Math.max(...gone.map(({ rank }) => rank));
      expect(stay.filter(({ mayGo, rank }) => mayGo && rank < highest)).toEqual([]);
    });
  });

  it('lets of equals nothing go while more of the swarm hold another', () => {
    holds((gone, stay) => {
      for (const { rank, holders } of gone)
        expect(stay.filter((each) => each.mayGo && each.rank === rank && each.holders > holders)).toEqual([]);
    });
  });
});
