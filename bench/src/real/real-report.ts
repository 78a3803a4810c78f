import type { ListenerFacts } from '../record.ts';
import { round, type RealReport } from '../report.ts';
import type { Scenario } from '../scenario.ts';
import { reportOf } from '../summary.ts';
import type { TrackFile } from './messages.ts';

/** What the report of a real run is worked out from. */
export interface RealOutcome {
  readonly scenario: Scenario;
  readonly rtc: 'wrtc' | 'werift';
  readonly listeners: readonly ListenerFacts[];
  readonly tracks: readonly TrackFile[];
  readonly originSentBytes: number;
  /** What one bare channel carried, in decimal megabytes a second. */
  readonly rawMBps: number;
  /** When the run was over, since it began. */
  readonly endedMs: number;
  /** Processor time of what is measured, and of the bench's own process. */
  readonly cpuMs: number;
  readonly ownCpuMs: number;
  /** Resident memory of all processes at its most, in bytes. */
  readonly mostRss: number;
}

/** What a real run came to. */
export function realReportOf(outcome: RealOutcome): RealReport {
  const { scenario, rtc, listeners, tracks, originSentBytes, rawMBps, cpuMs, ownCpuMs, mostRss } = outcome;
  const played = new Set(listeners.flatMap(({ plays }) => plays.map(({ track }) => track)));
  const base = reportOf({
    runtime: 'real',
    seed: scenario.seed,
    peers: scenario.peers,
    listeners,
    originSentBytes,
    playedBytes: [...played].reduce((sum, track) => sum + (tracks[track]?.piece.sizeBytes ?? 0), 0),
  });
  const tookMs = activeMs(listeners, outcome.endedMs);
  const files = listeners.reduce((sum, { hashed }) => sum + (hashed?.files ?? 0), 0);
  const right = listeners.reduce((sum, { hashed }) => sum + (hashed?.right ?? 0), 0);
  return {
    ...base,
    rtc,
    cpuS: round(cpuMs / 1000, 2),
    rssMB: round(mostRss / 1e6, 1),
    rawMBps: round(rawMBps, 2),
    goodputMBps: round(tookMs <= 0 ? 0 : (base.bytes.aula + base.bytes.global) / 1000 / tookMs, 2),
    benchCpuS: round(ownCpuMs / 1000, 2),
    sha256: { files, right },
  };
}

/** From the first opening to the last completion, or to the end where nobody completed. */
function activeMs(listeners: readonly ListenerFacts[], endedMs: number): number {
  const plays = listeners.flatMap((each) => each.plays);
  const firstMs = Math.min(endedMs, ...plays.map(({ openedMs }) => openedMs));
  const ends = plays.flatMap(({ openedMs, completedMs }) =>
    completedMs === undefined ? [] : [openedMs + completedMs],
  );
  return (ends.length === 0 ? endedMs : Math.max(...ends)) - firstMs;
}
