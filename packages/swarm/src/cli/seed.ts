import { open, readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import {
  buildManifest,
  chunkCount,
  chunkRange,
  chunkRoot,
  isTrackId,
  LIMITS,
  type ManifestJson,
  type TrackId,
} from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { loadNodeRtc } from '../links/node-rtc.ts';
import { createSwarm, type Swarm } from '../swarm.ts';
import { createStreamHasher, nodeHasher } from '../verify/sha256-node.ts';
import { megabytes } from './progress.ts';
import { stopped } from './stopped.ts';

/** Flags of `sonantica-swarm seed`. */
export interface SeedFlags {
  readonly tracker: readonly string[];
  readonly origin?: readonly string[];
  readonly aula?: string;
  readonly trackId?: string;
  readonly rtc?: 'wrtc' | 'werift';
  readonly uploadMbPerDay?: number;
  readonly json?: boolean;
}

const MEDIA_TYPES: Record<string, string> = {
  '.flac': 'audio/flac',
  '.wav': 'audio/wav',
  '.mp3': 'audio/mpeg',
  '.m4a': 'audio/mp4',
  '.ogg': 'audio/ogg',
  '.opus': 'audio/ogg',
};

/** Gives on files as they lie until told to stop. */
export async function seed(paths: readonly string[], flags: SeedFlags, stop: AbortSignal): Promise<void> {
  const files = (await Promise.all(paths.map(audioFiles))).flat();
  if (files.length === 0) throw new SwarmError('invalid-argument', `no audio file in ${paths.join(', ')}`);
  if (flags.trackId !== undefined && files.length > 1)
    throw new SwarmError('invalid-argument', '--track-id names one file');
  const swarm = createSwarm({
    tracker: flags.tracker,
    ...(flags.aula === undefined ? {} : { aulaId: flags.aula }),
    ...(flags.rtc === undefined ? {} : { rtc: await loadNodeRtc(flags.rtc) }),
    ...(flags.uploadMbPerDay === undefined
      ? {}
      : { contribution: { maxBandwidthMBPerDay: flags.uploadMbPerDay } }),
  });
  try {
    const catalogue = await readCatalogue(flags.origin ?? []);
    for (const file of files) {
      stop.throwIfAborted();
      const { trackId, size, sha256 } = await seedFile(swarm, file, flags.trackId, catalogue);
      const line =
        flags.json === true
          ? JSON.stringify({ trackId, size, sha256, file })
          : `seeding ${trackId} (${megabytes(size)})`;
      process.stdout.write(`${line}\n`);
    }
    await stopped(stop);
    const { uploadedBytes } = swarm.stats();
    if (flags.json !== true) process.stdout.write(`gave ${megabytes(uploadedBytes)}\n`);
  } finally {
    await swarm.close();
  }
}

async function audioFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new SwarmError('invalid-argument', `${path} cannot be read`, error);
  });
  if (found.isFile()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter(
      (entry) =>
        entry.isFile() && !entry.name.startsWith('.') && extname(entry.name).toLowerCase() in MEDIA_TYPES,
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** What an origin lists: under which ids it serves what. */
interface CatalogueEntry {
  readonly base: string;
  readonly trackId: TrackId;
  readonly size: number;
}

/** A seeder without its origin's list goes by file names. */
async function readCatalogue(origins: readonly string[]): Promise<CatalogueEntry[]> {
  const entries: CatalogueEntry[] = [];
  for (const origin of origins) {
    const base = origin.replace(/\/+$/, '');
    const response = await fetch(`${base}/`).catch((error: unknown) => {
      throw new SwarmError('origin-unavailable', `${base} does not answer`, error);
    });
    const body: unknown = await response.json().catch(() => undefined);
    const tracks =
      typeof body === 'object' && body !== null && 'tracks' in body && Array.isArray(body.tracks)
        ? body.tracks
        : [];
    for (const track of tracks as readonly { trackId?: unknown; size?: unknown }[]) {
      if (isTrackId(track.trackId) && typeof track.size === 'number')
        entries.push({ base, trackId: track.trackId, size: track.size });
    }
  }
  return entries;
}

async function seedFile(
  swarm: Swarm,
  path: string,
  named: string | undefined,
  catalogue: readonly CatalogueEntry[],
) {
  const name = named ?? basename(path, extname(path)).replaceAll(/[^A-Za-z0-9._~-]+/g, '-');
  if (!isTrackId(name))
    throw new SwarmError(
      'invalid-argument',
      `${JSON.stringify(name)} is no track id; give one with --track-id`,
    );
  const own = await manifestOf(path, name);
  const document = (await publishedManifest(own, catalogue)) ?? own;
  const geometry = { size: own.size, chunkSize: own.chunkSize };
  return swarm.seed(document, async (chunk) => {
    const { start, end } = chunkRange(geometry, chunk);
    return readPart(path, start, end - start);
  });
}

/** The origin's own manifest of the same bytes, under whatever id, signature included. */
async function publishedManifest(
  own: ManifestJson,
  catalogue: readonly CatalogueEntry[],
): Promise<ManifestJson | undefined> {
  for (const { base, trackId, size } of catalogue) {
    if (size !== own.size) continue;
    const response = await fetch(`${base}/${trackId}.manifest.json`);
    const manifest = response.ok ? ((await response.json()) as ManifestJson) : undefined;
    if (manifest?.sha256 === own.sha256) return manifest;
  }
  return undefined;
}

async function manifestOf(path: string, trackId: TrackId): Promise<ManifestJson> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const geometry = { size, chunkSize: LIMITS.defaultChunkBytes };
    const whole = await createStreamHasher();
    const chunkHashes: Uint8Array[] = [];
    for (let chunk = 0; chunk < chunkCount(geometry); chunk++) {
      const { start, end } = chunkRange(geometry, chunk);
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      if (bytesRead !== bytes.length)
        throw new SwarmError('invalid-argument', `${path} changed while it was read`);
      whole.update(bytes);
      const leaves: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += LIMITS.blockBytes)
        leaves.push(nodeHasher(bytes.subarray(at, at + LIMITS.blockBytes)));
      chunkHashes.push(await chunkRoot(nodeHasher, geometry, leaves));
    }
    const mime = MEDIA_TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';
    return await buildManifest(
      { trackId, ...geometry, mime, sha256: whole.digestHex(), chunkHashes },
      nodeHasher,
    );
  } finally {
    await file.close();
  }
}

async function readPart(path: string, start: number, length: number): Promise<Uint8Array | undefined> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await file.read(bytes, 0, length, start);
    return bytesRead === length ? bytes : undefined;
  } finally {
    await file.close();
  }
}
