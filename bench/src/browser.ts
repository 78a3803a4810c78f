import { createSwarm, openMemoryStore } from '@sonantica/swarm';
import { startTracker } from '@sonantica/tracker';
import type { Browser, Page } from 'playwright-core';
import { serveLibrary, servePage } from './browser-stage.ts';
import { launchChromium } from './chromium.ts';

declare global {
  /** In the page: the library. */
  var sonantica: typeof import('@sonantica/swarm');
}

/** One figure, and the bar it is held against. */
export interface BrowserFigure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly bar: string;
  readonly passed: boolean;
}

const TRACK_ID = 'first-light-24-96';
/** 10 Mbit/s. */
const SHAPED_BYTES_PER_SECOND = 1_250_000;

interface Place {
  readonly origin: string;
  readonly tracker?: string;
}

type Way = 'http' | 'swarm';

/** Measures playing in Chromium, the median of `runs` alternating runs. Rejects where there is no Chromium. */
export async function browserFigures(
  runs: number,
  progress: (line: string) => void,
): Promise<BrowserFigure[]> {
  const browser = await launchChromium();
  const site = await servePage();
  const open = [site];
  try {
    const shaped = await serveLibrary(SHAPED_BYTES_PER_SECOND);
    const fast = await serveLibrary();
    open.push(shaped, fast);
    progress('jumping, at 10 Mbit/s');
    const seek = await alternate(browser, site.url, runs, (page, way) =>
      measureSeek(page, way, { origin: shaped.url }),
    );
    progress('beginning, from a warm peer');
    const tracker = await startTracker({ port: 0 });
    const peer = createSwarm({
      tracker: tracker.url,
      origin: fast.url,
      aulaId: 'bench',
      store: openMemoryStore(),
    });
    await peer.open(TRACK_ID).download();
    const place = { origin: fast.url, tracker: tracker.url };
    const begin = await alternate(browser, site.url, runs, (page, way) => measureBeginning(page, way, place));
    progress('what is kept, and the worker’s cost');
    const kept: number[] = [];
    for (let i = 0; i < runs; i++)
      kept.push(await onFreshPage(browser, site.url, (page) => measureKept(page, { origin: fast.url })));
    const rate = await alternate(browser, site.url, runs, (page, way) => measureRate(page, way, place));
    progress('the main thread, at full speed');
    const tasks: number[] = [];
    for (let i = 0; i < runs; i++)
      tasks.push(await onFreshPage(browser, site.url, (page) => measureTasks(page, place)));
    await peer.close();
    await tracker.close();
    const cached = median(kept);
    const share = rate.swarm / rate.http;
    const longest = Math.max(...tasks);
    return [
      ratio('seeked after a jump, 10 Mbit/s, origin alone', seek),
      ratio('play to playing, from a warm Aula peer', begin),
      {
        figure: 'play to playing, kept',
        value: round(cached),
        unit: 'ms',
        bar: 'at most 150',
        passed: cached <= 150,
      },
      {
        figure: `the worker’s rate as a share of track.read’s, from a peer (${round(rate.http)} and ${round(rate.swarm)} ms)`,
        value: round(share),
        unit: '',
        bar: 'at least 0.8',
        passed: share >= 0.8,
      },
      {
        figure: 'longest main-thread task while downloading',
        value: round(longest),
        unit: 'ms (0: none over 50)',
        bar: 'none over 50',
        passed: longest <= 50,
      },
    ];
  } finally {
    await browser.close();
    for (const { close } of open) close();
  }
}

function ratio(figure: string, ms: Record<Way, number>): BrowserFigure {
  const value = ms.swarm / ms.http;
  return {
    figure: `${figure} (${round(ms.swarm)} ms, plain HTTP ${round(ms.http)} ms)`,
    value: round(value),
    unit: '× plain HTTP',
    bar: 'at most 1.05',
    passed: value <= 1.05,
  };
}

async function alternate(
  browser: Browser,
  url: string,
  runs: number,
  measure: (page: Page, way: Way) => Promise<number>,
): Promise<Record<Way, number>> {
  const all: Record<Way, number[]> = { http: [], swarm: [] };
  for (let i = 0; i < runs; i++)
    for (const way of ['http', 'swarm'] as const)
      all[way].push(await onFreshPage(browser, url, (page) => measure(page, way)));
  return { http: median(all.http), swarm: median(all.swarm) };
}

async function onFreshPage<T>(browser: Browser, url: string, act: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction(() => globalThis.sonantica !== undefined);
    return await act(page);
  } finally {
    await context.close();
  }
}

/** Plays a second, jumps to where nothing was fetched. */
function measureSeek(page: Page, way: Way, place: Place): Promise<number> {
  return page.evaluate(
    async ({ how, origin, id }) => {
      const player = document.querySelector('audio');
      if (player === null) throw new Error('no player');
      const swarm = globalThis.sonantica.createSwarm({ origin, serviceWorker: '/sonantica-worker.js' });
      player.src = how === 'http' ? `${origin}/${id}` : await swarm.open(id).url();
      await player.play();
      while (player.currentTime < 1) await new Promise((resolve) => setTimeout(resolve, 20));
      const begun = performance.now();
      const seeked = new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
      player.currentTime = 48;
      await seeked;
      return performance.now() - begun;
    },
    { how: way, origin: place.origin, id: TRACK_ID },
  );
}

/** From the listener's click to sound: the link to the peer is there, the track is not known yet. */
function measureBeginning(page: Page, way: Way, place: Place): Promise<number> {
  return page.evaluate(
    async ({ how, origin, tracker, id }) => {
      const player = document.querySelector('audio');
      if (player === null) throw new Error('no player');
      const swarm = globalThis.sonantica.createSwarm({
        origin,
        ...(tracker === undefined ? {} : { tracker }),
        aulaId: 'bench',
        serviceWorker: '/sonantica-worker.js',
      });
      const warm = async () => {
        await swarm.open('lamplight-16-44').url();
        while (swarm.stats().links === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      };
      if (how === 'swarm') await warm();
      else await swarm.close();
      const begun = performance.now();
      const playing = new Promise((resolve) => player.addEventListener('playing', resolve, { once: true }));
      player.src = how === 'http' ? `${origin}/${id}` : await swarm.open(id).url();
      void player.play();
      await playing;
      return performance.now() - begun;
    },
    { how: way, ...place, id: TRACK_ID },
  );
}

/** With the whole track held: how soon it plays. */
function measureKept(page: Page, place: Place): Promise<number> {
  return page.evaluate(
    async ({ origin, id }) => {
      const player = document.querySelector('audio');
      if (player === null) throw new Error('no player');
      const swarm = globalThis.sonantica.createSwarm({ origin, serviceWorker: '/sonantica-worker.js' });
      const track = swarm.open(id);
      await track.download();
      const url = await track.url();
      const playing = new Promise((resolve) => player.addEventListener('playing', resolve, { once: true }));
      const begun = performance.now();
      player.src = url;
      void player.play();
      await playing;
      return performance.now() - begun;
    },
    { origin: place.origin, id: TRACK_ID },
  );
}

/** How long the whole track takes from a peer: by `http`, that is through the worker, or by `track.read`. */
function measureRate(page: Page, way: Way, place: Place): Promise<number> {
  return page.evaluate(
    async ({ how, origin, tracker, id }) => {
      const swarm = globalThis.sonantica.createSwarm({
        origin,
        ...(tracker === undefined ? {} : { tracker }),
        aulaId: 'bench',
        serviceWorker: '/sonantica-worker.js',
        store: globalThis.sonantica.openMemoryStore(),
      });
      const track = swarm.open(id);
      const { size } = await track.manifest();
      const url = await track.url();
      while (track.stats().peers === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const begun = performance.now();
      if (how === 'swarm') await track.read({ start: 0, end: size });
      else {
        const reader = (await fetch(url)).body?.getReader();
        while (reader !== undefined && !(await reader.read()).done);
      }
      return performance.now() - begun;
    },
    { how: way, ...place, id: TRACK_ID },
  );
}

/** Downloads from a peer as fast as it goes; answers the longest task over 50 ms, or 0. */
function measureTasks(page: Page, place: Place): Promise<number> {
  return page.evaluate(
    async ({ origin, tracker, id }) => {
      const swarm = globalThis.sonantica.createSwarm({
        origin,
        ...(tracker === undefined ? {} : { tracker }),
        aulaId: 'bench',
      });
      while (swarm.stats().links === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      let longest = 0;
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
      });
      observer.observe({ type: 'longtask' });
      await swarm.open(id).download();
      await new Promise((resolve) => setTimeout(resolve, 200));
      return longest;
    },
    { ...place, id: TRACK_ID },
  );
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
