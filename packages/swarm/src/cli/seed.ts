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
import { openFileStore } from '../store/file-store.ts';
import { openSharedDocumentStore } from '../store/shared-document-store.ts';
import { createSwarm, type Swarm } from '../swarm.ts';
import { createStreamHasher, nodeHasher } from '../verify/sha256-node.ts';
import { publishedManifest, readCatalogue, type CatalogueEntry } from './catalogue.ts';
import { megabytes } from './progress.ts';
import { stateFolder } from './state-folder.ts';
import { stopped } from './stopped.ts';

/** Flags of `sonantica-swarm seed`. */
export interface SeedFlags {
  readonly tracker: readonly string[];
  readonly origin?: readonly string[];
  readonly aula?: string;
  readonly trackId?: string;
  readonly store?: string;
  readonly rtc?: 'wrtc' | 'werift';
  readonly uploadMbPerDay?: number;
  readonly json?: boolean;
}

/** What is a track, as origins decide: by the ending of its name. */
const MEDIA_TYPES: Readonly<Record<string, string>> = {
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
  const rtc = flags.rtc === undefined ? {} : { rtc: await loadNodeRtc(flags.rtc) };
  // What was given today is known after a restart too.
  const store = await (flags.store === undefined
    ? openSharedDocumentStore(stateFolder())
    : openFileStore(flags.store));
  const swarm = createSwarm({
    store,
    ...rtc,
    tracker: flags.tracker,
    ...(flags.aula === undefined ? {} : { aulaId: flags.aula, aulaHead: false }),
    ...(flags.uploadMbPerDay === undefined
      ? {}
      : { contributionForThisRun: { maxBandwidthMBPerDay: flags.uploadMbPerDay } }),
  });
  try {
    const catalogue = await readCatalogue(flags.origin ?? [], { signal: stop });
    for (const file of files) {
      stop.throwIfAborted();
      const { trackId, size, sha256 } = await seedFile(swarm, file, flags.trackId, catalogue, stop);
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
  if (!found.isDirectory() && isTrack(path)) return [path];
  if (!found.isDirectory())
    throw new SwarmError('invalid-argument', `${path} is none of ${Object.keys(MEDIA_TYPES).join(' ')}`);
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && isTrack(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function isTrack(name: string): boolean {
  return Object.hasOwn(MEDIA_TYPES, extname(name).toLowerCase());
}

async function seedFile(
  swarm: Swarm,
  path: string,
  named: string | undefined,
  catalogue: readonly CatalogueEntry[],
  stop: AbortSignal,
) {
  const name = named ?? basename(path, extname(path)).replaceAll(/[^A-Za-z0-9._~-]+/g, '-');
  if (!isTrackId(name))
    throw new SwarmError(
      'invalid-argument',
      `${JSON.stringify(name)} is no track id; give one with --track-id`,
    );
  const own = await manifestOf(path, name);
  const document = (await publishedManifest(own, catalogue, { signal: stop })) ?? own;
  const geometry = { size: own.size, chunkSize: own.chunkSize };
  return swarm.seed(document, async (chunk) => {
    const { start, end } = chunkRange(geometry, chunk);
    return readPart(path, start, end - start);
  });
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
