import { fork, type ChildProcess } from 'node:child_process';
import { startTracker } from '@sonantica/tracker';
import type { Browser, Page } from 'playwright-core';
import {
  frameBytesAt,
  measureGoodputWithPage,
  measureRawWithPage,
  type PageGoodput,
} from './browser-goodput.ts';
import {
  measureBeginning,
  measureKept,
  measureRate,
  measureSeek,
  TRACK_ID,
  type BeginWay,
  type Way,
} from './browser-measures.ts';
import { measureMemory } from './browser-memory.ts';
import { browserSizes } from './browser-sizes.ts';
import { serveLibrary, servePage } from './browser-stage.ts';
import { longestTaskDuring } from './browser-tasks.ts';
import { launchChromium } from './chromium.ts';
import { isNamed, requireNamed } from './only.ts';

/** One figure, and the bar it is held against. */
export interface BrowserFigure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: string;
  readonly passed: boolean;
}

/** 10 Mbit/s. */
const SHAPED_BYTES_PER_SECOND = 1_250_000;
const GOODPUT_MB = 48;
const LONG_TRACK_MB = 500;

/** What is measured, group by group. */
export const BROWSER_GROUPS = [
  'seek',
  'kept',
  'begin',
  'worker',
  'goodput',
  'tasks',
  'memory',
  'size',
] as const;

/** What is measured. */
export interface BrowserBench {
  /** Runs of each way, in turn; medians are told. Of jumps and beginnings twice as many and one more. */
  readonly runs: number;
  /** Only figures whose group contains this. */
  readonly only?: string | undefined;
  progress(line: string): void;
}

/** Measures playing in Chromium. Rejects where there is no Chromium, and with `Misuse` where `only` names no group. */
export async function browserFigures({ runs, only, progress }: BrowserBench): Promise<BrowserFigure[]> {
  const wanted = only === undefined ? undefined : [only];
  requireNamed(BROWSER_GROUPS, wanted);
  const browser = await launchChromium();
  const site = await servePage();
  const shaped = await serveLibrary(SHAPED_BYTES_PER_SECOND);
  const fast = await serveLibrary();
  const tracker = await startTracker({ port: 0 });
  // A process of its own: as other listeners do, it computes beside the origin and the tracker, not in their place.
  const peer = fork(besides('warm-peer-main'), [tracker.url, fast.url, 'bench', TRACK_ID]);
  const fresh = <T>(act: (page: Page) => Promise<T>) => onFreshPage(browser, site.url, act);
  // What is over in a moment varies by a fifth from one median of five to the next.
  const oftener = 2 * runs + 1;
  const both = (measure: (page: Page, way: Way) => Promise<number>) =>
    alternate(['http', 'swarm'], oftener, fresh, measure);
  const groups: Record<(typeof BROWSER_GROUPS)[number], () => Promise<BrowserFigure[]>> = {
    seek: async () => [
      ratio(
        'seeked after a jump to where nothing was fetched, origin at 10 Mbit/s',
        await both((page, way) => measureSeek(page, way, { origin: shaped.url })),
      ),
    ],
    kept: async () => {
      const kept = await repeat(runs, () => fresh((page) => measureKept(page, { origin: fast.url })));
      return [atMost('play to playing, kept', median(kept), 'ms', 150)];
    },
    begin: async () => {
      const begin = async (figure: string, origin: string) => {
        const place = { origin, tracker: tracker.url };
        const measure = (page: Page, way: BeginWay) => measureBeginning(page, way, place);
        const ms = await alternate(['http', 'swarm', 'unforeseen'], oftener, fresh, measure);
        const beside = `what the Aula does not play ${round(ms.unforeseen)} ms, ${round(ms.unforeseen / ms.http)}`;
        return ratio(figure, ms, beside);
      };
      return [
        await begin('play to playing, from a warm Aula peer, origin at 10 Mbit/s', shaped.url),
        await begin('play to playing, from a warm Aula peer, origin on this machine', fast.url),
      ];
    },
    worker: async () => {
      const place = { origin: fast.url, tracker: tracker.url };
      const rate = await alternate(['http', 'swarm'], runs, fresh, (page: Page, way: Way) =>
        measureRate(page, way, place),
      );
      const figure = `the worker’s rate as a share of track.read’s (${round(rate.http)} and ${round(rate.swarm)} ms)`;
      return [atLeast(figure, rate.swarm / rate.http, 0.8)];
    },
    goodput: () => goodputFigures(runs, fresh),
    tasks: async () => {
      const task = await fresh((page) =>
        longestTaskDuring(browser, page, () => measureGoodputWithPage(page, GOODPUT_MB)),
      );
      const figure = `longest main-thread task at full speed, both ways, by the processor’s time (by the clock ${Math.round(task.wallMs)} ms)`;
      return [atMost(figure, task.cpuMs, 'ms', 50)];
    },
    memory: async () => {
      const { idleMB, peakMB, fetchedMB } = await measureMemory(browser, site.url, LONG_TRACK_MB);
      const figure = `memory over an idle page while playing ${LONG_TRACK_MB} MB (${Math.round(fetchedMB)} MB fetched; idle ${Math.round(idleMB)} MB)`;
      return [atMost(figure, peakMB - idleMB, 'MB', 150)];
    },
    size: async () => {
      const { core, worker } = await browserSizes();
      return [
        atMost('core entry, gzipped', core / 1000, 'kB', 40),
        atMost('service worker, gzipped', worker / 1000, 'kB', 10),
      ];
    },
  };
  try {
    await ready(peer);
    const figures: BrowserFigure[] = [];
    for (const name of BROWSER_GROUPS) {
      if (!isNamed(name, wanted)) continue;
      progress(name);
      figures.push(...(await groups[name]()));
    }
    return figures;
  } finally {
    await browser.close();
    peer.kill('SIGKILL');
    await tracker.close();
    for (const { close } of [site, shaped, fast]) close();
  }
}

/** Resolves with a process's first word. Rejects when it ends without one. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`the warm peer ended with ${code}`)));
  });
}

function besides(name: string): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../dist/${name}.js` : `./${name}.js`, import.meta.url);
}

type Fresh = <T>(act: (page: Page) => Promise<T>) => Promise<T>;

async function goodputFigures(runs: number, fresh: Fresh): Promise<BrowserFigure[]> {
  const raw: Record<'page' | 'node', number[]> = { page: [], node: [] };
  const own: PageGoodput[] = [];
  for (let run = 0; run < runs; run++) {
    const rates = await fresh((page) => measureGoodputWithPage(page, GOODPUT_MB));
    own.push(rates);
    for (const towards of ['page', 'node'] as const) {
      const frameBytes = frameBytesAt(towards === 'page' ? rates.toPageMBps : rates.toNodeMBps);
      raw[towards].push(await fresh((page) => measureRawWithPage(page, towards, GOODPUT_MB, frameBytes)));
    }
  }
  const share = (towards: 'page' | 'node', rates: number[]) => {
    const [bare, linked] = [median(raw[towards]), median(rates)];
    const way = towards === 'page' ? 'Node to Chromium' : 'Chromium to Node';
    return atLeast(
      `goodput as a share of the raw channel’s, ${way} (${round(linked)} and ${round(bare)} MB/s)`,
      median(rates.map((rate, i) => rate / (raw[towards][i] ?? Number.NaN))),
      0.8,
    );
  };
  return [
    share(
      'page',
      own.map(({ toPageMBps }) => toPageMBps),
    ),
    share(
      'node',
      own.map(({ toNodeMBps }) => toNodeMBps),
    ),
  ];
}

function atMost(figure: string, value: number, unit: string, bar: number): BrowserFigure {
  return { figure, value: round(value), unit, bar: `at most ${bar}`, passed: value <= bar };
}

function atLeast(figure: string, value: number, bar: number): BrowserFigure {
  return { figure, value: round(value), unit: '', bar: `at least ${bar}`, passed: value >= bar };
}

/** `beside`: what is told with it and held against no bar. */
function ratio(figure: string, ms: Record<Way, number>, beside?: string): BrowserFigure {
  const more = beside === undefined ? '' : `; ${beside}`;
  const said = `${figure} (${round(ms.swarm)} ms, plain HTTP ${round(ms.http)} ms${more})`;
  return atMost(said, ms.swarm / ms.http, '× plain HTTP', 1.05);
}

/** Medians of all ways, in turn, so that a busy machine is as busy for each. */
async function alternate<Ways extends string>(
  ways: readonly Ways[],
  runs: number,
  fresh: Fresh,
  measure: (page: Page, way: Ways) => Promise<number>,
): Promise<Record<Ways, number>> {
  const all = new Map<Ways, number[]>(ways.map((way) => [way, []]));
  for (let i = 0; i < runs; i++)
    for (const [way, figures] of all) figures.push(await fresh((page) => measure(page, way)));
  return Object.fromEntries(Array.from(all, ([way, figures]) => [way, median(figures)])) as Record<
    Ways,
    number
  >;
}

async function repeat<T>(runs: number, act: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0; i < runs; i++) all.push(await act());
  return all;
}

async function onFreshPage<T>(browser: Browser, url: string, act: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext();
  try {
    return await act(await openFresh(context, url));
  } finally {
    await context.close();
  }
}

async function openFresh(context: Awaited<ReturnType<Browser['newContext']>>, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => globalThis.sonantica !== undefined);
  return page;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? high)) / 2;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
