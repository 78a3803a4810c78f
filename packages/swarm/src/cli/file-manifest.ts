import { open } from 'node:fs/promises';
import {
  buildManifest,
  chunkCount,
  chunkRange,
  chunkRoot,
  LIMITS,
  type Geometry,
  type ManifestJson,
} from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { createStreamHasher, nodeHasher } from '../verify/sha256-node.ts';
import type { SeedFile } from './seed-files.ts';

/**
 * Reads a file once and describes it, unsigned. Rejects with `invalid-argument` where it changes meanwhile, with system
 * errors as they come, and with the reason of `stop`.
 */
export async function manifestOf(
  { realPath, trackId, mime }: Pick<SeedFile, 'realPath' | 'trackId' | 'mime'>,
  stop: AbortSignal,
): Promise<ManifestJson> {
  const file = await open(realPath);
  try {
    const { size } = await file.stat();
    const geometry = { size, chunkSize: LIMITS.defaultChunkBytes };
    const whole = await createStreamHasher();
    const chunkHashes: Uint8Array[] = [];
    for (let chunk = 0; chunk < chunkCount(geometry); chunk++) {
      stop.throwIfAborted();
      const { start, end } = chunkRange(geometry, chunk);
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      if (bytesRead !== bytes.length)
        throw new SwarmError('invalid-argument', 'it changed while it was read');
      whole.update(bytes);
      const leaves: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += LIMITS.blockBytes)
        leaves.push(nodeHasher(bytes.subarray(at, at + LIMITS.blockBytes)));
      chunkHashes.push(await chunkRoot(nodeHasher, geometry, leaves));
    }
    return await buildManifest(
      { trackId, ...geometry, mime, sha256: whole.digestHex(), chunkHashes },
      nodeHasher,
    );
  } finally {
    await file.close();
  }
}

/** Reads a chunk of a file; `undefined` where the file has become shorter. Rejects with system errors. */
export async function readChunk(
  path: string,
  geometry: Geometry,
  chunk: number,
): Promise<Uint8Array | undefined> {
  const { start, end } = chunkRange(geometry, chunk);
  const file = await open(path);
  try {
    const bytes = new Uint8Array(end - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    return bytesRead === bytes.length ? bytes : undefined;
  } finally {
    await file.close();
  }
}
