import type { RunRecord } from '../record.ts';
import { isReal, round } from '../report.ts';
import type { Scenario } from '../scenario.ts';

/** The share of the server among all bytes played, Spotify 2010 (Kreitz and Niemelä, "Spotify – Large Scale, Low Latency, P2P Music-on-Demand Streaming"). */
export const SPOTIFY_SERVER_SHARE = 0.088;

/** One line of a summary: what, how much, and what there is to say of it. */
export interface SummaryLine {
  readonly what: string;
  readonly figure: string;
  readonly beside: string;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A run in a sentence: `20 listeners of one track of 30 MB at 1400 kbit/s, over 60 s, in 1 Aula`. */
export function describeScenario(scenario: Scenario): string {
  const { peers, sizeMB, bitrateKbps, joinSpreadS, warmS, aulas, tracks, plays, policy } = scenario;
  const what =
    tracks === 1
      ? `a track of ${round(sizeMB, 1)} MB`
      : `${plays} of ${tracks} tracks of ${round(sizeMB, 1)} MB each`;
  const bad = (['liars', 'slow', 'dead'] as const).flatMap((kind) =>
    scenario[kind] > 0 ? [`${percent(scenario[kind])} ${kind}`] : [],
  );
  return [
    `${peers} listeners of ${what} at ${bitrateKbps} kbit/s`,
    joinSpreadS === 0 ? 'all at once' : `over ${joinSpreadS} s`,
    ...(policy === 'http-only' ? ['over HTTP alone'] : [`in ${aulas} ${aulas === 1 ? 'Aula' : 'Aulas'}`]),
    ...(warmS > 0 ? [`there ${warmS} s before`] : []),
    ...(scenario.churnPerMin > 0 ? [`${percent(scenario.churnPerMin)} leaving each minute`] : []),
    ...bad,
    ...(scenario.trackerDiesS === undefined ? [] : [`the tracker dies at ${scenario.trackerDiesS} s`]),
    ...(scenario.originDiesS === undefined ? [] : [`the origin dies at ${scenario.originDiesS} s`]),
  ].join(', ');
}

/** A run as lines for people. */
export function summaryOf({ report, scenario, listeners }: RunRecord): readonly SummaryLine[] {
  const { bytes, startMs, stalls, completionS } = report;
  const line = (what: string, figure: string, beside = ''): SummaryLine => ({ what, figure, beside });
  const delivered = bytes.origin + bytes.aula + bytes.global + bytes.cache;
  const share = (part: number) => (delivered === 0 ? '' : `${percent(part / delivered)} of what was played`);
  const peerBytes = bytes.aula + bytes.global;
  const players = listeners.filter(({ plays }) => plays.length > 0).length;
  const overhead = bytes.wasted + bytes.control;
  return [
    line('complete', `${report.completed}`, `of ${players} listeners`),
    line('origin copies', report.originCopies.toFixed(2), scenario.tracks > 1 ? 'of the tracks played' : ''),
    line(
      'offload',
      percent(report.offload),
      scenario.tracks > 1
        ? `server ${percent(1 - report.offload)}; Spotify 2010: ${percent(SPOTIFY_SERVER_SHARE)}`
        : 'not sent by the origin',
    ),
    line('from the Aula', megabytes(bytes.aula), share(bytes.aula)),
    line('from other peers', megabytes(bytes.global), share(bytes.global)),
    line('from the origin', megabytes(bytes.origin), share(bytes.origin)),
    ...(bytes.cache > 0 ? [line('had already', megabytes(bytes.cache), share(bytes.cache))] : []),
    line(
      'wasted and control',
      megabytes(overhead),
      peerBytes === 0 ? '' : `${percent(overhead / peerBytes)} of peer bytes`,
    ),
    line(
      'start',
      `${startMs.p50.toFixed(0)} ms`,
      `p75 ${startMs.p75.toFixed(0)}, p90 ${startMs.p90.toFixed(0)}, p99 ${startMs.p99.toFixed(0)}`,
    ),
    line(
      'plays that stalled',
      `${stalls.stalledPlays}`,
      `of ${stalls.plays}; ${stalls.seconds.toFixed(1)} s in all`,
    ),
    line(
      'complete after',
      `${completionS.p50.toFixed(1)} s`,
      `p95 ${completionS.p95.toFixed(1)}, last ${completionS.max.toFixed(1)}`,
    ),
    line('fairness (Jain)', report.jain.toFixed(2), '1: all gave alike'),
    line(
      'wrong bytes heard',
      `${report.badBytesDelivered}`,
      `${report.bannedLiars} liars and ${report.bannedHonest} honest peers banned`,
    ),
    ...(isReal(report)
      ? [
          line(
            'SHA-256',
            `${report.sha256.right}`,
            `of ${report.sha256.files} whole files are the publisher’s`,
          ),
          line(
            'processor',
            `${report.cpuS.toFixed(1)} s`,
            `beside ${report.benchCpuS.toFixed(1)} s of the bench itself`,
          ),
          line('memory', `${report.rssMB.toFixed(0)} MB`, 'all processes, at most'),
          line(
            'from peers',
            `${report.goodputMBps.toFixed(1)} MB/s`,
            `one bare ${report.rtc} channel here: ${report.rawMBps.toFixed(1)} MB/s`,
          ),
        ]
      : []),
  ];
}
