import type { Manifest } from '@sonantica/wire';
import { uploadBytesPerDay, type Contribution } from '../contribution.ts';
import { SwarmError } from '../errors.ts';
import { trackIdOf } from '../ids.ts';
import { loadNodeRtc } from '../links/node-rtc.ts';
import { openFileStore } from '../store/file-store.ts';
import { openSharedDocumentStore } from '../store/shared-document-store.ts';
import { createSwarm, type Swarm } from '../swarm.ts';
import { publishedManifest, readCatalogue, type Catalogue } from './catalogue.ts';
import { manifestOf, readChunk } from './file-manifest.ts';
import { megabytes } from './progress.ts';
import { filesToSeed, type SeedFile } from './seed-files.ts';
import { stateFolder } from './state-folder.ts';
import { stopped } from './stopped.ts';
import { tokenSource, type TokenFlags } from './token.ts';
import { tellOfTrackers } from './tracker-news.ts';
import { whyUnreadable } from './why-unreadable.ts';

/** Flags of `sonantica-swarm seed`. */
export interface SeedFlags extends TokenFlags {
  readonly tracker: readonly string[];
  readonly origin?: readonly string[];
  readonly aula?: string;
  readonly trackId?: string;
  readonly store?: string;
  readonly rtc?: 'wrtc' | 'werift';
  readonly uploadMbPerDay?: number;
  readonly json?: boolean;
}

const NOTHING = 'nothing could be seeded';

/** Gives on files as they lie until told to stop. */
export async function seed(paths: readonly string[], flags: SeedFlags, stop: AbortSignal): Promise<void> {
  const files = named(await filesToSeed(paths, skip), flags.trackId);
  if (files.length === 0) throw new Error(NOTHING);
  const token = await tokenSource(flags);
  const rtc = flags.rtc === undefined ? {} : { rtc: await loadNodeRtc(flags.rtc) };
  // What was given today is known after a restart too.
  const store = await (flags.store === undefined
    ? openSharedDocumentStore(stateFolder())
    : openFileStore(flags.store));
  const swarm = createSwarm({
    store,
    ...rtc,
    tracker: flags.tracker,
    token,
    ...(flags.aula === undefined ? {} : { aulaId: flags.aula, aulaHead: false }),
    ...(flags.uploadMbPerDay === undefined
      ? {}
      : { contributionForThisRun: { maxBandwidthMBPerDay: flags.uploadMbPerDay } }),
  });
  const hushTrackers = tellOfTrackers(
    swarm,
    {
      trackers: flags.tracker,
      meanwhile: 'still trying',
      tellsReturn: true,
      hasToken: flags.token !== undefined || flags.tokenFile !== undefined,
    },
    say,
  );
  try {
    const catalogue = await readCatalogue(flags.origin ?? [], { signal: stop });
    for (const base of catalogue.listless)
      say(`${base}/ lists no tracks: files are looked for there by the ids they have here`);
    const seeded = new Map<string, Manifest>();
    for (const file of files) {
      const manifest = await seedFile(swarm, file, { catalogue, seeded, stop });
      if (manifest === undefined) continue;
      const { trackId, size, sha256 } = manifest;
      const line =
        flags.json === true
          ? JSON.stringify({ trackId, size, sha256, file: file.path })
          : `seeding ${trackId} (${megabytes(size)})`;
      process.stdout.write(`${line}\n`);
    }
    if (seeded.size === 0) throw new Error(NOTHING);
    const why = whyNothingIsGiven(swarm.contribution);
    if (why !== undefined) say(`nothing is given, by the listener’s choice: ${why}`);
    await stopped(stop);
    const { uploadedBytes } = swarm.stats();
    if (flags.json !== true) process.stdout.write(`gave ${megabytes(uploadedBytes)}\n`);
  } finally {
    hushTrackers();
    await swarm.close();
  }
}

/** `--track-id` names the one file there is. */
function named(files: readonly SeedFile[], trackId: string | undefined): readonly SeedFile[] {
  if (trackId === undefined) return files;
  if (files.length > 1) throw new SwarmError('invalid-argument', '--track-id names one file');
  return files.map((file) => ({ ...file, trackId: trackIdOf(trackId) }));
}

interface Seeding {
  readonly catalogue: Catalogue;
  /** What is given on by now, by track id. */
  readonly seeded: Map<string, Manifest>;
  readonly stop: AbortSignal;
}

/**
 * Gives on one file. Answers `undefined` for one of a folder that turns out unsuitable, having said so; throws
 * `invalid-argument` for one that was named.
 */
async function seedFile(
  swarm: Swarm,
  file: SeedFile,
  { catalogue, seeded, stop }: Seeding,
): Promise<Manifest | undefined> {
  const leaveOut = (why: string, cause?: unknown): undefined => {
    if (file.isNamed)
      throw new SwarmError('invalid-argument', `${file.path} cannot be seeded: ${why}`, cause);
    skip(file.name, why);
  };
  const own = await manifestOf(file, stop).catch((error: unknown) => {
    stop.throwIfAborted();
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return leaveOut(error instanceof SwarmError ? error.message : `it ${whyUnreadable(error)}`, error);
  });
  if (own === undefined) return undefined;
  const document = (await publishedManifest(own, catalogue, { signal: stop })) ?? own;
  const other = seeded.get(document.trackId);
  if (other !== undefined && other.sha256 !== document.sha256)
    return leaveOut(`another file is the track ${document.trackId} by the origin's word`);
  const manifest = await swarm
    .seed(document, (chunk) => readChunk(file.realPath, document, chunk))
    .catch((error: unknown) => {
      if (document === own || !(error instanceof SwarmError) || error.code !== 'manifest-invalid')
        throw error;
      return leaveOut(`what the origin says of it is refused: ${error.message}`, error);
    });
  if (manifest !== undefined) seeded.set(manifest.trackId, manifest);
  return manifest;
}

/** The choice, kept from before or made for this run, by which nobody is given anything. */
function whyNothingIsGiven(choice: Contribution): string | undefined {
  if (uploadBytesPerDay(choice) > 0) return undefined;
  const { p2pEnabled, maxBandwidthMBPerDay, maxUploadKbps } = choice;
  if (!p2pEnabled) return 'p2pEnabled is false';
  return maxUploadKbps === 0 ? 'maxUploadKbps is 0' : `maxBandwidthMBPerDay is ${maxBandwidthMBPerDay}`;
}

function skip(name: string, why: string): void {
  say(`skipping ${JSON.stringify(name)}: ${why}`);
}

function say(line: string): void {
  process.stderr.write(`sonantica-swarm: ${line}\n`);
}
