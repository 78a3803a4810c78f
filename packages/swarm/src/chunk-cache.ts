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
  /** By track and chunk: every block given asks for its chunk, and a name made of both would be made each time. */
  readonly #chunks = new Map<TrackKey, Map<number, Entry>>();
  /** The most recently used last. */
  readonly #order = new Set<Entry>();
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
    const entry = this.#find(track, chunk);
    if (entry === undefined) return undefined;
    this.#order.delete(entry);
    this.#order.add(entry);
    return entry.bytes;
  }

  /** Takes over a proven chunk. `kept` says whether a store holds it too. */
  put(track: TrackKey, chunk: number, bytes: Uint8Array, kept: boolean): void {
    this.delete(track, chunk);
    const entry = { track, chunk, bytes, kept };
    const chunks = this.#chunks.get(track);
    if (chunks === undefined) this.#chunks.set(track, new Map([[chunk, entry]]));
    else chunks.set(chunk, entry);
    this.#order.add(entry);
    this.#bytes += bytes.length;
    if (kept) this.#keptBytes += bytes.length;
    this.#shrink(entry);
  }

  /** A store holds the chunk now: it may leave memory unnoticed. */
  keptElsewhere(track: TrackKey, chunk: number): void {
    const entry = this.#find(track, chunk);
    if (entry === undefined || entry.kept) return;
    entry.kept = true;
    this.#keptBytes += entry.bytes.length;
    this.#shrink();
  }

  /** The store dropped the chunk: only memory has it now, if that. Answers whether memory does. */
  keptNowhereElse(track: TrackKey, chunk: number): boolean {
    const entry = this.#find(track, chunk);
    if (entry === undefined) return false;
    if (entry.kept) this.#keptBytes -= entry.bytes.length;
    entry.kept = false;
    return true;
  }

  delete(track: TrackKey, chunk: number): void {
    const entry = this.#find(track, chunk);
    if (entry !== undefined) this.#remove(entry);
  }

  #find(track: TrackKey, chunk: number): Entry | undefined {
    return this.#chunks.get(track)?.get(chunk);
  }

  /** Lets go of the oldest, but not of `newest`. */
  #shrink(newest?: Entry): void {
    for (const entry of this.#order) {
      const { track, chunk, kept } = entry;
      const full = this.#bytes > this.#mostBytes;
      if ((!full && this.#keptBytes <= this.#mostKeptBytes) || entry === newest) return;
      if (!full && !kept) continue;
      this.#remove(entry);
      if (!kept) this.#onDropped(track, chunk);
    }
  }

  #remove(entry: Entry): void {
    const { track, chunk, bytes, kept } = entry;
    const chunks = this.#chunks.get(track);
    chunks?.delete(chunk);
    if (chunks?.size === 0) this.#chunks.delete(track);
    this.#order.delete(entry);
    this.#bytes -= bytes.length;
    if (kept) this.#keptBytes -= bytes.length;
  }
}
