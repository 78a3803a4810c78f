import { fork } from 'node:child_process';
import { BENCH, ENDS_WITH_PARENT } from './run-script.ts';

/** Listeners from which on a simulation is faster with a larger young generation; fewer are slower with it. Decision 0042. */
const MANY_LISTENERS = 300;
/** Half of it, in megabytes. V8 reads it once, when a process starts. */
const FLAG = '--max-semi-space-size';
const SEMI_SPACE_MB = 64;

/**
 * What Node is to be told for a simulation of so many listeners; `undefined` where that is nothing, or whoever started
 * this process has chosen. `told`: what Node was told.
 */
export function youngGenerationFlag(
  listeners: number,
  told: readonly string[] = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''],
): string | undefined {
  if (listeners < MANY_LISTENERS || told.some((flag) => flag.includes('semi-space-size'))) return undefined;
  return `${FLAG}=${SEMI_SPACE_MB}`;
}

/**
 * Runs this command again in a process of its own, in which Node is told `flag` too, and answers its exit status. What
 * stops this process is passed on, once: the other is in a group of its own, so that a terminal's Ctrl-C does not reach it
 * twice.
 */
export function runAgain(flag: string, stops: readonly NodeJS.Signals[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(BENCH, process.argv.slice(2), {
      stdio: 'inherit',
      detached: true,
      execArgv: [...process.execArgv, flag, ...ENDS_WITH_PARENT],
    });
    const passOn = (signal: NodeJS.Signals) => void child.kill(signal);
    for (const signal of stops) process.on(signal, passOn);
    child.once('error', reject);
    child.once('close', (status) => {
      for (const signal of stops) process.off(signal, passOn);
      resolve(status ?? 1);
    });
  });
}
