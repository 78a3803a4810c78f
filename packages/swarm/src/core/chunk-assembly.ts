import { blockCount, blockLength, chunkLength, LIMITS, type Geometry } from '@sonantica/wire';
import type { SourceId } from './source-state.ts';

/** A block that waits for the leaf hashes that prove it. */
export interface UnprovenBlock {
  readonly block: number;
  readonly bytes: Uint8Array;
  readonly source: SourceId;
}

/** One chunk while it comes together: proven blocks in place, unproven ones aside. */
export class ChunkAssembly {
  readonly chunk: number;
  readonly blocks: number;
  readonly #geometry: Geometry;
  readonly #bytes: Uint8Array;
  readonly #placed: Uint8Array;
  #placedCount = 0;
  #unproven: UnprovenBlock[] = [];

  /** `memory` gives the chunk's bytes their place; what it holds before does not matter. */
  constructor(
    geometry: Geometry,
    chunk: number,
    memory: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
  ) {
    this.chunk = chunk;
    this.#geometry = geometry;
    this.blocks = blockCount(geometry, chunk);
    this.#bytes = memory(chunkLength(geometry, chunk));
    this.#placed = new Uint8Array(this.blocks);
  }

  get isComplete(): boolean {
    return this.#placedCount === this.blocks;
  }

  /** The chunk's memory: whole only once {@link isComplete}. To be read, not changed. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Blocks held aside, all of the chunk when nothing proves them yet. */
  get unproven(): readonly UnprovenBlock[] {
    return this.#unproven;
  }

  /** Blocks in place. */
  placed(): number[] {
    return Array.from(this.#placed.keys()).filter((block) => this.isPlaced(block));
  }

  isPlaced(block: number): boolean {
    return this.#placed[block] === 1;
  }

  /** Whether the blocks `first` to `end` (exclusive) are in place. */
  covers(first: number, end: number): boolean {
    for (let block = first; block < end; block++) if (this.#placed[block] !== 1) return false;
    return true;
  }

  /** Puts a proven block in its place; the bytes are copied. Answers whether it was missing. */
  place(block: number, bytes: Uint8Array): boolean {
    if (this.#placed[block] === 1 || bytes.length !== blockLength(this.#geometry, this.chunk, block))
      return false;
    this.#bytes.set(bytes, block * LIMITS.blockBytes);
    this.#placed[block] = 1;
    this.#placedCount++;
    return true;
  }

  /**
   * Holds a block until its proof arrives; the bytes are kept. Each source holds each block once at most, so
   * that none can crowd out another. Answers false for one too many.
   */
  hold(unproven: UnprovenBlock): boolean {
    const again = this.#unproven.some(
      ({ block, source }) => block === unproven.block && source === unproven.source,
    );
    if (!again) this.#unproven.push(unproven);
    return !again;
  }

  /** Hands over what was held aside, all of it or that of one source. */
  release(source?: SourceId): UnprovenBlock[] {
    const released = this.#unproven.filter((held) => source === undefined || held.source === source);
    this.#unproven = this.#unproven.filter((held) => !released.includes(held));
    return released;
  }
}
