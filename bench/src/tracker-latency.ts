import { constants, setPriority } from 'node:os';
import { percentile, round } from './report.ts';
import { pause } from './tracker-load.ts';
import {
  start,
  warmUp,
  withProcesses,
  type LoadProcess,
  type ServerProcess,
  type TrackerBenchSettings,
} from './tracker-bench.ts';

/** How fast announcements are answered while others join. */
export interface LatencyReport {
  /** Joins a second beside which the probes announced. */
  readonly joinsPerS: number;
  readonly probes: number;
  readonly p50: number;
  readonly p99: number;
  /** How late the probing process itself was, 99th percentile: what it adds. */
  readonly proberLateP99: number;
}

/** Joins of one load process: each takes a file descriptor. */
const MAX_JOINS = 15_000;
/** Sockets that probe, and how often each announces: well within its rate. */
const PROBES = 100;
const PROBE_EVERY_MS = 1_000;
/** A server's closing of sockets is over after this, in milliseconds. */
const SETTLE_MS = 1_000;
/** Until the probing process has warmed up, and the tracker is done with those that left. */
const PROBE_AFTER_MS = 2_000;
const PROBE_FOR_MS = 5_000;

/**
 * Announcements of bystanders while peers join at a fixed rate, however slow the answers are. The probes come
 * from a process of their own, and the load's gives way to it, so that what is measured is the tracker's delay and
 * not the load's.
 */
export function measureLatency(
  settings: TrackerBenchSettings,
  joinsPerS: number,
  nodeFlags: readonly string[] = [],
): Promise<LatencyReport> {
  const run = async (
    server: ServerProcess,
    [load, prober]: readonly LoadProcess[],
  ): Promise<LatencyReport> => {
    if (load === undefined || prober === undefined) throw new Error('no load');
    if (load.pid !== undefined) setPriority(load.pid, constants.priority.PRIORITY_LOW);
    const url = await start(server, 'sonantica', undefined);
    const { swarms, offers, candidates } = settings;
    await warmUp(load, 'sonantica', url, settings);
    await pause(SETTLE_MS);
    const [joined, { announceMs, lateP99Ms }] = await Promise.all([
      load.ask(
        {
          type: 'join',
          subject: 'sonantica',
          url,
          first: 0,
          count: Math.min(MAX_JOINS, Math.round((joinsPerS * (PROBE_AFTER_MS + PROBE_FOR_MS)) / 1_000)),
          shape: { swarms, offers, candidates },
          pace: { perS: joinsPerS },
        },
        'joined',
      ),
      prober.ask(
        {
          type: 'probe',
          url,
          count: PROBES,
          swarms,
          everyMs: PROBE_EVERY_MS,
          afterMs: PROBE_AFTER_MS,
          forMs: PROBE_FOR_MS,
        },
        'probed',
      ),
    ]);
    return {
      joinsPerS: round(joined.joins / (joined.ms / 1_000), 1),
      probes: announceMs.length,
      p50: round(percentile(announceMs, 0.5), 2),
      p99: round(percentile(announceMs, 0.99), 2),
      proberLateP99: round(lateP99Ms, 2),
    };
  };
  return withProcesses(2, run, nodeFlags);
}
