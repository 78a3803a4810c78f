import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorkFolder, ROOT } from './support/bundle.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';
import { serveSite } from './support/site.ts';
import { BROWSER_BUILD, LAMPLIGHT, setStage, type Stage } from './support/stage.ts';

/** The recipes of `docs/embedding.md` by name, told where the stage is. */
async function readRecipe(name: string, stage: Stage): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/embedding.md'), 'utf8');
  const recipe = [...page.matchAll(/```jsx?\n\/\/ recipe: (\w+)\n(.*?)```/gs)].find(
    ([, named]) => named === name,
  )?.[2];
  if (recipe === undefined) throw new Error(`the page has no recipe ${name}`);
  return recipe
    .replaceAll('wss://tracker.example.org', stage.tracker.url)
    .replaceAll('https://music.example.org/tracks', stage.origin.url)
    .replaceAll('track-id', LAMPLIGHT);
}

async function bundle(script: string, name: string): Promise<string> {
  const folder = await makeWorkFolder();
  await writeFile(join(folder, `${name}.jsx`), script);
  const outdir = join(folder, 'out');
  await build({
    entryPoints: [join(folder, `${name}.jsx`)],
    bundle: true,
    format: name === 'own-worker' ? 'iife' : 'esm',
    jsx: 'automatic',
    outdir,
    logLevel: 'error',
  });
  return outdir;
}

describe.skipIf(skipsBrowser)('the recipes for embedding', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  async function openRecipe(name: string, context?: BrowserContext): Promise<Page> {
    const stage = await setStage();
    const folder = await bundle(await readRecipe(name, stage), 'page');
    const html =
      '<!doctype html><body><audio controls></audio><script type="module" src="./page.js"></script>';
    const site = await serveSite([folder, BROWSER_BUILD], { 'index.html': html });
    return newPage(context ?? (await newContext(browser)), site.url);
  }

  it('play in a plain audio element', async () => {
    const page = await openRecipe('audio');
    await page.waitForFunction(() => document.querySelector('audio')?.src.includes('/sonantica/'));
    await page.evaluate(() => document.querySelector('audio')?.play());
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0.3);
  });

  it('play, and jump, in an element that says where it is', async () => {
    const page = await openRecipe('playhead');
    await page.waitForFunction(() => document.querySelector('audio')?.src.includes('/sonantica/'));
    await page.evaluate(async () => {
      const player = document.querySelector('audio');
      await player?.play();
      if (player !== null) player.currentTime = 40;
    });
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 40.3);
  });

  it('play with howler.js', async () => {
    const page = await openRecipe('howler');
    await page.waitForFunction(() => {
      const howls: { seek(): number }[] =
        Reflect.get(Reflect.get(globalThis, 'Howler') ?? {}, '_howls') ?? [];
      return (howls[0]?.seek() ?? 0) > 0.3;
    });
  });

  it('play in React', async () => {
    const page = await openRecipe('react');
    await page.waitForFunction(() =>
      document.querySelector('div audio')?.getAttribute('src')?.includes('/sonantica/'),
    );
    await page.evaluate(() => document.querySelector<HTMLAudioElement>('div audio')?.play());
    await page.waitForFunction(
      () => (document.querySelector<HTMLAudioElement>('div audio')?.currentTime ?? 0) > 0.3,
    );
  });

  it('play what a player fetched by itself', async () => {
    const context = await newContext(browser);
    await context.addInitScript(() => {
      const { start } = AudioBufferSourceNode.prototype;
      AudioBufferSourceNode.prototype.start = function (...given: Parameters<typeof start>) {
        document.title = `${Math.round(this.buffer?.duration ?? 0)} seconds`;
        start.apply(this, given);
      };
    });
    const page = await openRecipe('fetch', context);
    await page.waitForFunction(() => document.title === '68 seconds');
  });

  it("play through the author's own worker", async () => {
    const stage = await setStage();
    const own = `${await readRecipe('worker', stage)}
      self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
      self.addEventListener('fetch', (event) => {
        if (event.request.url.endsWith('/mine')) event.respondWith(new Response('mine'));
      });`;
    const recipe = (await readRecipe('audio', stage)).replace("serviceWorker: './sonantica-worker.js',", '');
    const folders = [await bundle(recipe, 'page'), await bundle(own, 'own-worker')];
    const html = `<!doctype html><audio></audio><script type="module">
      await navigator.serviceWorker.register('/own-worker.js');
      await navigator.serviceWorker.ready;
      await import('/page.js');
    </script>`;
    const site = await serveSite(folders, { 'index.html': html });
    const page = await newPage(await newContext(browser), site.url);
    await page.waitForFunction(() => document.querySelector('audio')?.src.includes('/sonantica/'));
    await page.evaluate(() => document.querySelector('audio')?.play());
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0.3);
    expect(await page.evaluate(async () => (await fetch('/mine')).text())).toBe('mine');
  });
});

it('let programs play from a local server, with Range', { timeout: 30_000 }, async () => {
  const stage = await setStage();
  const folder = await makeWorkFolder();
  const recipe = await readRecipe('node', stage);
  const script = `${recipe}
    import { once } from 'node:events';
    import { request } from 'node:http';
    const asking = request(server.url('${LAMPLIGHT}'), { headers: { Range: 'bytes=100000-199999' } }).end();
    const [response] = await once(asking, 'response');
    const parts = [];
    for await (const part of response) parts.push(part);
    console.log(response.statusCode, Buffer.concat(parts).length);
    await server.close();
    await swarm.close();`;
  const path = join(folder, 'recipe.mjs');
  await writeFile(path, script);
  const { stdout } = await promisify(execFile)(process.execPath, [path], { timeout: 20_000 });
  expect(stdout.trim().split('\n').at(-1)).toBe('206 100000');
});
