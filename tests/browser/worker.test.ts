import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { launch, newContext, skipsBrowser } from './support/chromium.ts';
import { editOrigin } from './support/edited-origin.ts';
import { serveSite } from './support/site.ts';
import {
  BROWSER_BUILD,
  FIRST_LIGHT,
  LAMPLIGHT,
  LIBRARY,
  openListener,
  PAGE,
  play,
  publishedSha256,
  setStage,
  sha256InPage,
} from './support/stage.ts';

declare global {
  /** In the page: how often another worker took over. */
  var changes: number;
}

describe.skipIf(skipsBrowser)('the service worker', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  /** What the worker answers to a request with this Range. */
  async function ask(page: Page, trackId: string, range: string | undefined) {
    return page.evaluate(
      async ({ id, header }) => {
        const url = await globalThis.swarm.open(id).url();
        const response = await fetch(url, header === undefined ? {} : { headers: { Range: header } });
        const body = await response.arrayBuffer();
        const digest = await crypto.subtle.digest('SHA-256', body);
        return {
          status: response.status,
          length: body.byteLength,
          digest: [...new Uint8Array(digest)],
          headers: Object.fromEntries(response.headers),
        };
      },
      { id: trackId, header: range },
    );
  }

  it('answers odd ranges as RFC 9110 says', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    const file = await readFile(join(LIBRARY, `${LAMPLIGHT}.flac`));
    const { length: size } = file;
    const part = (start: number, end: number) => ({
      status: 206,
      range: `bytes ${start}-${end - 1}/${size}`,
      bytes: file.subarray(start, end),
    });
    const whole = { status: 200, range: undefined, bytes: file };
    const beyond = { status: 416, range: `bytes */${size}`, bytes: Buffer.alloc(0) };
    const table: [string | undefined, { status: number; range: string | undefined; bytes: Buffer }][] = [
      [undefined, whole],
      ['bytes=0-', part(0, size)],
      ['bytes=0-0', part(0, 1)],
      ['bytes=300000-600001', part(300_000, 600_002)],
      ['bytes=-1000', part(size - 1000, size)],
      [`bytes=${size - 1}-${size + 5}`, part(size - 1, size)],
      ['bytes=9-2', whole],
      ['bytes=0-1,5-6', whole],
      ['bytes=-', whole],
      [`bytes=${size}-`, beyond],
      ['bytes=-0', beyond],
    ];
    for (const [range, { status, range: contentRange, bytes }] of table) {
      const answer = await ask(page, LAMPLIGHT, range);
      expect([range, answer.status]).toEqual([range, status]);
      expect(answer.headers['content-range']).toBe(contentRange);
      if (status === 416) continue;
      expect(answer.length).toBe(bytes.length);
      expect(Buffer.from(answer.digest).equals(createHash('sha256').update(bytes).digest())).toBe(true);
      expect(answer.headers['content-type']).toBe('audio/flac');
    }
  });

  it('lets nothing run that is not sound: a manifest that claims HTML, a page, a frame, a script', async () => {
    const stage = await setStage();
    const origin = await editOrigin(stage.origin.url, (manifest) => ({ ...manifest, mime: 'text/html' }));
    const context = await newContext(browser);
    const page = await openListener(stage, context, { origin });
    const answer = await ask(page, LAMPLIGHT, 'bytes=0-99');
    expect(answer.status).toBe(206);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    const url = await page.evaluate((id) => globalThis.swarm.open(id).url(), LAMPLIGHT);
    const other = await context.newPage();
    const response = await other.goto(url);
    expect(response?.status()).toBe(403);
    expect(response?.headers()['content-type']).toContain('text/plain');
    const refused = page.waitForResponse((each) => each.url() === url && each.status() === 403);
    await page.evaluate((src) => {
      const frame = document.createElement('iframe');
      frame.src = src;
      document.body.append(frame);
    }, url);
    await refused;
    const ran = await page.evaluate(
      (src) =>
        new Promise((resolve) => {
          const script = document.createElement('script');
          script.src = src;
          script.addEventListener('load', () => resolve(true));
          script.addEventListener('error', () => resolve(false));
          document.body.append(script);
        }),
      url,
    );
    expect(ran).toBe(false);
  });

  it('leaves what is not its own alone, and knows no track that no page has opened', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    await page.evaluate((id) => globalThis.swarm.open(id).url(), LAMPLIGHT);
    const statuses = await page.evaluate(async () => {
      const status = async (path: string) => (await fetch(path)).status;
      return [await status('/'), await status('/sonantica/unknown'), await status('/sonantica/a%2Fb')];
    });
    expect(statuses).toEqual([200, 404, 404]);
  });

  it('keeps what is not its own from waiting for it', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    await page.evaluate((id) => globalThis.swarm.open(id).url(), LAMPLIGHT);
    const sources = await page.evaluate(async () => {
      const sourceOf = async (path: string) => {
        await (await fetch(path)).arrayBuffer();
        const [entry] = performance.getEntriesByName(new URL(path, location.href).href).slice(-1);
        return entry === undefined ? undefined : Reflect.get(entry, 'workerMatchedSourceType');
      };
      return [await sourceOf('/?elsewhere'), await sourceOf('/sonantica/unknown')];
    });
    expect(sources).toEqual(['network', '']);
  });

  it('gives its URL at once, and has the head asked for while the manifest is under way', async () => {
    const stage = await setStage();
    let release = () => undefined as void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const asked: string[] = [];
    // An origin that listens, for what the page asks for past its worker is not always seen by who drives the browser.
    const origin = await editOrigin(
      stage.origin.url,
      async (manifest) => {
        if (manifest['trackId'] === FIRST_LIGHT) await released;
        return manifest;
      },
      (path, range = '') => path.startsWith(`/${FIRST_LIGHT}`) && asked.push(`${path} ${range}`),
    );
    const page = await openListener(stage, browser, { origin, contribution: { p2pEnabled: false } });
    // From here on a worker answers.
    await page.evaluate((id) => globalThis.swarm.open(id).url(), LAMPLIGHT);
    await page.evaluate(async (id) => {
      const player = document.querySelector('audio');
      if (player !== null) player.src = await globalThis.swarm.open(id).url();
      void player?.play();
    }, FIRST_LIGHT);
    await until('the head is asked for', () => asked.includes(`/${FIRST_LIGHT} bytes=0-98303`));
    release();
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0.3);
    expect(asked.filter((each) => each.includes('manifest'))).toHaveLength(1);
  });

  it('tells a player what is wrong with a track, as a server does', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    const told = await page.evaluate(async () => {
      const track = globalThis.swarm.open('no-such-track');
      const url = await track.url();
      const { status } = await fetch(url);
      const error = await new Promise((resolve) => {
        const player = document.querySelector('audio');
        player?.addEventListener('error', () => resolve(player.error?.code), { once: true });
        if (player !== null) player.src = url;
      });
      const why = await track.manifest().then(
        () => undefined,
        (reason: unknown) => Reflect.get(Object(reason), 'code'),
      );
      track.close();
      const { status: closed } = await fetch(url);
      return { status, error, why, closed };
    });
    expect(told).toEqual({ status: 404, error: 4, why: 'track-not-found', closed: 404 });
  });

  it('is ended in the middle of a response, and the player plays on', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    expect(await play(page, FIRST_LIGHT)).toBe('worker');
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('ServiceWorker.enable');
    const state = () =>
      page.evaluate(() => {
        const player = document.querySelector('audio');
        if (player === null) throw new Error('no player');
        const { buffered, currentTime, error } = player;
        return {
          error: error?.message,
          currentTime,
          end: buffered.length > 0 ? buffered.end(buffered.length - 1) : 0,
        };
      });
    const before = await until('something is buffered, but not all', async () => {
      const now = await state();
      return now.end > 1 && now.end < 50 && now;
    });
    await devtools.send('ServiceWorker.stopAllWorkers');
    await until(
      'the player has more than it had',
      async () => {
        const now = await state();
        expect(now.error).toBeUndefined();
        return now.end > before.end + 8 && now.currentTime > before.currentTime + 2;
      },
      30_000,
    );
    await page.evaluate(() => {
      const player = document.querySelector('audio');
      if (player !== null) player.currentTime = 55;
    });
    await until('it plays from where it jumped to', async () => (await state()).currentTime > 55.5);
  });

  it('is replaced by a newer one while the player plays on', async () => {
    const script = await readFile(join(BROWSER_BUILD, 'sonantica-worker.js'), 'utf8');
    const pages: Record<string, string> = { 'index.html': PAGE, 'sonantica-worker.js': script };
    const stage = { ...(await setStage()), site: await serveSite([BROWSER_BUILD], pages) };
    const page = await openListener(stage, browser);
    expect(await play(page, FIRST_LIGHT)).toBe('worker');
    pages['sonantica-worker.js'] = `${script}\n// newer`;
    await page.evaluate(async () => {
      globalThis.changes = 0;
      navigator.serviceWorker.addEventListener('controllerchange', () => globalThis.changes++);
      await (await navigator.serviceWorker.ready).update();
    });
    const time = () => page.evaluate(() => document.querySelector('audio')?.currentTime ?? 0);
    const before = await time();
    await until('the player plays on', async () => (await time()) > before + 2);
    // A browser lets the older one end what it answers.
    await page.evaluate(() => {
      const player = document.querySelector('audio');
      player?.removeAttribute('src');
      player?.load();
    });
    await until('the newer one has taken over', () => page.evaluate(() => globalThis.changes === 1), 20_000);
    expect(await play(page, LAMPLIGHT)).toBe('worker');
    expect(await sha256InPage(page, FIRST_LIGHT)).toBe(await publishedSha256(FIRST_LIGHT));
  });

  it('wants nothing more of what a player has left', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser, { contribution: { p2pEnabled: false } });
    const read = await page.evaluate(async (id) => {
      const response = await fetch(await globalThis.swarm.open(id).url());
      const reader = response.body?.getReader();
      let bytes = 0;
      while (reader !== undefined && bytes < 500_000) bytes += (await reader.read()).value?.length ?? 0;
      await reader?.cancel();
      return bytes;
    }, FIRST_LIGHT);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    // What was read, the piece after it, the mebibyte ahead and the two chunks at the end.
    expect(stage.origin.stats().audioBytes).toBeLessThan(read + 3_000_000);
  });

  it('jumps to a place that was not fetched', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    await play(page, FIRST_LIGHT);
    const ms = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const player = document.querySelector('audio');
          const begun = performance.now();
          player?.addEventListener('seeked', () => resolve(performance.now() - begun), { once: true });
          if (player !== null) player.currentTime = 50;
        }),
    );
    expect(ms).toBeLessThan(5_000);
  });
});
