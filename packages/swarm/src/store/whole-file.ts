import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemCode } from './store-error.ts';

/** Ends the name of a file that was not finished. Whatever carries it after a crash is rubbish. */
export const UNFINISHED = '.part';

/** On Windows a virus scanner or a reader may hold a file for a moment; renames are tried again after these pauses. */
const RENAME_PAUSES_MS = [5, 10, 20, 50, 100, 200];
const HELD_BY_OTHERS = new Set(['EPERM', 'EACCES', 'EBUSY']);

/**
 * Writes a file so that its name only ever stands for the whole of it: under another name first, then renamed.
 * A crash of the process leaves the old contents or the new. `durable` also waits for the disk, which a failing
 * power supply calls for. One writer a path at a time. Throws what `node:fs` throws; then nothing is left over.
 */
export async function writeWholeFile(
  path: string,
  contents: Uint8Array | string,
  { durable }: { readonly durable: boolean },
): Promise<void> {
  const unfinished = path + UNFINISHED;
  try {
    const file = await open(unfinished, 'w');
    try {
      await file.writeFile(contents);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await renameOver(unfinished, path);
  } catch (error) {
    await removeFile(unfinished);
    throw error;
  }
  if (durable) await syncFolder(dirname(path));
}

/** Reads a file of a known length into memory of its own; `undefined` when it is missing, shorter or longer. */
export async function readWholeFile(path: string, length: number): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size !== length) return undefined;
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled);
      if (bytesRead === 0) return undefined;
      filled += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** Removes a file, or nothing when there is none. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

async function renameOver(from: string, to: string): Promise<void> {
  for (const pauseMs of process.platform === 'win32' ? RENAME_PAUSES_MS : []) {
    try {
      return await rename(from, to);
    } catch (error) {
      if (!HELD_BY_OTHERS.has(systemCode(error) ?? '')) throw error;
      await delay(pauseMs);
    }
  }
  return rename(from, to);
}

/** Makes a rename durable. Windows cannot open folders and needs no such thing. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
