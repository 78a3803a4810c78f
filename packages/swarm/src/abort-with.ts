const followersOf = new WeakMap<AbortSignal, Set<AbortController>>();

/**
 * Aborts `controller` when `signal` is aborted, for the same reason, until the answer is called. However many follow a
 * signal, it has one listener: reads are many, and `AbortSignal.any` has each leave weak references to be collected.
 */
export function abortWith(signal: AbortSignal, controller: AbortController): () => void {
  if (signal.aborted) controller.abort(signal.reason);
  const followers = followersOf.get(signal) ?? follow(signal);
  followers.add(controller);
  return () => followers.delete(controller);
}

function follow(signal: AbortSignal): Set<AbortController> {
  const followers = new Set<AbortController>();
  followersOf.set(signal, followers);
  const abortAll = () => {
    for (const controller of followers) controller.abort(signal.reason);
    followers.clear();
  };
  signal.addEventListener('abort', abortAll, { once: true });
  return followers;
}
