import { textTable } from './text-table.ts';
import type { CrowdReport, CrowdSettings } from './tracker-crowd.ts';
import type { JoinReport, TrackerBenchSettings } from './tracker-bench.ts';

/** Who was measured beside our tracker, and what a join of ours takes of its processor time. */
export interface Rival {
  readonly name: string;
  readonly report: JoinReport;
  readonly ratio: number;
}

/** What joins cost, in words and a table. */
export function describeJoins(
  { peers, swarms, offers, candidates }: TrackerBenchSettings,
  ours: JoinReport,
  rivals: readonly Rival[],
): string {
  const reports = [{ name: 'sonantica', report: ours }, ...rivals];
  const lines = [
    `${count(peers)} peers joined ${swarms === 1 ? 'one swarm' : `${count(swarms)} swarms`}. A join: connect, announce, ${offers} offers to other`,
    `peers and their answers${candidates ? ', and candidates each way' : ''}, all through the tracker.`,
    '',
    textTable([
      ['', 'processor', 'of it kernel', 'memory', 'rate', 'announcement p50', 'p99', 'signals relayed'],
      ['', 'ms/join', 'ms/join', 'KB/peer', 'joins/s', 'ms', 'ms', ''],
      ...reports.map(({ name, report }) => [
        name,
        text(report.cpuMsPerJoin),
        text(report.systemMsPerJoin),
        text(report.kbPerPeer),
        text(report.joinsPerS),
        text(report.announceMs.p50),
        text(report.announceMs.p99),
        count(report.relayed),
      ]),
    ]),
  ];
  for (const { name, report, ratio } of rivals) {
    if (ours.cpuMsPerJoin === null || report.cpuMsPerJoin === null) continue;
    lines.push('', `Ours takes ${ratio.toFixed(2)} of the processor time of ${name}.`);
  }
  for (const { name, report } of reports) {
    if (report.failed > 0)
      lines.push('', `${count(report.failed)} joins of ${name} did not end within ten seconds.`);
  }
  return lines.join('\n');
}

/** What a crowd met with, in words and a table. */
export function describeCrowd(report: CrowdReport, { swarms, holdS }: CrowdSettings): string {
  const { load, peers, up, refused, admittedMs, announcedMs, up99S, peakPerS, dropped } = report;
  const what = {
    idle: `${count(peers)} peers came evenly, said hello, and stayed for ${holdS} s.`,
    storm: `${count(peers)} peers came all at once and announced themselves in ${count(swarms)} swarms.`,
    herd: `${count(peers)} peers in ${count(swarms)} swarms lost their sockets in one moment and came back in the next.`,
  }[load];
  const times = [
    ['welcome', admittedMs] as const,
    ...(announcedMs === undefined ? [] : [['announced', announcedMs] as const]),
  ];
  return [
    what,
    '',
    `${count(up)} came in, 99 of 100 of them within ${up99S} s, at most ${count(peakPerS)} in a second.`,
    ...Object.entries(refused).map(([reason, n]) => `${count(n)} did not: ${reason}`),
    ...(dropped === undefined ? [] : [`${count(dropped)} were let go while they stayed.`]),
    '',
    textTable([
      ['from connecting to', 'p50', 'p99', 'last'],
      ['', 'ms', 'ms', 'ms'],
      ...times.map(([name, { p50, p99, max }]) => [name, String(p50), String(p99), String(max)]),
    ]),
    ...(report.cpuMsPerPeer === null
      ? []
      : [
          '',
          `The tracker took ${report.cpuMsPerPeer} ms of processor and keeps ${report.kbPerPeer} KB a peer.`,
        ]),
  ].join('\n');
}

function text(value: number | null): string {
  return value === null ? 'not known' : String(value);
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
