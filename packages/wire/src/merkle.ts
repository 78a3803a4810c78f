import { equalBytes } from './bytes.ts';
import { blockCount, chunkCount, type Geometry } from './byte-range.ts';
import { LIMITS } from './limits.ts';

/** SHA-256 of `bytes`: 32 bytes, the caller's to keep. Must not keep or change its input. */
export type Hasher = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** A {@link Hasher} that answers at once. */
export type SyncHasher = (bytes: Uint8Array) => Uint8Array;

const ZERO_HASH = new Uint8Array(LIMITS.hashBytes);

/** Leaf hashes of a chunk tree: missing leaves of a short chunk are 32 zero bytes (BEP 52). */
export function leavesPerChunk(chunkSize: number): number {
  return chunkSize / LIMITS.blockBytes;
}

/**
 * The root of a binary SHA-256 tree over `hashes`, padded with `filler` to `width`, a power of two
 * (default: the next power of two). One hash alone is its own root. Synchronous when the hasher is.
 */
export function merkleRoot(
  hasher: Hasher,
  hashes: readonly Uint8Array[],
  width = nextPowerOfTwo(hashes.length),
  filler: Uint8Array = ZERO_HASH,
): Uint8Array | Promise<Uint8Array> {
  if (width <= 1) return hashes[0] ?? filler;
  const above: (Uint8Array | Promise<Uint8Array>)[] = [];
  for (let i = 0; i < hashes.length; i += 2) {
    above.push(hashPair(hasher, hashes[i] ?? filler, hashes[i + 1] ?? filler));
  }
  const padding = above.length < width / 2 ? hashPair(hasher, filler, filler) : filler;
  return whenHashed([padding, ...above], ([paddingHash, ...layer]) =>
    merkleRoot(hasher, layer, width / 2, paddingHash),
  );
}

/**
 * The hash of a chunk from its leaf hashes. In a track of one chunk the tree is only as wide as its
 * blocks need; otherwise it has `chunkSize / 16384` leaves. Synchronous when the hasher is.
 */
export function chunkRoot(
  hasher: Hasher,
  geometry: Geometry,
  leaves: readonly Uint8Array[],
): Uint8Array | Promise<Uint8Array> {
  const width =
    chunkCount(geometry) === 1 ? nextPowerOfTwo(leaves.length) : leavesPerChunk(geometry.chunkSize);
  return merkleRoot(hasher, leaves, width);
}

/**
 * Whether `leaves` (one per block, none padded) are those of the chunk whose hash is `expected`.
 * Synchronous when the hasher is.
 */
export function provesChunk(
  hasher: Hasher,
  geometry: Geometry,
  chunk: number,
  leaves: readonly Uint8Array[],
  expected: Uint8Array,
): boolean | Promise<boolean> {
  if (leaves.length !== blockCount(geometry, chunk)) return false;
  const root = chunkRoot(hasher, geometry, leaves);
  return root instanceof Promise
    ? root.then((hash) => equalBytes(hash, expected))
    : equalBytes(root, expected);
}

/** The `pieces root` of a track from its chunk hashes (BEP 52). Synchronous when the hasher is. */
export function trackRoot(
  hasher: Hasher,
  geometry: Geometry,
  chunkHashes: readonly Uint8Array[],
): Uint8Array | Promise<Uint8Array> {
  const only = chunkHashes[0];
  if (chunkHashes.length === 1 && only !== undefined) return only;
  return whenHashed([merkleRoot(hasher, [], leavesPerChunk(geometry.chunkSize))], ([filler]) =>
    merkleRoot(hasher, chunkHashes, nextPowerOfTwo(chunkHashes.length), filler),
  );
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

/** Goes on at once when every hash is there, so that a synchronous hasher is never made to wait. */
function whenHashed(
  hashes: readonly (Uint8Array | Promise<Uint8Array>)[],
  next: (hashes: readonly Uint8Array[]) => Uint8Array | Promise<Uint8Array>,
): Uint8Array | Promise<Uint8Array> {
  const ready = hashes.filter((hash) => hash instanceof Uint8Array);
  return ready.length === hashes.length ? next(ready) : Promise.all(hashes).then(next);
}
