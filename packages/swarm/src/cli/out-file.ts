import { constants } from 'node:fs';
import { access, lstat, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SwarmError } from '../errors.ts';
import { toStoreError } from '../store/store-error.ts';

/** Ends the name of a file that is not whole yet. */
const UNFINISHED = '.part';

/** Where a track is written. One writer, from beginning to end. */
export interface OutFile {
  /** Appends. Rejects with `store-full` or `store-failed`, saying which file. */
  write(bytes: Uint8Array): Promise<void>;
  /** The file is whole: now it has its name. Rejects as `write` does. */
  finish(): Promise<void>;
  /** Leaves nothing behind of a file that is not whole. */
  discard(): Promise<void>;
}

/** Throws `SwarmError('invalid-argument')` where a file cannot be written, before anything is fetched for it. */
export async function checkOutFile(path: string): Promise<void> {
  const refuse = (why: string, cause?: unknown) => {
    throw new SwarmError('invalid-argument', `${path} cannot be written: ${why}`, cause);
  };
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) refuse('it is a folder');
  const folder = dirname(path);
  const parent = await stat(folder).catch((error: unknown) => refuse(`there is no folder ${folder}`, error));
  if (parent?.isDirectory() === false) refuse(`${folder} is no folder`);
  if (await isReplaced(path))
    await access(folder, constants.W_OK).catch((error: unknown) => refuse(`${folder} is read-only`, error));
}

/**
 * Opens a file that appears only when it is whole. What is there and is not a regular file, a pipe, a device or a link,
 * is written into instead, since putting a file in its place would end it. Rejects as {@link OutFile.write} does.
 */
export async function openOutFile(path: string): Promise<OutFile> {
  const part = (await isReplaced(path)) ? `${path}${UNFINISHED}` : undefined;
  const told = async <T>(act: Promise<T>): Promise<T> =>
    act.catch((error: unknown) => {
      throw toStoreError(error, `writing ${path}`);
    });
  const file: FileHandle = await told(open(part ?? path, 'w'));
  return {
    write: (bytes) => told(file.writeFile(bytes)),
    finish: async () => {
      await told(file.close());
      if (part !== undefined) await told(rename(part, path));
    },
    discard: async () => {
      await file.close().catch(() => undefined);
      if (part !== undefined) await rm(part, { force: true });
    },
  };
}

/** Whether a new file takes the place of what is there, if anything. */
async function isReplaced(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isFile() ?? true;
}
