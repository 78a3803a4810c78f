import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `sonantica-bench-<process id>-<random>`. */
const NAME = /^sonantica-bench-(\d+)-\w+$/;

/** Makes a folder for one run under the temporary folder. It is this process's until {@link removePlace}. */
export function makePlace(): string {
  return mkdtempSync(join(tmpdir(), `sonantica-bench-${process.pid}-`));
}

/** Removes the folder of a run, whatever lies in it. */
export function removePlace(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Removes what runs left behind whose process is gone with all that would have cleaned up after it. */
export function sweepPlaces(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(NAME.exec(name)?.[1] ?? 0);
    if (pid > 0 && !isAlive(pid)) removePlace(join(tmpdir(), name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is alive all the same.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
