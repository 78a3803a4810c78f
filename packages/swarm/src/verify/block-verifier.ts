import {
  blockCount,
  blockLength,
  chunkLength,
  equalBytes,
  joinHashes,
  LIMITS,
  provesChunk,
  splitHashes,
  type Geometry,
  type Hasher,
} from '@sonantica/wire';
import type { Verifier } from './verifier.ts';

/**
 * Proves the bytes of one version of a track against the chunk hashes of its manifest (BEP 52).
 *
 * A chunk's leaf hashes are checked against its chunk hash once and remembered (32 bytes a block, 0.2 % of
 * the track: all of them are kept until {@link forget}); then each block is proven by itself. Methods answer
 * at once when the hasher is synchronous and with a promise otherwise. Bytes passed in must not change before
 * the answer; none are kept. Chunks and blocks outside the track prove nothing: they are `false`, not errors.
 */
export class BlockVerifier implements Verifier {
  readonly #hasher: Hasher;
  readonly #geometry: Geometry;
  readonly #chunkHashes: readonly Uint8Array[];
  /** Packed leaf hashes, one per block, by chunk. Only proven ones. */
  readonly #leaves = new Map<number, Uint8Array>();

  /** `chunkHashes` are those of a checked manifest; they are kept and must not change. */
  constructor(hasher: Hasher, geometry: Geometry, chunkHashes: readonly Uint8Array[]) {
    this.#hasher = hasher;
    this.#geometry = { size: geometry.size, chunkSize: geometry.chunkSize };
    this.#chunkHashes = chunkHashes;
  }

  /** Whether blocks of the chunk can be proven now. */
  hasLeaves(chunk: number): boolean {
    return this.#leaves.has(chunk);
  }

  /** The proven leaf hashes of a chunk, packed, to be sent as its proof. Not to be changed. */
  leavesOf(chunk: number): Uint8Array | undefined {
    return this.#leaves.get(chunk);
  }

  /**
   * Checks packed leaf hashes, 32 bytes for each block of the chunk, against its chunk hash and remembers them
   * when they are right. Wrong ones never displace proven ones.
   */
  acceptLeaves(chunk: number, packed: Uint8Array): boolean | Promise<boolean> {
    const expected = this.#chunkHashes[chunk];
    if (expected === undefined) return false;
    const proven = this.#leaves.get(chunk);
    if (proven !== undefined) return equalBytes(proven, packed);
    if (packed.length !== blockCount(this.#geometry, chunk) * LIMITS.hashBytes) return false;
    const copy = packed.slice();
    const proves = provesChunk(this.#hasher, this.#geometry, chunk, splitHashes(copy), expected);
    return then(proves, (right) => {
      if (right) this.#leaves.set(chunk, copy);
      return right;
    });
  }

  /** Whether these are the bytes of a block. `false` while the chunk has no leaves. */
  proveBlock(chunk: number, block: number, bytes: Uint8Array): boolean | Promise<boolean> {
    const leaves = this.#leaves.get(chunk);
    if (leaves === undefined || !isBlock(block, leaves.length / LIMITS.hashBytes)) return false;
    if (bytes.length !== blockLength(this.#geometry, chunk, block)) return false;
    const start = block * LIMITS.hashBytes;
    const leaf = leaves.subarray(start, start + LIMITS.hashBytes);
    return then(this.#hasher(bytes), (hash) => equalBytes(hash, leaf));
  }

  /**
   * Proves a whole chunk without leaves given: one from an origin that has none, or from a store. Answers its
   * packed leaf hashes, which are remembered and not to be changed, or `undefined` when the bytes are not the chunk's.
   */
  proveChunk(chunk: number, bytes: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const expected = this.#chunkHashes[chunk];
    if (expected === undefined || bytes.length !== chunkLength(this.#geometry, chunk)) return undefined;
    const hashes: (Uint8Array | Promise<Uint8Array>)[] = [];
    for (let start = 0; start < bytes.length; start += LIMITS.blockBytes) {
      hashes.push(this.#hasher(bytes.subarray(start, start + LIMITS.blockBytes)));
    }
    const ready = hashes.filter((hash) => hash instanceof Uint8Array);
    const leaves = ready.length === hashes.length ? ready : Promise.all(hashes);
    return then(leaves, (all) => {
      const packed = joinHashes(all);
      return then(this.acceptLeaves(chunk, packed), (right) => (right ? this.#leaves.get(chunk) : undefined));
    });
  }

  /** Lets go of a chunk's leaf hashes. */
  forget(chunk: number): void {
    this.#leaves.delete(chunk);
  }
}

function isBlock(block: number, count: number): boolean {
  return Number.isInteger(block) && block >= 0 && block < count;
}

/** Goes on at once when the value is there, so that a synchronous hasher is never made to wait. */
function then<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
