import type { TrackKey } from './core/track-key.ts';

/** Where a chunk is besides memory: in a store, on its way into one, or nowhere. */
export type Elsewhere = 'stored' | 'awaited' | 'nowhere';

interface Entry {
  readonly track: TrackKey;
  readonly chunk: number;
  readonly bytes: Uint8Array;
  elsewhere: Elsewhere;
}

/**
 * Recently used chunks in memory, least recently used first out, bounded in bytes. What is on its way into a store stays
 * until it is there: whoever writes it has the memory meanwhile, and letting go would be to fetch it again.
 */
export class ChunkCache {
  readonly #mostBytes: number;
  readonly #mostStoredBytes: number;
  /** By track and chunk: every block given asks for its chunk, and a name made of both would be made each time. */
  readonly #chunks = new Map<TrackKey, Map<number, Entry>>();
  /** The most recently used last. */
  readonly #order = new Set<Entry>();
  readonly #onDropped: (track: TrackKey, chunk: number) => void;
  #bytes = 0;
  readonly #bytesElsewhere: Record<Elsewhere, number> = { stored: 0, awaited: 0, nowhere: 0 };

  /** `onDropped` hears of chunks that were nowhere else. Of those that a store holds too, `mostStoredBytes` are enough. */
  constructor(
    mostBytes: number,
    onDropped: (track: TrackKey, chunk: number) => void,
    mostStoredBytes = mostBytes,
  ) {
    this.#mostBytes = mostBytes;
    this.#mostStoredBytes = mostStoredBytes;
    this.#onDropped = onDropped;
  }

  /** Bytes on their way into a store. */
  get awaitedBytes(): number {
    return this.#bytesElsewhere.awaited;
  }

  /** A proven chunk; not to be changed by anybody. */
  get(track: TrackKey, chunk: number): Uint8Array | undefined {
    const entry = this.#find(track, chunk);
    if (entry === undefined) return undefined;
    this.#order.delete(entry);
    this.#order.add(entry);
    return entry.bytes;
  }

  /** Takes over a proven chunk. */
  put(track: TrackKey, chunk: number, bytes: Uint8Array, elsewhere: Elsewhere): void {
    this.delete(track, chunk);
    const entry = { track, chunk, bytes, elsewhere };
    const chunks = this.#chunks.get(track);
    if (chunks === undefined) this.#chunks.set(track, new Map([[chunk, entry]]));
    else chunks.set(chunk, entry);
    this.#order.add(entry);
    this.#bytes += bytes.length;
    this.#bytesElsewhere[elsewhere] += bytes.length;
    this.#shrink(entry);
  }

  /** A store holds the chunk now: it may leave memory unnoticed. */
  stored(track: TrackKey, chunk: number): void {
    const entry = this.#find(track, chunk);
    if (entry === undefined || entry.elsewhere === 'stored') return;
    this.#lies(entry, 'stored');
    this.#shrink();
  }

  /** No store holds the chunk: only memory has it now, if that. Answers whether memory does. */
  storedNowhere(track: TrackKey, chunk: number): boolean {
    const entry = this.#find(track, chunk);
    if (entry === undefined) return false;
    this.#lies(entry, 'nowhere');
    this.#shrink(entry);
    return true;
  }

  delete(track: TrackKey, chunk: number): void {
    const entry = this.#find(track, chunk);
    if (entry !== undefined) this.#remove(entry);
  }

  #lies(entry: Entry, elsewhere: Elsewhere): void {
    this.#bytesElsewhere[entry.elsewhere] -= entry.bytes.length;
    entry.elsewhere = elsewhere;
    this.#bytesElsewhere[elsewhere] += entry.bytes.length;
  }

  #find(track: TrackKey, chunk: number): Entry | undefined {
    return this.#chunks.get(track)?.get(chunk);
  }

  /** Lets go of the oldest, but not of `newest`. */
  #shrink(newest?: Entry): void {
    for (const entry of this.#order) {
      const { track, chunk, elsewhere } = entry;
      const full = this.#bytes > this.#mostBytes;
      if ((!full && this.#bytesElsewhere.stored <= this.#mostStoredBytes) || entry === newest) return;
      if (elsewhere === 'awaited' || (!full && elsewhere === 'nowhere')) continue;
      this.#remove(entry);
      if (elsewhere === 'nowhere') this.#onDropped(track, chunk);
    }
  }

  #remove(entry: Entry): void {
    const { track, chunk, bytes, elsewhere } = entry;
    const chunks = this.#chunks.get(track);
    chunks?.delete(chunk);
    if (chunks?.size === 0) this.#chunks.delete(track);
    this.#order.delete(entry);
    this.#bytes -= bytes.length;
    this.#bytesElsewhere[elsewhere] -= bytes.length;
  }
}
