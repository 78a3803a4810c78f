/** How often a condition is looked at, in milliseconds. */
const LOOK_EVERY_MS = 10;

/**
 * Waits for `condition` to give something other than `false` or `undefined`, and gives it back. Rejects, naming
 * `what` was waited for, after `withinMs`.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  withinMs = 10_000,
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const value = await condition();
    if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
