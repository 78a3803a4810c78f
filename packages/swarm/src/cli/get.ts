import { unlessAborted } from '../abort-with.ts';
import { SwarmError } from '../errors.ts';
import { loadNodeRtc } from '../links/node-rtc.ts';
import type { SwarmOptions, TierBytes } from '../options.ts';
import { openFileStore } from '../store/file-store.ts';
import { openSharedDocumentStore } from '../store/shared-document-store.ts';
import { createSwarm, type Swarm } from '../swarm.ts';
import type { Track } from '../track.ts';
import { createStreamHasher } from '../verify/sha256-node.ts';
import { checkOutFile, openOutFile, type OutFile } from './out-file.ts';
import { createProgress, megabytes, type Progress } from './progress.ts';
import { isStandardOutput, standardOutput } from './standard-output.ts';
import { stateFolder } from './state-folder.ts';
import { stopped } from './stopped.ts';
import { tokenSource, type TokenFlags } from './token.ts';
import { tellOfTrackers, type TrackerNewsOptions } from './tracker-news.ts';

/** Flags of `sonantica-swarm get`. */
export interface GetFlags extends TokenFlags {
  readonly tracker?: readonly string[];
  readonly origin: readonly string[];
  readonly aula?: string;
  readonly out?: string;
  readonly store?: string;
  readonly stay?: boolean;
  readonly serverOnly?: boolean;
  readonly rtc?: 'wrtc' | 'werift';
  readonly publisherKey?: readonly string[];
  readonly json?: boolean;
}

/** What `get --json` prints. Times in milliseconds from the start of the command, sizes in bytes. */
export interface GetReport {
  readonly trackId: string;
  readonly size: number;
  readonly sha256: string;
  readonly ms: number;
  readonly firstBlockMs: number;
  readonly bytes: TierBytes;
  /** Peers that gave something. */
  readonly peers: number;
  readonly chunks: number;
  readonly rejectedBlocks: number;
}

/** Fetches a track, proves it, writes it out, reports; with `--stay` gives it on until told to stop. */
export async function get(trackId: string, flags: GetFlags, stop: AbortSignal): Promise<void> {
  const isPrinted = flags.out !== undefined && (await isStandardOutput(flags.out));
  if (flags.out !== undefined && !isPrinted) await checkOutFile(flags.out);
  const swarm = createSwarm({
    origin: flags.origin,
    token: await tokenSource(flags),
    ...(flags.tracker === undefined ? {} : { tracker: flags.tracker }),
    ...(flags.aula === undefined ? {} : { aulaId: flags.aula, aulaHead: false }),
    ...(flags.rtc === undefined ? {} : { rtc: await loadNodeRtc(flags.rtc) }),
    ...(flags.publisherKey === undefined ? {} : { publisherKeys: flags.publisherKey }),
    ...(await keeping(flags)),
  });
  const progress = flags.json === true ? undefined : createProgress(process.stderr);
  const say = (line: string) => {
    const whole = `sonantica-swarm: ${line}`;
    if (progress === undefined) process.stderr.write(`${whole}\n`);
    else progress.say(whole);
  };
  const hushTrackers = tellOfTrackers(swarm, trackerNews(flags), say);
  try {
    const out = isPrinted ? standardOutput : flags.out === undefined ? undefined : fileAt(flags.out);
    const report = await fetchTrack(swarm, swarm.open(trackId), { out, progress, stop });
    const text =
      flags.json === true ? JSON.stringify(report) : summary(report, isPrinted ? undefined : flags.out);
    // Nothing but audio goes where the audio goes.
    (isPrinted ? process.stderr : process.stdout).write(`${text}\n`);
    if (flags.stay === true) await stopped(stop);
  } finally {
    hushTrackers();
    await swarm.close();
  }
}

/** Giving is what `--stay` is for, so that one hears when it can begin. */
function trackerNews({ tracker = [], stay = false, token, tokenFile }: GetFlags): TrackerNewsOptions {
  const meanwhile = 'going on with the origin alone';
  return {
    trackers: tracker,
    meanwhile: stay ? `${meanwhile}, still trying` : meanwhile,
    tellsReturn: stay,
    hasToken: token !== undefined || tokenFile !== undefined,
  };
}

/**
 * Where chunks are kept, and what was given today. Who meets no peer gives nothing, and who cannot write down what they
 * give does not either: that is a fault only where giving is what was asked for.
 */
async function keeping({
  store,
  tracker,
  serverOnly,
  stay,
}: GetFlags): Promise<Pick<SwarmOptions, 'store' | 'contributionForThisRun'>> {
  const alone = serverOnly === true ? { contributionForThisRun: { p2pEnabled: false } } : {};
  if (store !== undefined) return { ...alone, store: await openFileStore(store) };
  if (serverOnly === true || tracker === undefined) return alone;
  try {
    return { store: await openSharedDocumentStore(stateFolder()) };
  } catch (error) {
    if (stay === true || !(error instanceof SwarmError)) throw error;
    process.stderr.write(`sonantica-swarm: nothing is given to others this time: ${error.message}\n`);
    return { contributionForThisRun: { maxBandwidthMBPerDay: 0 } };
  }
}

const fileAt = (path: string) => () => openOutFile(path);

interface Fetching {
  /** Opens what the track is written into, if anything. */
  readonly out: (() => OutFile | Promise<OutFile>) | undefined;
  readonly progress: Progress | undefined;
  readonly stop: AbortSignal;
}

async function fetchTrack(swarm: Swarm, track: Track, { out, progress, stop }: Fetching): Promise<GetReport> {
  const begun = performance.now();
  const givers = new Set<string>();
  let firstBlockMs: number | undefined;
  track.on('block', ({ peerId }) => {
    firstBlockMs ??= performance.now() - begun;
    if (peerId !== undefined) givers.add(peerId);
  });
  // Whatever is waited for then ends.
  stop.addEventListener('abort', () => track.close(), { once: true });
  const { size, sha256: expected } = await track.manifest();
  const showing = setInterval(() => progress?.show(track.stats(), size), 100);
  try {
    const { maxStorageGB } = swarm.contribution;
    if (maxStorageGB * 1e9 >= size) await track.download({ signal: stop });
    const sha256 = await writeOut(track, out, stop);
    if (sha256 !== expected)
      throw new SwarmError(
        'manifest-invalid',
        `the file's SHA-256 is ${sha256}, the manifest says ${expected}`,
      );
    progress?.show(track.stats(), size);
    const { bytes, chunks, rejectedBlocks } = track.stats();
    return {
      trackId: track.trackId,
      size,
      sha256,
      ms: Math.round(performance.now() - begun),
      firstBlockMs: Math.round(firstBlockMs ?? performance.now() - begun),
      bytes,
      peers: givers.size,
      chunks: chunks.total,
      rejectedBlocks,
    };
  } finally {
    clearInterval(showing);
    progress?.end();
  }
}

/** Reads the whole track, into a file where there is one; answers its SHA-256. */
async function writeOut(track: Track, out: Fetching['out'], stop: AbortSignal): Promise<string> {
  const hasher = await createStreamHasher();
  const file = await out?.();
  try {
    for await (const bytes of track.stream()) {
      stop.throwIfAborted();
      hasher.update(bytes);
      if (file !== undefined) await unlessAborted(file.write(bytes), stop);
    }
    await file?.finish();
    return hasher.digestHex();
  } catch (error) {
    await file?.discard();
    throw error;
  }
}

function summary({ trackId, size, sha256, ms, bytes, peers }: GetReport, out: string | undefined): string {
  const from = Object.entries(bytes)
    .filter(([, count]) => count > 0)
    .map(([tier, count]) => `${tier} ${megabytes(count)}`);
  return [
    `${trackId}: ${megabytes(size)} in ${(ms / 1000).toFixed(1)} s, from ${from.join(', ')} (${peers} ${peers === 1 ? 'peer' : 'peers'})`,
    `sha256 ${sha256}`,
    ...(out === undefined ? [] : [`written to ${out}`]),
  ].join('\n');
}
