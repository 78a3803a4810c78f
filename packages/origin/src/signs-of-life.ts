import type { Response } from 'express';

/** Listeners give up an origin that is silent for four seconds; hashing a file of gigabytes takes longer. In milliseconds. */
const EVERY_MS = 1_000;

/**
 * Waits for what is answered as JSON, and while that takes long sends a space now and then: JSON may begin with them.
 * Then the answer has begun, so that no header can be set any more; a failure breaks it off.
 */
export async function withSignsOfLife<Result>(
  res: Response,
  work: Promise<Result>,
  everyMs = EVERY_MS,
): Promise<Result> {
  const timer = setInterval(() => {
    if (!res.headersSent) res.type('application/json');
    res.write(' ');
  }, everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
