/** A listener who has this much ahead is in no danger, in milliseconds. */
const SAFE_BUFFER_MS = 2_000;
/** What is asked for ahead of the earliest deadline by who is in danger, in milliseconds of listening. */
const NARROW_MS = Number.POSITIVE_INFINITY;

/**
 * Up to which deadline blocks are asked for now. While the next byte is due soon, only what comes soon after it: all that
 * is asked for shares the listener's own line, and what is due first must not queue behind what is due last. Answers a
 * time on the clock of its arguments; infinite when nothing is pressing.
 */
export function askUntilMs(earliestDueMs: number, nowMs: number): number {
  const bufferMs = Math.max(0, earliestDueMs - nowMs);
  return bufferMs >= SAFE_BUFFER_MS ? Number.POSITIVE_INFINITY : nowMs + bufferMs + NARROW_MS;
}
