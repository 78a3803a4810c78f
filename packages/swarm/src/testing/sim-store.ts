import { ChunkSet, chunkLength, chunkCount, type ManifestJson } from '@sonantica/wire';
import type { ChunkStore, StoredTrack, StoredTrackKey } from '../store/chunk-store.ts';
import { zeros } from './sim-proof.ts';

/** A disk that remembers which chunks it holds and none of their bytes. */
export class SimStore implements ChunkStore {
  readonly #tracks = new Map<string, { key: StoredTrackKey; manifest: ManifestJson; chunks: Set<number> }>();
  readonly #documents = new Map<string, string>();

  tracks(): Promise<StoredTrack[]> {
    return Promise.resolve(
      Array.from(this.#tracks.values(), ({ key, manifest, chunks }) => ({
        ...key,
        manifest,
        held: ChunkSet.of(chunkCount(manifest), chunks),
        sizeBytes: [...chunks].reduce((sum, chunk) => sum + chunkLength(manifest, chunk), 0),
        usedAtMs: 0,
      })),
    );
  }

  putManifest(key: StoredTrackKey, manifest: ManifestJson): Promise<void> {
    const { trackId, root } = key;
    this.#tracks.set(nameOf(key), { key: { trackId, root }, manifest, chunks: new Set() });
    return Promise.resolve();
  }

  putChunk(key: StoredTrackKey, chunk: number): Promise<void> {
    this.#tracks.get(nameOf(key))?.chunks.add(chunk);
    return Promise.resolve();
  }

  getChunk(key: StoredTrackKey, chunk: number): Promise<Uint8Array | undefined> {
    const track = this.#tracks.get(nameOf(key));
    return Promise.resolve(
      track?.chunks.has(chunk) === true ? zeros(chunkLength(track.manifest, chunk)) : undefined,
    );
  }

  deleteChunks(key: StoredTrackKey, chunks: Iterable<number>): Promise<void> {
    for (const chunk of chunks) this.#tracks.get(nameOf(key))?.chunks.delete(chunk);
    return Promise.resolve();
  }

  deleteTrack(key: StoredTrackKey): Promise<void> {
    this.#tracks.delete(nameOf(key));
    return Promise.resolve();
  }

  getDocument(name: string): Promise<unknown> {
    const text = this.#documents.get(name);
    return Promise.resolve(text === undefined ? undefined : JSON.parse(text));
  }

  putDocument(name: string, value: unknown): Promise<void> {
    this.#documents.set(name, JSON.stringify(value));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function nameOf({ trackId, root }: StoredTrackKey): string {
  return `${trackId}/${root}`;
}
