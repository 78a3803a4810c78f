import type { FigureRow } from './figure-row.ts';
import { percentile, round, type Report } from './report.ts';
import { isNamed } from './only.ts';
import { BENCH, outputOf } from './run-script.ts';

/** One bar of the project and the runs that are held against it. */
interface Row {
  readonly name: string;
  /** What `sonantica-bench swarm` is told; further runs stand beside the first for comparison. */
  readonly runs: readonly string[];
  readonly bars: readonly Bar[];
  /** Part of the quick subset. */
  readonly quick?: boolean;
}

/** One number of a row. `of` takes the medians over the seeds' values, each worked out within one seed. */
interface Bar {
  readonly what: string;
  readonly of: (first: Report, second: Report) => number;
  readonly most?: number;
  readonly least?: number;
}

/** The row that is no swarm but many small ones. */
const FAULTS = 'random faults: partition, crash, reorder, clock jump';

const HTTP = '--policy http-only';
const MIXED = '--rtt-ms 20-200 --peer-down-kbps 5000-50000';
const peerBytes = ({ bytes }: Report) => bytes.aula + bytes.global;
const stalledShare = ({ stalls }: Report) => stalls.stalledPlays / Math.max(1, stalls.plays);

const NEVER_WORSE: readonly Bar[] = [
  {
    what: 'stalled plays over HTTP-only’s',
    of: (a, b) => a.stalls.stalledPlays - b.stalls.stalledPlays,
    most: 0,
  },
  { what: 'start p99 over HTTP-only’s, ms', of: (a, b) => a.startMs.p99 - b.startMs.p99, most: 100 },
];

const ROWS: readonly Row[] = [
  {
    name: 'origin copies, 20 peers over 60 s, warm',
    runs: ['--peers 20 --join-spread-s 60 --warm-s 10'],
    bars: [{ what: 'copies', of: (a) => a.originCopies, most: 1.05 }],
    quick: true,
  },
  {
    name: 'origin copies, 20 peers over 60 s, cold',
    runs: ['--peers 20 --join-spread-s 60'],
    bars: [
      { what: 'copies', of: (a) => a.originCopies, most: 1.1 },
      {
        what: 'wasted + control of peer bytes',
        of: (a) => (a.bytes.wasted + a.bytes.control) / peerBytes(a),
        most: 0.02,
      },
    ],
    quick: true,
  },
  {
    name: 'origin copies, 20 peers at once',
    runs: ['--peers 20 --join-spread-s 0'],
    bars: [
      { what: 'copies', of: (a) => a.originCopies, most: 1.12 },
      { what: 'fairness of upload (Jain)', of: (a) => a.jain, least: 0.9 },
    ],
    quick: true,
  },
  {
    name: 'origin copies, 200 peers at once in 10 Aulas',
    runs: ['--peers 200 --join-spread-s 0 --aulas 10'],
    bars: [{ what: 'copies', of: (a) => a.originCopies, most: 1.8 }],
  },
  {
    name: 'last of 20 at once; origin up 10, peers up 2, down 20 Mbit/s',
    runs: ['--peers 20 --join-spread-s 0 --origin-up-kbps 10000 --peer-up-kbps 2000 --peer-down-kbps 20000'],
    bars: [
      { what: 'last done, s', of: (a) => (a.completed === a.peers ? a.completionS.max : 9_999), most: 135 },
      { what: 'copies', of: (a) => a.originCopies, most: 1.2 },
    ],
  },
  {
    name: 'start, 50 ms, 10 Mbit/s down, origin 1 Gbit/s',
    runs: ['--rtt-ms 50 --peer-down-kbps 10000 --origin-up-kbps 1000000'],
    bars: [{ what: 'start p50, ms', of: (a) => a.startMs.p50, most: 265 }],
    quick: true,
  },
  {
    name: 'start, mixed 20–200 ms and 5–50 Mbit/s',
    runs: [MIXED, `${MIXED} ${HTTP}`],
    bars: [
      { what: 'start p50 over HTTP-only’s', of: (a, b) => a.startMs.p50 / b.startMs.p50, most: 1.05 },
      { what: 'start p90 over HTTP-only’s', of: (a, b) => a.startMs.p90 / b.startMs.p90, most: 1.05 },
    ],
    quick: true,
  },
  {
    name: 'half of the peers leaving each minute',
    runs: ['--peers 40 --churn-per-min 0.5'],
    bars: [{ what: 'plays with a stall', of: stalledShare, most: 0.005 }],
  },
  ...['dead', 'slow', 'liars'].map((kind): Row => ({
    name: `all peers ${{ dead: 'dead', slow: 'at 10 kbit/s', liars: 'liars' }[kind] ?? kind}`,
    runs: [`--peers 20 --${kind} 1`, `--peers 20 --${kind} 1 ${HTTP}`],
    bars: NEVER_WORSE,
    quick: kind === 'dead',
  })),
  {
    name: 'peer bytes from the Aula, 2 Aulas of 20',
    runs: ['--peers 40 --aulas 2'],
    bars: [
      {
        // What no member of the other Aula holds yet has to cross once: one copy for each Aula but the first.
        what: 'share of the Aula, one copy across left out',
        of: (a) => a.bytes.aula / Math.max(a.bytes.aula, peerBytes(a) - 30e6),
        least: 0.95,
      },
    ],
  },
  {
    name: '30 % liars added to 20 honest peers, uplink 20 Mbit/s',
    runs: [
      '--peers 26 --liars 0.2308 --join-spread-s 0 --peer-up-kbps 20000',
      '--peers 20 --join-spread-s 0 --peer-up-kbps 20000',
    ],
    bars: [
      {
        what: 'throughput over that without',
        of: (a, b) => b.completionS.p50 / a.completionS.p50,
        least: 0.9,
      },
      { what: 'bad bytes delivered', of: (a) => a.badBytesDelivered, most: 0 },
      { what: 'honest banned', of: (a) => a.bannedHonest, most: 0 },
    ],
  },
  {
    name: 'tracker dead from second 10',
    // Whoever comes later than that can know of nobody.
    runs: ['--peers 20 --join-spread-s 8 --tracker-dies-s 10'],
    bars: [
      { what: 'not completed', of: (a) => a.peers - a.completed, most: 0 },
      { what: 'copies', of: (a) => a.originCopies, most: 2 },
    ],
    quick: true,
  },
];

/** How the rows are run. */
export interface SimulatedOptions {
  readonly quick: boolean;
  /** Only rows whose name contains one of these. */
  readonly only?: readonly string[] | undefined;
  readonly seeds: number;
  /** Runs at a time. */
  readonly jobs: number;
  readonly progress: (line: string) => void;
}

/** How many promises a `faults` run broke. */
function brokenIn(json: string): number {
  const { broken } = JSON.parse(json) as { broken: readonly string[] };
  return broken.length;
}

/** The rows' names, those of the quick subset alone where that is meant. */
export function simulatedNames(quick: boolean): string[] {
  return [...ROWS.filter((row) => !quick || row.quick === true).map(({ name }) => name), FAULTS];
}

/** Runs every row over its seeds, each run in a process of its own. */
export async function simulatedFigures({
  quick,
  only,
  seeds,
  jobs,
  progress,
}: SimulatedOptions): Promise<FigureRow[]> {
  const rows = ROWS.filter((row) => (!quick || row.quick === true) && isNamed(row.name, only));
  const slots: Promise<unknown>[] = Array.from({ length: jobs }, () => Promise.resolve());
  let next = 0;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const slot = next++ % jobs;
    const done = (slots[slot] ?? Promise.resolve()).then(work);
    slots[slot] = done.catch(() => undefined);
    return done;
  };
  /** Runs of one command and seed are shared. */
  const reports = new Map<string, Promise<Report>>();
  const report = (command: string, seed: number): Promise<Report> => {
    const flags = `swarm --runtime sim ${command} --seed ${seed} --json`;
    const made =
      reports.get(flags) ?? inTurn(async () => JSON.parse(await outputOf(BENCH, flags.split(' '))) as Report);
    reports.set(flags, made);
    return made;
  };
  const faulty = async (): Promise<FigureRow[]> => {
    const name = FAULTS;
    if (!isNamed(name, only)) return [];
    const total = quick ? 50 : 1_000;
    const perRun = total / 10;
    const counts = Array.from({ length: 10 }, (_, i) =>
      inTurn(async () => {
        const flags = `faults --runtime sim --seed ${1 + i * perRun} --seeds ${perRun} --json`;
        return brokenIn(await outputOf(BENCH, flags.split(' ')));
      }),
    );
    const figure = (await Promise.all(counts)).reduce((sum, broken) => sum + broken, 0);
    const bar = `broken promises in ${total} seeds ≤ 0`;
    progress(`${figure === 0 ? 'pass' : 'FAIL'}  ${name}: ${bar}: ${figure}`);
    const command = `sonantica-bench faults --runtime sim --seed 1 --seeds ${total}`;
    return [{ row: name, command, bar, figure, passed: figure === 0 }];
  };
  const results = rows.map(async (row) => {
    const bySeed = await Promise.all(
      Array.from({ length: seeds }, async (_, i) => {
        const [first, second] = await Promise.all(row.runs.map((command) => report(command, i + 1)));
        if (first === undefined) throw new Error(`${row.name} runs nothing`);
        return [first, second ?? first] as const;
      }),
    );
    const command = row.runs
      .map((flags) => `sonantica-bench swarm --runtime sim ${flags} --seed 1..${seeds}`)
      .join('  against  ');
    const lines = row.bars.map(({ what, of, most, least }): FigureRow => {
      const figure = round(
        percentile(
          bySeed.map(([a, b]) => of(a, b)),
          0.5,
        ),
        4,
      );
      const passed = figure <= (most ?? Infinity) && figure >= (least ?? -Infinity);
      const bar = `${what} ${most === undefined ? `≥ ${least}` : `≤ ${most}`}`;
      return { row: row.name, command, bar, figure, passed };
    });
    for (const { bar, figure, passed } of lines)
      progress(`${passed ? 'pass' : 'FAIL'}  ${row.name}: ${bar}: ${figure}`);
    return lines;
  });
  return (await Promise.all([...results, faulty()])).flat();
}
