import type { Random } from './env.ts';

/**
 * In which order wanted chunks are asked for. `swarm`, what listeners run: what is due first, then in a random order of
 * each listener's own. The others are rivals that a simulation compares it with: `in-order` takes what nobody waits for
 * from the beginning of the track on; `rarest-first` takes everything by how few hold it, due or not.
 */
export type ChunkOrder = 'swarm' | 'in-order' | 'rarest-first';

/** What a place in the order depends on. */
export interface OrderedChunk {
  readonly chunk: number;
  /** Infinite where nobody waits. */
  readonly deadlineMs: number;
}

/** Compares two wanted chunks. `rank` is the listener's own random order, `holders` how many in reach hold a chunk. */
export function chunksInOrder(
  order: ChunkOrder,
  rank: (chunk: number) => number,
  holders: (chunk: number) => number,
): (a: OrderedChunk, b: OrderedChunk) => number {
  return (a, b) => {
    if (order === 'rarest-first') return holders(a.chunk) - holders(b.chunk) || rank(a.chunk) - rank(b.chunk);
    if (a.deadlineMs !== b.deadlineMs) return a.deadlineMs < b.deadlineMs ? -1 : 1;
    const isRandom = order === 'swarm' && a.deadlineMs === Number.POSITIVE_INFINITY;
    return isRandom ? rank(a.chunk) - rank(b.chunk) : a.chunk - b.chunk;
  };
}

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
