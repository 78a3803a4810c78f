import type { Browser, BrowserContext, Page } from 'playwright-core';
import { servePage } from './browser-stage.ts';
import { launchChromium } from './chromium.ts';
import { isRivals, type Meeting } from './compare-meeting.ts';
import { patienceMs, type Way } from './compare-messages.ts';
import type { PageFacts } from './compare-page.ts';
import type { WebTorrentInstall } from './compare-rival.ts';
import type { Run } from './compare-report.ts';
import { manifestOf, serveTrack, trackBytes } from './compare-track.ts';

declare global {
  /** In the page: what measures. */
  var comparison: typeof import('./compare-page.ts');
}

/** Two pages are measured at once, and only one can be in front. */
const IN_BACK = [
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];
/** From when a seeder is there until others can know of it, in milliseconds. */
const SETTLE_MS = 500;

/** Chromium, and what its pages load. */
export interface Stage {
  run(way: Way): Promise<Run>;
  /** Whether the browser still runs. */
  isUp(): boolean;
  close(): Promise<void>;
}

/** Starts Chromium for a comparison. Throws `Misuse` where there is none. */
export async function stageInChromium(
  megabytes: number,
  meeting: Meeting,
  install: WebTorrentInstall | undefined,
): Promise<Stage> {
  const browser = await launchChromium(IN_BACK);
  const bytes = trackBytes(megabytes);
  const manifest = await manifestOf(bytes);
  const inSource = import.meta.url.endsWith('.ts');
  const site = await servePage({
    '/compare-page.js': new URL(inSource ? '../dist/compare-page.js' : './compare-page.js', import.meta.url),
    ...(install === undefined ? {} : { '/webtorrent.js': new URL(install.bundle) }),
  });
  const withAudio = await serveTrack(bytes, { manifest, audio: true });
  const without = await serveTrack(bytes, { manifest, audio: false });
  return {
    run: async (way) => {
      const origin = way === 'http' || way === 'sonantica-origin' ? withAudio.url : without.url;
      const { tracker, iceServers } = meeting.placeOf(way);
      const from = { origin, tracker, iceServers, bytes: withAudio.url, manifest: JSON.stringify(manifest) };
      return runOn(browser, site.url, megabytes, { way, withRival: isRivals(way), ...from });
    },
    isUp: () => browser.isConnected(),
    close: async () => {
      await browser.close();
      for (const { close } of [site, withAudio, without]) close();
    },
  };
}

async function runOn(browser: Browser, url: string, megabytes: number, facts: PageFacts): Promise<Run> {
  // Each in a context of its own, and so in a process of its own.
  const contexts = [await browser.newContext(), await browser.newContext()];
  try {
    const [seeder, leecher] = await Promise.all(contexts.map((context) => openPage(context, url, facts)));
    if (seeder === undefined || leecher === undefined) throw new Error('no page');
    const torrent =
      facts.way === 'http' ? undefined : await within(patienceMs(megabytes), seedOn(seeder, facts));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const cpu = await browser.newBrowserCDPSession();
    const before = await cpuOf(cpu);
    const got = await within(patienceMs(megabytes), getOn(leecher, { ...facts, torrent }));
    const after = await cpuOf(cpu);
    await cpu.detach();
    return {
      firstByteMs: got.firstByteMs,
      doneMs: got.doneMs,
      mbPerS: (megabytes * 1e6 - got.firstBytes) / 1_000 / (got.doneMs - got.firstByteMs),
      cpuSPerMB: (after - before) / megabytes,
      sha256: got.sha256,
    };
  } finally {
    for (const context of contexts) await context.close();
  }
}

function seedOn(page: Page, facts: PageFacts): Promise<string | undefined> {
  return page.evaluate((about) => globalThis.comparison.seedHere(about), facts);
}

function getOn(page: Page, facts: PageFacts & { torrent: string | undefined }) {
  return page.evaluate((about) => globalThis.comparison.getHere(about), facts);
}

/** Opens a page and loads what it needs, so that loading it is not measured. */
async function openPage(context: BrowserContext, url: string, { withRival }: PageFacts): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => globalThis.sonantica !== undefined);
  const rival = "import WebTorrent from '/webtorrent.js'; globalThis.WebTorrent = WebTorrent;";
  const content = "import * as comparison from '/compare-page.js'; globalThis.comparison = comparison;";
  await page.addScriptTag({ type: 'module', content: withRival ? rival + content : content });
  await page.waitForFunction(() => globalThis.comparison !== undefined);
  return page;
}

/** Processor time of all of Chromium's processes so far, in seconds. */
async function cpuOf(session: Awaited<ReturnType<Browser['newBrowserCDPSession']>>): Promise<number> {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function within<T>(ms: number, what: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a page did not end within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
}
