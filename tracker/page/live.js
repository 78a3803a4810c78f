// The live page: asks for the totals every two seconds and draws the last ten minutes. What it knows is what
// /api/stats tells everyone.

const EVERY_MS = 2_000;
const KEPT = 300;
// A chart shows a minute at least: one of a moment would have the same time at every mark.
const SHOWN_S = 60;
const RATES = ['announces', 'signals', 'claims'];

const { uPlot } = globalThis;
const at = [];
const peers = [];
const rates = RATES.map(() => []);
let previous;

const element = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const rate = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 });

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function shown() {
  const last = at.at(-1) ?? Date.now() / 1_000;
  return [Math.min(at[0] ?? last, last - SHOWN_S), last];
}

function chart(into, data, strokes) {
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const font = '12px ui-sans-serif, system-ui, sans-serif';
  const plot = new uPlot(
    {
      width: into.clientWidth,
      height: into.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { range: shown }, y: { range: (_plot, _min, max) => [0, Math.max(4, max * 1.15)] } },
      axes: [
        { ...axis, font, grid: { show: false }, size: 30, space: 90, values: '{HH}:{mm}:{ss}' },
        { ...axis, font, size: 44, space: 44 },
      ],
      series: [
        {},
        ...strokes.map((stroke) => ({ stroke: colour(stroke), width: 1.75, points: { show: false } })),
      ],
    },
    data,
    into,
  );
  return plot;
}

let charts = [];
function draw() {
  for (const plot of charts) plot.destroy();
  charts = [
    chart(element('peers-chart'), [at, peers], ['--accent']),
    chart(element('rates-chart'), [at, ...rates], ['--accent', '--second', '--third']),
  ];
}

function show(stats, nowMs) {
  element('peers').textContent = number.format(stats.peers);
  element('swarms').textContent = number.format(stats.swarms);
  element('aulas').textContent = number.format(stats.aulas);
  element('offload').textContent = stats.offload === null ? '–' : percent.format(stats.offload);
  element('state').textContent =
    `Running for ${duration(stats.uptimeSeconds)}, in ${number.format(stats.memoryBytes / 1e6)} MB.`;

  const seconds = previous === undefined ? 0 : (nowMs - previous.nowMs) / 1_000;
  at.push(nowMs / 1_000);
  peers.push(stats.peers);
  RATES.forEach((name, i) => {
    // A tracker that restarted counts from zero again.
    const perSecond = seconds > 0 ? Math.max(0, stats[name] - previous.stats[name]) / seconds : null;
    rates[i].push(perSecond);
    element(name).textContent = perSecond === null ? '–' : rate.format(perSecond);
  });
  for (const series of [at, peers, ...rates]) if (series.length > KEPT) series.shift();
  previous = { stats, nowMs };
  charts[0].setData([at, peers]);
  charts[1].setData([at, ...rates]);
}

function duration(seconds) {
  if (seconds < 120) return `${seconds} seconds`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} minutes`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} hours`;
  return `${Math.floor(seconds / 86_400)} days`;
}

async function ask() {
  try {
    const response = await fetch('/api/stats', { signal: AbortSignal.timeout(EVERY_MS * 2) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json(), Date.now());
  } catch {
    element('state').textContent = 'The tracker does not answer. Asking again.';
    previous = undefined;
  }
  setTimeout(ask, document.hidden ? EVERY_MS * 5 : EVERY_MS);
}

draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
addEventListener('resize', () => {
  for (const plot of charts) {
    const { clientWidth: width, clientHeight: height } = plot.root.parentElement;
    plot.setSize({ width, height });
  }
});
void ask();
