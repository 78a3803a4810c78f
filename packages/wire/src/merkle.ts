import { equalBytes } from './bytes.ts';
import { blockCount, chunkCount, type Geometry } from './byte-range.ts';
import { LIMITS } from './limits.ts';

/** SHA-256 of `bytes`: 32 bytes, the caller's to keep. Must not keep or change its input. */
export type Hasher = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

const ZERO_HASH = new Uint8Array(LIMITS.hashBytes);

/** Leaf hashes of a chunk tree: missing leaves of a short chunk are 32 zero bytes (BEP 52). */
export function leavesPerChunk(chunkSize: number): number {
  return chunkSize / LIMITS.blockBytes;
}

/**
 * The root of a binary SHA-256 tree over `hashes`, padded with `filler` to `width`, a power of two
 * (default: the next power of two). One hash alone is its own root.
 */
export async function merkleRoot(
  hasher: Hasher,
  hashes: readonly Uint8Array[],
  width = nextPowerOfTwo(hashes.length),
  filler: Uint8Array = ZERO_HASH,
): Promise<Uint8Array> {
  let layer = hashes;
  let padding = filler;
  for (let left = width; left > 1; left /= 2) {
    const above: Uint8Array[] = [];
    for (let i = 0; i < layer.length; i += 2) {
      above.push(await hashPair(hasher, layer[i] ?? padding, layer[i + 1] ?? padding));
    }
    padding = await hashPair(hasher, padding, padding);
    layer = above;
  }
  return layer[0] ?? padding;
}

/**
 * The hash of a chunk from its leaf hashes. In a track of one chunk the tree is only as wide as its
 * blocks need; otherwise it has `chunkSize / 16384` leaves.
 */
export function chunkRoot(hasher: Hasher, geometry: Geometry, leaves: readonly Uint8Array[]): Promise<Uint8Array> {
  const width = chunkCount(geometry) === 1 ? nextPowerOfTwo(leaves.length) : leavesPerChunk(geometry.chunkSize);
  return merkleRoot(hasher, leaves, width);
}

/** Whether `leaves` (one per block, none padded) are those of the chunk whose hash is `expected`. */
export async function provesChunk(
  hasher: Hasher,
  geometry: Geometry,
  chunk: number,
  leaves: readonly Uint8Array[],
  expected: Uint8Array,
): Promise<boolean> {
  if (leaves.length !== blockCount(geometry, chunk)) return false;
  return equalBytes(await chunkRoot(hasher, geometry, leaves), expected);
}

/** The `pieces root` of a track from its chunk hashes (BEP 52). */
export async function trackRoot(
  hasher: Hasher,
  geometry: Geometry,
  chunkHashes: readonly Uint8Array[],
): Promise<Uint8Array> {
  const only = chunkHashes[0];
  if (chunkHashes.length === 1 && only !== undefined) return only;
  const filler = await merkleRoot(hasher, [], leavesPerChunk(geometry.chunkSize));
  return merkleRoot(hasher, chunkHashes, nextPowerOfTwo(chunkHashes.length), filler);
}

/** Cuts packed 32-byte hashes into views of the same memory. */
export function splitHashes(packed: Uint8Array): Uint8Array[] {
  return Array.from({ length: packed.length / LIMITS.hashBytes }, (_, i) =>
    packed.subarray(i * LIMITS.hashBytes, (i + 1) * LIMITS.hashBytes),
  );
}

/** Packs 32-byte hashes one after another. */
export function joinHashes(hashes: readonly Uint8Array[]): Uint8Array {
  const packed = new Uint8Array(hashes.length * LIMITS.hashBytes);
  hashes.forEach((hash, i) => packed.set(hash, i * LIMITS.hashBytes));
  return packed;
}

function nextPowerOfTwo(count: number): number {
  let width = 1;
  while (width < count) width *= 2;
  return width;
}

function hashPair(hasher: Hasher, left: Uint8Array, right: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const pair = new Uint8Array(LIMITS.hashBytes * 2);
  pair.set(left);
  pair.set(right, LIMITS.hashBytes);
  return hasher(pair);
}
