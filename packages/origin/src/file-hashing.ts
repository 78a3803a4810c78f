import { createHash, hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import {
  blockCount,
  chunkCount,
  chunkRoot,
  isChunkSize,
  LIMITS,
  splitHashes,
  toHex,
  trackRoot,
  type Geometry,
  type SyncHasher,
} from '@sonantica/wire';
import { OriginError } from './errors.ts';

/** By what a file is taken to be unchanged: its size in bytes and the time of its last change. */
export interface FileStamp {
  readonly size: number;
  readonly mtimeMs: number;
}

/** What a file's bytes come to. */
export interface FileHashes {
  readonly stamp: FileStamp;
  readonly chunkSize: number;
  /** The 32-byte hash of every 16 KiB block, packed in order: the content of `.leaves`. */
  readonly leaves: Uint8Array;
  readonly chunkHashes: readonly Uint8Array[];
  /** `pieces root` (BEP 52), hexadecimal. */
  readonly root: string;
  /** SHA-256 of the whole file, hexadecimal. */
  readonly sha256: string;
}

/** SHA-256 by node:crypto, as the wire package takes it. */
export const sha256: SyncHasher = (bytes) => hash('sha256', bytes, 'buffer');

export function stampOf({ size, mtimeMs }: Stats): FileStamp {
  return { size, mtimeMs };
}

export function isSameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs;
}

/** Bytes read at a time: memory stays at two such buffers whatever the file's size. */
const READ_BYTES = 64 * LIMITS.blockBytes;

/**
 * Reads a file once and hashes it. Throws `OriginError` with `file-unsuitable` (empty, or over 4 GiB) or
 * `file-changing` (written to meanwhile), and system errors as they come.
 */
export async function hashFile(
  path: string,
  chunkSize: number = LIMITS.defaultChunkBytes,
): Promise<FileHashes> {
  if (!isChunkSize(chunkSize)) throw new OriginError('file-unsuitable', `${chunkSize} is not a chunk size`);
  const file = await open(path);
  try {
    return await hashOpenFile(file, chunkSize);
  } finally {
    await file.close();
  }
}

async function hashOpenFile(file: FileHandle, chunkSize: number): Promise<FileHashes> {
  const stamp = stampOf(await file.stat());
  const { size } = stamp;
  if (size === 0) throw new OriginError('file-unsuitable', 'the file is empty');
  if (size > LIMITS.maxTrackBytes) throw new OriginError('file-unsuitable', 'the file is larger than 4 GiB');

  const whole = createHash('sha256');
  const leaves = Buffer.alloc(Math.ceil(size / LIMITS.blockBytes) * LIMITS.hashBytes);
  let leafAt = 0;
  let position = 0;
  let current = Buffer.allocUnsafe(READ_BYTES);
  let next = Buffer.allocUnsafe(READ_BYTES);
  let filled = await fill(file, current, position);
  while (filled > 0) {
    if (filled !== Math.min(READ_BYTES, size - position)) throw changing();
    position += filled;
    const reading = fill(file, next, position);
    const piece = current.subarray(0, filled);
    // Hashing cannot throw, so `reading` is always awaited.
    whole.update(piece);
    for (let at = 0; at < piece.length; at += LIMITS.blockBytes) {
      // As a string of bytes: a Buffer for every leaf would pile up outside the heap.
      leaves.write(hash('sha256', piece.subarray(at, at + LIMITS.blockBytes), 'binary'), leafAt, 'binary');
      leafAt += LIMITS.hashBytes;
    }
    filled = await reading;
    [current, next] = [next, current];
  }
  if (position !== size || !isSameStamp(stamp, stampOf(await file.stat()))) throw changing();
  return {
    stamp,
    chunkSize,
    leaves,
    sha256: whole.digest('hex'),
    ...(await treeOver({ size, chunkSize }, leaves)),
  };
}

/** Fills a buffer from `position` on; answers the bytes read, fewer only at the end of the file. */
async function fill(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** The chunk hashes and the root over a track's packed leaves. */
export async function treeOver(
  geometry: Geometry,
  leaves: Uint8Array,
): Promise<Pick<FileHashes, 'chunkHashes' | 'root'>> {
  const chunkHashes: Uint8Array[] = [];
  let at = 0;
  for (let chunk = 0; chunk < chunkCount(geometry); chunk++) {
    const end = at + blockCount(geometry, chunk) * LIMITS.hashBytes;
    chunkHashes.push(await chunkRoot(sha256, geometry, splitHashes(leaves.subarray(at, end))));
    at = end;
  }
  return { chunkHashes, root: toHex(await trackRoot(sha256, geometry, chunkHashes)) };
}

function changing(): OriginError {
  return new OriginError('file-changing', 'the file is being written; try again later');
}
