import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { build as viteBuild } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWithEsbuild, makeWorkFolder, PAGE_SCRIPT } from './support/bundle.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';
import { serveSite } from './support/site.ts';
import { BROWSER_BUILD, LAMPLIGHT, nodeListener, publishedSha256, setStage } from './support/stage.ts';

/** Gzipped bytes that a page loads before it plays, and those of the worker. */
const CORE_BYTES = 40_000;
const WORKER_BYTES = 10_000;

describe.skipIf(skipsBrowser)('the library in a page', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  it.each([
    ['Vite', withVite],
    ['esbuild', withEsbuild],
    ['a plain module script', asPlainModule],
  ])(
    'is bundled by %s without configuration, and fetches from the origin and from Node',
    async (_how, make) => {
      const stage = await setStage();
      const page = await newPage(await newContext(browser), (await make()).url);
      const sha256 = await publishedSha256(LAMPLIGHT);
      const place = { tracker: stage.tracker.url, origin: stage.origin.url };
      const alone = await fetchInPage(page, { ...place, aulaId: 'red' });
      expect(alone).toMatchObject({ sha256, aula: 0 });
      expect(alone.origin).toBeGreaterThan(0);
      const node = nodeListener(stage, { aulaId: 'blue' });
      await node.open(LAMPLIGHT).download();
      const before = stage.origin.stats().audioBytes;
      const fromNode = await fetchInPage(page, { ...place, aulaId: 'blue' });
      expect(fromNode).toMatchObject({ sha256, origin: 0 });
      expect(fromNode.aula).toBeGreaterThan(0);
      expect(stage.origin.stats().audioBytes).toBe(before);
    },
  );
});

it('is small: hash-wasm, the store and playback are loaded when they are needed', async () => {
  const core = await staticBytes(join(BROWSER_BUILD, 'sonantica.js'));
  const worker = gzipSync(await readFile(join(BROWSER_BUILD, 'sonantica-worker.js')), { level: 9 }).length;
  console.log(`gzipped: the core entry ${core} bytes, the service worker ${worker} bytes`);
  expect(core).toBeLessThanOrEqual(CORE_BYTES);
  expect(worker).toBeLessThanOrEqual(WORKER_BYTES);
});

it('has its ready files compiled as they load, not when a listener waits for sound', async () => {
  const scripts = (await readdir(BROWSER_BUILD)).filter((name) => name.endsWith('.js'));
  expect(scripts).toContain('sonantica-worker.js');
  for (const name of scripts)
    expect(await readFile(join(BROWSER_BUILD, name), 'utf8'), name).toMatch(
      /^\/\/# allFunctionsCalledOnLoad\n/,
    );
});

/** Fetches a track through a swarm of its own, kept in memory. */
async function fetchInPage(page: Page, options: { tracker: string; origin: string; aulaId: string }) {
  const read = await page.evaluate(async (given) => {
    const { createSwarm, openMemoryStore } = globalThis.sonantica;
    const swarm = createSwarm({ ...given, store: openMemoryStore() });
    const track = swarm.open('lamplight-16-44');
    const { size } = await track.manifest();
    const patience = performance.now() + 5_000;
    while (given.aulaId === 'blue' && track.stats().peers === 0 && performance.now() < patience)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const bytes = await track.read({ start: 0, end: size });
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
    const { aula, origin } = track.stats().bytes;
    await swarm.close();
    return { digest: [...digest], aula, origin };
  }, options);
  return { ...read, sha256: Buffer.from(read.digest).toString('hex') };
}

async function withVite() {
  const root = await makeWorkFolder();
  await writeFile(join(root, 'page.ts'), PAGE_SCRIPT);
  await writeFile(join(root, 'index.html'), '<script type="module" src="./page.ts"></script>');
  await viteBuild({ root, logLevel: 'error', configFile: false });
  return serveSite([join(root, 'dist')]);
}

async function withEsbuild() {
  const pages = { 'index.html': '<script type="module" src="/page.js"></script>' };
  return serveSite([await bundleWithEsbuild()], pages);
}

async function asPlainModule() {
  const script = "import * as s from '/sonantica.js'; globalThis.sonantica = s;";
  return serveSite([BROWSER_BUILD], { 'index.html': `<script type="module">${script}</script>` });
}

/** Gzipped bytes of a module and all it imports at once. */
async function staticBytes(path: string): Promise<number> {
  const folder = await readdir(BROWSER_BUILD);
  const seen = new Set<string>();
  const visit = async (name: string): Promise<number> => {
    if (seen.has(name)) return 0;
    seen.add(name);
    const source = await readFile(join(BROWSER_BUILD, name));
    let bytes = gzipSync(source, { level: 9 }).length;
    for (const [, imported] of source.toString().matchAll(/(?:from|import)"\.\/([^"]+)"/g))
      if (imported !== undefined && folder.includes(imported)) bytes += await visit(imported);
    return bytes;
  };
  return visit(path.slice(BROWSER_BUILD.length + 1));
}
