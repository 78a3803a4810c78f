/**
 * A seeded source of chance (mulberry32). The same seed gives the same take.
 * @param {number} seed
 */
export function createRandom(seed) {
  let state = seed >>> 0;

  /** Evenly spread over [0, 1). */
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  return {
    uniform,
    /** Evenly spread over [-1, 1). */
    bipolar: () => 2 * uniform() - 1,
    /** Triangular over (-1, 1): the shape of good dither. */
    triangular: () => uniform() - uniform(),
    /** Close to a normal distribution with deviation 1, and never beyond 3.5. */
    normal: () => {
      const sum = uniform() + uniform() + uniform() + uniform();
      return (sum - 2) * Math.sqrt(3);
    },
  };
}
