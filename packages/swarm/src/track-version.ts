import {
  ChunkSet,
  LIMITS,
  blockCount,
  chunksOf,
  withinChunk,
  type BlockRun,
  type ByteRange,
  type Manifest,
} from '@sonantica/wire';
import { ChunkAssembly, type UnprovenBlock } from './core/chunk-assembly.ts';
import { runsOf } from './core/have-notices.ts';
import { ORIGIN, type SourceId } from './core/source-state.ts';
import { trackKey, type TrackKey } from './core/track-key.ts';
import { SwarmError } from './errors.ts';
import type { Verifier } from './verify/verifier.ts';

/** What becomes of what sources send. */
export interface TrackVersionHandler {
  /** Blocks in a row were proven and put in their places. */
  proven(version: TrackVersion, run: BlockRun, source: SourceId): void;
  /** A block or proof of `source` is disproved; `block` is −1 for a proof. */
  disproved(version: TrackVersion, chunk: number, block: number, source: SourceId): void;
  /** Nothing is known of what `source` sent of a chunk, as hashing failed here: it is to be asked for again. */
  unhashed(version: TrackVersion, chunk: number, source: SourceId, error: unknown): void;
  /** Something came that was here already. */
  wasted(version: TrackVersion, source: SourceId, bytes: number): void;
  /** Every block of a chunk is proven. The bytes are the handler's; nobody changes them. */
  complete(version: TrackVersion, chunk: number, bytes: Uint8Array, source: SourceId): void;
  /** A complete chunk from memory or store, proven; `undefined` when it is lost or damaged. */
  load(version: TrackVersion, chunk: number): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

interface Waiter {
  readonly chunk: number;
  readonly first: number;
  readonly end: number;
  /** Names the read. */
  readonly read: object;
  readonly resolve: (chunkBytes: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
}

/** Either a value now or a promise of it, which may fail: hashing is synchronous in Node and not in browsers. */
function then<T>(value: T | Promise<T>, next: (value: T) => void, failed: (error: unknown) => void): void {
  if (value instanceof Promise) void value.then(next, failed);
  else next(value);
}

/**
 * One version of a track as it comes together: what is held, what is being assembled, and who waits for
 * which bytes. Nothing leaves here that was not proven against the manifest.
 */
export class TrackVersion {
  readonly key: TrackKey;
  readonly manifest: Manifest;
  /** Complete chunks, in memory or store. */
  readonly held: ChunkSet;
  readonly #verifier: Verifier;
  readonly #handler: TrackVersionHandler;
  readonly #memory: (bytes: number) => Uint8Array;
  readonly #spent: (block: Uint8Array) => void;
  readonly #assemblies = new Map<number, ChunkAssembly>();
  readonly #waiters = new Set<Waiter>();

  /**
   * `memory` gives a chunk its place; `spent` is told of each block of a peer's, once, that is of no use any more. What
   * the origin sends shares its memory with what is still to come, and is no link's.
   */
  constructor(
    manifest: Manifest,
    held: ChunkSet,
    verifier: Verifier,
    handler: TrackVersionHandler,
    memory: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
    spent: (block: Uint8Array) => void = () => undefined,
  ) {
    this.key = trackKey(manifest.trackId, manifest.root);
    this.manifest = manifest;
    this.held = held;
    this.#verifier = verifier;
    this.#handler = handler;
    this.#memory = memory;
    this.#spent = spent;
  }

  get isComplete(): boolean {
    return this.held.isFull;
  }

  /** Bytes of complete chunks. */
  get heldBytes(): number {
    const { chunkSize, chunkCount, size } = this.manifest;
    const last = chunkCount - 1;
    const missing = this.held.has(last) ? chunkCount * chunkSize - size : 0;
    return this.held.size * chunkSize - missing;
  }

  leavesKnown(chunk: number): boolean {
    return this.#verifier.hasLeaves(chunk);
  }

  /** The packed leaf hashes of a chunk that is held; computes them if need be. */
  leavesOf(chunk: number, bytes: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return this.#verifier.leavesOf(chunk) ?? this.#verifier.proveChunk(chunk, bytes);
  }

  /** Whether `bytes` are the chunk; whoever loads one from a store asks. */
  async proves(chunk: number, bytes: Uint8Array): Promise<boolean> {
    return (await this.#verifier.proveChunk(chunk, bytes)) !== undefined;
  }

  /** A source sent a block, or several in a row, the first of which is `block`. Takes over the bytes. */
  acceptBlocks(source: SourceId, chunk: number, block: number, bytes: Uint8Array): void {
    if (this.held.has(chunk) || block >= blockCount(this.manifest, chunk)) return this.#wasted(source, bytes);
    const assembly = this.#assemblies.get(chunk) ?? new ChunkAssembly(this.manifest, chunk, this.#memory);
    this.#assemblies.set(chunk, assembly);
    if (this.#verifier.hasLeaves(chunk)) return this.#proveRun(assembly, block, bytes, source);
    let heldAny = false;
    for (let at = 0; at < bytes.length; at += LIMITS.blockBytes) {
      const each = block + at / LIMITS.blockBytes;
      const held: UnprovenBlock = { block: each, bytes: bytes.subarray(at, at + LIMITS.blockBytes), source };
      if (each < assembly.blocks && !assembly.isPlaced(each) && assembly.hold(held)) heldAny = true;
      else this.#wasted(source, held.bytes);
    }
    if (heldAny) this.#tryWholeChunk(assembly, source);
  }

  /** A source sent the leaf hashes of a chunk. Takes over the bytes. */
  acceptProof(source: SourceId, chunk: number, leaves: Uint8Array): void {
    if (this.held.has(chunk) || this.#verifier.hasLeaves(chunk)) return;
    const accepted = (right: boolean) => {
      const assembly = this.#assemblies.get(chunk);
      if (right) {
        for (const held of assembly?.release() ?? []) if (assembly !== undefined) this.#prove(assembly, held);
        return;
      }
      this.#handler.disproved(this, chunk, -1, source);
      if (assembly !== undefined) this.#tryWholeChunk(assembly, source);
    };
    const failed = (error: unknown) => {
      if (!this.#verifier.hasLeaves(chunk)) this.#unhashed(chunk, source, error);
    };
    then(this.#verifier.acceptLeaves(chunk, leaves), accepted, failed);
  }

  /** Proven blocks of chunks that are not whole yet. */
  parts(): BlockRun[] {
    return [...this.#assemblies.values()].flatMap((assembly) => runsOf(assembly.chunk, assembly.placed()));
  }

  /** The memory of a chunk that is not whole, if a block of it is proven; to be read, not changed. */
  part(chunk: number): ChunkAssembly | undefined {
    return this.#verifier.hasLeaves(chunk) ? this.#assemblies.get(chunk) : undefined;
  }

  /** Chunks that are begun and not whole, the one begun first coming first. */
  get begun(): number[] {
    return [...this.#assemblies.keys()];
  }

  /**
   * Frees the memory of a chunk that is not whole; answers whether a block of it was proven. What comes again is proven
   * anew, and a read that waits goes on waiting for it.
   */
  dropPart(chunk: number): boolean {
    const assembly = this.#assemblies.get(chunk);
    this.#assemblies.delete(chunk);
    for (const { source, bytes } of assembly?.release() ?? []) this.#free(source, bytes);
    return (assembly?.placed().length ?? 0) > 0;
  }

  /** Forgets unproven blocks of a source that left or was banned. */
  dropUnproven(source: SourceId): void {
    for (const assembly of this.#assemblies.values()) assembly.release(source);
  }

  /** A complete chunk is no longer held. */
  lost(chunk: number): void {
    this.held.delete(chunk);
  }

  /** Whether a range can be read without anybody sending anything. */
  covers(range: ByteRange, chunk: number): boolean {
    if (this.held.has(chunk)) return true;
    const { first, end } = this.#blocksOf(range, chunk);
    return this.#assemblies.get(chunk)?.covers(first, end) ?? false;
  }

  /**
   * A range, as soon as it is proven; bytes of the caller's own. `taken` hears of each chunk of several whose part was
   * copied. Rejects with the reason of `signal` when that fires.
   */
  async read(
    range: ByteRange,
    signal: AbortSignal,
    taken: (chunk: number) => void = () => undefined,
  ): Promise<Uint8Array> {
    const { first, end } = chunksOf(this.manifest, range);
    const read = {};
    const give = () => this.#giveUp(read, signal);
    signal.addEventListener('abort', give, { once: true });
    try {
      if (end - first === 1) return await this.#readChunk(range, first, read, signal);
      const bytes = this.#memory(range.end - range.start);
      const parts: Promise<void>[] = [];
      for (let chunk = first; chunk < end; chunk++) {
        const at = Math.max(0, chunk * this.manifest.chunkSize - range.start);
        const place = (part: Uint8Array) => {
          bytes.set(part, at);
          taken(chunk);
        };
        parts.push(this.#readChunk(range, chunk, read, signal).then(place));
      }
      await Promise.all(parts);
      return bytes;
    } finally {
      signal.removeEventListener('abort', give);
      // One part may fail by itself.
      for (const waiter of this.#waiters) if (waiter.read === read) this.#waiters.delete(waiter);
    }
  }

  /** The part of a range that lies in one chunk. */
  async #readChunk(range: ByteRange, chunk: number, read: object, signal: AbortSignal): Promise<Uint8Array> {
    const part = withinChunk(this.manifest, chunk, range);
    for (;;) {
      signal.throwIfAborted();
      if (this.held.has(chunk)) {
        const loaded = await this.#handler.load(this, chunk);
        if (loaded !== undefined) return this.#copyOf(loaded, part);
        continue;
      }
      const { first, end } = this.#blocksOf(range, chunk);
      const assembly = this.#assemblies.get(chunk);
      const bytes =
        assembly?.covers(first, end) === true
          ? assembly.bytes
          : await new Promise<Uint8Array>((resolve, reject) => {
              this.#waiters.add({ chunk, first, end, read, resolve, reject });
            });
      return this.#copyOf(bytes, part);
    }
  }

  #copyOf(bytes: Uint8Array, { start, end }: ByteRange): Uint8Array {
    const copy = this.#memory(end - start);
    copy.set(bytes.subarray(start, end));
    return copy;
  }

  #giveUp(read: object, signal: AbortSignal): void {
    for (const waiter of this.#waiters) {
      if (waiter.read !== read) continue;
      this.#waiters.delete(waiter);
      const { reason } = signal;
      waiter.reject(reason instanceof Error ? reason : new SwarmError('aborted', 'the read was aborted'));
    }
  }

  #blocksOf(range: ByteRange, chunk: number): { first: number; end: number } {
    const part = withinChunk(this.manifest, chunk, range);
    return {
      first: Math.floor(part.start / LIMITS.blockBytes),
      end: Math.ceil(part.end / LIMITS.blockBytes),
    };
  }

  #prove(assembly: ChunkAssembly, held: UnprovenBlock): void {
    this.#whenProven(assembly, held, this.#verifier.proveBlock(assembly.chunk, held.block, held.bytes));
  }

  #whenProven(assembly: ChunkAssembly, held: UnprovenBlock, proves: boolean | Promise<boolean>): void {
    const failed = (error: unknown) => {
      this.#free(held.source, held.bytes);
      this.#unhashed(assembly.chunk, held.source, error);
    };
    then(proves, (right) => this.#proved(assembly, held, right), failed);
  }

  /** Lets go of what a source sent of a chunk and nobody looked at. */
  #unhashed(chunk: number, source: SourceId, error: unknown): void {
    for (const { bytes } of this.#assemblies.get(chunk)?.release(source) ?? []) this.#free(source, bytes);
    this.#handler.unhashed(this, chunk, source, error);
  }

  #proved(assembly: ChunkAssembly, { block, bytes, source }: UnprovenBlock, right: boolean): void {
    if (right) return this.#place(assembly, block, bytes, source);
    this.#handler.disproved(this, assembly.chunk, block, source);
    this.#free(source, bytes);
  }

  /** Blocks in a row, each proven by itself. What is proven at once is told of together; what follows a lie is not looked at. */
  #proveRun(assembly: ChunkAssembly, first: number, bytes: Uint8Array, source: SourceId): void {
    const { chunk } = assembly;
    let from = first;
    let end = first;
    for (let at = 0; at < bytes.length; at += LIMITS.blockBytes) {
      const block = first + at / LIMITS.blockBytes;
      const part = bytes.length > LIMITS.blockBytes ? bytes.subarray(at, at + LIMITS.blockBytes) : bytes;
      if (block >= assembly.blocks || assembly.isPlaced(block)) {
        this.#wasted(source, part);
        continue;
      }
      const proves = this.#verifier.proveBlock(chunk, block, part);
      if (proves instanceof Promise) {
        this.#whenProven(assembly, { block, bytes: part, source }, proves);
        continue;
      }
      if (!proves) {
        this.#placed(assembly, from, end, source);
        this.#handler.disproved(this, chunk, block, source);
        return this.#free(source, bytes.subarray(at));
      }
      assembly.place(block, part);
      if (block !== end) {
        this.#placed(assembly, from, end, source);
        from = block;
      }
      end = block + 1;
      this.#free(source, part);
    }
    this.#placed(assembly, from, end, source);
  }

  /** A source without leaf hashes: once all blocks of a chunk came from it, they are proven together. */
  #tryWholeChunk(assembly: ChunkAssembly, source: SourceId): void {
    if (assembly.unproven.length < assembly.blocks) return;
    const own = assembly.unproven.filter((held) => held.source === source);
    if (own.length < assembly.blocks) return;
    const whole = new Uint8Array(assembly.bytes.length);
    for (const { block, bytes } of own) {
      const at = block * LIMITS.blockBytes;
      if (at + bytes.length <= whole.length) whole.set(bytes, at);
    }
    const proved = (leaves: Uint8Array | undefined) => {
      for (const { block, bytes } of assembly.release(source)) {
        this.#proved(assembly, { block, bytes, source }, leaves !== undefined);
      }
    };
    const failed = (error: unknown) => this.#unhashed(assembly.chunk, source, error);
    then(this.#verifier.proveChunk(assembly.chunk, whole), proved, failed);
  }

  #wasted(source: SourceId, bytes: Uint8Array): void {
    this.#handler.wasted(this, source, bytes.length);
    this.#free(source, bytes);
  }

  #free(source: SourceId, bytes: Uint8Array): void {
    if (source !== ORIGIN) this.#spent(bytes);
  }

  #place(assembly: ChunkAssembly, block: number, bytes: Uint8Array, source: SourceId): void {
    if (this.#assemblies.get(assembly.chunk) !== assembly || !assembly.place(block, bytes))
      return this.#wasted(source, bytes);
    this.#placed(assembly, block, block + 1, source);
    this.#free(source, bytes);
  }

  /** Tells of blocks in a row that are in their places, `end` exclusive. */
  #placed(assembly: ChunkAssembly, first: number, end: number, source: SourceId): void {
    const { chunk } = assembly;
    const isUnderWay = this.#assemblies.get(chunk) === assembly;
    // Who heard of a block before these may have dropped the part, or these have made it whole already.
    if (end === first || !(isUnderWay || this.held.has(chunk))) return;
    if (isUnderWay && assembly.isComplete) {
      this.#assemblies.delete(chunk);
      this.held.add(chunk);
      this.#handler.complete(this, chunk, assembly.bytes, source);
    }
    this.#handler.proven(this, { chunk, first, count: end - first }, source);
    for (const waiter of this.#waiters) {
      if (waiter.chunk !== chunk || !assembly.covers(waiter.first, waiter.end)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(assembly.bytes);
    }
  }
}
