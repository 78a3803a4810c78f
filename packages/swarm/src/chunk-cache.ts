import type { TrackKey } from './core/track-key.ts';

interface Entry {
  readonly track: TrackKey;
  readonly chunk: number;
  readonly bytes: Uint8Array;
  /** A store holds it too. */
  kept: boolean;
}

/** Recently used chunks in memory, least recently used first out, bounded in bytes. */
export class ChunkCache {
  readonly #mostBytes: number;
  readonly #mostKeptBytes: number;
  readonly #chunks = new Map<string, Entry>();
  readonly #onDropped: (track: TrackKey, chunk: number) => void;
  #bytes = 0;
  #keptBytes = 0;

  /** `onDropped` hears of chunks that were nowhere else. Of those that a store holds too, `mostKeptBytes` are enough. */
  constructor(
    mostBytes: number,
    onDropped: (track: TrackKey, chunk: number) => void,
    mostKeptBytes = mostBytes,
  ) {
    this.#mostBytes = mostBytes;
    this.#mostKeptBytes = mostKeptBytes;
    this.#onDropped = onDropped;
  }

  /** A proven chunk; not to be changed by anybody. */
  get(track: TrackKey, chunk: number): Uint8Array | undefined {
    const id = `${track}/${chunk}`;
    const entry = this.#chunks.get(id);
    if (entry === undefined) return undefined;
    this.#chunks.delete(id);
    this.#chunks.set(id, entry);
    return entry.bytes;
  }

  /** Takes over a proven chunk. `kept` says whether a store holds it too. */
  put(track: TrackKey, chunk: number, bytes: Uint8Array, kept: boolean): void {
    const id = `${track}/${chunk}`;
    this.#remove(id);
    this.#chunks.set(id, { track, chunk, bytes, kept });
    this.#bytes += bytes.length;
    if (kept) this.#keptBytes += bytes.length;
    this.#shrink(id);
  }

  /** A store holds the chunk now: it may leave memory unnoticed. */
  keptElsewhere(track: TrackKey, chunk: number): void {
    const entry = this.#chunks.get(`${track}/${chunk}`);
    if (entry === undefined || entry.kept) return;
    entry.kept = true;
    this.#keptBytes += entry.bytes.length;
    this.#shrink();
  }

  /** The store dropped the chunk: only memory has it now, if that. Answers whether memory does. */
  keptNowhereElse(track: TrackKey, chunk: number): boolean {
    const entry = this.#chunks.get(`${track}/${chunk}`);
    if (entry === undefined) return false;
    if (entry.kept) this.#keptBytes -= entry.bytes.length;
    entry.kept = false;
    return true;
  }

  delete(track: TrackKey, chunk: number): void {
    this.#remove(`${track}/${chunk}`);
  }

  /** Lets go of the oldest, but not of `newest`. */
  #shrink(newest?: string): void {
    for (const [id, { track, chunk, kept }] of this.#chunks) {
      const full = this.#bytes > this.#mostBytes;
      if ((!full && this.#keptBytes <= this.#mostKeptBytes) || id === newest) return;
      if (!full && !kept) continue;
      this.#remove(id);
      if (!kept) this.#onDropped(track, chunk);
    }
  }

  #remove(id: string): void {
    const entry = this.#chunks.get(id);
    if (entry === undefined) return;
    this.#chunks.delete(id);
    this.#bytes -= entry.bytes.length;
    if (entry.kept) this.#keptBytes -= entry.bytes.length;
  }
}
