import { ChunkSet, chunkCount, type Geometry, type ManifestJson } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { checkChunk, checkDocumentName, documentJson, geometryOf } from './arguments.ts';
import type { ChunkStore, StoredTrack, StoredTrackKey } from './chunk-store.ts';
import { ownBuffer } from './own-buffer.ts';

/** How a memory store is made. */
export interface MemoryStoreOptions {
  /** Bytes of chunks it takes before it answers `store-full`. Default: no bound. */
  readonly maxBytes?: number;
  /** Milliseconds since 1970, for `usedAtMs`. Default: the system's. */
  readonly wallMs?: () => number;
}

interface Entry {
  readonly key: StoredTrackKey;
  /** JSON text, so that nobody can change what was put. */
  manifest: string;
  geometry: Geometry;
  usedAtMs: number;
  readonly chunks: Map<number, Uint8Array>;
}

/**
 * Keeps chunks in memory, for as long as the process lives: where nothing may be written, where the disk is full,
 * and in tests.
 */
export function openMemoryStore({
  maxBytes = Number.POSITIVE_INFINITY,
  wallMs = Date.now,
}: MemoryStoreOptions = {}): ChunkStore {
  return new MemoryStore(maxBytes, wallMs);
}

class MemoryStore implements ChunkStore {
  readonly #entries = new Map<string, Entry>();
  readonly #documents = new Map<string, string>();
  readonly #maxBytes: number;
  readonly #wallMs: () => number;
  #sizeBytes = 0;
  #closed = false;

  constructor(maxBytes: number, wallMs: () => number) {
    this.#maxBytes = maxBytes;
    this.#wallMs = wallMs;
  }

  async tracks(): Promise<StoredTrack[]> {
    this.#checkOpen();
    return Array.from(this.#entries.values(), (entry) => ({
      ...entry.key,
      manifest: parseManifest(entry.manifest),
      held: ChunkSet.of(chunkCount(entry.geometry), entry.chunks.keys()),
      sizeBytes: sizeOf(entry.chunks),
      usedAtMs: entry.usedAtMs,
    }));
  }

  async putManifest(key: StoredTrackKey, manifest: ManifestJson): Promise<void> {
    this.#checkOpen();
    const geometry = geometryOf(key, manifest);
    const text = JSON.stringify(manifest);
    const entry = this.#entries.get(nameOf(key));
    if (entry === undefined) {
      const { trackId, root } = key;
      const usedAtMs = this.#wallMs();
      const chunks = new Map<number, Uint8Array>();
      this.#entries.set(nameOf(key), { key: { trackId, root }, manifest: text, geometry, usedAtMs, chunks });
      return;
    }
    if (entry.geometry.size !== geometry.size || entry.geometry.chunkSize !== geometry.chunkSize) {
      this.#sizeBytes -= sizeOf(entry.chunks);
      entry.chunks.clear();
    }
    entry.manifest = text;
    entry.geometry = geometry;
    entry.usedAtMs = this.#wallMs();
  }

  async putChunk(key: StoredTrackKey, chunk: number, bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    const entry = this.#entries.get(nameOf(key));
    checkChunk(entry?.geometry, chunk, bytes);
    if (entry === undefined) return;
    const sizeBytes = this.#sizeBytes + bytes.length - (entry.chunks.get(chunk)?.length ?? 0);
    if (sizeBytes > this.#maxBytes) throw new SwarmError('store-full', 'the memory store is full');
    entry.chunks.set(chunk, ownBuffer(bytes));
    entry.usedAtMs = this.#wallMs();
    this.#sizeBytes = sizeBytes;
  }

  async getChunk(key: StoredTrackKey, chunk: number): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    const entry = this.#entries.get(nameOf(key));
    const bytes = entry?.chunks.get(chunk);
    if (entry === undefined || bytes === undefined) return undefined;
    entry.usedAtMs = this.#wallMs();
    return bytes;
  }

  async deleteChunks(key: StoredTrackKey, chunks: Iterable<number>): Promise<void> {
    this.#checkOpen();
    const held = this.#entries.get(nameOf(key))?.chunks;
    for (const chunk of chunks) {
      this.#sizeBytes -= held?.get(chunk)?.length ?? 0;
      held?.delete(chunk);
    }
  }

  async deleteTrack(key: StoredTrackKey): Promise<void> {
    this.#checkOpen();
    this.#sizeBytes -= sizeOf(this.#entries.get(nameOf(key))?.chunks ?? new Map());
    this.#entries.delete(nameOf(key));
  }

  async getDocument(name: string): Promise<unknown> {
    this.#checkOpen();
    checkDocumentName(name);
    const text = this.#documents.get(name);
    return text === undefined ? undefined : JSON.parse(text);
  }

  async putDocument(name: string, value: unknown): Promise<void> {
    this.#checkOpen();
    this.#documents.set(name, documentJson(name, value));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#entries.clear();
    this.#documents.clear();
  }

  #checkOpen(): void {
    if (this.#closed) throw new SwarmError('closed', 'the store is closed');
  }
}

function nameOf({ trackId, root }: StoredTrackKey): string {
  return `${trackId}@${root}`;
}

function sizeOf(chunks: ReadonlyMap<number, Uint8Array>): number {
  let sizeBytes = 0;
  for (const bytes of chunks.values()) sizeBytes += bytes.length;
  return sizeBytes;
}

function parseManifest(text: string): ManifestJson {
  const manifest: ManifestJson = JSON.parse(text);
  return manifest;
}
