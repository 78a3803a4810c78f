import { SwarmError } from '../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What is touched of a process. */
export type SignalledProcess = Pick<NodeJS.Process, 'on' | 'off'>;

/**
 * Aborts `stop` at the first SIGINT or SIGTERM. From then on a signal does what it does by itself: the second ends the
 * process at once, with 130 or 143 as shells tell it, whatever the first has left waiting.
 */
export function stopOnSignal(stop: Pick<AbortController, 'abort'>, process: SignalledProcess): void {
  const first = (signal: NodeJS.Signals) => {
    for (const each of SIGNALS) process.off(each, first);
    stop.abort(new SwarmError('aborted', `stopped by ${signal}`));
  };
  for (const each of SIGNALS) process.on(each, first);
}
