import { describe, expect, it } from 'vitest';
import { ChunkSet } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { isScarceAmong, offersOf, scarceWindow, shareOf } from './crowd.ts';
import { elsewhere } from './origin-claims.ts';
import { OriginPace } from './origin-pace.ts';
import { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';

const holding = (...chunks: number[]) => ChunkSet.of(4, chunks);

describe('a scarce chunk', () => {
  it('is held by fewer than one in three of those linked', () => {
    expect(isScarceAmong([true, false, false], [], 0)).toBe(false);
    expect(isScarceAmong([true, false, false, false, false], [], 0)).toBe(true);
    expect(isScarceAmong([true], [], 0)).toBe(false);
    expect(isScarceAmong([], [], 0)).toBe(false);
  });

  it('is what the tracker says of those named, while few of them are linked', () => {
    const named = [holding(1), holding(1), holding(1), holding(1)];
    expect(isScarceAmong([], named, 0)).toBe(true);
    expect(isScarceAmong([], named, 1)).toBe(false);
    expect(isScarceAmong([true], named, 0)).toBe(true);
    expect(isScarceAmong([true, true], named, 0)).toBe(false);
  });

  it('is asked of each in small parts: one of who gave nothing yet, then two', () => {
    expect(scarceWindow(false, 300)).toBe(1);
    expect(scarceWindow(true, 50)).toBe(2);
    expect(scarceWindow(true, 300)).toBe(6);
  });
});

const KEY = 'song@1' as TrackKey;
const BLOCK = 16_384;
/** What listening to a block takes, in milliseconds. */
const BLOCK_MS = 94;

/** A listener that has the head, waits for the rest of chunk 0 and hears block `n` at `n` times 94 ms. */
function listening({ seed = 1, listeners = 200, headMs = 0 } = {}) {
  const track = new TrackDemand(
    KEY,
    { size: 1_048_576, chunkSize: 262_144 },
    ChunkSet.none(4),
    seededRandom(seed),
  );
  track.offered = Array.from({ length: 10 }, () => ChunkSet.none(4));
  track.listeners = listeners;
  for (let block = 0; block < 16; block++)
    track.demand(block, { start: block * BLOCK, end: (block + 1) * BLOCK }, headMs + block * BLOCK_MS, 0);
  const [chunk] = track.inOrder();
  if (chunk === undefined) throw new Error('nothing is wanted');
  for (let block = 0; block < 6; block++) {
    track.drop(block, 0);
    chunk.prove(block);
  }
  chunk.claim = elsewhere(0);
  return { track, chunk };
}

describe('the share of a crowd', () => {
  /** How often each block is taken by 400 listeners. */
  function taken(how: Parameters<typeof listening>[0] = {}): number[] {
    const counts = Array.from({ length: 16 }, () => 0);
    for (let seed = 1; seed <= 400; seed++) {
      const { track, chunk } = listening({ ...how, seed });
      const share = shareOf(track, chunk, new OriginPace(), 0);
      if (share === undefined || share === 'none') continue;
      expect(share.end).toBe(share.first + 1);
      counts[share.first] = (counts[share.first] ?? 0) + 1;
    }
    return counts;
  }

  it('is most of all what is due too soon to go through many hands, and nothing that could not be passed on at all', () => {
    const counts = taken();
    // The origin is believed to need 250 ms, and links stand after as much: block 6 is heard after 564 ms, block 15 after 1,410.
    expect(counts.slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(counts[6]).toBeGreaterThan(2 * (counts[12] ?? 0));
    expect(counts[15]).toBeGreaterThan(0);
    const later = taken({ headMs: -94 });
    expect(later[6]).toBe(0);
    expect(later[7]).toBeGreaterThan(0);
  });

  it('is nothing for one in seven, for most where there is time, and for all where one holder is enough', () => {
    const count = (how: Parameters<typeof listening>[0]) => taken(how).reduce((sum, each) => sum + each, 0);
    expect(count({})).toBeGreaterThan(320);
    expect(count({})).toBeLessThan(360);
    expect(count({ headMs: 600 })).toBeLessThan(200);
    expect(count({ headMs: 600 })).toBeGreaterThan(20);
    expect(count({ headMs: 600, listeners: 10 })).toBe(0);
  });

  it('is not drawn twice, nor while what is due earlier has not come', () => {
    const { track, chunk } = listening();
    track.demand(99, { start: 0, end: BLOCK }, -1, -1);
    expect(shareOf(track, chunk, new OriginPace(), 0)).toBeUndefined();
    track.drop(99, 0);
    expect(shareOf(track, chunk, new OriginPace(), 0)).toBeDefined();
    chunk.isShareDrawn = true;
    expect(shareOf(track, chunk, new OriginPace(), 0)).toBeUndefined();
  });
});

it('what is offered of a chunk is counted over those that have a part of it', () => {
  const { chunk } = listening();
  const having = (...blocks: number[]) => ({
    partOf: () => Uint8Array.from({ length: 16 }, (_, block) => (blocks.includes(block) ? 1 : 0)),
  });
  const offers = offersOf([having(1, 2), { partOf: () => undefined }, having(2)], KEY, chunk);
  expect([...offers.subarray(0, 4)]).toEqual([0, 1, 2, 0]);
});
