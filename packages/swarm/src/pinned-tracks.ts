import { isTrackId, type TrackId } from '@sonantica/wire';
import type { ChunkStore } from './store/chunk-store.ts';

/** The document that keeps them over restarts: a JSON array of track ids. */
export const PINNED_DOCUMENT = 'pinned';

/**
 * The tracks a listener keeps, whatever else room is needed for: all versions of an id. Instances that share a store
 * share them.
 */
export class PinnedTracks {
  readonly #store: ChunkStore;
  #stored: ReadonlySet<TrackId> = new Set();
  /** What was said and is not written yet. */
  readonly #wishes = new Map<TrackId, { readonly pinned: boolean }>();
  /** Writes go one after another. */
  #writes: Promise<void> = Promise.resolve();

  constructor(store: ChunkStore) {
    this.#store = store;
  }

  has(trackId: TrackId): boolean {
    return this.#wishes.get(trackId)?.pinned ?? this.#stored.has(trackId);
  }

  /** All of them, the longest pinned first. */
  get ids(): TrackId[] {
    return [...new Set([...this.#stored, ...this.#wishes.keys()])].filter((trackId) => this.has(trackId));
  }

  /**
   * Reads what the store says; what is no track id there is left out. A damaged document says nothing: what was known
   * before holds, and the next track that is pinned repairs it. Rejects with `store-failed`.
   */
  async load(): Promise<void> {
    const document = await this.#store.getDocument(PINNED_DOCUMENT);
    if (document === null) return;
    this.#stored = new Set(Array.isArray(document) ? document.filter(isTrackId) : []);
  }

  /** Holds at once, and resolves once it does over restarts. Holds no longer when it rejects: `store-failed`, `store-full`. */
  async set(trackId: TrackId, pinned: boolean): Promise<void> {
    const wish = { pinned };
    this.#wishes.set(trackId, wish);
    const written = this.#writes.then(() => this.#alone(() => this.#write(trackId, pinned)));
    this.#writes = written.catch(() => undefined);
    try {
      await written;
    } finally {
      if (this.#wishes.get(trackId) === wish) this.#wishes.delete(trackId);
    }
  }

  async #write(trackId: TrackId, pinned: boolean): Promise<void> {
    await this.load();
    if (this.#stored.has(trackId) === pinned) return;
    const next = new Set(this.#stored);
    if (pinned) next.add(trackId);
    else next.delete(trackId);
    await this.#store.putDocument(PINNED_DOCUMENT, [...next]);
    this.#stored = next;
  }

  #alone(act: () => Promise<void>): Promise<void> {
    return this.#store.exclusively === undefined ? act() : this.#store.exclusively(PINNED_DOCUMENT, act);
  }
}
