import type { ManifestJson, TrackId } from '@sonantica/wire';
import { ChunkCache } from './chunk-cache.ts';
import type { Clock } from './core/env.ts';
import { chooseEvictions, type EvictionCandidate, type EvictionPolicy } from './core/eviction.ts';
import { trackKey, type TrackKey } from './core/track-key.ts';
import { SwarmError } from './errors.ts';
import type { ChunkStore, StoredTrack, StoredTrackKey } from './store/chunk-store.ts';
import type { TrackVersion } from './track-version.ts';

/** Chunks held in memory beside the store, in bytes: what is being read, given on and not yet written. */
const MEMORY_BYTES = 64 * 1024 * 1024;
/**
 * The store has fallen behind when so much waits to be written, and has caught up when so much less does: what is fetched
 * in no hurry waits meanwhile. In bytes.
 */
const BEHIND_BYTES = MEMORY_BYTES / 2;
const CAUGHT_UP_BYTES = MEMORY_BYTES / 4;
/** Where a store is full before the listener's limit is reached, so many chunks make room for one: the next ones find some. */
const CHUNKS_FOR_ONE = 4;
/** What instances that share a store take turns under. */
const STORAGE = 'storage';

/** Answers a chunk of a track that lies elsewhere, or `undefined` when it cannot. */
export type ChunkReader = (chunk: number) => Promise<Uint8Array | undefined>;

/** What eviction spares unless the limit itself leaves no room for it, the first of them let go first. */
type Spared = 'pinned' | 'in use';

/** What a keeper is made of. */
export interface ChunkKeeperParts {
  readonly store: ChunkStore;
  readonly clock: Clock;
  /** What goes first when room is needed. */
  readonly eviction: EvictionPolicy;
  /** Whether the listener keeps a track whatever happens. */
  isPinned(trackId: TrackId): boolean;
  /** How much of what the store holds is kept in memory too, in bytes; as much as there is room for, unless told. */
  readonly storedInMemoryBytes?: number | undefined;
  /** A chunk is held no longer. */
  onLost(track: TrackKey, chunk: number): void;
  /** A chunk kept from before was proven and used for the first time. */
  onCached(version: TrackVersion, bytes: number): void;
  /** What speaks for keeping a track. */
  demandFor(track: TrackKey): Pick<EvictionCandidate, 'listeners' | 'aulas' | 'inUse' | 'holders'>;
  /** A chunk that was to be kept is not in the store, and why: the listener keeps less, or the store is full or fails. */
  onUnstored(track: TrackKey, error: SwarmError): void;
  /** The store has fallen behind what is kept, or has caught up. */
  onBehind(isBehind: boolean): void;
  /** The store is full or fails. */
  onTrouble(reason: 'store-full' | 'store-failed', message: string): void;
}

interface KeptTrack extends StoredTrackKey {
  readonly manifest: ManifestJson;
  readonly chunkSize: number;
  readonly size: number;
  /** In the store. */
  readonly chunks: Set<number>;
  /** Kept from before this run and not yet proven in it. */
  readonly unproven: Set<number>;
  usedAtMs: number;
}

/**
 * Keeps complete chunks: in memory for a while, in the store within the listener's limit. What comes from
 * the store or a reader is proven again before anybody gets it.
 */
export class ChunkKeeper {
  readonly store: ChunkStore;
  readonly #parts: ChunkKeeperParts;
  readonly #cache: ChunkCache;
  readonly #tracks = new Map<TrackKey, KeptTrack>();
  readonly #readers = new Map<TrackKey, ChunkReader>();
  readonly #loading = new Map<string, Promise<Uint8Array | undefined>>();
  readonly #opened: StoredTrack[] = [];
  #limitBytes = 0;
  #storedBytes = 0;
  /** Writes go one after another, so that eviction and writing do not race. */
  #writes: Promise<void> = Promise.resolve();
  #inTrouble = false;
  #isBehind = false;

  constructor(parts: ChunkKeeperParts) {
    this.#parts = parts;
    this.store = parts.store;
    const onDropped = (track: TrackKey, chunk: number) => parts.onLost(track, chunk);
    this.#cache = new ChunkCache(MEMORY_BYTES, onDropped, parts.storedInMemoryBytes);
  }

  /** What the store held when it was opened. */
  get stored(): readonly StoredTrack[] {
    return this.#opened;
  }

  /** Bytes of chunks in the store. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Reads what the store holds. Rejects with `store-failed`. */
  async loadAll(): Promise<void> {
    for (const stored of await this.store.tracks()) {
      this.#opened.push(stored);
      const { trackId, root, manifest, held, usedAtMs } = stored;
      const { chunkSize, size } = manifest;
      this.#tracks.set(trackKey(trackId, root), {
        trackId,
        root,
        manifest,
        chunkSize,
        size,
        chunks: new Set(held),
        unproven: new Set(held),
        usedAtMs,
      });
      this.#storedBytes += stored.sizeBytes;
    }
  }

  setReader(track: TrackKey, reader: ChunkReader): void {
    this.#readers.set(track, reader);
  }

  hasReader(track: TrackKey): boolean {
    return this.#readers.has(track);
  }

  /** How much may be kept; what is over it goes at once, in the end also what is pinned. */
  setLimit(bytes: number): void {
    this.#limitBytes = bytes;
    this.#queue(async () => {
      await this.#makeRoom(0);
      await this.#makeRoom(0, ['in use']);
      await this.#makeRoom(0, []);
    });
  }

  /** Bytes of the limit that are not taken by pinned tracks, those of `except` left out of the count. */
  roomBytes(except: ReadonlySet<TrackId>): number {
    let pinnedBytes = 0;
    for (const { trackId, chunks, chunkSize, size } of this.#tracks.values()) {
      if (except.has(trackId) || !this.#parts.isPinned(trackId)) continue;
      for (const chunk of chunks) pinnedBytes += Math.min(chunkSize, size - chunk * chunkSize);
    }
    return Math.max(0, this.#limitBytes - pinnedBytes);
  }

  /** Takes over a proven chunk. It is in memory at once and in the store soon, where there is room. */
  keep(version: TrackVersion, chunk: number, bytes: Uint8Array): void {
    this.#cache.put(version.key, chunk, bytes, bytes.length > this.#limitBytes ? 'nowhere' : 'awaited');
    this.#lookBehind();
    const unstored = (error: SwarmError) => {
      this.#cache.storedNowhere(version.key, chunk);
      this.#parts.onUnstored(version.key, error);
    };
    const write = async () => {
      if (await this.#write(version, chunk, bytes)) return;
      const { trackId } = version.manifest;
      unstored(new SwarmError('store-full', `${trackId}: the listener's storage is full`));
    };
    this.#queue(write, unstored);
  }

  /**
   * Sees to it that a held chunk is in the store, or lies elsewhere, and proves it again; what is damaged is lost. Whether
   * it was written, {@link settled} waits for and {@link keepsAll} says.
   */
  async secure(version: TrackVersion, chunk: number): Promise<void> {
    const bytes = await this.load(version, chunk);
    if (bytes !== undefined && !this.#isKept(version.key, chunk)) this.keep(version, chunk, bytes);
  }

  /** Whether every chunk of a track is in the store, or it lies elsewhere. */
  keepsAll({ key, manifest }: TrackVersion): boolean {
    return this.hasReader(key) || this.#tracks.get(key)?.chunks.size === manifest.chunkCount;
  }

  #lookBehind(): void {
    const { awaitedBytes } = this.#cache;
    if (this.#isBehind ? awaitedBytes > CAUGHT_UP_BYTES : awaitedBytes <= BEHIND_BYTES) return;
    this.#isBehind = !this.#isBehind;
    this.#parts.onBehind(this.#isBehind);
  }

  #isKept(track: TrackKey, chunk: number): boolean {
    return this.hasReader(track) || this.#tracks.get(track)?.chunks.has(chunk) === true;
  }

  /** Looks at what the store holds indeed: others that share it, or whoever clears a site's data, may have deleted some. */
  async refresh(): Promise<void> {
    this.#queue(async () => {
      if ((await this.store.capacity?.()) !== undefined) await this.#lookAgain();
    });
    await this.#writes;
  }

  /**
   * A held chunk, proven, in memory that nobody changes: at once where it is in memory. `undefined` when it is lost: then
   * `onLost` was told. What is missing or disproved is deleted; what could not be read or hashed is lost for this run alone,
   * unless it is kept anew, and `onTrouble` was told why. Never rejects.
   */
  load(version: TrackVersion, chunk: number): Uint8Array | Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(version.key, chunk);
    const stored = this.#tracks.get(version.key);
    if (stored !== undefined) stored.usedAtMs = this.#parts.clock.wallMs();
    if (cached !== undefined) return cached;
    const id = `${version.key}/${chunk}`;
    const under = this.#loading.get(id);
    if (under !== undefined) return under;
    const loading = this.#loadProven(version, chunk).finally(() => this.#loading.delete(id));
    this.#loading.set(id, loading);
    return loading;
  }

  /** Waits until what was kept so far is written, or given up. */
  settled(): Promise<void> {
    return this.#writes;
  }

  async close(): Promise<void> {
    await this.#writes;
    await this.store.close();
  }

  async #loadProven(version: TrackVersion, chunk: number): Promise<Uint8Array | undefined> {
    const { key, manifest } = version;
    const reader = this.#readers.get(key);
    let bytes: Uint8Array | undefined;
    let isRight: boolean | undefined;
    try {
      bytes = reader === undefined ? await this.store.getChunk(manifest, chunk) : await reader(chunk);
      isRight = bytes !== undefined && (await version.proves(chunk, bytes));
    } catch (error) {
      this.#parts.onTrouble('store-failed', asStoreError(error).message);
    }
    if (bytes !== undefined && isRight === true) {
      const kept = this.#tracks.get(key);
      if (kept?.unproven.delete(chunk) === true) this.#parts.onCached(version, bytes.length);
      this.#cache.put(key, chunk, bytes, 'stored');
      return bytes;
    }
    // What could not be read or proven now may be the next time: the store keeps it, for a later run.
    if (isRight === false) this.#queue(() => this.#drop(key, [chunk], () => undefined));
    this.#parts.onLost(key, chunk);
    return undefined;
  }

  /** Answers whether the listener's limit has room for it. Rejects where the store has not, or fails. */
  async #write(version: TrackVersion, chunk: number, bytes: Uint8Array): Promise<boolean> {
    const { key, manifest } = version;
    if (bytes.length > this.#limitBytes || !(await this.#makeRoom(bytes.length))) return false;
    let kept = await this.#keptTrack(version);
    try {
      await this.store.putChunk(manifest, chunk, bytes);
    } catch (error) {
      const { code } = asStoreError(error);
      if (code !== 'store-full' && code !== 'invalid-argument') throw error;
      // A store that has forgotten the manifest was emptied under us; of a full one others may have changed what it holds.
      await this.#lookAgain();
      if (code === 'store-full') await this.#evict(CHUNKS_FOR_ONE * manifest.chunkSize);
      kept = await this.#keptTrack(version);
      await this.store.putChunk(manifest, chunk, bytes);
    }
    if (!kept.chunks.has(chunk)) this.#storedBytes += bytes.length;
    kept.chunks.add(chunk);
    kept.unproven.delete(chunk);
    kept.usedAtMs = this.#parts.clock.wallMs();
    this.#cache.stored(key, chunk);
    this.#inTrouble = false;
    return true;
  }

  /** The store's record of a track, begun if need be: making room may have ended it. */
  async #keptTrack({ key, manifest }: TrackVersion): Promise<KeptTrack> {
    const known = this.#tracks.get(key);
    if (known !== undefined) return known;
    await this.store.putManifest(manifest, manifest.json);
    const kept: KeptTrack = {
      trackId: manifest.trackId,
      root: manifest.root,
      manifest: manifest.json,
      chunkSize: manifest.chunkSize,
      size: manifest.size,
      chunks: new Set(),
      unproven: new Set(),
      usedAtMs: 0,
    };
    this.#tracks.set(key, kept);
    return kept;
  }

  /**
   * Evicts until `bytes` more fit under the limit, or only what is to be spared is left, whoever else keeps chunks in the same store; answers whether they do.
   * Rejects with `store-full` where they would but the system has no room for them.
   */
  async #makeRoom(bytes: number, spared?: readonly Spared[]): Promise<boolean> {
    const capacity = await this.store.capacity?.();
    if (capacity !== undefined) this.#storedBytes = capacity.usedBytes;
    const overRoom = bytes - (capacity?.roomBytes ?? Number.POSITIVE_INFINITY);
    const excess = Math.max(this.#storedBytes + bytes - this.#limitBytes, bytes === 0 ? 0 : overRoom);
    if (excess <= 0) return true;
    if (capacity !== undefined) await this.#lookAgain();
    const freed = await this.#evict(excess, spared);
    if (freed < overRoom) throw new SwarmError('store-full', "the site's storage is nearly full");
    return this.#storedBytes + bytes <= this.#limitBytes;
  }

  /** Deletes so many bytes of chunks from the store, or all but what is spared; answers how many. */
  async #evict(excess: number, spared?: readonly Spared[]): Promise<number> {
    let freed = 0;
    const { eviction, clock } = this.#parts;
    const evictions = chooseEvictions(eviction, this.#candidates(spared), excess, clock.wallMs());
    for (const { track, chunks, bytes: gone } of evictions) {
      await this.#drop(track, chunks);
      freed += gone;
    }
    return freed;
  }

  /** Others keep chunks in the same store: what they put may go as ours may, and what they deleted is lost. */
  async #lookAgain(): Promise<void> {
    const found = new Map<TrackKey, StoredTrack>();
    let storedBytes = 0;
    for (const stored of await this.store.tracks()) {
      found.set(trackKey(stored.trackId, stored.root), stored);
      storedBytes += stored.sizeBytes;
    }
    this.#storedBytes = storedBytes;
    for (const [key, kept] of this.#tracks) {
      const stored = found.get(key);
      for (const chunk of kept.chunks) {
        if (stored?.held.has(chunk) === true) continue;
        kept.chunks.delete(chunk);
        kept.unproven.delete(chunk);
        if (!this.#cache.storedNowhere(key, chunk)) this.#parts.onLost(key, chunk);
      }
      if (stored === undefined) this.#tracks.delete(key);
    }
    for (const [key, { trackId, root, manifest, held, usedAtMs }] of found) {
      const { chunkSize, size } = manifest;
      const kept = this.#tracks.get(key);
      if (kept === undefined) {
        const chunks = new Set(held);
        this.#tracks.set(key, {
          trackId,
          root,
          manifest,
          chunkSize,
          size,
          chunks,
          unproven: new Set(held),
          usedAtMs,
        });
        continue;
      }
      for (const chunk of held) if (!kept.chunks.has(chunk)) kept.chunks.add(chunk);
      kept.usedAtMs = Math.max(kept.usedAtMs, usedAtMs);
    }
  }

  /** While no other instance that shares the store makes room or writes: the limit is the listener's, not each page's. */
  #alone(act: () => Promise<void>): Promise<void> {
    return this.store.exclusively === undefined ? act() : this.store.exclusively(STORAGE, act);
  }

  #candidates(spared: readonly Spared[] = ['pinned', 'in use']): EvictionCandidate[] {
    const candidates: EvictionCandidate[] = [];
    for (const [track, { trackId, chunkSize, size, chunks, usedAtMs }] of this.#tracks) {
      const { inUse, ...demand } = this.#parts.demandFor(track);
      candidates.push({
        ...demand,
        track,
        geometry: { size, chunkSize },
        held: chunks,
        usedAtMs,
        pinned: spared.includes('pinned') && this.#parts.isPinned(trackId),
        inUse: spared.includes('in use') ? inUse : new Set(),
      });
    }
    return candidates;
  }

  /** Deletes chunks from the store; `tell` hears of those that memory does not have either. */
  async #drop(
    track: TrackKey,
    chunks: readonly number[],
    tell = (chunk: number) => this.#parts.onLost(track, chunk),
  ): Promise<void> {
    const kept = this.#tracks.get(track);
    if (kept === undefined) return;
    const { trackId, root } = kept;
    await this.store.deleteChunks({ trackId, root }, chunks);
    for (const chunk of chunks) {
      if (!kept.chunks.delete(chunk)) continue;
      kept.unproven.delete(chunk);
      this.#storedBytes -= Math.min(kept.chunkSize, kept.size - chunk * kept.chunkSize);
      if (!this.#cache.storedNowhere(track, chunk)) tell(chunk);
    }
    if (kept.chunks.size > 0) return;
    this.#tracks.delete(track);
    await this.store.deleteTrack({ trackId, root });
  }

  /** `failed` hears why it was not done, be it that no turn was given for it. */
  #queue(write: () => Promise<void>, failed?: (error: SwarmError) => void): void {
    this.#writes = this.#writes
      .then(() => this.#alone(write))
      .catch((thrown: unknown) => {
        const error = asStoreError(thrown);
        const { code, message } = error;
        failed?.(error);
        if (!this.#inTrouble)
          this.#parts.onTrouble(code === 'store-full' ? 'store-full' : 'store-failed', message);
        this.#inTrouble = true;
      })
      .then(() => this.#lookBehind());
  }
}

function asStoreError(error: unknown): SwarmError {
  if (error instanceof SwarmError) return error;
  return new SwarmError('store-failed', error instanceof Error ? error.message : String(error), error);
}
