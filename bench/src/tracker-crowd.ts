import { percentile, round } from './report.ts';
import { sample, start, startLoads, withProcesses, type LoadProcess } from './tracker-bench.ts';
import type { ServerProcess } from './tracker-bench.ts';
import type { Arrived } from './tracker-arrivals.ts';
import { pause } from './tracker-load.ts';

/**
 * What a crowd does. `idle`: comes evenly, says hello, stays. `storm`: comes all at once and announces. `herd`: comes
 * evenly and announces, loses all its sockets in one moment, and is back in the next.
 */
export type CrowdName = 'idle' | 'storm' | 'herd';

/** How many do what, and how often they are looked at. */
export interface CrowdSettings {
  readonly load: CrowdName;
  readonly peers: number;
  readonly swarms: number;
  /** Processes the peers are in, 1 or 2. */
  readonly loads: number;
  /** How long an idle crowd stays, in seconds. */
  readonly holdS: number;
}

/** Where times lie, in milliseconds. */
interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What a crowd met with; of a herd, when it came back. `null` where the tracker is not this bench's own. */
export interface CrowdReport {
  readonly load: CrowdName;
  readonly peers: number;
  /** Peers that came in. */
  readonly up: number;
  /** The others, by what the tracker said. */
  readonly refused: Readonly<Record<string, number>>;
  /** From the beginning of a connection to `welcome`. */
  readonly admittedMs: Times;
  /** From the beginning of a connection to the answer to its announcement; not for `idle`. */
  readonly announcedMs?: Times;
  /** Until 99 of 100 that came in were in, in seconds. */
  readonly up99S: number;
  /** Most that came in within one second. */
  readonly peakPerS: number;
  /** Idle peers that the tracker let go within the time they stayed. */
  readonly dropped?: number;
  readonly cpuMsPerPeer: number | null;
  /** Growth of the server's heap and what it keeps outside, garbage collected; 1,000 bytes. */
  readonly kbPerPeer: number | null;
}

/** Connections a second of a crowd that comes evenly. */
const EVENLY_PER_S = 1_000;
/** A server's closing of sockets is over after this, in milliseconds. */
const SETTLE_MS = 500;

/** A crowd at a tracker that is started for it. */
export function measureCrowd(settings: CrowdSettings): Promise<CrowdReport> {
  return withProcesses(settings.loads, async (server, loads) => {
    const url = await start(server, 'sonantica', undefined);
    // Code and tables that any traffic brings are not the crowd's.
    await arriveFrom(loads.slice(0, 1), { url, count: 500, swarms: settings.swarms, overMs: 0 });
    await disconnect(loads);
    return crowdAt(url, loads, settings, server);
  });
}

/** A crowd at a tracker of ours that runs elsewhere. Nothing is known of its processor and memory. */
export async function measureCrowdAt(url: string, settings: CrowdSettings): Promise<CrowdReport> {
  const loads = startLoads(settings.loads);
  try {
    return await crowdAt(url, loads, settings, undefined);
  } finally {
    await Promise.all(loads.map((child) => child.kill()));
  }
}

async function crowdAt(
  url: string,
  loads: readonly LoadProcess[],
  { load, peers, swarms, holdS }: CrowdSettings,
  server: ServerProcess | undefined,
): Promise<CrowdReport> {
  const evenly = { url, count: peers, swarms, overMs: (peers / EVENLY_PER_S) * 1_000 };
  if (load === 'herd') {
    await arriveFrom(loads, evenly);
    await disconnect(loads);
  }
  const before = server === undefined ? undefined : await sample(server, true);
  const atOnce = { ...evenly, overMs: 0 };
  const arrived = await arriveFrom(loads, load === 'idle' ? { ...evenly, swarms: 0 } : atOnce);
  let dropped: number | undefined;
  if (load === 'idle') {
    await pause(holdS * 1_000);
    const left = await Promise.all(loads.map((each) => each.ask({ type: 'count' }, 'counted')));
    dropped = arrived.upAtMs.length - left.reduce((sum, { open }) => sum + open, 0);
  }
  const after = server === undefined ? undefined : await sample(server, true);
  const up = arrived.upAtMs.length;
  const perPeer = (of: 'cpuMs' | 'heapBytes', unit: number) =>
    before === undefined || after === undefined || up === 0
      ? null
      : round((after[of] - before[of]) / unit / up, 3);
  return {
    load,
    peers,
    up,
    refused: arrived.refused,
    admittedMs: timesOf(arrived.admittedMs),
    ...(load === 'idle' ? {} : { announcedMs: timesOf(arrived.announcedMs) }),
    up99S: round(percentile(arrived.upAtMs, 0.99) / 1_000, 2),
    peakPerS: peakOf(arrived.upAtMs),
    ...(dropped === undefined ? {} : { dropped }),
    cpuMsPerPeer: perPeer('cpuMs', 1),
    kbPerPeer: perPeer('heapBytes', 1_000),
  };
}

/** Lets a crowd come from several processes, and adds up what came of it. */
async function arriveFrom(
  loads: readonly LoadProcess[],
  { url, count, swarms, overMs }: { url: string; count: number; swarms: number; overMs: number },
): Promise<Arrived> {
  const share = Math.ceil(count / loads.length);
  const parts = await Promise.all(
    loads.map((load, i) => {
      const part = { first: i * share, count: Math.max(0, Math.min(share, count - i * share)) };
      return load.ask({ type: 'arrive', url, swarms, overMs, ...part }, 'arrived');
    }),
  );
  const refused: Record<string, number> = {};
  for (const part of parts)
    for (const [reason, n] of Object.entries(part.refused)) refused[reason] = (refused[reason] ?? 0) + n;
  return {
    admittedMs: parts.flatMap(({ admittedMs }) => admittedMs),
    announcedMs: parts.flatMap(({ announcedMs }) => announcedMs),
    upAtMs: parts.flatMap(({ upAtMs }) => upAtMs),
    refused,
  };
}

async function disconnect(loads: readonly LoadProcess[]): Promise<void> {
  await Promise.all(loads.map((load) => load.ask({ type: 'disconnect' }, 'disconnected')));
  await pause(SETTLE_MS);
}

function timesOf(values: readonly number[]): Times {
  const at = (share: number) => round(percentile(values, share), 1);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function peakOf(atMs: readonly number[]): number {
  const perSecond = new Map<number, number>();
  for (const ms of atMs) {
    const second = Math.floor(ms / 1_000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  return Math.max(0, ...perSecond.values());
}
