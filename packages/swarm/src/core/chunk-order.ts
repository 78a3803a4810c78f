import type { Random } from './env.ts';

/**
 * A random order of the chunks of a track, fixed for one listener: those who want a whole track start in
 * different places and so come to hold different chunks. Element `n` is the rank of chunk `n`.
 */
export function randomRanks(chunks: number, random: Random): Uint32Array {
  const ranks = Uint32Array.from({ length: chunks }, (_, i) => i);
  for (let i = chunks - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    const kept = ranks[i] ?? 0;
    ranks[i] = ranks[j] ?? 0;
    ranks[j] = kept;
  }
  return ranks;
}
