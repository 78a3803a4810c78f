import type { Random } from './env.ts';

/** Bounds of a series of attempts, in milliseconds. */
export interface BackoffBounds {
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * The pause before attempt `attempt` (0 for the first retry): doubled each time up to a cap, with equal
 * jitter, half fixed and half random, so that a crowd does not come back at once.
 */
export function retryDelayMs(attempt: number, { firstMs, mostMs }: BackoffBounds, random: Random): number {
  const most = Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30));
  return most / 2 + (most / 2) * random.next();
}
