import type { TrackKey } from './core/track-key.ts';

/** Recently used chunks in memory, least recently used first out, bounded in bytes. */
export class ChunkCache {
  readonly #mostBytes: number;
  readonly #chunks = new Map<string, { track: TrackKey; chunk: number; bytes: Uint8Array; kept: boolean }>();
  readonly #onDropped: (track: TrackKey, chunk: number) => void;
  #bytes = 0;

  /** `onDropped` hears of chunks that were nowhere else. */
  constructor(mostBytes: number, onDropped: (track: TrackKey, chunk: number) => void) {
    this.#mostBytes = mostBytes;
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
    this.#bytes -= this.#chunks.get(id)?.bytes.length ?? 0;
    this.#chunks.delete(id);
    this.#chunks.set(id, { track, chunk, bytes, kept });
    this.#bytes += bytes.length;
    for (const [oldest, entry] of this.#chunks) {
      if (this.#bytes <= this.#mostBytes || oldest === id) break;
      this.#chunks.delete(oldest);
      this.#bytes -= entry.bytes.length;
      if (!entry.kept) this.#onDropped(entry.track, entry.chunk);
    }
  }

  /** A store holds the chunk now: it may leave memory unnoticed. */
  keptElsewhere(track: TrackKey, chunk: number): void {
    const entry = this.#chunks.get(`${track}/${chunk}`);
    if (entry !== undefined) entry.kept = true;
  }

  /** The store dropped the chunk: only memory has it now, if that. Answers whether memory does. */
  keptNowhereElse(track: TrackKey, chunk: number): boolean {
    const entry = this.#chunks.get(`${track}/${chunk}`);
    if (entry !== undefined) entry.kept = false;
    return entry !== undefined;
  }

  delete(track: TrackKey, chunk: number): void {
    const entry = this.#chunks.get(`${track}/${chunk}`);
    if (entry === undefined) return;
    this.#chunks.delete(`${track}/${chunk}`);
    this.#bytes -= entry.bytes.length;
  }
}
