/** Where several measurements of one thing lie. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The spread of at least one value; of an even number the median is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new RangeError('nothing was measured');
  const high = sorted[Math.floor(sorted.length / 2)] ?? max;
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  return { median: (low + high) / 2, min, max };
}

/** Each value of one side over that of the other in the same round, and their spread. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Spread {
  return spreadOf(ours.map((value, i) => value / (theirs[i] ?? Number.NaN)));
}
