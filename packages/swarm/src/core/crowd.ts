import type { ChunkSet } from '@sonantica/wire';
import type { OriginPace } from './origin-pace.ts';
import type { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { BlockSpan, WantedChunk } from './wanted-chunk.ts';

/** A chunk is scarce while fewer than one in so many of those who take part hold it. */
const SCARCE_BELOW = 3;
/** What has to be here sooner than this cannot be passed on any more: links stand after about as long, in milliseconds. */
const LINKED_WITHIN_MS = 250;
/** What has to be here within this time is passed on once at most, in milliseconds. */
const ONCE_WITHIN_MS = 400;
/** The share of a crowd that takes such a block; of what is due later half as many, for every so many milliseconds. */
const LARGEST_SHARE = 0.2;
const HALVES_EVERY_MS = 200;
/** A crowd waits for what is due within this time, in milliseconds. */
const CROWD_WITHIN_MS = 2_000;
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
 * listener takes from the origin to pass it on, or `none`, by chance, once; `undefined` while that is not to be decided.
 * So all have something to pass on when their links stand, and not the one alone: most of all what is due so soon that it
 * cannot go through many hands. Decisions 0015 and 0022.
 */
export function shareOf(
  track: TrackDemand,
  chunk: WantedChunk,
  pace: OriginPace,
  nowMs: number,
): BlockSpan | 'none' | undefined {
  if (chunk.isShareDrawn || chunk.claim.state !== 'elsewhere' || !track.originProvesBlocks) return undefined;
  if (chunk.deadlineMs - nowMs >= CROWD_WITHIN_MS || track.offered.length < 2) return undefined;
  // Where the origin is slow, all is late.
  if (pace.isCongested(track.consumptionBytesPerMs)) {
    const run = chunk.mostPressingIdle({ rotatedBy: track.startIn(chunk) });
    return run && { first: run.first, end: run.first + 1 };
  }
  // What is wanted behind what comes late is due later than it says.
  if (track.isLate(nowMs)) return undefined;
  const shares = Array.from({ length: chunk.blocks }, (_, block) =>
    chunk.isIdle(block) ? shareOfBlock(chunk.dueMs(block) - pace.leadMs - nowMs, track.listeners) : 0,
  );
  const all = shares.reduce((sum, share) => sum + share, 0);
  let drawn = track.chanceOf(chunk) * Math.max(1, all);
  for (const [block, share] of shares.entries()) {
    drawn -= share;
    if (drawn < 0) return { first: block, end: block + 1 };
  }
  return 'none';
}

/** The share of a crowd that takes a block which has to be here in so long; none where even one is more than that. */
function shareOfBlock(withinMs: number, listeners: number): number {
  if (withinMs < LINKED_WITHIN_MS || withinMs === Number.POSITIVE_INFINITY) return 0;
  const share = LARGEST_SHARE * 2 ** (-Math.max(0, withinMs - ONCE_WITHIN_MS) / HALVES_EVERY_MS);
  return share * listeners < 1 ? 0 : share;
}

/**
 * Of how many peers that have a part of a chunk each block may be had. What few offer is asked for first, so that all of
 * the chunk soon has several who pass it on.
 */
export function offersOf(
  peers: Iterable<{ partOf(track: TrackKey, chunk: number): Uint8Array | undefined }>,
  track: TrackKey,
  chunk: WantedChunk,
): Uint8Array {
  const offers = new Uint8Array(chunk.blocks);
  for (const peer of peers) {
    const part = peer.partOf(track, chunk.chunk);
    for (let block = 0; part !== undefined && block < chunk.blocks; block++)
      if (part[block] === 1) offers[block] = (offers[block] ?? 0) + 1;
  }
  return offers;
}

/**
 * Blocks of a scarce chunk that may be under way from one peer at a time. All ask the few who have it whole: who comes to
 * have a part is soon asked for that. The longer the way, the more are under way.
 */
export function scarceWindow(gaveBefore: boolean, roundTripMs: number): number {
  return gaveBefore ? Math.max(SCARCE_BLOCKS, Math.ceil(roundTripMs / BLOCK_EVERY_MS)) : 1;
}
