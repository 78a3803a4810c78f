import { LIMITS, type BlockRun, type TrackHandle } from '@sonantica/wire';

/** Blocks of the largest chunk. */
const MOST_BLOCKS = LIMITS.maxChunkBytes / LIMITS.blockBytes;

interface DueChunk {
  readonly handle: TrackHandle;
  readonly chunk: number;
  /** One for each block that is due. */
  readonly blocks: Uint8Array;
  blocksDue: number;
  proofDue: boolean;
}

/**
 * What was asked of the other end of a link and is not answered yet. It is looked up with every block that comes, so
 * chunks are found by a number and blocks by their place.
 */
export class DueBlocks {
  readonly #chunks = new Map<number, DueChunk>();
  #blocks = 0;

  /** How many blocks are due. */
  get blocks(): number {
    return this.#blocks;
  }

  /** A run of blocks is due from now on. */
  ask(handle: TrackHandle, { chunk, first, count }: BlockRun): void {
    const due = this.#dueOf(handle, chunk);
    for (let block = first; block < Math.min(first + count, MOST_BLOCKS); block++) {
      if (due.blocks[block] === 1) continue;
      due.blocks[block] = 1;
      due.blocksDue++;
      this.#blocks++;
    }
  }

  /** The proof of a chunk is due from now on; answers false when it was already. */
  askProof(handle: TrackHandle, chunk: number): boolean {
    const due = this.#dueOf(handle, chunk);
    if (due.proofDue) return false;
    due.proofDue = true;
    return true;
  }

  /** Whether any block of a chunk is due. */
  hasBlocks(handle: TrackHandle, chunk: number): boolean {
    return (this.#find(handle, chunk)?.blocksDue ?? 0) > 0;
  }

  /** A block is due no longer; answers whether it was. Any numbers may be asked about. */
  land(handle: TrackHandle, chunk: number, block: number): boolean {
    const due = this.#find(handle, chunk);
    if (due === undefined || due.blocks[block] !== 1) return false;
    due.blocks[block] = 0;
    due.blocksDue--;
    this.#blocks--;
    this.#forgetIfDone(due);
    return true;
  }

  /** A proof is due no longer; answers whether it was. Any numbers may be asked about. */
  landProof(handle: TrackHandle, chunk: number): boolean {
    const due = this.#find(handle, chunk);
    if (due?.proofDue !== true) return false;
    due.proofDue = false;
    this.#forgetIfDone(due);
    return true;
  }

  /** Nothing of a track is due any longer; answers what was. */
  drop(handle: TrackHandle): { blocks: { chunk: number; block: number }[]; proofs: number[] } {
    const blocks: { chunk: number; block: number }[] = [];
    const proofs: number[] = [];
    for (const [key, due] of this.#chunks) {
      if (due.handle !== handle) continue;
      this.#chunks.delete(key);
      this.#blocks -= due.blocksDue;
      if (due.proofDue) proofs.push(due.chunk);
      for (const [block, isDue] of due.blocks.entries())
        if (isDue === 1) blocks.push({ chunk: due.chunk, block });
    }
    return { blocks, proofs };
  }

  #dueOf(handle: TrackHandle, chunk: number): DueChunk {
    const known = this.#find(handle, chunk);
    if (known !== undefined) return known;
    const blocks = new Uint8Array(MOST_BLOCKS);
    const due: DueChunk = { handle, chunk, blocks, blocksDue: 0, proofDue: false };
    this.#chunks.set(keyOf(handle, chunk), due);
    return due;
  }

  #find(handle: TrackHandle, chunk: number): DueChunk | undefined {
    return chunk < LIMITS.maxChunks ? this.#chunks.get(keyOf(handle, chunk)) : undefined;
  }

  #forgetIfDone({ handle, chunk, blocksDue, proofDue }: DueChunk): void {
    if (blocksDue === 0 && !proofDue) this.#chunks.delete(keyOf(handle, chunk));
  }
}

/** One number for both: chunks are below `LIMITS.maxChunks`, handles below 2^32. */
function keyOf(handle: TrackHandle, chunk: number): number {
  return handle * LIMITS.maxChunks + chunk;
}
