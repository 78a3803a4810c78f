import { readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { LIMITS, mimeOf, type TrackId } from '@sonantica/wire';
import { OriginError, systemCode } from './errors.ts';
import { stampOf, type FileStamp } from './file-hashing.ts';
import { mapConcurrently } from './concurrency.ts';
import { assignTrackIds } from './track-ids.ts';

/** A file of the library as it is on disk now. */
export interface LibraryFile {
  readonly trackId: TrackId;
  /** Relative to the library's folder, `/`-separated. */
  readonly path: string;
  /** Absolute, free of symbolic links, inside the library's folder. */
  readonly realPath: string;
  readonly mime: string;
  readonly stamp: FileStamp;
}

/** Rescans start at most this many times their own length apart, so that unknown ids cannot keep a disk busy. */
const SCAN_SHARE = 10;
const MAX_SCAN_PAUSE_MS = 2_000;

/**
 * The audio files of a folder tree. It is scanned when a listing or an unknown id asks for it, never on a
 * timer. Names beginning with a dot are skipped; symbolic links are followed to files inside the folder
 * only.
 */
export class TrackLibrary {
  /** The folder as it was given. */
  readonly dir: string;
  readonly #log: (line: string) => void;
  readonly #reported = new Set<string>();
  #paths: ReadonlyMap<TrackId, string> = new Map();
  #running: Promise<void> | undefined;
  #hasBegun = false;
  #next: Promise<void> | undefined;
  #quietUntil = 0;

  constructor(dir: string, log: (line: string) => void = () => {}) {
    this.dir = dir;
    this.#log = log;
  }

  /** Every track there is now, in order of path. */
  async list(): Promise<LibraryFile[]> {
    await this.#scan();
    const found = await mapConcurrently([...this.#paths], 16, ([trackId, path]) =>
      this.#locate(trackId, path),
    );
    return found.filter((file) => file !== undefined);
  }

  /** The file of a track as it is now, `undefined` where there is none. */
  async find(trackId: TrackId): Promise<LibraryFile | undefined> {
    const known = this.#paths.get(trackId);
    const file = known === undefined ? undefined : await this.#locate(trackId, known);
    if (file !== undefined) return file;
    await this.#scan();
    const path = this.#paths.get(trackId);
    return path === undefined ? undefined : this.#locate(trackId, path);
  }

  /** The folder free of symbolic links. Throws `OriginError('file-unreadable')` where there is none. */
  async root(): Promise<string> {
    try {
      return await realpath(this.dir);
    } catch (cause) {
      throw new OriginError('file-unreadable', 'the music folder cannot be read', { cause });
    }
  }

  async #locate(trackId: TrackId, path: string): Promise<LibraryFile | undefined> {
    const mime = mimeOf(path);
    if (mime === undefined) return undefined;
    try {
      const root = await this.root();
      const realPath = await realpath(join(root, path));
      if (!isInside(root, realPath)) return undefined;
      const stats = await stat(realPath);
      if (!stats.isFile()) return undefined;
      if (stats.size === 0 || stats.size > LIMITS.maxTrackBytes) {
        this.#report(path, stats.size === 0 ? 'it is empty' : 'it is larger than 4 GiB');
        return undefined;
      }
      return { trackId, path, realPath, mime, stamp: stampOf(stats) };
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      if (systemCode(error) !== 'ENOENT') this.#report(path, systemCode(error) ?? 'it cannot be read');
      return undefined;
    }
  }

  /** Resolves after a scan that began no earlier than this call; callers share scans. */
  #scan(): Promise<void> {
    if (this.#running !== undefined && !this.#hasBegun) return this.#running;
    if (this.#running === undefined) {
      this.#hasBegun = false;
      this.#running = this.#scanOnce().finally(() => (this.#running = undefined));
      return this.#running;
    }
    const running = this.#running;
    this.#next ??= running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#scan();
      });
    return this.#next;
  }

  async #scanOnce(): Promise<void> {
    const pauseMs = this.#quietUntil - performance.now();
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    this.#hasBegun = true;
    const startedAt = performance.now();
    const paths: string[] = [];
    await this.#collect(await this.root(), '', paths);
    const pathOf = new Map<TrackId, string>();
    for (const [path, trackId] of assignTrackIds(paths.toSorted())) pathOf.set(trackId, path);
    this.#paths = new Map([...pathOf].toSorted(([, a], [, b]) => (a < b ? -1 : 1)));
    const tookMs = performance.now() - startedAt;
    this.#quietUntil = performance.now() + Math.min(tookMs * SCAN_SHARE, MAX_SCAN_PAUSE_MS);
  }

  async #collect(root: string, folder: string, paths: string[]): Promise<void> {
    let entries;
    try {
      entries = await readdir(join(root, folder), { withFileTypes: true });
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined || folder === '') throw error;
      if (code !== 'ENOENT') this.#report(folder, code);
      return;
    }
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        await this.#collect(root, path, paths);
      } else if (mimeOf(entry.name) !== undefined) {
        if (/[\p{Surrogate}\uFFFD]/u.test(entry.name)) this.#report(path, 'its name is not Unicode');
        else if (/(?:^|\\)\.\.(?:\\|$)/.test(entry.name))
          this.#report(path, 'its name leads upwards where \\ parts folders');
        else if (entry.isFile() || (entry.isSymbolicLink() && (await this.#staysInside(root, path))))
          paths.push(path);
      }
    }
  }

  async #staysInside(root: string, path: string): Promise<boolean> {
    try {
      if (isInside(root, await realpath(join(root, path)))) return true;
      this.#report(path, 'it is a link that leaves the folder');
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.#report(path, 'it is a link that leads nowhere');
    }
    return false;
  }

  #report(path: string, why: string): void {
    const line = `skipping ${JSON.stringify(path)}: ${why}`;
    if (this.#reported.has(line) || this.#reported.size > 10_000) return;
    this.#reported.add(line);
    this.#log(line);
  }
}

function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}
