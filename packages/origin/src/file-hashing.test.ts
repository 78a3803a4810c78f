import { hash } from 'node:crypto';
import { appendFile, readFile, truncate } from 'node:fs/promises';
import { LIMITS, toHex } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { hashFile } from './file-hashing.ts';
import { makeFolder, put } from './testing/fixtures.ts';

interface Vector {
  readonly bytes: number;
  readonly seed: string;
  readonly chunkSize: number;
  readonly sha256: string;
  readonly root: string;
  readonly chunks: readonly string[];
}

const VECTORS = new URL('../../wire/fixtures/bep52.json', import.meta.url);
const { vectors }: { vectors: readonly Vector[] } = JSON.parse(await readFile(VECTORS, 'utf8'));

/** The vectors' bytes: SHA-256 of `seed:0`, `seed:1`… one after another, cut to length. */
function vectorBytes({ bytes, seed }: Vector): Buffer {
  const pieces = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) =>
    hash('sha256', `${seed}:${i}`, 'buffer'),
  );
  return Buffer.concat(pieces).subarray(0, bytes);
}

describe('hashing a file', () => {
  it.each(vectors)('gives libtorrent’s tree of $bytes bytes in chunks of $chunkSize', async (vector) => {
    const content = vectorBytes(vector);
    const path = await put(await makeFolder(), 'a.flac', content);
    const hashes = await hashFile(path, vector.chunkSize);
    expect(hashes.root).toBe(vector.root);
    expect(hashes.chunkHashes.map(toHex)).toEqual(vector.chunks);
    expect(hashes.sha256).toBe(vector.sha256);
    expect(hashes.stamp.size).toBe(vector.bytes);
    const blocks = Array.from({ length: Math.ceil(vector.bytes / LIMITS.blockBytes) }, (_, i) =>
      content.subarray(i * LIMITS.blockBytes, (i + 1) * LIMITS.blockBytes),
    );
    const leaves = Buffer.concat(blocks.map((block) => hash('sha256', block, 'buffer')));
    expect(Buffer.compare(hashes.leaves, leaves)).toBe(0);
  });

  it('keeps its memory bounded whatever the size', async () => {
    const path = await put(await makeFolder(), 'a.wav', '');
    await truncate(path, 192 * 1024 * 1024);
    const before = process.memoryUsage();
    let peak = 0;
    const timer = setInterval(() => {
      const { external, heapUsed } = process.memoryUsage();
      peak = Math.max(peak, external + heapUsed - before.external - before.heapUsed);
    }, 5);
    await hashFile(path);
    clearInterval(timer);
    expect(peak).toBeLessThan(64 * 1024 * 1024);
  });

  it('refuses an empty file and one over 4 GiB', async () => {
    const path = await put(await makeFolder(), 'a.wav', '');
    await expect(hashFile(path)).rejects.toMatchObject({ code: 'file-unsuitable' });
    await truncate(path, LIMITS.maxTrackBytes + 1);
    await expect(hashFile(path)).rejects.toMatchObject({ code: 'file-unsuitable' });
  });

  it('refuses a chunk size that is none', async () => {
    const path = await put(await makeFolder(), 'a.wav', 'abc');
    await expect(hashFile(path, 100_000)).rejects.toMatchObject({ code: 'file-unsuitable' });
  });

  it('refuses a file that is written to meanwhile', async () => {
    const path = await put(await makeFolder(), 'a.wav', new Uint8Array(16 * 1024 * 1024));
    let isDone = false;
    const hashing = hashFile(path).finally(() => (isDone = true));
    hashing.catch(() => {});
    while (!isDone) await appendFile(path, 'more');
    await expect(hashing).rejects.toMatchObject({ code: 'file-changing' });
  });
});
