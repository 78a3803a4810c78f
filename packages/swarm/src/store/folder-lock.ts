import { constants } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { SwarmError } from '../errors.ts';
import { systemCode, toStoreError } from './store-error.ts';

/** A folder that is this process's own until released. */
export interface FolderLock {
  /** Lets others in. Idempotent. */
  release(): Promise<void>;
}

/** `O_EXLOCK | O_NONBLOCK` of macOS and the BSDs: open and `flock` in one step, or fail with EAGAIN. */
const BSD_EXCLUSIVE = 0x20 | 0x4;
/** libuv's `UV_FS_O_EXLOCK`: on Windows the file is opened without sharing, or fails with EBUSY. */
const WINDOWS_EXCLUSIVE = 0x1000_0000;

const TAKEN = new Set(['EADDRINUSE', 'EAGAIN', 'EWOULDBLOCK', 'EBUSY']);

/**
 * Takes a folder for this process. Throws `SwarmError('store-locked')` naming the process that has it, at once.
 *
 * The lock is the kernel's, so it ends with the process however that ends, nothing stale is ever left to take over,
 * and of two that start at the same moment exactly one wins. Node has no `flock`; what it has is
 * - Linux: the name of an abstract unix socket, made from the device and inode of the file `lock`. It is seen within
 *   one network namespace: containers with their own networks that share a volume do not see each other's.
 * - macOS, BSD, Windows: opening the file `lock` exclusively.
 *
 * `lock.pid` holds the owner's process id, for messages only.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, 'lock');
  const pidPath = join(folder, 'lock.pid');
  let release: () => Promise<void>;
  try {
    release = process.platform === 'linux' ? await lockBySocket(path) : await lockByOpening(path);
  } catch (error) {
    if (!TAKEN.has(systemCode(error) ?? '')) throw toStoreError(error, `locking ${folder}`);
    throw new SwarmError('store-locked', `${folder} is in use by ${await ownerOf(pidPath)}`, error);
  }
  try {
    await writeFile(pidPath, String(process.pid));
  } catch (error) {
    await release();
    throw toStoreError(error, `locking ${folder}`);
  }
  return { release };
}

async function lockBySocket(path: string): Promise<() => Promise<void>> {
  const file = await open(path, 'a');
  const { dev, ino } = await file.stat({ bigint: true }).finally(() => file.close());
  const server = createServer((socket) => socket.destroy());
  await listen(server, `\0sonantica-store-${dev}-${ino}`);
  server.unref();
  return () => new Promise((resolve) => void server.close(() => resolve()));
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function lockByOpening(path: string): Promise<() => Promise<void>> {
  const exclusive = process.platform === 'win32' ? WINDOWS_EXCLUSIVE : BSD_EXCLUSIVE;
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | exclusive);
  let closing: Promise<void> | undefined;
  return () => (closing ??= file.close());
}

async function ownerOf(pidPath: string): Promise<string> {
  try {
    const pid = await readFile(pidPath, 'utf8');
    if (/^\d{1,10}$/.test(pid)) return `process ${pid}`;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  return 'another process';
}
