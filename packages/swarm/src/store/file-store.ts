import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ManifestJson } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import type { ChunkStore, StoredTrack, StoredTrackKey } from './chunk-store.ts';
import { DocumentFolder } from './document-folder.ts';
import { lockFolder, type FolderLock } from './folder-lock.ts';
import { toStoreError } from './store-error.ts';
import { folderName, TrackFolder } from './track-folder.ts';
import { removeFile, UNFINISHED } from './whole-file.ts';

/** How a file store is opened. */
export interface FileStoreOptions {
  /** Milliseconds since 1970, for `usedAtMs`. Default: the system's. */
  readonly wallMs?: () => number;
}

/**
 * Opens a folder as a store; it is made when missing and then belongs to this process alone. What a crash left
 * unfinished is removed; files that are not the store's are let be.
 *
 * ```
 * <folder>/lock  lock.pid
 * <folder>/documents/<name>.json
 * <folder>/tracks/<id>-<hash of id and root>/manifest.json  0.chunk  1.chunk …
 * ```
 * One file a chunk, since deleting it is the only way in Node to give disk space back.
 *
 * Throws `SwarmError`: `store-locked` while another process (or another store of this one) has the folder,
 * `store-full`, `store-failed`.
 */
export async function openFileStore(folder: string, options: FileStoreOptions = {}): Promise<ChunkStore> {
  const root = resolve(folder);
  const doing = `opening ${root}`;
  try {
    await mkdir(join(root, 'tracks'), { recursive: true });
    await mkdir(join(root, 'documents'), { recursive: true });
  } catch (error) {
    throw toStoreError(error, doing);
  }
  const lock = await lockFolder(root);
  try {
    await removeUnfinished(join(root, 'documents'));
    return new FileStore(root, await loadTracks(join(root, 'tracks')), lock, options.wallMs ?? Date.now);
  } catch (error) {
    await lock.release();
    throw toStoreError(error, doing);
  }
}

class FileStore implements ChunkStore {
  readonly #tracksPath: string;
  readonly #documents: DocumentFolder;
  readonly #tracks: Map<string, TrackFolder>;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #lock: FolderLock;
  readonly #wallMs: () => number;
  #closing: Promise<void> | undefined;

  constructor(root: string, tracks: Map<string, TrackFolder>, lock: FolderLock, wallMs: () => number) {
    this.#tracksPath = join(root, 'tracks');
    this.#documents = new DocumentFolder(join(root, 'documents'));
    this.#tracks = tracks;
    this.#lock = lock;
    this.#wallMs = wallMs;
  }

  tracks(): Promise<StoredTrack[]> {
    return this.#run('listing tracks', async () =>
      Array.from(this.#tracks.values(), (folder) => folder.describe()).filter((track) => track !== undefined),
    );
  }

  putManifest(key: StoredTrackKey, manifest: ManifestJson): Promise<void> {
    return this.#run(`keeping the manifest of ${key.trackId}`, () =>
      this.#folder(key).putManifest(manifest, this.#wallMs()),
    );
  }

  putChunk(key: StoredTrackKey, chunk: number, bytes: Uint8Array): Promise<void> {
    return this.#run(`keeping chunk ${chunk} of ${key.trackId}`, () =>
      this.#folder(key).putChunk(chunk, bytes, this.#wallMs()),
    );
  }

  getChunk(key: StoredTrackKey, chunk: number): Promise<Uint8Array | undefined> {
    return this.#run(`reading chunk ${chunk} of ${key.trackId}`, async () =>
      this.#tracks.get(folderName(key))?.getChunk(chunk, this.#wallMs()),
    );
  }

  deleteChunks(key: StoredTrackKey, chunks: Iterable<number>): Promise<void> {
    return this.#run(`deleting chunks of ${key.trackId}`, async () =>
      this.#tracks.get(folderName(key))?.deleteChunks(chunks),
    );
  }

  deleteTrack(key: StoredTrackKey): Promise<void> {
    return this.#run(`deleting ${key.trackId}`, async () => {
      const name = folderName(key);
      const folder = this.#tracks.get(name);
      await folder?.deleteAll();
      if (folder?.isGone === true) this.#tracks.delete(name);
    });
  }

  getDocument(name: string): Promise<unknown> {
    return this.#run(`reading document ${name}`, () => this.#documents.get(name));
  }

  putDocument(name: string, value: unknown): Promise<void> {
    return this.#run(`keeping document ${name}`, () => this.#documents.put(name, value));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    const settled = await Promise.allSettled(Array.from(this.#tracks.values(), (folder) => folder.settle()));
    await this.#lock.release();
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw toStoreError(failed.reason, 'closing the store');
  }

  /** Does one thing, so that closing waits for it and its failure is a `SwarmError`. */
  async #run<T>(doing: string, act: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new SwarmError('closed', 'the store is closed');
    try {
      const acting = act();
      this.#underWay.add(acting);
      return await acting.finally(() => this.#underWay.delete(acting));
    } catch (error) {
      throw toStoreError(error, doing);
    }
  }

  #folder(key: StoredTrackKey): TrackFolder {
    const name = folderName(key);
    const known = this.#tracks.get(name);
    if (known !== undefined) return known;
    const folder = new TrackFolder(this.#tracksPath, key);
    this.#tracks.set(name, folder);
    return folder;
  }
}

async function loadTracks(path: string): Promise<Map<string, TrackFolder>> {
  const tracks = new Map<string, TrackFolder>();
  for (const name of await readdir(path)) {
    const folder = await TrackFolder.load(path, name);
    if (folder !== undefined) tracks.set(name, folder);
  }
  return tracks;
}

async function removeUnfinished(documentsPath: string): Promise<void> {
  for (const name of await readdir(documentsPath)) {
    if (name.endsWith(`.json${UNFINISHED}`)) await removeFile(join(documentsPath, name));
  }
}
