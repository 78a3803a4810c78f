import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

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
