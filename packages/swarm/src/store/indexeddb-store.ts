import { ChunkSet, chunkCount, chunkLength, type Geometry, type ManifestJson } from '@sonantica/wire';
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval';
import { SwarmError } from '../errors.ts';
import { checkChunk, checkDocumentName, documentJson, geometryOf } from './arguments.ts';
import type { ChunkStore, StoreCapacity, StoredTrack, StoredTrackKey } from './chunk-store.ts';
import { addToTotal, lengthOf, putTotal, readTotal, takeFromTotal } from './indexeddb-total.ts';
import { ownBuffer } from './own-buffer.ts';

/** How an IndexedDB store is opened. */
export interface IndexedDbStoreOptions {
  /** The database. Default: `sonantica`. Pages of one site that use the same one share what they hold. */
  readonly name?: string;
  /** Whether the browser is asked, with the first chunk, not to clear it when space is short. Default: yes. */
  readonly persist?: boolean;
  /** Milliseconds since 1970, for `usedAtMs`. Default: the system's. */
  readonly wallMs?: () => number;
}

/** How long an estimate of the site's room is believed, in milliseconds. */
const ROOM_KNOWN_MS = 10_000;
/** The share of its quota that is left to the site itself. */
const LEFT_TO_SITE = 0.05;
/** How long a last use may be known to this page alone, in milliseconds. */
const USE_WRITTEN_MS = 60_000;

/*
 * One object store. Keys sort by kind:
 *   ['chunk', version, number] → Uint8Array      ['document', name] → JSON text
 *   ['manifest', version] → JSON text            ['used', version] → milliseconds since 1970
 *   ['total'] → bytes of all chunks
 */
type Key = ['chunk', string, number] | ['document' | 'manifest' | 'used', string];

/**
 * Opens a database of this site as a store. Several pages may have it open: nothing is remembered here that another
 * could change, each operation is one transaction. A database that is cleared under the page is simply empty; one that
 * is full answers `store-full`.
 *
 * Rejects with `store-failed` where the browser gives no storage.
 */
export async function openIndexedDbStore(options: IndexedDbStoreOptions = {}): Promise<ChunkStore> {
  const { name = 'sonantica', persist = true, wallMs = Date.now } = options;
  if (typeof indexedDB === 'undefined') throw new SwarmError('store-failed', 'this browser has no IndexedDB');
  const store = new IndexedDbStore(name, persist, wallMs);
  await store.getDocument('contribution');
  return store;
}

class IndexedDbStore implements ChunkStore {
  readonly #name: string;
  readonly #wallMs: () => number;
  readonly #used = new Map<string, { atMs: number; writtenMs: number }>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #channel: BroadcastChannel | undefined;
  readonly #listeners = new Set<(name: string) => void>();
  #use: UseStore;
  #persist: boolean;
  #room: { readonly askedMs: number; readonly bytes: Promise<number | undefined> } | undefined;
  #closing: Promise<void> | undefined;

  constructor(name: string, persist: boolean, wallMs: () => number) {
    this.#name = name;
    this.#persist = persist;
    this.#wallMs = wallMs;
    this.#use = createStore(name, 'keyval');
    if (typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(`sonantica:${name}`);
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') for (const listener of this.#listeners) listener(data);
    };
  }

  tracks(): Promise<StoredTrack[]> {
    return this.#run('listing tracks', 'readonly', async (store) => {
      const [manifests, used, chunkKeys] = await Promise.all([
        entries(store, 'manifest'),
        entries(store, 'used'),
        promisifyRequest(store.getAllKeys(rangeOf('chunk'))),
      ]);
      const chunks = byVersion(chunkKeys);
      const tracks: StoredTrack[] = [];
      for (const [version, text] of manifests) {
        const track = readTrack(version, text);
        if (track === undefined) continue;
        const { key, manifest, geometry } = track;
        const count = chunkCount(geometry);
        const held = (chunks.get(version) ?? []).filter((chunk) => isChunkNumber(chunk, count));
        const sizeBytes = lengthOf(geometry, held);
        const atMs = this.#used.get(version)?.atMs ?? used.get(version);
        const usedAtMs = typeof atMs === 'number' ? atMs : 0;
        tracks.push({ ...key, manifest, held: ChunkSet.of(count, held), sizeBytes, usedAtMs });
      }
      return tracks;
    });
  }

  putManifest(key: StoredTrackKey, manifest: ManifestJson): Promise<void> {
    return this.#run(`keeping the manifest of ${key.trackId}`, 'readwrite', async (store) => {
      const version = versionOf(key);
      const geometry = geometryOf(key, manifest);
      const text = JSON.stringify(manifest);
      const before = readTrack(version, await get(store, ['manifest', version]))?.geometry;
      if (
        before !== undefined &&
        (before.size !== geometry.size || before.chunkSize !== geometry.chunkSize)
      ) {
        await takeFromTotal(store, before, await chunksOf(store, version, before));
        store.delete(rangeOf('chunk', version));
      }
      put(store, ['manifest', version], text);
      this.#touch(store, version, true);
      await promisifyRequest(store.transaction);
    });
  }

  putChunk(key: StoredTrackKey, chunk: number, bytes: Uint8Array): Promise<void> {
    const own = ownBuffer(bytes);
    this.#askToPersist();
    return this.#run(`keeping chunk ${chunk} of ${key.trackId}`, 'readwrite', async (store) => {
      const version = versionOf(key);
      const track = readTrack(version, await get(store, ['manifest', version]));
      checkChunk(track?.geometry, chunk, own);
      const before = await promisifyRequest(store.getKey(['chunk', version, chunk]));
      if (before === undefined) await addToTotal(store, own.length);
      put(store, ['chunk', version, chunk], own);
      this.#touch(store, version, false);
      await promisifyRequest(store.transaction);
    });
  }

  getChunk(key: StoredTrackKey, chunk: number): Promise<Uint8Array | undefined> {
    return this.#run(`reading chunk ${chunk} of ${key.trackId}`, 'readonly', async (store) => {
      const version = versionOf(key);
      const [text, bytes] = await Promise.all([
        get(store, ['manifest', version]),
        isChunkNumber(chunk, Number.MAX_SAFE_INTEGER) ? get(store, ['chunk', version, chunk]) : undefined,
      ]);
      const geometry = readTrack(version, text)?.geometry;
      if (geometry === undefined || !(bytes instanceof Uint8Array)) return undefined;
      if (chunk >= chunkCount(geometry) || bytes.length !== chunkLength(geometry, chunk)) return undefined;
      this.#used.set(version, {
        atMs: this.#wallMs(),
        writtenMs: this.#used.get(version)?.writtenMs ?? 0,
      });
      return bytes;
    });
  }

  deleteChunks(key: StoredTrackKey, chunks: Iterable<number>): Promise<void> {
    return this.#run(`deleting chunks of ${key.trackId}`, 'readwrite', async (store) => {
      const version = versionOf(key);
      const geometry = readTrack(version, await get(store, ['manifest', version]))?.geometry;
      const held = new Set(await chunksOf(store, version, geometry));
      const gone = [...new Set(chunks)].filter((chunk) => held.has(chunk));
      await takeFromTotal(store, geometry, gone);
      for (const chunk of gone) store.delete(['chunk', version, chunk]);
      await promisifyRequest(store.transaction);
    });
  }

  deleteTrack(key: StoredTrackKey): Promise<void> {
    return this.#run(`deleting ${key.trackId}`, 'readwrite', async (store) => {
      const version = versionOf(key);
      const geometry = readTrack(version, await get(store, ['manifest', version]))?.geometry;
      await takeFromTotal(store, geometry, await chunksOf(store, version, geometry));
      store.delete(rangeOf('chunk', version));
      store.delete(['manifest', version]);
      store.delete(['used', version]);
      this.#used.delete(version);
      await promisifyRequest(store.transaction);
    });
  }

  async capacity(): Promise<StoreCapacity> {
    const known = await this.#run('reading what is held', 'readonly', readTotal);
    const usedBytes = known ?? (await this.#count());
    return { usedBytes, roomBytes: await this.#roomBytes() };
  }

  getDocument(name: string): Promise<unknown> {
    return this.#run(`reading document ${name}`, 'readonly', async (store) => {
      checkDocumentName(name);
      const text = await get(store, ['document', name]);
      return text === undefined ? undefined : parseJson(text);
    });
  }

  async putDocument(name: string, value: unknown): Promise<void> {
    const json = documentJson(name, value);
    await this.#run(`keeping document ${name}`, 'readwrite', async (store) => {
      put(store, ['document', name], json);
      await promisifyRequest(store.transaction);
    });
    this.#channel?.postMessage(name);
  }

  async exclusively<T>(name: string, act: () => Promise<T>): Promise<T> {
    // Pages on plain HTTP have no locks; there, two of them may both spend what one has set aside.
    const locks: LockManager | undefined = globalThis.navigator?.locks;
    return locks === undefined ? act() : locks.request(`sonantica:${this.#name}:${name}`, () => act());
  }

  onDocument(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    this.#channel?.close();
    this.#listeners.clear();
    try {
      await this.#use('readwrite', async (store) => {
        for (const [version, { atMs, writtenMs }] of this.#used)
          if (atMs > writtenMs) put(store, ['used', version], atMs);
        await promisifyRequest(store.transaction);
        store.transaction.db.close();
      });
    } catch (error) {
      throw toStoreError(error, 'closing the store');
    }
  }

  /** Adds up what is held; once, unless the database was made before it was counted, or is damaged. */
  #count(): Promise<number> {
    return this.#run('counting what is held', 'readwrite', async (store) => {
      const chunks = byVersion(await promisifyRequest(store.getAllKeys(rangeOf('chunk'))));
      let bytes = 0;
      for (const [version, text] of await entries(store, 'manifest')) {
        const geometry = readTrack(version, text)?.geometry;
        if (geometry === undefined) continue;
        const count = chunkCount(geometry);
        const held = (chunks.get(version) ?? []).filter((chunk) => isChunkNumber(chunk, count));
        bytes += lengthOf(geometry, held);
      }
      putTotal(store, bytes);
      await promisifyRequest(store.transaction);
      return bytes;
    });
  }

  /** What the browser would let the site keep beside, as it says; asked now and then. */
  #roomBytes(): Promise<number | undefined> {
    const now = this.#wallMs();
    if (this.#room !== undefined && Math.abs(now - this.#room.askedMs) < ROOM_KNOWN_MS)
      return this.#room.bytes;
    // Missing on plain HTTP.
    const storage: StorageManager | undefined = globalThis.navigator?.storage;
    const bytes = Promise.resolve(storage?.estimate?.()).then(
      (estimate) => {
        if (estimate?.quota === undefined || estimate.usage === undefined) return undefined;
        return Math.max(0, Math.floor(estimate.quota * (1 - LEFT_TO_SITE) - estimate.usage));
      },
      () => undefined,
    );
    this.#room = { askedMs: now, bytes };
    return bytes;
  }

  /** Does one thing in one transaction, so that closing waits for it and its failure is a `SwarmError`. */
  async #run<T>(
    doing: string,
    mode: IDBTransactionMode,
    act: (store: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    if (this.#closing !== undefined) throw new SwarmError('closed', 'the store is closed');
    const acting = this.#transact(mode, act);
    this.#underWay.add(acting);
    try {
      return await acting;
    } catch (error) {
      throw toStoreError(error, doing);
    } finally {
      this.#underWay.delete(acting);
    }
  }

  async #transact<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    try {
      return await this.#use(mode, act);
    } catch (error) {
      // The browser closed the connection: the site's data was cleared, or the database deleted.
      if (!(error instanceof DOMException) || !['InvalidStateError', 'NotFoundError'].includes(error.name))
        throw error;
      this.#use = createStore(this.#name, 'keyval');
      return this.#use(mode, act);
    }
  }

  /** Notes a use; written at once, or when the last one written is old. */
  #touch(store: IDBObjectStore, version: string, atOnce: boolean): void {
    const atMs = this.#wallMs();
    const writtenMs = this.#used.get(version)?.writtenMs ?? 0;
    const writes = atOnce || atMs - writtenMs >= USE_WRITTEN_MS;
    if (writes) put(store, ['used', version], atMs);
    this.#used.set(version, { atMs, writtenMs: writes ? atMs : writtenMs });
  }

  #askToPersist(): void {
    if (!this.#persist) return;
    this.#persist = false;
    // A refusal changes nothing: chunks may be cleared, and are then fetched anew.
    void globalThis.navigator?.storage?.persist?.().catch(() => false);
  }
}

function versionOf({ trackId, root }: StoredTrackKey): string {
  return `${trackId}@${root}`;
}

function get(store: IDBObjectStore, key: Key): Promise<unknown> {
  return promisifyRequest<unknown>(store.get(key));
}

function put(store: IDBObjectStore, key: Key, value: unknown): void {
  store.put(value, key);
}

/** All keys that begin so: in IndexedDB's order of keys an array sorts after every number and string. */
function rangeOf(kind: Key[0], version?: string): IDBKeyRange {
  const from = version === undefined ? [kind] : [kind, version];
  return IDBKeyRange.bound(from, [...from, []]);
}

/** All values of a kind, by version or name. */
async function entries(store: IDBObjectStore, kind: 'manifest' | 'used'): Promise<Map<string, unknown>> {
  const range = rangeOf(kind);
  const [keys, values] = await Promise.all([
    promisifyRequest(store.getAllKeys(range)),
    promisifyRequest<unknown[]>(store.getAll(range)),
  ]);
  const found = new Map<string, unknown>();
  for (const [i, key] of keys.entries()) {
    if (Array.isArray(key) && typeof key[1] === 'string') found.set(key[1], values[i]);
  }
  return found;
}

/** The chunks that are held of a version; those that its manifest does not have are none. */
async function chunksOf(
  store: IDBObjectStore,
  version: string,
  geometry: Geometry | undefined,
): Promise<number[]> {
  const keys = await promisifyRequest(store.getAllKeys(rangeOf('chunk', version)));
  const count = geometry === undefined ? Number.MAX_SAFE_INTEGER : chunkCount(geometry);
  return (byVersion(keys).get(version) ?? []).filter((chunk) => isChunkNumber(chunk, count));
}

/** The numbers of chunks by version; keys of another form are passed over. */
function byVersion(keys: readonly IDBValidKey[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const key of keys) {
    if (!Array.isArray(key)) continue;
    const [, version, chunk] = key;
    if (typeof version !== 'string' || typeof chunk !== 'number') continue;
    const numbers = found.get(version);
    if (numbers === undefined) found.set(version, [chunk]);
    else numbers.push(chunk);
  }
  return found;
}

interface ReadTrack {
  readonly key: StoredTrackKey;
  readonly manifest: ManifestJson;
  readonly geometry: Geometry;
}

/** A kept manifest, or `undefined` when it is damaged. */
function readTrack(version: string, text: unknown): ReadTrack | undefined {
  const manifest = parseJson(text) as ManifestJson | null;
  if (typeof manifest !== 'object' || manifest === null) return undefined;
  const { trackId, root } = manifest as StoredTrackKey & ManifestJson;
  if (versionOf({ trackId, root }) !== version) return undefined;
  try {
    return { key: { trackId, root }, manifest, geometry: geometryOf({ trackId, root }, manifest) };
  } catch {
    return undefined;
  }
}

/** What was kept as JSON text; `null` where it is damaged. */
function parseJson(text: unknown): unknown {
  try {
    return typeof text === 'string' ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function isChunkNumber(chunk: unknown, count: number): chunk is number {
  return Number.isInteger(chunk) && Number(chunk) >= 0 && Number(chunk) < count;
}

function toStoreError(error: unknown, doing: string): SwarmError {
  if (error instanceof SwarmError) return error;
  if (error instanceof DOMException && error.name === 'QuotaExceededError')
    return new SwarmError('store-full', `${doing}: the site's storage is full`, error);
  const why = error instanceof Error ? error.message : String(error);
  return new SwarmError('store-failed', `${doing}: ${why}`, error);
}
