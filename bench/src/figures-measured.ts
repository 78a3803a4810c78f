import type { FigureRow } from './figure-row.ts';
import {
  expecting,
  isRecord,
  rowsIn,
  type Expectation,
  type Measurement,
  type Numbers,
} from './figures-area.ts';
import { TRACKER_ROWS } from './tracker-figures.ts';

const bench = (...args: readonly string[]) => [{ script: 'bench', args: [...args, '--json'] }];

const EIGHT: Measurement = {
  name: 'eight listeners over wrtc',
  runs: [{ script: 'examples/eight-listeners/dist/main.js', args: ['--once', '--json'] }],
  quick: true,
  rows: expecting('eight listeners over wrtc', [
    { what: 'completed', of: (report) => report.at('completed'), least: 8 },
    { what: 'origin copies', of: (report) => report.at('originCopies'), most: 1.5 },
  ]),
};

const GOODPUT = [
  { rtc: 'wrtc', least: 0.9 },
  { rtc: 'werift', least: 0.7 },
].map(({ rtc, least }): Measurement => ({
  name: `goodput of a link over ${rtc}`,
  runs: bench('goodput', '--rtc', rtc, '--megabytes', '64', '--runs', '5'),
  rows: expecting(`goodput of a link over ${rtc}`, [
    { what: 'share of a raw data channel', of: (report) => report.at('ratio'), least },
  ]),
}));

const TRACKER = TRACKER_ROWS.map((row): Measurement => ({
  name: `tracker: ${row}`,
  runs: bench('tracker-figures', '--only', row),
  rows: ([printed], command) => prefixed('tracker: ', rowsIn(printed, command)),
}));

const BROWSER: Measurement = {
  name: 'in Chromium: playing',
  runs: bench('browser'),
  rows: ([printed], command) => prefixed('in Chromium: ', rowsIn(withFigures(printed), command)),
};

const COMPARE = (['node', 'chromium'] as const).map((where): Measurement => ({
  name: `beside WebTorrent in ${where === 'node' ? 'Node' : 'Chromium'}`,
  runs: bench('compare', '--in', where),
  rows: ([printed], command) =>
    (Array.isArray(printed) ? printed : []).filter(isRecord).flatMap(({ bars }) => rowsIn(bars, command)),
}));

const COMPLETED: Expectation = {
  what: 'not completed',
  of: (report) => report.at('peers') - report.at('completed'),
  most: 0,
};
const copiesAtMost = (most: number): Expectation => ({
  what: 'origin copies',
  of: (report) => report.at('originCopies'),
  most,
});

/** Listeners over real WebRTC: a scenario's flags, and what its report is held against. */
const REAL: readonly Measurement[] = [
  {
    name: 'real listeners: 50, 10 MB, at once, two Aulas',
    flags: '--peers 50 --size-mb 10 --join-spread-s 0 --aulas 2',
    expectations: [
      COMPLETED,
      { what: 'wrong bytes', of: (report: Numbers) => report.at('badBytesDelivered'), most: 0 },
      copiesAtMost(1.7),
      { what: 'last done, s', of: (report: Numbers) => report.at('completionS.max'), most: 60 },
      {
        what: 'the bench’s own processor time, as a share of what it measures',
        of: (report: Numbers) => report.at('benchCpuS') / report.at('cpuS'),
        most: 0.1,
      },
    ],
  },
  {
    name: 'real listeners: 100, warm, over 60 s',
    flags: '--peers 100 --size-mb 10 --join-spread-s 60 --warm-s 10',
    expectations: [
      COMPLETED,
      copiesAtMost(1.2),
      { what: 'memory, MB', of: (report: Numbers) => report.at('rssMB'), most: 4_000 },
    ],
  },
].map(({ name, flags, expectations }): Measurement => ({
  name,
  runs: bench('swarm', '--runtime', 'real', ...flags.split(' ')),
  rows: expecting(name, expectations),
}));

const AS_SIMULATED: Measurement = {
  name: 'real listeners: 20, beside as many simulated',
  runs: ['real', 'sim'].flatMap((runtime) =>
    bench('swarm', '--runtime', runtime, '--peers', '20', '--size-mb', '10', '--join-spread-s', '20'),
  ),
  rows: expecting('real listeners: 20, beside as many simulated', [
    {
      what: 'origin copies apart, as a share',
      of: (real, sim) => Math.abs(real.at('originCopies') / sim.at('originCopies') - 1),
      most: 0.15,
    },
  ]),
};

/** Everything that is measured on real links, sockets and pages, in the order it is run. */
export const MEASUREMENTS: readonly Measurement[] = [
  EIGHT,
  ...GOODPUT,
  ...TRACKER,
  BROWSER,
  ...COMPARE,
  ...REAL,
  AS_SIMULATED,
];

function prefixed(prefix: string, rows: readonly FigureRow[]): FigureRow[] {
  return rows.map((each) => ({ ...each, row: `${prefix}${each.row}` }));
}

/** `browser` says what was measured as `figure`, and the number as `value` and `unit`. */
function withFigures(printed: unknown): unknown {
  if (!Array.isArray(printed)) return printed;
  return printed.filter(isRecord).map(({ figure, value, unit, bar, passed }) => ({
    row: figure,
    bar,
    passed,
    figure: `${value} ${unit}`.trim(),
  }));
}
