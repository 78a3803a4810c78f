import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { blockCount, chunkCount, type Geometry } from './byte-range.ts';
import { toHex } from './bytes.ts';
import { LIMITS } from './limits.ts';
import {
  chunkRoot,
  joinHashes,
  leavesPerChunk,
  merkleRoot,
  provesChunk,
  splitHashes,
  trackRoot,
  type Hasher,
} from './merkle.ts';

interface Vector {
  readonly bytes: number;
  readonly seed: string;
  readonly chunkSize: number;
  readonly sha256: string;
  readonly root: string;
  readonly chunks: readonly string[];
}

const FIXTURE = new URL('../fixtures/bep52.json', import.meta.url);
const { vectors }: { vectors: readonly Vector[] } = JSON.parse(await readFile(FIXTURE, 'utf8'));

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const sha256Later: Hasher = async (bytes) => sha256(bytes);

/** SHA-256 of `seed:0`, `seed:1`… one after another, cut to length. */
function vectorBytes({ bytes, seed }: Vector): Uint8Array {
  const pieces = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) =>
    hash('sha256', `${seed}:${i}`, 'buffer'),
  );
  return Buffer.concat(pieces).subarray(0, bytes);
}

/** The leaf hashes of each chunk. */
function leavesOf(content: Uint8Array, geometry: Geometry): Uint8Array[][] {
  return Array.from({ length: chunkCount(geometry) }, (_chunk, chunk) =>
    Array.from({ length: blockCount(geometry, chunk) }, (_block, block) => {
      const start = chunk * geometry.chunkSize + block * LIMITS.blockBytes;
      const end = Math.min(start + LIMITS.blockBytes, (chunk + 1) * geometry.chunkSize);
      return sha256(content.subarray(start, end));
    }),
  );
}

describe.each([
  ['a synchronous', sha256],
  ['an asynchronous', sha256Later],
])('with %s hasher', (_kind, hasher) => {
  it.each(vectors)(
    '$bytes bytes in chunks of $chunkSize have libtorrent’s chunk hashes and root',
    async (vector) => {
      const geometry = { size: vector.bytes, chunkSize: vector.chunkSize };
      const content = vectorBytes(vector);
      expect(toHex(sha256(content))).toBe(vector.sha256);
      const chunks = await Promise.all(
        leavesOf(content, geometry).map((leaves) => chunkRoot(hasher, geometry, leaves)),
      );
      expect(chunks.map(toHex)).toEqual(vector.chunks);
      expect(toHex(await trackRoot(hasher, geometry, chunks))).toBe(vector.root);
    },
  );
});

describe('a tree', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((text) => hash('sha256', text, 'buffer')) as [Buffer, Buffer, Buffer];
  const pair = (left: Uint8Array, right: Uint8Array) => sha256(Buffer.concat([left, right]));
  const zero = Buffer.alloc(32);

  it('of one hash is that hash', async () => {
    expect(await merkleRoot(sha256, [a])).toEqual(a);
  });

  it('is padded with zero hashes to a power of two', async () => {
    expect(toHex(await merkleRoot(sha256, [a, b, c]))).toBe(toHex(pair(pair(a, b), pair(c, zero))));
    expect(toHex(await merkleRoot(sha256, [a], 4))).toBe(toHex(pair(pair(a, zero), pair(zero, zero))));
  });

  it('of nothing is the tree over its padding', async () => {
    expect(toHex(await merkleRoot(sha256, [], 2))).toBe(toHex(pair(zero, zero)));
    expect(toHex(await merkleRoot(sha256, [], 2, a))).toBe(toHex(pair(a, a)));
  });
});

describe('the leaves of a chunk', () => {
  const geometry = { size: 262_144 + 20_000, chunkSize: 262_144 };
  const content = Uint8Array.from({ length: geometry.size }, (_, i) => (i * 7) ^ (i >> 14));
  const [first = [], last = []] = leavesOf(content, geometry);

  it('prove it', async () => {
    expect(first).toHaveLength(leavesPerChunk(geometry.chunkSize));
    expect(last).toHaveLength(2);
    expect(await provesChunk(sha256, geometry, 0, first, await chunkRoot(sha256, geometry, first))).toBe(
      true,
    );
    expect(await provesChunk(sha256, geometry, 1, last, await chunkRoot(sha256, geometry, last))).toBe(true);
  });

  it.each([
    ['one is changed', [...first.slice(0, 15), sha256(Uint8Array.of(1))]],
    ['two are swapped', [first[1], first[0], ...first.slice(2)]],
    ['one is missing', first.slice(0, 15)],
    ['one is too many', [...first, new Uint8Array(32)]],
    ['there are none', []],
    ['they are another chunk’s', last],
  ])('do not prove it when %s', async (_how, leaves) => {
    const given = leaves.filter((leaf) => leaf !== undefined);
    expect(await provesChunk(sha256, geometry, 0, given, await chunkRoot(sha256, geometry, first))).toBe(
      false,
    );
  });

  it('do not prove a short chunk with its padding spelled out', async () => {
    const padded = [...last, ...Array.from({ length: 14 }, () => new Uint8Array(32))];
    expect(await provesChunk(sha256, geometry, 1, padded, await chunkRoot(sha256, geometry, last))).toBe(
      false,
    );
  });
});

describe('packed hashes', () => {
  it('are cut and joined in order', () => {
    const packed = Uint8Array.from({ length: 96 }, (_, i) => i);
    const hashes = splitHashes(packed);
    expect(hashes.map((one) => one.length)).toEqual([32, 32, 32]);
    expect(hashes[1]?.[0]).toBe(32);
    expect(joinHashes(hashes)).toEqual(packed);
  });
});
