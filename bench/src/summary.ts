import type { ListenerFacts } from './record.ts';
import { jainIndex, percentile, round, type Report } from './report.ts';

/** What a report is worked out from. */
export interface Outcome {
  readonly runtime: Report['runtime'];
  readonly seed: number;
  readonly peers: number;
  readonly listeners: readonly ListenerFacts[];
  /** Audio bytes that left the origin. */
  readonly originSentBytes: number;
  /** Bytes of the tracks that were played, each counted once. */
  readonly playedBytes: number;
}

/** What a run came to, worked out alike for every runtime. */
export function reportOf({ runtime, seed, peers, listeners, originSentBytes, playedBytes }: Outcome): Report {
  const players = listeners.filter(({ plays }) => plays.length > 0);
  const bytes = { origin: 0, aula: 0, global: 0, cache: 0, wasted: 0, control: 0 };
  for (const each of players) {
    bytes.origin += each.bytes.origin;
    bytes.aula += each.bytes.aula;
    bytes.global += each.bytes.global;
    bytes.cache += each.bytes.cache;
    const { origin, aula, global } = each.bytes;
    bytes.wasted += each.receivedBlockBytes + each.receivedAudioBytes - aula - global - origin;
    bytes.control += each.controlBytes;
  }
  const plays = players.flatMap((each) => each.plays);
  const starts = plays.flatMap(({ startMs }) => startMs ?? []);
  const completions = plays.flatMap(({ completedMs }) =>
    completedMs === undefined ? [] : completedMs / 1000,
  );
  const delivered = bytes.origin + bytes.aula + bytes.global + bytes.cache;
  const kinds = new Map(listeners.map(({ name, kind }) => [name, kind]));
  const caught = new Set(listeners.flatMap((each) => each.caught));
  const blamed = new Set(listeners.flatMap((each) => each.blamed));
  const caughtOf = (isOne: (kind: string) => boolean) =>
    [...caught].filter((name) => isOne(kinds.get(name) ?? '')).length;
  return {
    runtime,
    seed,
    peers,
    completed: players.filter(({ isComplete }) => isComplete).length,
    originCopies: round(playedBytes === 0 ? 0 : originSentBytes / playedBytes, 4),
    offload: round(delivered === 0 ? 0 : 1 - originSentBytes / delivered, 4),
    bytes,
    startMs: {
      p50: round(percentile(starts, 0.5), 1),
      p75: round(percentile(starts, 0.75), 1),
      p90: round(percentile(starts, 0.9), 1),
      p99: round(percentile(starts, 0.99), 1),
    },
    stalls: {
      plays: plays.length,
      stalledPlays: plays.filter(({ stalls }) => stalls > 0).length,
      seconds: round(plays.reduce((sum, { stalledMs }) => sum + stalledMs, 0) / 1000, 3),
    },
    completionS: {
      p50: round(percentile(completions, 0.5), 2),
      p95: round(percentile(completions, 0.95), 2),
      max: round(percentile(completions, 1), 2),
    },
    badBytesDelivered: plays.reduce((sum, { wrongBytes }) => sum + wrongBytes, 0),
    bannedLiars: caughtOf((kind) => kind === 'liar'),
    bannedHonest:
      caughtOf((kind) => kind !== 'liar') + [...blamed].filter((name) => kinds.get(name) === 'honest').length,
    jain: round(
      jainIndex(listeners.filter(({ kind }) => kind === 'honest').map(({ uploadedBytes }) => uploadedBytes)),
      4,
    ),
  };
}
