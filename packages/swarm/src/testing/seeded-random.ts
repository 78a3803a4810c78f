import type { Random } from '../core/env.ts';

/**
 * Random numbers that a seed repeats: sfc32 (Chris Doty-Humphrey, PractRand), its state filled from the
 * seed as PractRand does it, twelve rounds discarded. Period at least 2^32; numbers have 32 bits.
 * `seed` is any whole number; its low 53 bits count.
 */
export function seededRandom(seed: number): Random {
  let a = 0;
  let b = seed >>> 0;
  let c = Math.floor(seed / 2 ** 32) >>> 0;
  let counter = 1;

  const next32 = () => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };

  for (let round = 0; round < 12; round++) next32();
  return { next: () => next32() / 2 ** 32 };
}
