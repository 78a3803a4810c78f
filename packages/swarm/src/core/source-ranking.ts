import { LIMITS } from '@sonantica/wire';
import { blockTimeoutMs } from './source-health.ts';
import type { SourceState } from './source-state.ts';

/** Time kept in hand before a deadline, in milliseconds. */
const MARGIN_MS = 250;
/** Nothing due sooner than this is asked of a peer that has given nothing yet, in milliseconds. */
export const UNTRIED_MS = 1_000;

/** Order in which peers are asked: the Aula first where that is preferred, untried ones, then the soonest. */
export function askedBefore(aulaFirst: boolean): (a: SourceState, b: SourceState) => number {
  return (a, b) => {
    if (aulaFirst && a.tier !== b.tier) return a.tier === 'aula' ? -1 : 1;
    const sooner = a.expectedMs(LIMITS.blockBytes) - b.expectedMs(LIMITS.blockBytes);
    // Of those not yet tried who has little to give is asked for that, and who has all for the rest.
    return sooner === 0 ? a.heldChunks - b.heldChunks : sooner;
  };
}

/** Whether a peer that may be asked would have sent `bytes` more by `deadlineMs`. */
export function canDeliverBy(peer: SourceState, bytes: number, deadlineMs: number, nowMs: number): boolean {
  if (!peer.isUsable(nowMs)) return false;
  if (deadlineMs === Number.POSITIVE_INFINITY) return true;
  // Nobody knows how fast it is: what is due soon is not staked on it, nor what would come after all that it was asked for.
  const isUnknown = peer.window.bytesPerSecond === 0 && peer.roomBytes < LIMITS.blockBytes;
  if ((isUnknown || !peer.isTried(nowMs)) && deadlineMs - nowMs < UNTRIED_MS) return false;
  const waitedMs = peer.outstandingBytes > 0 ? nowMs - peer.lastProgressMs : 0;
  if (waitedMs > blockTimeoutMs(peer.window.pingMs) / 2 && deadlineMs - nowMs < 1_000) return false;
  return nowMs + peer.expectedMs(bytes) + MARGIN_MS <= Math.max(deadlineMs, nowMs + 2 * MARGIN_MS);
}
