import { expect, it } from 'vitest';
import { seededRandom } from './seeded-random.ts';

it('gives the numbers of PractRand’s sfc32 for the same seed', () => {
  const random = seededRandom(1);
  expect(Array.from({ length: 4 }, () => random.next() * 2 ** 32)).toEqual(reference(1, 4));
  const large = seededRandom(2 ** 40 + 7);
  expect(Array.from({ length: 4 }, () => large.next() * 2 ** 32)).toEqual(reference(2 ** 40 + 7, 4));
});

it('repeats itself for one seed and differs between seeds', () => {
  const numbers = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 100 }, () => random.next());
  };
  expect(numbers(42)).toEqual(numbers(42));
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => numbers(seed)[0]));
  expect(firsts.size).toBe(1000);
});

it('stays within 0 and 1, evenly', () => {
  const random = seededRandom(7);
  let within = true;
  const bins = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 100_000; i++) {
    const number = random.next();
    within &&= number >= 0 && number < 1;
    const bin = Math.floor(number * 10);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  expect(within).toBe(true);
  for (const count of bins) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

/** The same in 64-bit arithmetic, written down independently. */
function reference(seed: number, count: number): number[] {
  const mask = 0xffff_ffffn;
  let [a, b, c, counter] = [0n, BigInt(seed) & mask, (BigInt(seed) >> 32n) & mask, 1n];
  const next = () => {
    const sum = (a + b + counter++) & mask;
    a = b ^ (b >> 9n);
    b = (c + (c << 3n)) & mask;
    c = ((((c << 21n) | (c >> 11n)) & mask) + sum) & mask;
    return Number(sum);
  };
  for (let i = 0; i < 12; i++) next();
  return Array.from({ length: count }, next);
}
