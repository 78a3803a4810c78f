import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { assignTrackIds, AUDIO_EXTENSIONS, LIMITS, mimeOf, type TrackId } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { nodeHasher } from '../verify/sha256-node.ts';
import { whyUnreadable } from './why-unreadable.ts';

/** A file that is to be given on. */
export interface SeedFile {
  readonly trackId: TrackId;
  /** As the user finds it: below the path they gave. */
  readonly path: string;
  /** What a message calls it: `path`, or without the folder where one alone is seeded. */
  readonly name: string;
  /** Free of symbolic links. */
  readonly realPath: string;
  readonly mime: string;
  /** Whether the user named this very file. One that was found in a folder can be left out. */
  readonly isNamed: boolean;
}

/** Hears which file of a folder is left out, and why. */
export type Skip = (name: string, why: string) => void;

/**
 * The files to seed: those that are named, by their names, and what an origin would serve of the folders, under the ids it
 * would give (`packages/origin/src/library.ts`). What is unsuitable in a folder is told to `skip`. Throws
 * `invalid-argument` for a named file that is unsuitable, for folders without any track, and where two files would have
 * one id: then neither can be told from the other.
 */
export async function filesToSeed(paths: readonly string[], skip: Skip): Promise<SeedFile[]> {
  const named: string[] = [];
  const folders: string[] = [];
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      throw new SwarmError('invalid-argument', `${path} ${whyUnreadable(error)}`, error);
    });
    (found.isDirectory() ? folders : named).push(path);
  }
  const files = await namedFiles(named);
  let found = files.length;
  for (const folder of folders) {
    const root = await realpath(folder);
    const tracks: string[] = [];
    await collect(root, '', tracks, paths.length === 1 ? skip : (name, why) => skip(join(folder, name), why));
    found += tracks.length;
    for (const [path, trackId] of assignTrackIds(tracks, nodeHasher)) {
      const shown = join(folder, path);
      const name = paths.length === 1 ? path : shown;
      const file = await inspect(join(root, path));
      if ('why' in file) skip(name, file.why);
      else files.push({ ...file, trackId, path: shown, name, mime: mimeOf(path) ?? '', isNamed: false });
    }
  }
  if (found === 0) throw new SwarmError('invalid-argument', `no audio file in ${paths.join(', ')}`);
  return withoutTwins(files).toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

async function namedFiles(paths: readonly string[]): Promise<SeedFile[]> {
  const ids = assignTrackIds(
    paths.map((path) => basename(path)),
    nodeHasher,
  );
  const files: SeedFile[] = [];
  for (const path of paths) {
    const [mime, trackId] = [mimeOf(basename(path)), ids.get(basename(path))];
    if (mime === undefined || trackId === undefined)
      throw new SwarmError('invalid-argument', `${path} is none of ${AUDIO_EXTENSIONS.join(' ')}`);
    const file = await inspect(path);
    if ('why' in file) throw new SwarmError('invalid-argument', `${path} cannot be seeded: ${file.why}`);
    files.push({ ...file, trackId, path, name: path, mime, isNamed: true });
  }
  return files;
}

/** Adds the paths of the tracks below `folder`, relative to `root` and `/`-separated. */
async function collect(root: string, folder: string, paths: string[], skip: Skip): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await readdir(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (folder === '') throw new SwarmError('invalid-argument', `${root} ${whyUnreadable(error)}`, error);
    return skip(folder, `it ${whyUnreadable(error)}`);
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) await collect(root, path, paths, skip);
    else if (mimeOf(entry.name) === undefined) continue;
    else if (/[\p{Surrogate}\uFFFD]/u.test(entry.name)) skip(path, 'its name is not Unicode');
    else if (entry.isFile()) paths.push(path);
    else if (entry.isSymbolicLink()) {
      const why = await whyNotFollowed(root, path);
      if (why === undefined) paths.push(path);
      else skip(path, why);
    }
  }
}

/** A link could give away what lies outside of the folder. */
async function whyNotFollowed(root: string, path: string): Promise<string | undefined> {
  try {
    const target = await realpath(join(root, path));
    return target.startsWith(root.endsWith(sep) ? root : root + sep)
      ? undefined
      : 'it is a link that leaves the folder';
  } catch {
    return 'it is a link that leads nowhere';
  }
}

async function inspect(path: string): Promise<Pick<SeedFile, 'realPath'> | { readonly why: string }> {
  try {
    const realPath = await realpath(path);
    const found = await stat(realPath);
    if (!found.isFile()) return { why: 'it is no file' };
    if (found.size === 0) return { why: 'it is empty' };
    return found.size > LIMITS.maxTrackBytes ? { why: 'it is larger than 4 GiB' } : { realPath };
  } catch (error) {
    return { why: `it ${whyUnreadable(error)}` };
  }
}

/** What is named twice is seeded once; what only shares its id is refused. */
function withoutTwins(files: readonly SeedFile[]): SeedFile[] {
  const byId = new Map<TrackId, SeedFile>();
  for (const file of files) {
    const other = byId.get(file.trackId);
    if (other !== undefined && other.realPath !== file.realPath)
      throw new SwarmError(
        'invalid-argument',
        `${other.path} and ${file.path} would both be the track ${file.trackId}: rename one, or seed the folder that holds both`,
      );
    if (other === undefined) byId.set(file.trackId, file);
  }
  return [...byId.values()];
}
