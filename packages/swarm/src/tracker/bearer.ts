/** A bearer token, or how to get a fresh one before each connection; `undefined` greets without one. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

/** Runs something once, later; the answer takes it back. */
export type After = (delayMs: number, run: () => void) => () => void;

/** A callback that has not given a token by then is taken to have failed, in milliseconds. */
export const TOKEN_WITHIN_MS = 10_000;

/** A token on its way. */
export interface AwaitedBearer {
  /** Rejects with what the callback threw, or after {@link TOKEN_WITHIN_MS}. */
  readonly token: Promise<string | undefined>;
  /** Waits no longer; the promise then settles only if the callback does. */
  stop(): void;
}

/** Gets a token from its source. A callback that never settles does not hold up what waits for it. */
export function bearerFrom(source: TokenSource | undefined, after: After): AwaitedBearer {
  if (typeof source !== 'function') return { token: Promise.resolve(source), stop: () => undefined };
  let stop: () => void = () => undefined;
  const token = new Promise<string | undefined>((resolve, reject) => {
    stop = after(TOKEN_WITHIN_MS, () => reject(new Error('the token did not come in time')));
    void Promise.resolve().then(source).then(resolve, reject).finally(stop);
  });
  return { token, stop: () => stop() };
}
