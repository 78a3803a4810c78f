import { describe, expect, it } from 'vitest';
import { seededRandom } from '../testing/seeded-random.ts';
import { chunksInOrder, randomRanks, type ChunkOrder } from './chunk-order.ts';

describe('the order of chunks that nobody waits for', () => {
  it.each([0, 1, 2, 500])('is a permutation of %i chunks', (chunks) => {
    const ranks = [...randomRanks(chunks, seededRandom(3))];
    expect(ranks.sort((a, b) => a - b)).toEqual(Array.from({ length: chunks }, (_, i) => i));
  });

  it('lets every chunk come first for some listener', () => {
    const firsts = new Set<number>();
    for (let seed = 0; seed < 200; seed++) firsts.add(randomRanks(8, seededRandom(seed)).indexOf(0));
    expect(firsts.size).toBe(8);
  });
});

describe('the order of wanted chunks', () => {
  const NEVER = Number.POSITIVE_INFINITY;
  const wanted = [
    { chunk: 0, deadlineMs: NEVER },
    { chunk: 1, deadlineMs: NEVER },
    { chunk: 2, deadlineMs: NEVER },
    { chunk: 3, deadlineMs: 900 },
    { chunk: 4, deadlineMs: 100 },
    { chunk: 5, deadlineMs: 100 },
  ];
  const ranks = [2, 0, 1, 3, 4, 5];
  const holders = [0, 1, 1, 5, 2, 9];

  it.each<[ChunkOrder, number[]]>([
    ['swarm', [4, 5, 3, 1, 2, 0]],
    ['in-order', [4, 5, 3, 0, 1, 2]],
    ['rarest-first', [0, 1, 2, 4, 3, 5]],
  ])('is, %s, %j', (order, chunks) => {
    const compare = chunksInOrder(
      order,
      (chunk) => ranks[chunk] ?? 0,
      (chunk) => holders[chunk] ?? 0,
    );
    expect(wanted.toSorted(compare).map(({ chunk }) => chunk)).toEqual(chunks);
    expect(
      wanted
        .toReversed()
        .toSorted(compare)
        .map(({ chunk }) => chunk),
    ).toEqual(chunks);
  });
});
