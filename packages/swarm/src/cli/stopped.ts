/** The longest delay a timer takes, in milliseconds. */
const LONG_MS = 2_147_483_647;

/** Resolves when the command is told to stop, and keeps the process alive until then. */
export function stopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const alive = setInterval(() => undefined, LONG_MS);
    stop.addEventListener(
      'abort',
      () => {
        clearInterval(alive);
        resolve();
      },
      { once: true },
    );
  });
}
