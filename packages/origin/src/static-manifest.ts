import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { AUDIO_EXTENSIONS, buildManifest, mimeOf, type ManifestJson, type TrackId } from '@sonantica/wire';
import { readTrackFacts } from './audio-facts.ts';
import { OriginError, systemCode } from './errors.ts';
import { hashFile, sha256 } from './file-hashing.ts';
import type { PublisherKey } from './publisher-key.ts';
import { assignTrackIds } from './track-ids.ts';

/** How files are prepared for a static server. */
export interface StaticManifestOptions {
  /** Where to write; beside each file unless told otherwise. Made if it is not there. */
  readonly outDir?: string;
  /** 262,144 unless told otherwise. */
  readonly chunkSize?: number;
  readonly publisherKey?: PublisherKey;
}

/** What was written for a file. */
export interface StaticManifest {
  readonly manifest: ManifestJson;
  readonly manifestPath: string;
  readonly leavesPath: string;
  /** Whether the manifest's `file` leads to the audio from where the manifest lies. */
  readonly reachesAudio: boolean;
}

/**
 * The ids of files that are to lie on one static server, from their names alone: where the folders differ
 * today says nothing of where they will be served. Throws `OriginError('file-unsuitable')` for two files of
 * one name, and for what is no audio file.
 */
export function staticTrackIds(files: readonly string[]): Map<string, TrackId> {
  const pathOf = new Map<string, string>();
  for (const file of files.map((path) => resolve(path))) {
    const name = basename(file);
    if (mimeOf(name) === undefined) {
      throw new OriginError('file-unsuitable', `${file} is none of ${AUDIO_EXTENSIONS.join(' ')}`);
    }
    const other = pathOf.get(name);
    if (other !== undefined && other !== file) {
      throw new OriginError(
        'file-unsuitable',
        `${other} and ${file} would be one track: give them different names`,
      );
    }
    pathOf.set(name, file);
  }
  const ids = new Map<string, TrackId>();
  for (const [name, trackId] of assignTrackIds(pathOf.keys())) ids.set(pathOf.get(name) ?? name, trackId);
  return ids;
}

/**
 * Writes `<trackId>.manifest.json` and `<trackId>.leaves` for a file. `file` in the manifest is the audio's
 * address relative to it: a path inside the folder written to, or else the bare name, to which the audio is
 * then to be copied. Throws as `hashFile` does, and `OriginError('file-unsuitable')` rather than replace
 * the manifest of another file.
 */
export async function writeStaticManifest(
  path: string,
  trackId: TrackId,
  options: StaticManifestOptions = {},
): Promise<StaticManifest> {
  const mime = mimeOf(path);
  if (mime === undefined)
    throw new OriginError('file-unsuitable', `${path} is none of ${AUDIO_EXTENSIONS.join(' ')}`);
  const outDir = resolve(options.outDir ?? dirname(path));
  const within = relative(outDir, resolve(path));
  const reachesAudio = !within.startsWith('..') && resolve(outDir, within) === join(outDir, within);
  const file = (reachesAudio ? within : basename(path)).split(sep).map(encodeURIComponent).join('/');
  const manifestPath = join(outDir, `${trackId}.manifest.json`);
  const leavesPath = join(outDir, `${trackId}.leaves`);
  const described = await describedFile(manifestPath);
  if (described !== undefined && described !== file) {
    throw new OriginError('file-unsuitable', `${manifestPath} describes another file, ${described}`);
  }

  const hashes = await hashFile(path, options.chunkSize);
  const { size } = hashes.stamp;
  const { audio } = await readTrackFacts(path, size);
  const { chunkSize, chunkHashes } = hashes;
  const unsigned = await buildManifest(
    { trackId, size, chunkSize, mime, chunkHashes, sha256: hashes.sha256, audio, file },
    sha256,
  );
  const manifest = options.publisherKey === undefined ? unsigned : await options.publisherKey.sign(unsigned);
  await mkdir(outDir, { recursive: true });
  await writeWhole(leavesPath, hashes.leaves);
  await writeWhole(manifestPath, `${JSON.stringify(manifest)}\n`);
  return { manifest, manifestPath, leavesPath, reachesAudio };
}

/** The `file` of a manifest that is already there. */
async function describedFile(manifestPath: string): Promise<string | undefined> {
  try {
    const document: unknown = JSON.parse(await readFile(manifestPath, 'utf8'));
    if (typeof document !== 'object' || document === null || !('file' in document)) return undefined;
    return typeof document.file === 'string' ? document.file : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes a file so that a server beside us never sends a part of it. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(draft, content, { flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
