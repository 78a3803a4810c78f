import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWithEsbuild } from './support/bundle.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';
import { serveSite } from './support/site.ts';

const SCRIPT = `
import { chunkStoreSuite } from '@sonantica/swarm/testing';
import { openIndexedDbStore } from '@sonantica/swarm';
let count = 0;
const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
const suite = chunkStoreSuite(
  () => openIndexedDbStore({ name: 'suite-' + ++count }),
  {
    reopen: () => openIndexedDbStore({ name: 'suite-' + count }),
    truncate: async (document, keptBytes) => {
      const database = await done(indexedDB.open('suite-' + count));
      const store = database.transaction('keyval', 'readwrite').objectStore('keyval');
      const key = ['document', document];
      await done(store.put((await done(store.get(key))).slice(0, keptBytes), key));
      database.close();
    },
  },
);
globalThis.cases = suite.map(({ name }) => name);
globalThis.runCase = (index) => suite[index].run();
globalThis.openStore = openIndexedDbStore;
`;

declare global {
  var cases: string[];
  var runCase: (index: number) => Promise<void>;
  var openStore: typeof import('@sonantica/swarm').openIndexedDbStore;
}

describe.skipIf(skipsBrowser)('the IndexedDB store', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  async function open(): Promise<Page> {
    const pages = { 'index.html': '<script type="module" src="/page.js"></script>' };
    const site = await serveSite([await bundleWithEsbuild(SCRIPT)], pages);
    const page = await newPage(await newContext(browser), site.url);
    await page.waitForFunction(() => globalThis.openStore !== undefined);
    return page;
  }

  it('keeps every promise of a store', async () => {
    const page = await open();
    const names = await page.evaluate(() => globalThis.cases);
    expect(names.length).toBeGreaterThan(30);
    const broken: string[] = [];
    for (const [index, name] of names.entries()) {
      const said = await page.evaluate(
        (each) =>
          globalThis.runCase(each).then(
            () => undefined,
            (error: unknown) => String(error),
          ),
        index,
      );
      if (said !== undefined) broken.push(`${name}: ${said}`);
    }
    expect(broken).toEqual([]);
  });
});
