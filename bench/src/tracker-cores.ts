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
  const pin = (pid: number, list: string) =>
    spawnSync('taskset', ['-a', '-c', '-p', list, String(pid)], { stdio: 'ignore' }).status === 0;
  return pin(serverPid, '0') && otherPids.every((pid) => pin(pid, `1-${cores - 1}`));
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
  const chrt = (...args: string[]) => spawnSync('chrt', args, { stdio: 'ignore' }).status === 0;
  return chrt('-a', '-f', '-p', '1', String(pid)) && chrt('-f', '-p', '2', String(pid));
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
