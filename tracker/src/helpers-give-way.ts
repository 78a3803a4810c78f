import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Of a tenth of the weight: those who compile still get something of a core that is never idle. */
const NICE = 10;
/** With this flag of Node's nobody serving waits for a helper; without, it may have to, for one that collects garbage. */
const ONLY_COMPILE = '--single-threaded-gc';

/**
 * Lets the engine's threads beside the one that serves give way to it, where Node was started for one core
 * (`--single-threaded-gc`) and the system gives a priority to each thread (Linux): four that compile what a flood made
 * hot would leave the one that serves a fifth of their core. Changes the whole process; to be called once, when it
 * starts.
 */
export function letHelpersGiveWay(): void {
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')];
  if (process.platform !== 'linux' || !flags.includes(ONLY_COMPILE)) return;
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    if (thread !== process.pid) setPriority(thread, NICE);
  }
}
