import { describe, expect, it } from 'vitest';
import { seededRandom } from '../testing/seeded-random.ts';
import { retryDelayMs } from './backoff.ts';

const BOUNDS = { firstMs: 1_000, mostMs: 30_000 };

describe('the pause before a retry', () => {
  it.each([
    [0, 1_000],
    [1, 2_000],
    [4, 16_000],
    [5, 30_000],
    [1_000, 30_000],
  ])('before attempt %i lies between half of %i ms and the whole', (attempt, mostMs) => {
    expect(retryDelayMs(attempt, BOUNDS, { next: () => 0 })).toBe(mostMs / 2);
    expect(retryDelayMs(attempt, BOUNDS, { next: () => 0.999_999 })).toBeCloseTo(mostMs, -1);
  });

  it('differs between listeners', () => {
    const random = seededRandom(1);
    const pauses = Array.from({ length: 100 }, () => retryDelayMs(3, BOUNDS, random));
    expect(new Set(pauses).size).toBe(100);
  });
});
