import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rmdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ChunkSet,
  chunkCount,
  chunkLength,
  isRootHash,
  isTrackId,
  type Geometry,
  type ManifestJson,
} from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { checkChunk, geometryOf } from './arguments.ts';
import type { StoredTrack, StoredTrackKey } from './chunk-store.ts';
import { systemCode } from './store-error.ts';
import { readWholeFile, removeFile, UNFINISHED, writeWholeFile } from './whole-file.ts';

const MANIFEST = 'manifest.json';
const CHUNK = /^(0|[1-9]\d{0,4})\.chunk$/;
const FOLDER = /^[a-z0-9-]{0,40}-[0-9a-f]{32}$/;

/** The use of a track is written at most this often: it only orders evictions. */
const USE_WRITTEN_EVERY_MS = 60_000;

/** Files looked at together while a folder is read. */
const STATS_AT_ONCE = 32;

/** Facts about a version that has a manifest. */
interface Version {
  manifest: ManifestJson;
  geometry: Geometry;
  held: ChunkSet;
}

/**
 * One version of a track on disk: a folder with `manifest.json`, whose time of change is the last use of the track,
 * and one file a chunk. Changes are made one after another, in the order they were asked for; reads go beside them.
 * Throws what `node:fs` throws, and `SwarmError('invalid-argument')`.
 */
export class TrackFolder {
  readonly key: StoredTrackKey;
  readonly #path: string;
  #version: Version | undefined;
  #usedAtMs = 0;
  #useWrittenMs = 0;
  #changes: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(tracksPath: string, key: StoredTrackKey) {
    this.key = { trackId: key.trackId, root: key.root };
    this.#path = join(tracksPath, folderName(key));
  }

  /**
   * Reads a folder as a crash may have left it, and removes what was not finished or has a wrong size. `undefined`
   * when it is not a track's; then it is removed if nothing in it is foreign.
   */
  static async load(tracksPath: string, name: string): Promise<TrackFolder | undefined> {
    if (!FOLDER.test(name)) return undefined;
    const path = join(tracksPath, name);
    const manifest = await readManifest(join(path, MANIFEST));
    const key = manifest === undefined ? undefined : keyOf(manifest);
    if (manifest === undefined || key === undefined || folderName(key) !== name) {
      await removeOwnFiles(path);
      return undefined;
    }
    const folder = new TrackFolder(tracksPath, key);
    const geometry = geometryOf(key, manifest);
    folder.#version = { manifest, geometry, held: await readChunks(path, geometry) };
    const { mtimeMs } = await stat(join(path, MANIFEST));
    folder.#usedAtMs = Math.round(mtimeMs);
    folder.#useWrittenMs = folder.#usedAtMs;
    return folder;
  }

  /** Whether nothing is kept and nothing is about to be. */
  get isGone(): boolean {
    return this.#version === undefined && this.#waiting === 0;
  }

  /** What is held, or `undefined` without a manifest. */
  describe(): StoredTrack | undefined {
    if (this.#version === undefined) return undefined;
    const { manifest, geometry, held } = this.#version;
    let sizeBytes = 0;
    for (const chunk of held) sizeBytes += chunkLength(geometry, chunk);
    return {
      ...this.key,
      manifest: structuredClone(manifest),
      held: held.clone(),
      sizeBytes,
      usedAtMs: this.#usedAtMs,
    };
  }

  putManifest(manifest: ManifestJson, wallMs: number): Promise<void> {
    const geometry = geometryOf(this.key, manifest);
    const json = JSON.stringify(manifest);
    return this.#change(async () => {
      const before = this.#version;
      const sameCut =
        before?.geometry.size === geometry.size && before.geometry.chunkSize === geometry.chunkSize;
      if (before !== undefined && !sameCut) await this.#delete(before, before.held.clone());
      await mkdir(this.#path, { recursive: true });
      await writeWholeFile(join(this.#path, MANIFEST), json, { durable: false });
      const held = before !== undefined && sameCut ? before.held : ChunkSet.none(chunkCount(geometry));
      this.#version = { manifest: JSON.parse(json), geometry, held };
      this.#useWrittenMs = Number.NEGATIVE_INFINITY;
      await this.#used(wallMs);
    });
  }

  /**
   * `bytes` are nobody's to change any more. Not synced to the disk: a crash of the process loses nothing that the
   * system has taken, and what a power failure tears is found by its size or by its proof. Syncing each chunk would
   * cost the more than tenfold.
   */
  putChunk(chunk: number, bytes: Uint8Array, wallMs: number): Promise<void> {
    return this.#change(async () => {
      const version = this.#version;
      checkChunk(version?.geometry, chunk, bytes);
      await writeWholeFile(this.#chunkPath(chunk), bytes, { durable: false });
      version?.held.add(chunk);
      await this.#used(wallMs);
    });
  }

  /** A chunk in memory of its own, or `undefined` when it is not held or its file is damaged. */
  async getChunk(chunk: number, wallMs: number): Promise<Uint8Array | undefined> {
    const version = this.#version;
    if (version === undefined || !version.held.has(chunk)) return undefined;
    const bytes = (await this.#read(version, chunk)) ?? (await this.#readOrDrop(chunk));
    if (bytes !== undefined) await this.#used(wallMs);
    return bytes;
  }

  deleteChunks(chunks: Iterable<number>): Promise<void> {
    const doomed = [...chunks];
    return this.#change(async () => {
      if (this.#version !== undefined) await this.#delete(this.#version, doomed);
    });
  }

  /** Forgets all of it. The manifest goes first: a folder without one is rubbish. */
  deleteAll(): Promise<void> {
    return this.#change(async () => {
      this.#version = undefined;
      await removeFile(join(this.#path, MANIFEST));
      await removeOwnFiles(this.#path);
    });
  }

  /** Waits for what is under way and writes down the last use. */
  settle(): Promise<void> {
    return this.#change(() => this.#writeUse());
  }

  #read(version: Version, chunk: number): Promise<Uint8Array | undefined> {
    return readWholeFile(this.#chunkPath(chunk), chunkLength(version.geometry, chunk));
  }

  /** A read beside a change may have met its middle. Read in turn, a chunk that is not whole is damaged. */
  #readOrDrop(chunk: number): Promise<Uint8Array | undefined> {
    return this.#change(async () => {
      const version = this.#version;
      if (version === undefined || !version.held.has(chunk)) return undefined;
      const bytes = await this.#read(version, chunk);
      if (bytes === undefined) await this.#delete(version, [chunk]);
      return bytes;
    });
  }

  async #delete(version: Version, chunks: Iterable<number>): Promise<void> {
    for (const chunk of chunks) {
      if (!version.held.has(chunk)) continue;
      await removeFile(this.#chunkPath(chunk));
      version.held.delete(chunk);
    }
  }

  async #used(wallMs: number): Promise<void> {
    this.#usedAtMs = wallMs;
    if (Math.abs(wallMs - this.#useWrittenMs) >= USE_WRITTEN_EVERY_MS) await this.#writeUse();
  }

  async #writeUse(): Promise<void> {
    if (this.#version === undefined || this.#useWrittenMs === this.#usedAtMs) return;
    this.#useWrittenMs = this.#usedAtMs;
    const seconds = this.#usedAtMs / 1000;
    try {
      await utimes(join(this.#path, MANIFEST), seconds, seconds);
    } catch (error) {
      // Deleted meanwhile: then its last use is of no interest.
      if (!isAbsent(error)) throw error;
    }
  }

  #change<T>(make: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const made = this.#changes.then(make);
    // The one who asked for a change hears of its failure; the next change does not.
    const settled = () => void this.#waiting--;
    this.#changes = made.then(settled, settled);
    return made;
  }

  #chunkPath(chunk: number): string {
    return join(this.#path, `${chunk}.chunk`);
  }
}

/**
 * The folder of a version: a few readable characters and a hash of the exact key. Ids that differ in case only, that
 * Windows reserves (`CON`) or that end in a dot get folders of their own everywhere.
 */
export function folderName({ trackId, root }: StoredTrackKey): string {
  const readable = trackId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  const digest = createHash('sha256').update(`${trackId}@${root}`).digest('hex');
  return `${readable}-${digest.slice(0, 32)}`;
}

async function readManifest(path: string): Promise<ManifestJson | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof json === 'object' && json !== null && !Array.isArray(json)
      ? (json as ManifestJson)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isAbsent(error)) return undefined;
    throw error;
  }
}

function keyOf(manifest: ManifestJson): StoredTrackKey | undefined {
  const { trackId, root } = manifest;
  if (!isTrackId(trackId) || !isRootHash(root)) return undefined;
  const key = { trackId, root };
  try {
    geometryOf(key, manifest);
    return key;
  } catch (error) {
    if (error instanceof SwarmError) return undefined;
    throw error;
  }
}

async function readChunks(path: string, geometry: Geometry): Promise<ChunkSet> {
  const held = ChunkSet.none(chunkCount(geometry));
  const names = await readdir(path);
  const look = async (name: string) => {
    const chunk = Number(CHUNK.exec(name)?.[1] ?? Number.NaN);
    const file = join(path, name);
    if (chunk < held.capacity && (await stat(file)).size === chunkLength(geometry, chunk)) held.add(chunk);
    else if (isOwnName(name) && name !== MANIFEST) await removeFile(file);
  };
  for (let at = 0; at < names.length; at += STATS_AT_ONCE) {
    await Promise.all(names.slice(at, at + STATS_AT_ONCE).map(look));
  }
  return held;
}

/** Removes a folder of ours, but nothing that a stranger put there. */
async function removeOwnFiles(path: string): Promise<void> {
  try {
    for (const name of await readdir(path)) if (isOwnName(name)) await removeFile(join(path, name));
    await rmdir(path);
  } catch (error) {
    if (!isAbsent(error) && systemCode(error) !== 'ENOTEMPTY') throw error;
  }
}

function isOwnName(name: string): boolean {
  const whole = name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name;
  return whole === MANIFEST || CHUNK.test(whole);
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '');
}
