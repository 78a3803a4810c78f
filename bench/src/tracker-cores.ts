import { spawnSync } from 'node:child_process';
import { availableParallelism, constants, setPriority } from 'node:os';

/**
 * Gives a server the first core for itself and keeps others off it, where the system has util-linux' `taskset` and
 * more than one core; elsewhere they are scheduled as it pleases. Threads started later follow. Answers whether
 * it did.
 */
export function giveOwnCore(serverPid: number, otherPids: readonly number[]): boolean {
  const cores = availableParallelism();
  if (process.platform !== 'linux' || cores < 2) return false;
  return pin(serverPid, String(SERVER_CORE)) && otherPids.every((pid) => pin(pid, `1-${cores - 1}`));
}

/** The core that {@link giveOwnCore} gives a server. */
export const SERVER_CORE = 0;

/** Keeps a process on one core. Answers whether the system let it. */
export function keepOnCore(pid: number, core: number): boolean {
  return process.platform === 'linux' && pin(pid, String(core));
}

function pin(pid: number, list: string): boolean {
  return spawnSync('taskset', ['-a', '-c', '-p', list, String(pid)], { stdio: 'ignore' }).status === 0;
}

/**
 * Lets a process run before all others on its core, and its first thread before its helpers, so that a server is alone
 * on it and whoever measures does not wait for the clock itself: of real-time priority (`SCHED_FIFO`). Answers whether
 * the system let it, which takes Linux, util-linux' `chrt` and the right to do so (root).
 *
 * The process has to have been started with `--single-threaded-gc`: otherwise the engine's first thread asks again and
 * again, without ever sleeping, whether helpers have swept, and they never get the core they share with it.
 */
export function goFirst(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  return chrt('-a', '-f', '-p', '1', String(pid)) && chrt('-f', '-p', '2', String(pid));
}

/** Lets a process run before all others, those of {@link goFirst} too: for looking at a clock, and no work. */
export function lookFirst(pid: number): boolean {
  return process.platform === 'linux' && chrt('-a', '-f', '-p', '3', String(pid));
}

function chrt(...args: string[]): boolean {
  return spawnSync('chrt', args, { stdio: 'ignore' }).status === 0;
}

/**
 * Lets a process run only when nobody else wants its core, so that what it does to the one that is measured is not
 * that it takes the clock of the one that measures: of low priority, and where there is util-linux' `chrt`, idle.
 */
export function giveWay(pid: number): void {
  setPriority(pid, constants.priority.PRIORITY_LOW);
  if (process.platform === 'linux')
    spawnSync('chrt', ['-a', '-i', '-p', '0', String(pid)], { stdio: 'ignore' });
}
