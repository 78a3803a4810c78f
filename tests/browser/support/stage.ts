import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startOrigin, type RunningOrigin } from '@sonantica/origin';
import { createSwarm, openMemoryStore, type Swarm, type SwarmOptions } from '@sonantica/swarm';
import { startTracker, type RunningTracker } from '@sonantica/tracker';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';
import { ROOT } from './bundle.ts';
import { newContext, newPage } from './chromium.ts';
import { serveSite, type Site } from './site.ts';

declare global {
  /** In the page: the library, as its browser build exports it. */
  var sonantica: typeof import('@sonantica/swarm');
  /** In the page: what the stage's page script made. */
  var swarm: Swarm;
}

/** The example tracks. */
export const LIBRARY = join(ROOT, 'examples/library');
export const LAMPLIGHT = 'lamplight-16-44';
export const FIRST_LIGHT = 'first-light-24-96';

/** Where the browser build lies. */
export const BROWSER_BUILD = join(ROOT, 'packages/swarm/dist/browser');

/** The empty page that has the library. */
export const PAGE = `<!doctype html><meta charset="utf-8"><title>stage</title><link rel="icon" href="data:,">
<audio id="player"></audio>
<script type="module">
  import * as sonantica from '/sonantica.js';
  globalThis.sonantica = sonantica;
  const options = new URLSearchParams(location.search).get('options');
  if (options !== null) globalThis.swarm = sonantica.createSwarm(JSON.parse(options));
</script>`;

/** A tracker, an origin over the example tracks, and a site with an empty page that has the library. */
export interface Stage {
  readonly tracker: RunningTracker;
  readonly origin: RunningOrigin;
  readonly site: Site;
}

/** Sets a stage, cleared after the test. */
export async function setStage(dir = LIBRARY): Promise<Stage> {
  const tracker = await startTracker({ port: 0 });
  onTestFinished(() => tracker.close());
  const origin = await startOrigin({ dir, port: 0, log: () => undefined });
  onTestFinished(() => origin.close());
  return { tracker, origin, site: await serveSite([BROWSER_BUILD], { 'index.html': PAGE }) };
}

/** What a page's swarm is made of; the stage's tracker and origin unless told otherwise, and the ready worker. */
export type PageOptions = Pick<
  SwarmOptions,
  'aulaId' | 'contribution' | 'origin' | 'tracker' | 'serviceWorker'
>;

/** Opens a page with a swarm: `swarm` in the page. */
export async function openListener(
  stage: Stage,
  where: Browser | BrowserContext,
  options: PageOptions = {},
  plain = false,
): Promise<Page> {
  const context = 'newContext' in where ? await newContext(where) : where;
  return newPage(context, listenerUrl(stage, options, plain));
}

/** The address of such a page. */
export function listenerUrl(
  { tracker, origin, site }: Stage,
  options: PageOptions = {},
  plain = false,
): string {
  const url = new URL(plain ? site.plainUrl : site.url);
  const all = { tracker: tracker.url, origin: origin.url, serviceWorker: '/sonantica-worker.js', ...options };
  url.searchParams.set('options', JSON.stringify(all));
  return url.href;
}

/** A listener in Node, gone after the test. */
export function nodeListener(stage: Stage, options: SwarmOptions = {}): Swarm {
  const { tracker, origin } = stage;
  const swarm = createSwarm({
    tracker: tracker.url,
    origin: origin.url,
    store: openMemoryStore(),
    ...options,
  });
  onTestFinished(() => swarm.close());
  return swarm;
}

/** SHA-256 of a published file, in hexadecimal. */
export async function publishedSha256(trackId: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(join(LIBRARY, `${trackId}.flac`)))
    .digest('hex');
}

/** Begins to play a track in the page's audio element; resolves once its time advances. Answers who plays. */
export async function play(page: Page, trackId: string): Promise<string> {
  return page.evaluate(async (id) => {
    const player = document.querySelector('audio');
    if (player === null) throw new Error('no player');
    const { url, via } = await globalThis.swarm.open(id).playable();
    player.src = url;
    await player.play();
    const begun = player.currentTime;
    while (player.currentTime <= begun) {
      if (player.error !== null) throw new Error(player.error.message);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return via;
  }, trackId);
}

/** Reads a whole track in the page, by `fetch` of its URL; answers the SHA-256 in hexadecimal. */
export async function sha256InPage(page: Page, trackId: string): Promise<string> {
  const bytes = await page.evaluate(async (id) => {
    const body = await (await fetch(await globalThis.swarm.open(id).url())).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
    return [...digest];
  }, trackId);
  return Buffer.from(bytes).toString('hex');
}
