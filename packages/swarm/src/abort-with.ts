/** What is aborted. */
export type Abortable = Pick<AbortController, 'abort'>;

const followersOf = new WeakMap<AbortSignal, Set<Abortable>>();

/**
 * Aborts `controller` when `signal` is aborted, for the same reason, until the answer is called. However many follow a
 * signal, it has one listener: reads are many, and `AbortSignal.any` has each leave weak references to be collected.
 */
export function abortWith(signal: AbortSignal, controller: Abortable): () => void {
  if (signal.aborted) controller.abort(signal.reason);
  const followers = followersOf.get(signal) ?? follow(signal);
  followers.add(controller);
  return () => followers.delete(controller);
}

function follow(signal: AbortSignal): Set<Abortable> {
  const followers = new Set<Abortable>();
  followersOf.set(signal, followers);
  const abortAll = () => {
    for (const controller of followers) controller.abort(signal.reason);
    followers.clear();
  };
  signal.addEventListener('abort', abortAll, { once: true });
  return followers;
}

/** What the promise gives, or the reason of `signal` when that fires first. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
