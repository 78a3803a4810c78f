import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkSet, LIMITS, chunkCount, type ByteRange, type Geometry } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { TrackDemand, type DemandId } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { PrefetchSources } from './wanted-chunk.ts';

const BLOCK = LIMITS.blockBytes;
/** Eight chunks of four blocks, the last cut short. */
const SONG: Geometry = { size: 8 * 4 * BLOCK - 5_000, chunkSize: 4 * BLOCK };
const BLOCKS = Math.ceil(SONG.size / BLOCK);

interface Wish {
  readonly range: ByteRange;
  readonly deadlineMs: number;
  readonly prefetch: PrefetchSources | undefined;
}

const wish = fc
  .record({
    from: fc.nat({ max: BLOCKS - 1 }),
    blocks: fc.integer({ min: 1, max: 9 }),
    deadlineMs: fc.constantFrom(1_000, 2_000, 3_000, Number.POSITIVE_INFINITY),
    prefetch: fc.constantFrom<(PrefetchSources | undefined)[]>(undefined, undefined, 'peers', 'any'),
  })
  .map(({ from, blocks, deadlineMs, prefetch }): Wish => {
    const range = { start: from * BLOCK, end: Math.min(SONG.size, (from + blocks) * BLOCK) };
    return { range, deadlineMs: prefetch === undefined ? deadlineMs : Number.POSITIVE_INFINITY, prefetch };
  });
const chunk = fc.nat({ max: chunkCount(SONG) - 1 });
const steps = fc.array(
  fc.oneof(
    wish.map((made) => ({ type: 'demand', made }) as const),
    fc.nat({ max: 8 }).map((which) => ({ type: 'drop', which }) as const),
    fc.nat({ max: BLOCKS - 1 }).map((block) => ({ type: 'prove', block }) as const),
    chunk.map((index) => ({ type: 'complete', index }) as const),
    chunk.map((index) => ({ type: 'lost', index }) as const),
    chunk.map((index) => ({ type: 'abandon', index }) as const),
    fc.constant({ type: 'look' } as const),
  ),
  { minLength: 1, maxLength: 40 },
);

/** What is wanted of a chunk by all demands, worked out from nothing. */
function wantedOf(index: number, wishes: readonly Wish[], isProven: (block: number) => boolean) {
  const first = index * 4;
  const dueMs = Array.from({ length: Math.min(4, BLOCKS - first) }, () => Number.POSITIVE_INFINITY);
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  const sources: (PrefetchSources | undefined)[] = [];
  for (const { range, deadlineMs, prefetch } of wishes) {
    let covers = false;
    for (const [block, due] of dueMs.entries()) {
      const start = (first + block) * BLOCK;
      if (range.start >= start + BLOCK || range.end <= start) continue;
      covers = true;
      dueMs[block] = Math.min(due, deadlineMs);
      from = Math.min(from, block);
      to = Math.max(to, block + 1);
    }
    if (covers) sources.push(prefetch);
  }
  if (sources.length === 0) return undefined;
  const open = dueMs.filter((_, block) => !isProven(block));
  return {
    wanted: { first: from, end: to },
    deadlineMs: Math.min(Number.POSITIVE_INFINITY, ...open),
    dueMs,
    prefetch: sources.includes(undefined) ? undefined : sources.includes('any') ? 'any' : 'peers',
  };
}

describe('what is wanted of a track', () => {
  it('is what all demands together say, whatever came, went, was proven, kept or lost before', () => {
    fc.assert(
      fc.property(steps, (done) => {
        const random = seededRandom(1);
        const track = new TrackDemand('song' as TrackKey, SONG, ChunkSet.none(chunkCount(SONG)), random);
        const wishes = new Map<DemandId, Wish>();
        let ids = 0;
        for (const step of done) {
          if (step.type === 'demand') {
            wishes.set(++ids, step.made);
            track.demand(ids, step.made.range, step.made.deadlineMs, 0, step.made.prefetch);
          } else if (step.type === 'drop') {
            const id = [...wishes.keys()][step.which];
            if (id !== undefined) track.drop(id, 0);
            wishes.delete(id ?? 0);
          } else if (step.type === 'prove') track.chunk(step.block >> 2)?.prove(step.block & 3);
          else if (step.type === 'look') track.inOrder();
          else track[step.type](step.index);
        }
        // What was proven moves a chunk only when the order is made anew.
        track.holdersChanged();
        const order = track.inOrder().map((each) => each.chunk);
        const expected: number[] = [];
        for (let index = 0; index < chunkCount(SONG); index++) {
          const begun = track.chunk(index);
          const should = track.held.has(index)
            ? undefined
            : wantedOf(index, [...wishes.values()], (block) => begun?.isProven(block) ?? false);
          if (should === undefined) {
            expect(begun?.isWanted ?? false).toBe(false);
            continue;
          }
          expected.push(index);
          const { dueMs, ...rest } = should;
          expect(begun).toMatchObject(rest);
          expect(dueMs.map((_, block) => begun?.dueMs(block))).toEqual(dueMs);
        }
        expect([...order].sort((a, b) => a - b)).toEqual(expected);
        const due = track.inOrder().filter((each) => each.prefetch === undefined);
        expect(track.inOrder().slice(0, due.length)).toEqual(due);
        const deadlines = due.map((each) => each.deadlineMs);
        expect(deadlines).toEqual([...deadlines].sort((a, b) => a - b));
      }),
      { numRuns: 500 },
    );
  });
});
