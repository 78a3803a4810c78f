import type uPlot from 'uplot';
import type { ReportData } from './report-data.ts';

// Runs in the browser, inside the page of a report. It imports nothing: the charts' library is a global there.

type Charts = typeof uPlot;
const Plot = (globalThis as unknown as { uPlot: Charts }).uPlot;
const data = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as ReportData;

const HEIGHT = 230;
const FAULTS = new Set(['tracker-died', 'origin-died', 'crashed', 'left', 'caught', 'trouble', 'joined']);
const SAID: Record<string, string> = {
  joined: 'came',
  left: 'left',
  crashed: 'crashed',
  caught: 'liar caught',
  'tracker-died': 'tracker died',
  'origin-died': 'origin died',
  trouble: 'trouble',
};

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function element(tag: string, text = '', className = ''): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className !== '') made.className = className;
  return made;
}

function axis(label: string, values?: uPlot.Axis['values']): uPlot.Axis {
  return {
    stroke: colour('quiet'),
    font: '13px ui-serif, Georgia, serif',
    labelFont: '13px ui-serif, Georgia, serif',
    label,
    labelSize: 20,
    size: 48,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    ...(values === undefined ? {} : { values }),
  };
}

const inSeconds: uPlot.Axis['values'] = (_, splits) => splits.map((value) => `${value}`);

/** Upright lines where the tracker or the origin died. */
function deaths(): uPlot.Plugin {
  return {
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        for (const { atS, what } of data.events) {
          if (what !== 'tracker-died' && what !== 'origin-died') continue;
          const x = plot.valToPos(atS, 'x', true);
          ctx.save();
          ctx.strokeStyle = colour('accent');
          ctx.setLineDash([4, 4]);
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          ctx.restore();
        }
      },
    },
  };
}

interface Series {
  readonly label: string;
  readonly colour: string;
  readonly values: readonly number[];
}

function section(title: string, isWide = false): HTMLElement {
  const made = element('section', '', isWide ? 'wide' : '');
  made.append(element('h2', title));
  document.getElementById('charts')?.append(made);
  return made;
}

function lines(title: string, label: string, series: readonly Series[], range?: [number, number]): uPlot {
  const into = section(title);
  return new Plot(
    {
      width: into.clientWidth,
      height: HEIGHT,
      scales: { x: { time: false }, y: { range: (_, __, most) => range ?? [0, Math.max(1, most * 1.05)] } },
      axes: [axis('seconds', inSeconds), axis(label)],
      series: [
        { label: 'second' },
        ...series.map(({ label: name, colour: of }) => ({
          label: name,
          stroke: colour(of),
          width: 2,
          points: { show: false },
        })),
      ],
      plugins: [deaths()],
    },
    [[...data.atS], ...series.map(({ values }) => [...values])],
    into,
  );
}

function startTimes(): uPlot {
  const into = section('Start: the share of plays that had begun after so long');
  const { startsMs } = data;
  const shares = startsMs.map((_, i) => ((i + 1) / startsMs.length) * 100);
  const stepped = Plot.paths.stepped?.({ align: 1 });
  return new Plot(
    {
      width: into.clientWidth,
      height: HEIGHT,
      scales: {
        x: { time: false, range: (_, __, most) => [0, Math.max(1, most * 1.05)] },
        y: { range: [0, 100] },
      },
      axes: [axis('milliseconds', inSeconds), axis('per cent')],
      series: [
        { label: 'ms' },
        {
          label: 'of plays, %',
          stroke: colour('accent'),
          width: 2,
          points: { show: false },
          ...(stepped === undefined ? {} : { paths: stepped }),
        },
      ],
    },
    [
      [0, ...startsMs],
      [0, ...shares],
    ],
    into,
  );
}

function heatMap(): uPlot {
  const { senders, receivers, megabytes } = data.heat;
  const into = section(
    'Who sent to whom: rows send, columns receive; members of an Aula stand together',
    true,
  );
  const note = element('p', '', 'note');
  const most = Math.max(0.001, ...megabytes.flat());
  // The map's own height: square cells as far as the page allows.
  const height = Math.max(
    HEIGHT,
    Math.min(720, (into.clientWidth / (receivers.length + 1)) * (senders.length + 1) + 60),
  );
  const draw = (plot: uPlot) => {
    const { ctx } = plot;
    const [r, g, b] = rgb(colour('accent'));
    ctx.save();
    for (const [row, cells] of megabytes.entries()) {
      for (const [column, value] of cells.entries()) {
        if (value === 0) continue;
        const left = plot.valToPos(column, 'x', true);
        const right = plot.valToPos(column + 1, 'x', true);
        const top = plot.valToPos(row, 'y', true);
        const bottom = plot.valToPos(row + 1, 'y', true);
        ctx.fillStyle = `rgba(${r}, ${g}, ${b}, ${0.12 + 0.88 * Math.sqrt(value / most)})`;
        ctx.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, bottom - top - 1));
      }
    }
    ctx.restore();
  };
  const every = Math.max(1, Math.ceil(receivers.length / 20));
  /** The middle of every so manieth cell. */
  const middles = (count: number) => () =>
    Array.from({ length: Math.ceil(count / every) }, (_, i) => i * every + 0.5);
  const plot = new Plot(
    {
      width: into.clientWidth,
      height,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: [0, receivers.length] },
        y: { range: [0, senders.length], dir: -1 },
      },
      axes: [
        {
          ...axis('receiver', (_, splits) => splits.map((at) => `${at + 0.5}`)),
          splits: middles(receivers.length),
          grid: { show: false },
        },
        {
          ...axis('sender', (_, splits) => splits.map((at) => (at < 1 ? 'origin' : `${at - 0.5}`))),
          splits: middles(senders.length),
          size: 60,
          grid: { show: false },
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [draw],
        setCursor: [
          ({ cursor, posToVal }) => {
            const column = Math.floor(posToVal(cursor.left ?? -1, 'x'));
            const row = Math.floor(posToVal(cursor.top ?? -1, 'y'));
            const value = megabytes[row]?.[column];
            note.textContent =
              value === undefined ? whole : `${senders[row]} → ${receivers[column]}: ${value.toFixed(2)} MB`;
          },
        ],
      },
    },
    [receivers.map((_, i) => i), receivers.map(() => 0)],
    into,
  );
  const whole = `Darkest: ${most.toFixed(2)} MB. Point at a cell for its names.`;
  note.textContent = whole;
  into.append(note);
  return plot;
}

function timeline(): uPlot {
  const into = section('What befell the swarm', true);
  const note = element('p', '', 'note');
  const kinds = Object.keys(SAID).filter((kind) => data.events.some(({ what }) => what === kind));
  const last = data.atS.at(-1) ?? 1;
  const draw = (plot: uPlot) => {
    const { ctx } = plot;
    ctx.save();
    for (const { atS, what } of data.events) {
      if (!FAULTS.has(what)) continue;
      ctx.strokeStyle = colour(what === 'joined' ? 'second' : 'accent');
      ctx.lineWidth = 2 * devicePixelRatio;
      const x = plot.valToPos(atS, 'x', true);
      const row = kinds.indexOf(what);
      ctx.beginPath();
      ctx.moveTo(x, plot.valToPos(row + 0.15, 'y', true));
      ctx.lineTo(x, plot.valToPos(row + 0.85, 'y', true));
      ctx.stroke();
    }
    ctx.restore();
  };
  const plot = new Plot(
    {
      width: into.clientWidth,
      height: 70 + 34 * Math.max(1, kinds.length),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: {
        x: { time: false, range: [0, Math.max(1, last)] },
        y: { range: [0, Math.max(1, kinds.length)], dir: -1 },
      },
      axes: [
        axis('seconds', inSeconds),
        {
          ...axis('', (_, splits) => splits.map((at) => SAID[kinds[at - 0.5] ?? ''] ?? '')),
          labelSize: 0,
          splits: () => kinds.map((_, row) => row + 0.5),
          size: 100,
          grid: { show: false },
        },
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [draw],
        setCursor: [
          ({ cursor, posToVal }) => {
            const atS = posToVal(cursor.left ?? -1, 'x');
            const nearest = data.events.reduce<(typeof data.events)[number] | undefined>(
              (best, each) =>
                best === undefined || Math.abs(each.atS - atS) < Math.abs(best.atS - atS) ? each : best,
              undefined,
            );
            if (nearest === undefined || (cursor.left ?? -1) < 0) note.textContent = '';
            else note.textContent = `${nearest.atS.toFixed(1)} s: ${SAID[nearest.what]} ${nearest.who}`;
          },
        ],
      },
    },
    [
      [0, last],
      [0, 0],
    ],
    into,
  );
  into.append(note);
  return plot;
}

function rgb(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function draw(): void {
  const main = document.querySelector('main');
  if (main === null) return;
  main.replaceChildren();
  const header = element('header');
  header.append(
    element('h1', data.title + (data.isStopped ? ' — stopped before the end' : '')),
    element('p', data.scenario),
  );
  const command = element('p');
  command.append(element('code', data.command));
  header.append(command);
  const table = element('table', '', 'summary');
  for (const { what, figure, beside } of data.summary) {
    const row = element('tr');
    row.append(element('td', what), element('td', figure), element('td', beside));
    table.append(row);
  }
  const charts = element('div');
  charts.id = 'charts';
  main.append(header, table, charts);
  lines(
    'Offload: what the origin did not send',
    'per cent',
    [{ label: 'offload, %', colour: 'accent', values: data.offload }],
    [0, 100],
  );
  startTimes();
  lines('Bytes so far', 'MB', [
    { label: 'from the Aula', colour: 'second', values: data.aulaMB },
    { label: 'from other peers', colour: 'third', values: data.globalMB },
    { label: 'sent by the origin', colour: 'accent', values: data.originMB },
    ...(data.cacheMB.some((value) => value > 0)
      ? [{ label: 'had already', colour: 'fourth', values: data.cacheMB }]
      : []),
  ]);
  lines('Listeners', '', [
    { label: 'play', colour: 'second', values: data.playing },
    { label: 'wait in the middle', colour: 'accent', values: data.waiting },
    { label: 'have all', colour: 'third', values: data.completed },
  ]);
  heatMap();
  timeline();
}

draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
let resized: ReturnType<typeof setTimeout> | undefined;
addEventListener('resize', () => {
  clearTimeout(resized);
  resized = setTimeout(draw, 150);
});
