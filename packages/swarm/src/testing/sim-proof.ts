import { blockCount, blockLength, chunkLength, LIMITS, type Geometry } from '@sonantica/wire';
import type { Verifier } from '../verify/verifier.ts';

/** A right byte; whatever begins with another is wrong. */
const ZEROS = new Uint8Array(LIMITS.maxChunkBytes);

/** Zeros that everybody shares: the right bytes of every simulated track. */
export function zeros(bytes: number): Uint8Array {
  return bytes <= ZEROS.length ? ZEROS.subarray(0, bytes) : new Uint8Array(bytes);
}

/** Whether simulated bytes that begin at `at` are wrong. */
export function isWrong(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] !== 0;
}

/** Marks a block or proof in a frame as wrong; `at` is where its bytes begin. */
export function makeWrong(frame: Uint8Array, at: number): void {
  frame[at] = 1;
}

/** Proves by a flag in place of a hash: bytes that begin with zero are right. */
export class FlagVerifier implements Verifier {
  readonly #geometry: Geometry;
  readonly #leaves = new Set<number>();

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  hasLeaves(chunk: number): boolean {
    return this.#leaves.has(chunk);
  }

  leavesOf(chunk: number): Uint8Array | undefined {
    return this.#leaves.has(chunk) ? this.#zeroLeaves(chunk) : undefined;
  }

  acceptLeaves(chunk: number, packed: Uint8Array): boolean {
    if (isWrong(packed) || packed.length !== this.#zeroLeaves(chunk).length) return false;
    this.#leaves.add(chunk);
    return true;
  }

  proveBlock(chunk: number, block: number, bytes: Uint8Array): boolean {
    return (
      this.#leaves.has(chunk) && bytes.length === blockLength(this.#geometry, chunk, block) && !isWrong(bytes)
    );
  }

  proveChunk(chunk: number, bytes: Uint8Array): Uint8Array | undefined {
    if (bytes.length !== chunkLength(this.#geometry, chunk)) return undefined;
    for (let at = 0; at < bytes.length; at += LIMITS.blockBytes) if (bytes[at] !== 0) return undefined;
    this.#leaves.add(chunk);
    return this.#zeroLeaves(chunk);
  }

  forget(chunk: number): void {
    this.#leaves.delete(chunk);
  }

  #zeroLeaves(chunk: number): Uint8Array {
    return zeros(blockCount(this.#geometry, chunk) * LIMITS.hashBytes);
  }
}
