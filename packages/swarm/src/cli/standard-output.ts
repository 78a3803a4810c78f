import { fstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { systemCode, toStoreError } from '../store/store-error.ts';
import type { OutFile } from './out-file.ts';

/** Names standard output where a file is asked for; a file of that name is `./-`. */
const DASH = '-';
/** Who is told to stop does not wait longer for a reader to take what was printed, in milliseconds. */
const FLUSH_WITHIN_MS = 1_000;

/** Whether what is written there comes out of this process: `-`, `/dev/stdout`, or the very file, pipe or terminal. */
export async function isStandardOutput(path: string): Promise<boolean> {
  if (path === DASH) return true;
  const there = await stat(path).catch(() => undefined);
  try {
    const { dev, ino } = fstatSync(process.stdout.fd);
    return there?.dev === dev && there.ino === ino;
  } catch {
    return false;
  }
}

/** Standard output as a file that is written into, at the pace at which it is read. A broken pipe rejects as it comes. */
export function standardOutput(): OutFile {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(isBrokenPipe(error) ? error : outputError(error));
        });
      }),
    finish: () => Promise.resolve(),
    discard: () => Promise.resolve(),
  };
}

/** Who read standard output is gone, as `head` is once it has its lines. */
export function isBrokenPipe(error: unknown): boolean {
  return systemCode(error) === 'EPIPE';
}

/** What people are told where standard output cannot be written for another reason. */
export function outputError(error: unknown): Error {
  return toStoreError(error, 'writing standard output');
}

/** Resolves once what was written has left this process or cannot; a little after `stop` in any case. */
export async function flushed(stream: NodeJS.WriteStream, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const late = () => void setTimeout(resolve, FLUSH_WITHIN_MS);
    if (stop.aborted) late();
    else stop.addEventListener('abort', late, { once: true });
    stream.write('', () => resolve());
  });
}
