/** Peers that are given to at the same time. */
export const UPLOAD_SLOTS = 4;
/** Requests due sooner than this are urgent: their asker listens now, in milliseconds. */
const WINDOW_MS = 15_000;
/** What an asker may take ahead of its listening before its urgency is doubted: a head and a little, in bytes. */
const HEAD_START_BYTES = 1_048_576;

/** Somebody who asks for blocks. */
export interface Asker {
  /** When its most urgent request is due, on the same clock as `nowMs`; infinite when nobody waits. */
  readonly dueMs: number;
  readonly tier: 'aula' | 'global';
  /** Bytes it gave this listener of late. */
  readonly gaveBytes: number;
  /** When it was last given something; minus infinity for never. */
  readonly servedMs: number;
  /** Bytes given to it that it called urgent, and since when it has asked. */
  readonly urgentBytes: number;
  readonly sinceMs: number;
  /** What one who listens consumes, in bytes a millisecond. */
  readonly bytesPerMs: number;
}

/**
 * Who is given to next: who listens and would run dry first, believed up to what a listener can consume; then the own
 * Aula, then who gave more, then who waited longer. One slot in four is for who waited longest, whatever it asks: so
 * nobody is left out, and a newcomer is tried. Answers `undefined` when nobody asks.
 */
export function nextAsker<A extends Asker>(
  askers: Iterable<A>,
  optimistic: boolean,
  nowMs: number,
): A | undefined {
  let best: A | undefined;
  for (const asker of askers) {
    if (best === undefined || comesBefore(asker, best, optimistic, nowMs)) best = asker;
  }
  return best;
}

/** Whether somebody listens to what it asks for, as far as it is believed. */
export function isUrgent(asker: Asker, nowMs: number): boolean {
  return believedDueMs(asker, nowMs) !== Number.POSITIVE_INFINITY;
}

function comesBefore(a: Asker, b: Asker, optimistic: boolean, nowMs: number): boolean {
  if (optimistic && a.servedMs !== b.servedMs) return a.servedMs < b.servedMs;
  const [dueA, dueB] = [believedDueMs(a, nowMs), believedDueMs(b, nowMs)];
  if (dueA !== dueB) return dueA < dueB;
  if (a.tier !== b.tier) return a.tier === 'aula';
  if (a.servedMs !== b.servedMs) return a.servedMs < b.servedMs;
  return a.gaveBytes > b.gaveBytes;
}

/** By when it needs what it asks for: nobody listens to more than the bitrate times the time that passed. */
function believedDueMs({ dueMs, urgentBytes, sinceMs, bytesPerMs }: Asker, nowMs: number): number {
  if (dueMs - nowMs > WINDOW_MS) return Number.POSITIVE_INFINITY;
  const credit = HEAD_START_BYTES + (nowMs - sinceMs + WINDOW_MS) * bytesPerMs;
  return urgentBytes > credit ? Number.POSITIVE_INFINITY : dueMs;
}
