/** What is aborted. */
export type Abortable = Pick<AbortController, 'abort'>;

interface Following {
  readonly followers: Set<Abortable>;
  /** Takes the listener off the signal. */
  readonly stop: () => void;
}

const followings = new WeakMap<AbortSignal, Following>();

/**
 * Aborts `controller` when `signal` is aborted, for the same reason, until the answer is called. However many follow a
 * signal, it has one listener, and none once nobody follows it. Reads are many, and `AbortSignal.any` is not for them:
 * each leaves something with its sources, and with listeners of its own it stays in memory as long as they do.
 */
export function abortWith(signal: AbortSignal, controller: Abortable): () => void {
  if (signal.aborted) {
    controller.abort(signal.reason);
    return () => undefined;
  }
  const { followers, stop } = followings.get(signal) ?? follow(signal);
  followers.add(controller);
  return () => {
    if (followers.delete(controller) && followers.size === 0) stop();
  };
}

function follow(signal: AbortSignal): Following {
  const followers = new Set<Abortable>();
  const abortAll = () => {
    stop();
    for (const controller of followers) controller.abort(signal.reason);
    followers.clear();
  };
  const stop = () => {
    followings.delete(signal);
    signal.removeEventListener('abort', abortAll);
  };
  const following = { followers, stop };
  followings.set(signal, following);
  signal.addEventListener('abort', abortAll);
  return following;
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
