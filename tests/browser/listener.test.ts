import { rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, makeWav } from '../support/place.ts';
import { until } from '../support/until.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';
import {
  FIRST_LIGHT,
  LAMPLIGHT,
  listenerUrl,
  nodeListener,
  openListener,
  play,
  publishedSha256,
  setStage,
  sha256InPage,
} from './support/stage.ts';

declare global {
  /** In the page: every connection and socket it made. */
  var connections: RTCPeerConnection[];
  var sockets: WebSocket[];
  /** In the page: what its swarm told of its storage. */
  var troubles: string[];
  /** In the page: whether its tab is hidden. */
  var hidden: boolean;
}

/** Notes every connection and socket a page makes. */
function watchNetwork(): void {
  globalThis.connections = [];
  globalThis.sockets = [];
  const { RTCPeerConnection: Connection, WebSocket: Socket } = globalThis;
  globalThis.RTCPeerConnection = class extends Connection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      globalThis.connections.push(this);
    }
  };
  globalThis.WebSocket = class extends Socket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      globalThis.sockets.push(this);
    }
  };
}

/**
 * Makes a page able to be hidden: a headless browser shows every page. Once `hidden` is set the page says so, and its
 * timers run once a second, as browsers have it.
 */
function makeHideable(): void {
  globalThis.hidden = false;
  const { setTimeout: after, setInterval: every } = globalThis;
  const onTheSecond = (ms = 0) => (globalThis.hidden ? Math.max(1_000, ms) : ms);
  globalThis.setTimeout = ((run: TimerHandler, ms?: number, ...rest: unknown[]) =>
    after(run, onTheSecond(ms), ...rest)) as typeof setTimeout;
  globalThis.setInterval = ((run: () => void, ms?: number) => {
    let ranMs = 0;
    return every(() => {
      if (globalThis.hidden && performance.now() - ranMs < 1_000) return;
      ranMs = performance.now();
      run();
    }, ms);
  }) as typeof setInterval;
  Object.defineProperty(document, 'visibilityState', {
    get: () => (globalThis.hidden ? 'hidden' : 'visible'),
  });
  Object.defineProperty(document, 'hidden', { get: () => globalThis.hidden });
}

const openNetwork = (page: Page) =>
  page.evaluate(() => ({
    made: globalThis.connections.length,
    connections: globalThis.connections.filter(({ connectionState }) => connectionState !== 'closed').length,
    sockets: globalThis.sockets.filter(({ readyState }) => readyState < WebSocket.CLOSING).length,
  }));

const currentTime = (page: Page) => page.evaluate(() => document.querySelector('audio')?.currentTime ?? 0);

describe.skipIf(skipsBrowser)('a listener in a browser', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  it('fetches nothing anew after a reload', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    await page.evaluate((id) => globalThis.swarm.open(id).download(), FIRST_LIGHT);
    const { audioBytes } = stage.origin.stats();
    await page.reload();
    await page.waitForFunction(() => globalThis.swarm !== undefined);
    expect(await play(page, FIRST_LIGHT)).toBe('worker');
    expect(await sha256InPage(page, FIRST_LIGHT)).toBe(await publishedSha256(FIRST_LIGHT));
    expect(stage.origin.stats().audioBytes).toBe(audioBytes);
    const { bytes } = await page.evaluate(() => globalThis.swarm.stats());
    expect(bytes).toMatchObject({ aula: 0, global: 0, origin: 0 });
  });

  it('opts out while it plays: at once no connection and no socket, and the music goes on', async () => {
    const stage = await setStage();
    const node = nodeListener(stage, { aulaId: 'red' });
    await node.open(FIRST_LIGHT).download();
    const context = await newContext(browser);
    await context.addInitScript(watchNetwork);
    const page = await openListener(stage, context, { aulaId: 'red' });
    await page.waitForFunction(() => globalThis.swarm.stats().links > 0);
    await play(page, FIRST_LIGHT);
    expect(await openNetwork(page)).toMatchObject({ connections: 1, sockets: 1 });
    await page.evaluate(() => globalThis.swarm.setContribution(globalThis.sonantica.SERVER_ONLY));
    await until(
      'no connection and no socket is open',
      async () => {
        const { connections, sockets } = await openNetwork(page);
        return connections + sockets === 0;
      },
      1_000,
    );
    const before = await currentTime(page);
    await until('it plays on', async () => (await currentTime(page)) > before + 2);
    await page.evaluate(() => {
      const player = document.querySelector('audio');
      if (player !== null) player.currentTime = 50;
    });
    await until('what was not fetched is played too', async () => (await currentTime(page)) > 51);
    const { made } = await openNetwork(page);
    // The choice is kept: after a reload nothing is opened at all.
    await page.reload();
    await page.waitForFunction(() => globalThis.swarm !== undefined);
    await play(page, LAMPLIGHT);
    expect(made).toBe(1);
    expect(await openNetwork(page)).toEqual({ made: 0, connections: 0, sockets: 0 });
  });

  it('obeys in one page what was chosen in another', async () => {
    const stage = await setStage();
    const context = await newContext(browser);
    await context.addInitScript(watchNetwork);
    const first = await openListener(stage, context);
    const second = await openListener(stage, context);
    await until('both are at the tracker', () => stage.tracker.stats().peers === 2);
    await first.evaluate(() => globalThis.swarm.setContribution(globalThis.sonantica.SERVER_ONLY));
    await until('the other has left too', async () => (await openNetwork(second)).sockets === 0, 1_000);
  });

  it('gives no more in two tabs than the listener allows a day', async () => {
    const stage = await setStage();
    const context = await newContext(browser);
    const contribution = { maxBandwidthMBPerDay: 4 };
    const first = await openListener(stage, context, { aulaId: 'red', contribution });
    await first.evaluate((id) => globalThis.swarm.open(id).download(), FIRST_LIGHT);
    const second = await openListener(stage, context, { aulaId: 'red', contribution });
    await second.evaluate(() => globalThis.swarm.ready());
    const node = nodeListener(stage, { aulaId: 'red' });
    await until('Node is linked to both', () => node.stats().links >= 2);
    await node.open(FIRST_LIGHT).download();
    const given = await Promise.all(
      [first, second].map((page) => page.evaluate(() => globalThis.swarm.stats().uploadedBytes)),
    );
    const total = given.reduce((sum, bytes) => sum + bytes, 0);
    expect(Math.min(...given)).toBeGreaterThan(0);
    expect(total).toBeGreaterThan(1_500_000);
    expect(total).toBeLessThanOrEqual(4_000_000);
  });

  it('keeps no more in two tabs than the listener allows', async () => {
    const stage = await setStage();
    const context = await newContext(browser);
    const contribution = { maxStorageGB: 0.012, p2pEnabled: false };
    const pages = [
      await openListener(stage, context, { contribution }),
      await openListener(stage, context, { contribution }),
    ] as const;
    // Either fits by itself, both together do not.
    await Promise.all(
      [FIRST_LIGHT, LAMPLIGHT].map((trackId, i) =>
        pages[i]?.evaluate((id) => globalThis.swarm.open(id).download(), trackId),
      ),
    );
    const kept = await pages[0].evaluate(async () => {
      const store = await globalThis.sonantica.openIndexedDbStore();
      const tracks = await store.tracks();
      const { usedBytes } = (await store.capacity?.()) ?? {};
      await store.close();
      return { bytes: tracks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), usedBytes };
    });
    expect(kept.bytes).toBeLessThanOrEqual(12_000_000);
    expect(kept.bytes).toBeGreaterThan(10_000_000);
    expect(kept.usedBytes).toBe(kept.bytes);
    for (const [i, trackId] of [FIRST_LIGHT, LAMPLIGHT].entries()) {
      const page = pages[i];
      if (page !== undefined) expect(await sha256InPage(page, trackId)).toBe(await publishedSha256(trackId));
    }
  });

  it('asks the browser how much room there is, and not to clear what is kept', async () => {
    const stage = await setStage();
    const context = await newContext(browser);
    await context.addInitScript(() => {
      globalThis.troubles = [];
      const { estimate, persist } = StorageManager.prototype;
      StorageManager.prototype.estimate = function () {
        globalThis.troubles.push('estimate');
        return estimate.call(this);
      };
      StorageManager.prototype.persist = function () {
        globalThis.troubles.push('persist');
        return persist.call(this);
      };
    });
    const page = await openListener(stage, context);
    await page.evaluate((id) => globalThis.swarm.open(id).download(), LAMPLIGHT);
    const asked = await page.evaluate(() => globalThis.troubles);
    expect(asked.filter((each) => each === 'persist')).toHaveLength(1);
    expect(asked).toContain('estimate');
  });

  it('plays on when its storage is cleared under it', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser);
    await page.evaluate((id) => globalThis.swarm.open(id).download(), LAMPLIGHT);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Storage.clearDataForOrigin', {
      origin: new URL(stage.site.url).origin,
      storageTypes: 'indexeddb',
    });
    expect(await sha256InPage(page, LAMPLIGHT)).toBe(await publishedSha256(LAMPLIGHT));
    await page.evaluate((id) => globalThis.swarm.open(id).download(), FIRST_LIGHT);
    expect(await sha256InPage(page, FIRST_LIGHT)).toBe(await publishedSha256(FIRST_LIGHT));
  });

  it('plays from memory, and says so, when the site may store no more', async () => {
    const stage = await setStage();
    const context = await newContext(browser);
    // From another page of the site, before anything is written: Chromium remembers for a while how much room there was.
    const devtools = await context.newCDPSession(await newPage(context, stage.site.url));
    await devtools.send('Storage.overrideQuotaForOrigin', {
      origin: new URL(stage.site.url).origin,
      quotaSize: 2_000_000,
    });
    const page = await openListener(stage, context);
    await page.evaluate(() => {
      globalThis.troubles = [];
      globalThis.swarm.on('storage', ({ reason }) => globalThis.troubles.push(reason));
    });
    // Nothing of it may be forgotten in favour of the rest, not even once all of it was read.
    await page.evaluate(async (id) => {
      await globalThis.swarm.pin(id);
      const track = globalThis.swarm.open(id);
      await track.read({ start: 0, end: (await track.manifest()).size });
    }, FIRST_LIGHT);
    await until('the page was told', async () => (await page.evaluate(() => globalThis.troubles)).length > 0);
    expect(await sha256InPage(page, FIRST_LIGHT)).toBe(await publishedSha256(FIRST_LIGHT));
    expect(await play(page, FIRST_LIGHT)).toBe('worker');
    expect(new Set(await page.evaluate(() => globalThis.troubles))).toEqual(new Set(['store-full']));
  });

  it('plays on plain HTTP, without a worker and without WebCrypto', async () => {
    const stage = await setStage();
    const page = await openListener(stage, browser, {}, true);
    expect(await page.evaluate(() => [isSecureContext, globalThis.crypto.subtle])).toEqual([
      false,
      undefined,
    ]);
    expect(await play(page, LAMPLIGHT)).toBe('blob');
    const text = await page.evaluate(async (id) => {
      const bytes = await globalThis.swarm.open(id).blob();
      return new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.addEventListener('load', () => resolve(String(reader.result)));
        reader.readAsDataURL(bytes);
      });
    }, LAMPLIGHT);
    const bytes = Buffer.from(text.slice(text.indexOf(',') + 1), 'base64');
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(await publishedSha256(LAMPLIGHT));
  });

  it('keeps two versions apart when a track changes under its id', async () => {
    const folder = await makeFolder();
    const [before, after] = [makeWav(900_000, 1), makeWav(1_000_000, 2)];
    await writeFile(join(folder, 'song.wav'), before);
    const stage = await setStage(folder);
    const page = await openListener(stage, browser);
    const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(await sha256InPage(page, 'song')).toBe(sha256(before));
    await rm(join(folder, 'song.wav'));
    await writeFile(join(folder, 'song.wav'), after);
    await until('the origin has the new version', async () => {
      const manifest = await (await fetch(`${stage.origin.url}/song.manifest.json`)).json();
      return Reflect.get(Object(manifest), 'size') === after.length;
    });
    expect(await sha256InPage(page, 'song')).toBe(sha256(after));
  });

  it('answers the URL of an older version with that version or not at all', async () => {
    const folder = await makeFolder();
    const [before, after] = [makeWav(900_000, 1), makeWav(1_000_000, 2)];
    await writeFile(join(folder, 'song.wav'), before);
    const stage = await setStage(folder);
    const page = await openListener(stage, browser);
    const url = await page.evaluate(() => globalThis.swarm.open('song').url());
    const read = () =>
      page.evaluate(async (from) => {
        const response = await fetch(from);
        return { status: response.status, bytes: (await response.arrayBuffer()).byteLength };
      }, url);
    expect(await read()).toEqual({ status: 200, bytes: before.length });
    await rm(join(folder, 'song.wav'));
    await writeFile(join(folder, 'song.wav'), after);
    await until('the origin has the new version', async () => {
      const manifest = await (await fetch(`${stage.origin.url}/song.manifest.json`)).json();
      return Reflect.get(Object(manifest), 'size') === after.length;
    });
    // Whoever opened it plays it to its end.
    expect(await read()).toEqual({ status: 200, bytes: before.length });
    await page.reload();
    await page.waitForFunction(() => globalThis.swarm !== undefined);
    expect(await page.evaluate(() => globalThis.swarm.open('song').url())).not.toBe(url);
    expect((await read()).status).toBe(404);
  });

  it('plays a large track from the origin where no worker can answer, and says so', async () => {
    const folder = await makeFolder();
    await writeFile(join(folder, 'long.wav'), makeWav(51_000_000, 3));
    const stage = await setStage(folder);
    const page = await openListener(stage, browser, {}, true);
    expect(await play(page, 'long')).toBe('origin');
    const { url } = await page.evaluate(() => globalThis.swarm.open('long').playable());
    expect(url).toMatch(new RegExp(`^${stage.origin.url}/long\\?v=[0-9a-f]{16}$`));
  });

  it('gives on while its tab is hidden and its timers run once a second', async () => {
    const stage = await setStage();
    const context = await newContext(browser);
    await context.addInitScript(makeHideable);
    const page = await openListener(stage, context, { aulaId: 'red' });
    await page.evaluate((id) => globalThis.swarm.open(id).download(), FIRST_LIGHT);
    const { audioBytes } = stage.origin.stats();
    await page.evaluate(() => {
      globalThis.hidden = true;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    const node = nodeListener(stage, { aulaId: 'red' });
    await until('Node is linked', () => node.stats().links === 1);
    const begun = performance.now();
    await node.open(FIRST_LIGHT).download();
    const seconds = (performance.now() - begun) / 1000;
    const { bytes } = node.stats();
    console.log(`from a hidden tab: ${(bytes.aula / 1e6 / seconds).toFixed(1)} MB/s`);
    expect(bytes.aula).toBeGreaterThan(11_000_000);
    expect(stage.origin.stats().audioBytes).toBe(audioBytes);
    // Were a turn of the timer needed for every few blocks, this would take a minute.
    expect(seconds).toBeLessThan(10);
  });

  it('goes on after a while in which the page was frozen', async () => {
    const own = await launch();
    try {
      const stage = await setStage();
      const node = nodeListener(stage, { aulaId: 'red' });
      await node.open(FIRST_LIGHT).download();
      const page = await openListener(stage, own, { aulaId: 'red' });
      await page.waitForFunction(() => globalThis.swarm.stats().links > 0);
      await page.evaluate((id) => globalThis.swarm.open(id).read({ start: 0, end: 300_000 }), FIRST_LIGHT);
      await until('Node is linked', () => node.stats().links === 1);
      const devtools = await own.newBrowserCDPSession();
      const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
      // What a system does to a tab it freezes: nothing of the page runs, sockets and timers included.
      const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
      for (const id of renderers) process.kill(id, 'SIGSTOP');
      try {
        await until('Node has given up on it', () => node.stats().links === 0, 25_000);
      } finally {
        for (const id of renderers) process.kill(id, 'SIGCONT');
      }
      expect(await sha256InPage(page, FIRST_LIGHT)).toBe(await publishedSha256(FIRST_LIGHT));
      await page.waitForFunction(() => globalThis.swarm.stats().links > 0, undefined, { timeout: 30_000 });
    } finally {
      await own.close();
    }
  });

  it('comes back with the page when the listener goes back to it', async () => {
    const own = await launch();
    try {
      const stage = await setStage();
      const context = await newContext(own);
      const page = await openListener(stage, context, { aulaId: 'red' });
      await page.waitForFunction(() => globalThis.swarm.stats().trackerUp);
      await page.evaluate(() => {
        globalThis.troubles = [];
        addEventListener('pageshow', ({ persisted }) => globalThis.troubles.push(persisted ? 'kept' : 'new'));
      });
      await page.goto(`${stage.site.url}sonantica.js`);
      await until('the tracker is told', () => stage.tracker.stats().peers === 0);
      await page.goBack({ waitUntil: 'commit' });
      await page.waitForFunction(() => globalThis.swarm?.stats().trackerUp === true);
      // Chromium put the page aside whole, its swarm with it.
      expect(await page.evaluate(() => globalThis.troubles)).toEqual(['kept']);
      expect(page.url()).toBe(listenerUrl(stage, { aulaId: 'red' }));
      expect(await sha256InPage(page, LAMPLIGHT)).toBe(await publishedSha256(LAMPLIGHT));
    } finally {
      await own.close();
    }
  });
});
