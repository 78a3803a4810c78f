import type { ChunkSet, ManifestJson, RootHash, TrackId } from '@sonantica/wire';

/** Names one version of a track in a store. */
export interface StoredTrackKey {
  readonly trackId: TrackId;
  readonly root: RootHash;
}

/** What a store holds of one version of a track. */
export interface StoredTrack extends StoredTrackKey {
  /** The manifest as it was put; checked again by whoever loads it. */
  readonly manifest: ManifestJson;
  /** Chunks that were put and not deleted. A copy. */
  readonly held: ChunkSet;
  /** Bytes of the held chunks. */
  readonly sizeBytes: number;
  /** When a chunk of it was last read or written: milliseconds since 1970. */
  readonly usedAtMs: number;
}

/** How full a store is that several instances share. In bytes. */
export interface StoreCapacity {
  /** Chunks held, whoever put them. */
  readonly usedBytes: number;
  /** What the system would let be kept beside; `undefined` where it does not say. */
  readonly roomBytes: number | undefined;
}

/**
 * Keeps proven chunks and small facts over restarts. Bytes are proven before `putChunk` and again by
 * the reader after a restart: a store is not trusted.
 *
 * Every rejection is a `SwarmError`: `store-full` when the disk or quota is exhausted (nothing was kept
 * of that put), `invalid-argument` for what could not be kept anywhere (a manifest that is not the key's, a
 * chunk without a manifest or of a wrong length, a document that is not JSON), `closed` after `close`,
 * `store-failed` otherwise. An operation that rejects leaves earlier contents readable.
 */
export interface ChunkStore {
  /** What is held. Called once after opening. Damaged entries are left out. */
  tracks(): Promise<StoredTrack[]>;
  /**
   * Keeps a manifest, which must be that of `key` and precede the first chunk of its version. Replaces an earlier
   * one; if that cut the track into chunks of another size, its chunks are forgotten.
   */
  putManifest(key: StoredTrackKey, manifest: ManifestJson): Promise<void>;
  /**
   * Keeps a chunk, also in place of an earlier one. Durable against a crash of the process once resolved. `bytes`
   * become the store's: nobody changes them any more.
   */
  putChunk(key: StoredTrackKey, chunk: number, bytes: Uint8Array): Promise<void>;
  /** A chunk, in memory that nobody changes, or `undefined` when it is not held. */
  getChunk(key: StoredTrackKey, chunk: number): Promise<Uint8Array | undefined>;
  /** Forgets chunks; those not held are ignored. */
  deleteChunks(key: StoredTrackKey, chunks: Iterable<number>): Promise<void>;
  /** Forgets a version: its chunks and manifest. */
  deleteTrack(key: StoredTrackKey): Promise<void>;
  /**
   * A small JSON document kept under a name (`budget`, `contribution`). The caller's own. `undefined` where none was put;
   * `null` where one was put and is damaged: what it said may have been a no. A damaged one can be put anew.
   */
  getDocument(name: string): Promise<unknown>;
  /** Keeps a small JSON document, atomically: a crash leaves the old one or the new one. Durable once resolved. */
  putDocument(name: string, value: unknown): Promise<void>;
  /**
   * Runs `act` while no other instance with the same contents does, under this name: what it reads of documents is what
   * it changes. Missing where a store belongs to one instance alone.
   */
  exclusively?<T>(name: string, act: () => Promise<T>): Promise<T>;
  /** Hears the name of every document that another instance with the same contents has put. Calls `off` to stop. */
  onDocument?(listener: (name: string) => void): () => void;
  /**
   * What all instances with the same contents hold together, and what more the system has room for. Missing, or answering
   * nothing, where a store belongs to one instance alone.
   */
  capacity?(): Promise<StoreCapacity | undefined>;
  /**
   * Why what was kept before is out of reach, where the store goes on without it: a listener may have chosen something that
   * is not known now. Missing, or answering nothing, where all there is is there.
   */
  trouble?(): Promise<Error | undefined>;
  /** Waits for what is under way and lets go of locks, also when it rejects. Idempotent. */
  close(): Promise<void>;
}
