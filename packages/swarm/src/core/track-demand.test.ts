import { describe, expect, it } from 'vitest';
import { ChunkSet, LIMITS, chunkRange, type Geometry } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';

const BLOCK = LIMITS.blockBytes;
const NEVER = Number.POSITIVE_INFINITY;
/** Ten chunks of eight blocks. */
const SONG: Geometry = { size: 10 * 131_072, chunkSize: 131_072 };

describe('what is wanted of a track', () => {
  it('comes in the order of its deadlines, equal ones in the order of the track', () => {
    const track = open();
    track.demand(1, chunkRange(SONG, 7), 2_000, 0);
    track.demand(2, { start: 0, end: 3 * SONG.chunkSize }, 5_000, 0);
    track.demand(3, chunkRange(SONG, 9), 1_000, 0);
    expect(order(track)).toEqual([9, 7, 0, 1, 2]);
  });

  it('without a deadline comes last, shuffled for this listener and the same each time', () => {
    const track = open(7);
    track.demand(1, { start: 0, end: SONG.size }, NEVER, 0);
    const first = order(track);
    expect([...first].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(first).not.toEqual([...first].sort((a, b) => a - b));
    track.demand(2, chunkRange(SONG, 4), 1_000, 0);
    expect(order(track)).toEqual([4, ...first.filter((chunk) => chunk !== 4)]);
    const again = open(7);
    again.demand(1, { start: 0, end: SONG.size }, NEVER, 0);
    expect(order(again)).toEqual(first);
  });

  it('is due later when what comes before it was late, for the listener waited', () => {
    const track = open();
    track.demand(1, { start: 0, end: BLOCK }, 100, 0);
    track.demand(2, chunkRange(SONG, 3), 1_000, 0);
    track.demand(3, chunkRange(SONG, 5), 2_000, 250);
    track.drop(1, 300);
    order(track);
    expect(track.chunk(3)?.deadlineMs).toBe(1_200);
    expect(track.chunk(5)?.deadlineMs).toBe(2_050);
  });

  it('names blocks, from the first to the last that a demand touches', () => {
    const track = open();
    track.demand(1, { start: BLOCK - 1, end: BLOCK + 1 }, 1_000, 0);
    expect(track.chunk(0)?.wanted).toBeUndefined();
    order(track);
    expect(track.chunk(0)?.wanted).toEqual({ first: 0, end: 2 });
    track.demand(2, { start: 5 * BLOCK, end: 5 * BLOCK + 1 }, 500, 0);
    order(track);
    expect(track.chunk(0)).toMatchObject({ wanted: { first: 0, end: 6 }, deadlineMs: 500 });
  });

  it('of two demands lasts until both are dropped', () => {
    const track = open();
    track.demand(1, chunkRange(SONG, 2), 1_000, 0);
    track.demand(2, chunkRange(SONG, 2), 9_000, 0);
    order(track);
    expect(track.chunk(2)?.deadlineMs).toBe(1_000);
    expect(track.drop(1, 0)).toBe(true);
    expect(order(track)).toEqual([2]);
    expect(track.chunk(2)?.deadlineMs).toBe(9_000);
    expect(track.drop(2, 0)).toBe(true);
    expect(track.drop(2, 0)).toBe(false);
    expect(order(track)).toEqual([]);
    expect(track.chunk(2)?.isWanted).toBe(false);
  });

  it('leaves out what is held, and what becomes complete', () => {
    const track = open(1, [1]);
    track.demand(1, { start: 0, end: 3 * SONG.chunkSize }, 1_000, 0);
    expect(order(track)).toEqual([0, 2]);
    track.complete(0);
    expect(order(track)).toEqual([2]);
    expect(track.held.has(0)).toBe(true);
    expect(track.chunk(0)).toBeUndefined();
  });

  it('comes back when a chunk is lost', () => {
    const track = open();
    track.demand(1, chunkRange(SONG, 0), 1_000, 0);
    order(track);
    track.complete(0);
    track.lost(0);
    expect(order(track)).toEqual([0]);
  });

  it('keeps what was proven of a chunk over demands, until it is abandoned', () => {
    const track = open();
    track.demand(1, chunkRange(SONG, 0), 1_000, 0);
    order(track);
    track.chunk(0)?.prove(3);
    track.drop(1, 0);
    track.demand(2, chunkRange(SONG, 0), 1_000, 0);
    order(track);
    expect(track.chunk(0)?.isProven(3)).toBe(true);
    track.abandon(0);
    order(track);
    expect(track.chunk(0)?.isProven(3)).toBe(false);
  });

  it('keeps the claim to a chunk that is abandoned, and since when nobody wants it', () => {
    const track = open();
    const chunk = track.begin(0);
    chunk.claim = { state: 'granted', untilMs: 30_000 };
    chunk.leftMs = 5;
    track.abandon(0);
    track.abandon(1);
    expect(track.chunk(0)).not.toBe(chunk);
    expect(track.chunk(0)).toMatchObject({ claim: chunk.claim, leftMs: 5, isWanted: false });
    expect(track.chunk(1)).toBeUndefined();
  });

  it('takes of a very long track 512 chunks at a time, more as they come, each once', () => {
    const chunks = 16_384;
    const long: Geometry = { size: chunks * 262_144, chunkSize: 262_144 };
    const track = new TrackDemand('long@1' as TrackKey, long, ChunkSet.none(chunks), seededRandom(1));
    track.demand(1, { start: 0, end: long.size }, NEVER, 0);
    track.demand(2, chunkRange(long, 9_000), 1_000, 0);
    expect(track.inOrder()[0]?.chunk).toBe(9_000);
    const seen = new Set<number>();
    for (let next = track.inOrder()[0]; next !== undefined; next = track.inOrder()[0]) {
      expect(seen.has(next.chunk)).toBe(false);
      seen.add(next.chunk);
      expect([...track.begun].length).toBeLessThanOrEqual(513);
      track.complete(next.chunk);
    }
    expect(seen.size).toBe(chunks);
  });

  it('takes more of a very long track as its chunks come, also where something else was wanted meanwhile', () => {
    const chunks = 600;
    const long: Geometry = { size: chunks * 262_144, chunkSize: 262_144 };
    const track = new TrackDemand('long@1' as TrackKey, long, ChunkSet.none(chunks), seededRandom(1));
    track.demand(1, { start: 0, end: long.size }, NEVER, 0);
    expect(order(track)).toHaveLength(512);
    track.demand(2, chunkRange(long, order(track)[0] ?? 0), 1_000, 0);
    let taken = 0;
    for (let next = track.inOrder()[0]; next !== undefined; next = track.inOrder()[0]) {
      track.complete(next.chunk);
      taken++;
    }
    expect(taken).toBe(chunks);
  });

  it('is due later after what was late, also where the order was known before', () => {
    const track = open();
    track.demand(1, { start: 0, end: BLOCK }, 100, 0);
    track.demand(2, chunkRange(SONG, 3), 1_000, 0);
    expect(order(track)).toEqual([0, 3]);
    track.drop(1, 300);
    order(track);
    expect(track.chunk(3)?.deadlineMs).toBe(1_200);
  });

  it('leaves out what was completed or given up between two looks', () => {
    const track = open();
    track.demand(1, { start: 0, end: 4 * SONG.chunkSize }, 1_000, 0);
    expect(order(track)).toEqual([0, 1, 2, 3]);
    track.demand(2, chunkRange(SONG, 9), 500, 0);
    track.complete(1);
    track.abandon(2);
    expect(order(track)).toEqual([9, 0, 2, 3]);
    track.drop(1, 0);
    expect(order(track)).toEqual([9]);
  });

  it('is listened to at the rate of what is waited for now', () => {
    const track = open();
    track.demand(1, chunkRange(SONG, 0), 1_000, 0);
    track.demand(2, chunkRange(SONG, 1), 2_000, 0);
    expect(track.consumptionBytesPerMs).toBe(SONG.chunkSize / 1_000);
    track.demand(3, chunkRange(SONG, 4), 3_000, 0);
    expect(track.consumptionBytesPerMs).toBe((4 * SONG.chunkSize) / 2_000);
    track.drop(3, 0);
    expect(track.consumptionBytesPerMs).toBe(SONG.chunkSize / 1_000);
    track.drop(2, 0);
    expect(track.consumptionBytesPerMs).toBe(0);
  });

  it('knows which demands need a chunk', () => {
    const track = open();
    track.demand(1, { start: 0, end: SONG.chunkSize }, 1_000, 0);
    track.demand(2, { start: SONG.chunkSize - 1, end: SONG.chunkSize + 1 }, 1_000, 0);
    track.demand(3, { start: 5, end: 5 }, 1_000, 0);
    expect(track.demandsOf(0)).toEqual([1, 2]);
    expect(track.demandsOf(1)).toEqual([2]);
    expect(track.demandsOf(2)).toEqual([]);
  });
});

function open(seed = 1, held: number[] = []): TrackDemand {
  return new TrackDemand('song@1' as TrackKey, SONG, ChunkSet.of(10, held), seededRandom(seed));
}

function order(track: TrackDemand): number[] {
  return track.inOrder().map(({ chunk }) => chunk);
}
