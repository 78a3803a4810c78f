import type { Runtime, Way } from './compare-messages.ts';
import type { FigureRow } from './figure-row.ts';
import { ratioOf, spreadOf, type Spread } from './spread.ts';
import { textTable } from './text-table.ts';

/** A track got once. Times in milliseconds, from when the getter was told to begin. */
export interface Run {
  /** Until the first bytes of audio were there. */
  readonly firstByteMs: number;
  /** Until all of it was there and proven, where the way proves anything. */
  readonly doneMs: number;
  /** Decimal megabytes a second, of what came after the first bytes. */
  readonly mbPerS: number;
  /** Processor seconds of both ends, from beginning to done, for each decimal megabyte. */
  readonly cpuSPerMB: number;
  readonly sha256: string;
}

/** A run, or why it did not end. */
export type Attempt = Run | { readonly failed: string };

/** Every run of one way. */
export interface WayReport {
  readonly runs: number;
  /** Runs that ended with the right SHA-256. */
  readonly completed: number;
  /** Why the others did not. */
  readonly failures: readonly string[];
  readonly firstByteMs: Spread | undefined;
  readonly mbPerS: Spread | undefined;
  readonly cpuSPerMB: Spread | undefined;
  readonly doneMs: Spread | undefined;
}

/** One comparison in one runtime: the shape of `--json`. */
export interface CompareReport {
  readonly in: Runtime;
  readonly megabytes: number;
  readonly ways: Partial<Record<Way, WayReport>>;
  /** Ratios are taken round by round: ours over theirs of the same round. */
  readonly bars: readonly FigureRow[];
}

type Measure = 'firstByteMs' | 'mbPerS' | 'cpuSPerMB';

interface Bar {
  readonly row: string;
  readonly ours: Way;
  readonly theirs: Way;
  readonly measure: Measure;
  readonly most?: number;
  readonly least?: number;
}

const OUT_OF_REACH = 'a STUN server out of reach';
const BARS: Readonly<Record<Runtime, readonly Bar[]>> = {
  node: [
    ...firstByte(0.2),
    {
      row: 'rate after the first byte',
      ours: 'sonantica',
      theirs: 'webtorrent',
      measure: 'mbPerS',
      least: 1.2,
    },
    { row: 'processor time per MB', ours: 'sonantica', theirs: 'webtorrent', measure: 'cpuSPerMB', most: 1 },
    {
      row: 'rate after the first byte, theirs over TCP',
      ours: 'sonantica',
      theirs: 'webtorrent-tcp',
      measure: 'mbPerS',
    },
  ],
  chromium: [
    ...firstByte(1),
    {
      row: 'rate after the first byte',
      ours: 'sonantica',
      theirs: 'webtorrent',
      measure: 'mbPerS',
      least: 1,
    },
    {
      row: 'processor time per MB, all of Chromium',
      ours: 'sonantica',
      theirs: 'webtorrent',
      measure: 'cpuSPerMB',
    },
  ],
};

function firstByte(most: number): Bar[] {
  const measure = 'firstByteMs';
  return [
    { row: `first byte, ${OUT_OF_REACH}`, ours: 'sonantica-stun', theirs: 'webtorrent-stun', measure, most },
    { row: 'first byte, no STUN server', ours: 'sonantica', theirs: 'webtorrent', measure, most: 1 },
  ];
}

/** What a runtime's runs came to, beside its bars. `command` is how to see it again. */
export function reportOn(
  runtime: Runtime,
  { megabytes, sha256, command }: { megabytes: number; sha256: string; command: string },
  attempts: ReadonlyMap<Way, readonly Attempt[]>,
): CompareReport {
  const isGood = (attempt: Attempt): attempt is Run => !('failed' in attempt) && attempt.sha256 === sha256;
  const ways: Partial<Record<Way, WayReport>> = {};
  for (const [way, all] of attempts) {
    const good = all.filter(isGood);
    const spread = (of: (run: Run) => number) => (good.length === 0 ? undefined : spreadOf(good.map(of)));
    ways[way] = {
      runs: all.length,
      completed: good.length,
      failures: all.flatMap((each) =>
        'failed' in each
          ? [each.failed]
          : each.sha256 === sha256
            ? []
            : [`the bytes’ SHA-256 is ${each.sha256}`],
      ),
      firstByteMs: spread((run) => run.firstByteMs),
      mbPerS: spread((run) => run.mbPerS),
      cpuSPerMB: spread((run) => run.cpuSPerMB),
      doneMs: spread((run) => run.doneMs),
    };
  }
  const bars = BARS[runtime].flatMap((bar): FigureRow[] => {
    const ours = attempts.get(bar.ours);
    const theirs = attempts.get(bar.theirs);
    if (ours === undefined || theirs === undefined) return [];
    const rounds = ours.flatMap((run, i) => {
      const other = theirs[i];
      return other !== undefined && isGood(run) && isGood(other)
        ? [[run[bar.measure], other[bar.measure]] as const]
        : [];
    });
    return [rowOf(runtime, bar, rounds, command)];
  });
  const incomplete = Object.entries(ways).reduce(
    (sum, [way, each]) => sum + (way.startsWith('sonantica') ? each.runs - each.completed : 0),
    0,
  );
  bars.push({
    row: `${IN[runtime]}: every run of ours complete, its SHA-256 right`,
    bar: 'failed at most 0',
    figure: incomplete,
    passed: incomplete === 0,
    command,
  });
  return { in: runtime, megabytes, ways, bars };
}

const IN = { node: 'beside WebTorrent in Node', chromium: 'beside WebTorrent in Chromium' };

function rowOf(
  runtime: Runtime,
  { row, measure, most, least }: Bar,
  rounds: readonly (readonly [number, number])[],
  command: string,
): FigureRow {
  const bar =
    most !== undefined
      ? `ratio at most ${most}`
      : least !== undefined
        ? `ratio at least ${least}`
        : 'printed';
  const name = `${IN[runtime]}: ${row}`;
  const held = most !== undefined || least !== undefined;
  if (rounds.length === 0)
    return { row: name, bar, figure: 'no round ended', passed: held ? false : undefined, command };
  const ratio = ratioOf(
    rounds.map(([ours]) => ours),
    rounds.map(([, theirs]) => theirs),
  );
  const passed = held
    ? ratio.median <= (most ?? Infinity) && ratio.median >= (least ?? -Infinity)
    : undefined;
  const [ours, theirs] = [0, 1].map(
    (side) => spreadOf(rounds.map((round) => round[side] ?? Number.NaN)).median,
  );
  const unit = { firstByteMs: 'ms', mbPerS: 'MB/s', cpuSPerMB: 'ms/MB' }[measure];
  const scale = measure === 'cpuSPerMB' ? 1_000 : 1;
  const figure = `${text(ratio)} (${digits((ours ?? 0) * scale)} beside ${digits((theirs ?? 0) * scale)} ${unit})`;
  return { row: name, bar, figure, passed, command };
}

/** What each way is, for people. */
const WAYS: Readonly<Record<Way, string>> = {
  http: 'HTTP alone, nothing proven',
  sonantica: 'sonantica, a peer alone',
  'sonantica-origin': 'sonantica, a peer and the origin',
  'sonantica-stun': `sonantica, ${OUT_OF_REACH}`,
  webtorrent: 'WebTorrent over WebRTC',
  'webtorrent-stun': `WebTorrent, ${OUT_OF_REACH}`,
  'webtorrent-tcp': 'WebTorrent over TCP',
};

/** A comparison as a table: medians, least and most. */
export function describeComparison({ in: runtime, megabytes, ways }: CompareReport): string {
  const rows = (Object.keys(WAYS) as Way[]).flatMap((way) => {
    const report = ways[way];
    if (report === undefined) return [];
    return [
      [
        WAYS[way],
        text(report.firstByteMs),
        text(report.mbPerS),
        text(report.cpuSPerMB, 1_000),
        text(report.doneMs),
        `${report.completed} of ${report.runs}`,
      ],
    ];
  });
  const failures = Object.entries(ways).flatMap(([way, { failures: all }]) =>
    all.map((why) => `${way}: ${why}`),
  );
  return [
    `${megabytes} MB in ${runtime === 'node' ? 'Node' : 'Chromium'}, one giver and one getter on this machine. Median (least–most).`,
    '',
    textTable([
      ['', 'first byte', 'rate after it', 'processor', 'all of it', 'complete'],
      ['', 'ms', 'MB/s', 'ms/MB', 'ms', ''],
      ...rows,
    ]),
    ...(failures.length === 0 ? [] : ['', ...failures]),
  ].join('\n');
}

function text(spread: Spread | undefined, scale = 1): string {
  if (spread === undefined) return 'not known';
  const { median, min, max } = spread;
  return `${digits(median * scale)} (${digits(min * scale)}–${digits(max * scale)})`;
}

/** Three digits that count. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
