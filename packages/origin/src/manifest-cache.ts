import { basename } from 'node:path';
import { buildManifest, LIMITS, type AudioFacts, type TrackId } from '@sonantica/wire';
import { readTrackFacts, type TrackFacts } from './audio-facts.ts';
import type { CacheFolder } from './cache-folder.ts';
import { createGate } from './concurrency.ts';
import { OriginError } from './errors.ts';
import { hashFile, isSameStamp, sha256, type FileHashes, type FileStamp } from './file-hashing.ts';
import type { LibraryFile } from './library.ts';
import type { PublisherKey } from './publisher-key.ts';
import { TrackRecords } from './track-records.ts';

/** A track ready to be served. */
export interface PreparedTrack {
  readonly trackId: TrackId;
  /** The state of the file the manifest is true of. */
  readonly stamp: FileStamp;
  /** Hexadecimal `pieces root`: the version of the track. */
  readonly root: string;
  readonly audio: AudioFacts | undefined;
  /** The manifest as it is sent. */
  readonly manifestText: string;
}

/** How a {@link ManifestCache} makes manifests. */
export interface ManifestCacheOptions {
  readonly folder: CacheFolder;
  /** 262,144 unless told otherwise. */
  readonly chunkSize?: number;
  /** Signs every manifest. */
  readonly publisherKey?: PublisherKey;
  readonly log?: (line: string) => void;
}

/** Manifests held in memory: about 20 KB each for an album track. */
const MAX_PREPARED = 512;
/** Two keep a disk busy; more make it seek. */
const CONCURRENT_FILES = 2;

/**
 * Manifests and leaves, made when first needed by reading the file once, and kept on disk; made again
 * when the file's size or time of change is another. Those who ask for the same file at once share one
 * reading. Signatures are made when a manifest is, so a new key needs no file read again.
 */
export class ManifestCache {
  readonly #records: TrackRecords;
  readonly #chunkSize: number;
  readonly #publisherKey: PublisherKey | undefined;
  readonly #log: (line: string) => void;
  readonly #gate = createGate(CONCURRENT_FILES);
  readonly #prepared = new Map<string, PreparedTrack>();
  readonly #preparing = new Map<string, Promise<PreparedTrack>>();
  readonly #facts = new Map<string, { readonly stamp: FileStamp; readonly facts: TrackFacts }>();

  constructor(options: ManifestCacheOptions) {
    this.#records = new TrackRecords(options.folder);
    this.#chunkSize = options.chunkSize ?? LIMITS.defaultChunkBytes;
    this.#publisherKey = options.publisherKey;
    this.#log = options.log ?? (() => {});
  }

  /**
   * The manifest of a file as it is now. Throws `OriginError` with `file-changing` where it is being
   * written to, or `cache-unwritable`; system errors as they come.
   */
  async prepare(file: LibraryFile): Promise<PreparedTrack> {
    const key = keyOf(file);
    const ready = this.#prepared.get(key);
    if (ready !== undefined && isSameStamp(ready.stamp, file.stamp)) {
      this.#hold(key, ready);
      return ready;
    }
    const asking = `${key} ${file.stamp.size} ${file.stamp.mtimeMs}`;
    let making = this.#preparing.get(asking);
    if (making === undefined) {
      making = this.#gate(() => this.#make(file)).finally(() => this.#preparing.delete(asking));
      this.#preparing.set(asking, making);
    }
    const made = await making;
    this.#hold(key, made);
    return made;
  }

  /** Where the leaves of a prepared track lie; made again if somebody deleted them. */
  async leavesPath(file: LibraryFile, track: PreparedTrack): Promise<string | undefined> {
    const path = await this.#records.leavesPath(file.path, track.root);
    if (path !== undefined) return path;
    this.#prepared.delete(keyOf(file));
    const again = await this.prepare(file);
    return this.#records.leavesPath(file.path, again.root);
  }

  /** Title and sound format of a file; most formats need only its beginning. */
  async facts(file: LibraryFile): Promise<TrackFacts> {
    const known = this.#facts.get(file.path);
    if (known !== undefined && isSameStamp(known.stamp, file.stamp)) return known.facts;
    let facts = await this.#records.readFacts(file);
    if (facts === undefined) {
      facts = await readTrackFacts(file.realPath, file.stamp.size, basename(file.path));
      await this.#records.writeFacts(file, facts);
    }
    this.#facts.set(file.path, { stamp: file.stamp, facts });
    return facts;
  }

  async #make(file: LibraryFile): Promise<PreparedTrack> {
    const { trackId, mime, stamp } = file;
    const hashes = (await this.#records.readHashes(file, this.#chunkSize)) ?? (await this.#hash(file));
    const { audio } = await this.facts(file);
    const { chunkSize, chunkHashes, root, sha256: whole } = hashes;
    const unsigned = await buildManifest(
      { trackId, mime, audio, size: stamp.size, chunkSize, chunkHashes, sha256: whole },
      sha256,
    );
    const manifest = this.#publisherKey === undefined ? unsigned : await this.#publisherKey.sign(unsigned);
    return { trackId, stamp, root, audio, manifestText: JSON.stringify(manifest) };
  }

  async #hash(file: LibraryFile): Promise<FileHashes> {
    const startedAt = performance.now();
    const hashes = await hashFile(file.realPath, this.#chunkSize);
    if (!isSameStamp(hashes.stamp, file.stamp)) {
      throw new OriginError('file-changing', 'the file has just changed; ask again');
    }
    await this.#records.writeHashes(file.path, hashes);
    this.#log(`hashed ${JSON.stringify(file.path)} in ${Math.round(performance.now() - startedAt)} ms`);
    return hashes;
  }

  /** Keeps a manifest in memory as the one used last. */
  #hold(key: string, track: PreparedTrack): void {
    this.#prepared.delete(key);
    this.#prepared.set(key, track);
    for (const oldest of this.#prepared.keys()) {
      if (this.#prepared.size <= MAX_PREPARED) break;
      this.#prepared.delete(oldest);
    }
  }
}

function keyOf({ trackId, path }: LibraryFile): string {
  return `${trackId} ${path}`;
}
