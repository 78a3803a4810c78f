import type { ChunkSet } from '@sonantica/wire';
import type { OriginPace } from './origin-pace.ts';
import type { TrackDemand } from './track-demand.ts';
import type { BlockSpan, WantedChunk } from './wanted-chunk.ts';

/** A chunk is scarce while fewer than one in so many of those who take part hold it. */
const SCARCE_BELOW = 3;
/** A chunk reaches a crowd in about as long as links take, and this much for each time that the number of its holders doubles, in milliseconds. */
const LINKED_WITHIN_MS = 500;
const DOUBLES_IN_MS = 150;
/** Of a scarce chunk no more than this is asked of one peer at a time, in blocks; of one that gave nothing yet, one. */
const SCARCE_BLOCKS = 2;
const BLOCK_EVERY_MS = 50;
/** Where fewer peers than this are linked, they are asked for all they have. */
export const LEAST_CROWD = 4;

/**
 * Whether few hold a chunk. `linked`: for each linked peer that takes part in the track, whether it does; while fewer than
 * half of those whom the tracker named are linked, what it said of them counts.
 */
export function isScarceAmong(
  linked: readonly boolean[],
  offered: readonly ChunkSet[],
  chunk: number,
): boolean {
  const byWord = linked.length * 2 < offered.length;
  let holders = 0;
  if (byWord) for (const held of offered) holders += held.has(chunk) ? 1 : 0;
  else for (const holds of linked) holders += holds ? 1 : 0;
  const others = (byWord ? offered : linked).length - holders;
  return others > 0 && holders * SCARCE_BELOW < others;
}

/**
 * Where a crowd waits for a scarce chunk that one of them fetches, and has no links yet: the block of it that this
 * listener takes from the origin, of its own choice, once. So all have something to pass on when their links stand,
 * and not the one alone. Decision 0015.
 */
export function shareOf(
  track: TrackDemand,
  chunk: WantedChunk,
  pace: OriginPace,
  nowMs: number,
): BlockSpan | undefined {
  if (chunk.hasShare || chunk.claim.state !== 'elsewhere' || !track.originProvesBlocks) return undefined;
  const spreadsInMs = LINKED_WITHIN_MS + DOUBLES_IN_MS * Math.log2(Math.max(1, track.listeners));
  if (chunk.deadlineMs - nowMs >= spreadsInMs || track.offered.length < 2) return undefined;
  // What is due before would be here too late to be passed on; where the origin is slow, all is late.
  const fromMs = pace.isCongested(track.consumptionBytesPerMs) ? 0 : nowMs + 2 * pace.leadMs;
  const run = chunk.mostPressingIdle({ fromMs, rotatedBy: track.startIn(chunk) });
  return run && { first: run.first, end: run.first + 1 };
}

/**
 * Blocks of a scarce chunk that may be under way from one peer at a time. All ask the few who have it whole: who comes to
 * have a part is soon asked for that. The longer the way, the more are under way.
 */
export function scarceWindow(gaveBefore: boolean, roundTripMs: number): number {
  return gaveBefore ? Math.max(SCARCE_BLOCKS, Math.ceil(roundTripMs / BLOCK_EVERY_MS)) : 1;
}
