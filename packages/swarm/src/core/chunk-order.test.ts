import { describe, expect, it } from 'vitest';
import { seededRandom } from '../testing/seeded-random.ts';
import { randomRanks } from './chunk-order.ts';

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
