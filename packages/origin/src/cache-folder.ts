import { hash, randomBytes } from 'node:crypto';
import { access, constants, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { OriginError, systemCode } from './errors.ts';

/**
 * A folder for what can be made again: the first of several candidates that can be written to. Where one
 * stops being writable, the next takes over, with a line in the log.
 */
export class CacheFolder {
  readonly #candidates: (() => Promise<string>)[];
  readonly #log: (line: string) => void;
  #folder: Promise<string> | undefined;
  #current: string | undefined;
  #temporary: string | undefined;

  /** `dir` as asked for; or else `.sonantica` in the library, the user's cache folder, a temporary one. */
  constructor(libraryDir: string, dir: string | undefined, log: (line: string) => void) {
    const wanted = dir === undefined ? [join(libraryDir, '.sonantica'), userCacheFolder(libraryDir)] : [dir];
    this.#candidates = [
      ...wanted.map((folder) => async () => folder),
      async () => (this.#temporary ??= await mkdtemp(join(tmpdir(), 'sonantica-origin-'))),
    ];
    this.#log = log;
  }

  /** Absolute path of a file that is there, `undefined` of one that is not. */
  async pathOf(name: string): Promise<string | undefined> {
    const path = join(await this.#open(), name);
    try {
      await access(path, constants.R_OK);
      return path;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
  }

  /** The content of a file, `undefined` where it cannot be read. */
  async read(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(await this.#open(), name));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Writes a file so that readers see the old or the new content, never a part; answers its path. */
  async write(name: string, content: string | Uint8Array): Promise<string> {
    for (;;) {
      const folder = await this.#open();
      const path = join(folder, name);
      const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
      try {
        // Somebody may have deleted the folder while the origin runs.
        await mkdir(folder, { recursive: true });
        await writeFile(draft, content, { flag: 'wx' });
        await rename(draft, path);
        return path;
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
        await rm(draft, { force: true }).catch(() => {});
        // Of several writers that fail together, the first moves everybody on.
        if (this.#current === folder) {
          this.#current = undefined;
          this.#folder = undefined;
          this.#giveUp(folder, systemCode(error));
        }
      }
    }
  }

  /** Removes a file if it is there. */
  async remove(name: string): Promise<void> {
    await rm(join(await this.#open(), name), { force: true });
  }

  /** Deletes the temporary folder, if there is one. */
  async close(): Promise<void> {
    if (this.#temporary !== undefined) await rm(this.#temporary, { recursive: true, force: true });
  }

  #open(): Promise<string> {
    return (this.#folder ??= this.#openFirst());
  }

  async #openFirst(): Promise<string> {
    for (;;) {
      const [candidate] = this.#candidates;
      if (candidate === undefined)
        throw new OriginError('cache-unwritable', 'no folder for manifests can be written to');
      let folder = 'a temporary folder';
      try {
        folder = await candidate();
        await mkdir(folder, { recursive: true });
        const probe = join(folder, `${randomBytes(6).toString('hex')}.tmp`);
        await writeFile(probe, '', { flag: 'wx' });
        await rm(probe);
        return (this.#current = folder);
      } catch (error) {
        if (systemCode(error) === undefined) throw error;
        this.#giveUp(folder, systemCode(error));
      }
    }
  }

  #giveUp(folder: string, why: string | undefined): void {
    this.#candidates.shift();
    this.#log(`cannot write to ${folder} (${why}); keeping manifests elsewhere`);
  }
}

/** A folder for this library where the system keeps what programs can make again. */
function userCacheFolder(libraryDir: string): string {
  const library = hash('sha256', resolve(libraryDir), 'hex').slice(0, 16);
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  let caches = join(homedir(), '.cache');
  if (XDG_CACHE_HOME) caches = XDG_CACHE_HOME;
  else if (process.platform === 'darwin') caches = join(homedir(), 'Library', 'Caches');
  else if (process.platform === 'win32' && LOCALAPPDATA) caches = LOCALAPPDATA;
  return join(caches, 'sonantica-origin', library);
}
