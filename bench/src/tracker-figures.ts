import { ATTACK_KINDS, measureAttacked, type AttackedReport, type AttackKind } from './tracker-attacked.ts';
import {
  measureJoins,
  ONE_CORE_FLAGS,
  sample,
  start,
  withProcesses,
  type JoinReport,
  type TrackerBenchSettings,
} from './tracker-bench.ts';
import { DEFAULT_TRACKER_BENCH } from './tracker-defaults.ts';
import { measureLatency, type LatencyReport } from './tracker-latency.ts';
import { measureChurn, measureIdle, measureRegistry } from './tracker-memory.ts';
import type { SubjectName } from './tracker-messages.ts';
import { measureRestart } from './tracker-restart.ts';
import { isNamed, requireNamed } from './only.ts';
import { round } from './report.ts';
import { installRival } from './tracker-rival.ts';

/** One bar of the tracker, and what was reached. */
export interface TrackerFigure {
  readonly row: string;
  readonly bar: string;
  readonly figure: string;
  /** `undefined` where nothing has to be reached. */
  readonly passed: boolean | undefined;
  /** What was measured, for machines. */
  readonly measured: object;
}

/** What the rows are measured with. */
export interface TrackerFigureSettings {
  /** Rows whose name contains this. */
  readonly only: string | undefined;
  /** Runs of each subject of a comparison, alternating; medians count. */
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** Every bar, one after another. Each is bounded; together they take some minutes. Rejects with `Misuse` where `only` names none. */
export async function trackerFigures(settings: TrackerFigureSettings): Promise<TrackerFigure[]> {
  const only = settings.only === undefined ? undefined : [settings.only];
  requireNamed(TRACKER_ROWS, only);
  const figures: TrackerFigure[] = [];
  for (const [row, measure] of ROWS) {
    if (!isNamed(row, only)) continue;
    settings.progress(row);
    figures.push({ row, ...(await measure(settings)) });
  }
  return figures;
}

type Row = readonly [string, (settings: TrackerFigureSettings) => Promise<Omit<TrackerFigure, 'row'>>];

const ROWS: readonly Row[] = [
  ['processor time of a join, beside bittorrent-tracker and bare ws', besideRivals],
  ['processor time of a join, all in one swarm', inOneSwarm],
  ['processor time of a join with candidates', withCandidates],
  ['memory of a connected peer, beside bare ws', idleMemory],
  ['registry heap of a peer in a track', registryHeap],
  ['an announcement at half of saturation', latency],
  ['kill -9 and restart under 1,000 listeners', restart],
  ['50,000 swarms announced and left', churn],
  ...ATTACK_KINDS.map((kind): Row => [
    `honest listeners under attack: ${kind}`,
    ({ rounds }) => underAttack(kind, rounds),
  ]),
];

/** The rows' names. */
export const TRACKER_ROWS: readonly string[] = ROWS.map(([row]) => row);

/** Runs of some subjects in turn: of each its reports, in the order of the rounds. */
export async function alternate(
  subjects: readonly { name: SubjectName; settings: TrackerBenchSettings }[],
  rounds: number,
  rival: string | undefined,
): Promise<JoinReport[][]> {
  const reports: JoinReport[][] = subjects.map(() => []);
  for (let run = 0; run < rounds; run++) {
    for (const [i, { name, settings }] of subjects.entries()) {
      reports[i]?.push(await measureJoins(name, settings, rival));
    }
  }
  return reports;
}

/** The run whose processor time is the middle one. */
export function middleOf(reports: readonly JoinReport[]): JoinReport {
  return middleBy(reports, ({ cpuMsPerJoin }) => cpuMsPerJoin ?? 0);
}

/**
 * What a join takes of another's processor time: the middle of the rounds' own ratios, in which both ran one after the
 * other, so that a machine that is slow for some minutes is slow for both.
 */
export function pairedRatio(ours: readonly JoinReport[], theirs: readonly JoinReport[]): number {
  const ratios = ours.map(
    (report, i) => (report.cpuMsPerJoin ?? 0) / (theirs[i]?.cpuMsPerJoin ?? Number.NaN),
  );
  return round(
    middleBy(ratios, (ratio) => ratio),
    3,
  );
}

/** The one whose figure is the middle one. */
function middleBy<Report>(reports: readonly Report[], figureOf: (report: Report) => number): Report {
  const sorted = [...reports].sort((a, b) => figureOf(a) - figureOf(b));
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error('nothing was measured');
  return middle;
}

async function besideRivals({ rounds, progress }: TrackerFigureSettings) {
  const rival = await installRival(progress);
  const names = ['sonantica', 'bittorrent-tracker', 'ws'] as const;
  const subjects = names.map((name) => ({ name, settings: DEFAULT_TRACKER_BENCH }));
  const [ours = [], theirs = [], bare = []] = await alternate(subjects, rounds, rival);
  const ratio = pairedRatio(ours, theirs);
  const middle = { ours: middleOf(ours), theirs: middleOf(theirs), bare: middleOf(bare) };
  return {
    bar: 'at most 0.8 of bittorrent-tracker',
    figure: `${middle.ours.cpuMsPerJoin} ms, bittorrent-tracker ${middle.theirs.cpuMsPerJoin} ms, ratio ${ratio}; bare ws ${middle.bare.cpuMsPerJoin} ms`,
    passed: ratio <= 0.8,
    measured: { ratio, ...middle, rounds: { ours, theirs, bare } },
  };
}

async function inOneSwarm({ rounds }: TrackerFigureSettings) {
  const subjects = [100, 1].map((swarms) => ({
    name: 'sonantica' as const,
    settings: { ...DEFAULT_TRACKER_BENCH, swarms },
  }));
  const [many = [], one = []] = await alternate(subjects, rounds, undefined);
  const ratio = pairedRatio(one, many);
  const middle = { one: middleOf(one), many: middleOf(many) };
  return {
    bar: 'at most 1.05 of what it takes in 100 swarms',
    figure: `${middle.one.cpuMsPerJoin} ms, in 100 swarms ${middle.many.cpuMsPerJoin} ms, ratio ${ratio}`,
    passed: ratio <= 1.05,
    measured: { ratio, ...middle, rounds: { one, many } },
  };
}

async function withCandidates({ rounds }: TrackerFigureSettings) {
  const settings = { ...DEFAULT_TRACKER_BENCH, candidates: true };
  const [reports = []] = await alternate([{ name: 'sonantica', settings }], rounds, undefined);
  const report = middleOf(reports);
  return {
    bar: 'printed',
    figure: `${report.cpuMsPerJoin} ms, of which the kernel ${report.systemMsPerJoin} ms`,
    passed: undefined,
    measured: report,
  };
}

async function idleMemory() {
  const ours = await measureIdle('sonantica', 10_000);
  const bare = await measureIdle('ws', 10_000);
  const ratio = round(ours.heapBytes / bare.heapBytes, 3);
  return {
    bar: 'at most 1.15 of bare ws',
    figure: `${ours.heapBytes} B, bare ws ${bare.heapBytes} B, ratio ${ratio} (resident ${ours.residentBytes} and ${bare.residentBytes} B)`,
    passed: ratio <= 1.15,
    measured: { ratio, ours, bare },
  };
}

async function registryHeap() {
  const measured = await measureRegistry(100_000, 10);
  const bytes = Math.round(measured.bytesPerEntry);
  return { bar: 'at most 200 B', figure: `${bytes} B`, passed: bytes <= 200, measured };
}

async function latency({ rounds }: TrackerFigureSettings) {
  const { cpuMsPerJoin } = await measureJoins('sonantica', DEFAULT_TRACKER_BENCH);
  const half = 500 / (cpuMsPerJoin ?? 1);
  const oneCore: LatencyReport[] = [];
  const usual: LatencyReport[] = [];
  for (let run = 0; run < rounds; run++) {
    oneCore.push(await measureLatency(DEFAULT_TRACKER_BENCH, half, ONE_CORE_FLAGS));
    usual.push(await measureLatency(DEFAULT_TRACKER_BENCH, half));
  }
  const measured = { oneCore: middleBy(oneCore, ({ p99 }) => p99), usual: middleBy(usual, ({ p99 }) => p99) };
  const { p99, p50, joinsPerS, proberLateP99 } = measured.oneCore;
  return {
    bar: 'p99 at most 10 ms',
    figure: `p99 ${p99} ms, p50 ${p50} ms with the flags for one core, beside ${joinsPerS} joins/s (the probing process itself: p99 ${proberLateP99} ms late); p99 ${measured.usual.p99} ms without`,
    passed: p99 <= 10,
    measured: { ...measured, runs: { oneCore, usual } },
  };
}

async function restart() {
  const measured = await measureRestart(1_000);
  const { backWithin15S, back99S, peakPerS, steadyPerS, announcesPerS } = measured;
  return {
    bar: '99 % back within 15 s, at most twice the steady rate at any time',
    figure: `${(backWithin15S * 100).toFixed(1)} % within 15 s, 99 % within ${back99S} s; at most ${peakPerS} a second, steady ${steadyPerS} (announcements in quiet times: ${announcesPerS})`,
    passed: backWithin15S >= 0.99 && peakPerS <= 2 * steadyPerS,
    measured,
  };
}

async function churn({ progress }: TrackerFigureSettings) {
  const rival = await installRival(progress);
  const ours = await measureChurn('sonantica', 50_000);
  const theirs = await measureChurn('bittorrent-tracker', 50_000, rival);
  return {
    bar: 'heap back within 1 MB',
    figure: `${ours.keptMB} MB kept of ${ours.swarms} swarms; bittorrent-tracker keeps ${theirs.keptMB} MB`,
    passed: ours.keptMB <= 1,
    measured: { ours, theirs },
  };
}

/** What was not counted, for a core stood still. */
function leftOut(report: AttackedReport): string {
  if (!report.hasClocks) return 'no clock could tell when a core stood still';
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return `not counted, for a core stood still: ${percent(report.quietLeftOut)} → ${percent(report.attackedLeftOut)} of the signals, p99 with them ${report.quietWholeP99Ms} → ${report.attackedWholeP99Ms} ms; the tracker's core stood still for ${report.quietStoodStillMs} → ${report.attackedStoodStillMs} ms`;
}

/** Memory that an attack may cost, in MB of 1,048,576 bytes. */
const MAX_GROWN_MB = 64;

/** The tracker has one core, so it has the flags for that. */
function underAttack(kind: AttackKind, rounds: number) {
  return withProcesses(
    0,
    async (server) => {
      if (server.pid === undefined) throw new Error('no server');
      const url = await start(server, 'sonantica', undefined);
      const residentBytes = async () => (await sample(server, false)).residentBytes;
      const measured = await measureAttacked(kind, { url, pid: server.pid, residentBytes }, rounds);
      const { quietP99Ms, attackedP99Ms, ratio, quietP50Ms, attackedP50Ms, grownMB } = measured;
      return {
        bar: `p99 at most doubles, memory at most + ${MAX_GROWN_MB} MB`,
        figure: `p99 ${quietP99Ms} → ${attackedP99Ms} ms (${ratio}), p50 ${quietP50Ms} → ${attackedP50Ms} ms, + ${grownMB} MB (the listeners themselves: p99 ${measured.quietLateP99Ms} → ${measured.attackedLateP99Ms} ms late; newcomers join in ${measured.quietJoinP50Ms} → ${measured.attackedJoinP50Ms} ms, at most ${measured.longestJoinMs}; the attack: ${measured.attackSocketsPerS} sockets and ${measured.attackMBPerS} MB a second${measured.wasAlone ? '' : '; other programs came between'}; ${leftOut(measured)})`,
        passed: ratio <= 2 && grownMB <= MAX_GROWN_MB,
        measured,
      };
    },
    ONE_CORE_FLAGS,
  );
}
