import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { launch, skipsBrowser } from './support/chromium.ts';
import {
  FIRST_LIGHT,
  nodeListener,
  openListener,
  play,
  publishedSha256,
  setStage,
  sha256InPage,
} from './support/stage.ts';

describe.skipIf(skipsBrowser)('a page that plays', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  it('plays what comes from two other pages and from Node, each of them playing too', async () => {
    const stage = await setStage();
    const node = nodeListener(stage, { aulaId: 'red' });
    await node.open(FIRST_LIGHT).read({ start: 0, end: 1_000_000 });
    const pages = [
      await openListener(stage, browser, { aulaId: 'red' }),
      await openListener(stage, browser, { aulaId: 'red' }),
    ];
    for (const page of pages)
      await page.waitForFunction(() => globalThis.swarm.stats().links > 0, undefined, { timeout: 10_000 });
    const via = await Promise.all(pages.map((page) => play(page, FIRST_LIGHT)));
    expect(via).toEqual(['worker', 'worker']);
    const sha256 = await publishedSha256(FIRST_LIGHT);
    await node.open(FIRST_LIGHT).download();
    for (const page of pages) {
      expect(await sha256InPage(page, FIRST_LIGHT)).toBe(sha256);
      const { bytes } = await page.evaluate(() => globalThis.swarm.stats());
      console.log(`bytes by tier: ${JSON.stringify(bytes)}`);
      expect(bytes.aula).toBeGreaterThan(0);
      expect(await page.evaluate(() => document.querySelector('audio')?.error ?? null)).toBeNull();
    }
    const { size } = await node.open(FIRST_LIGHT).manifest();
    await until('each byte left the origin about once', () => stage.origin.stats().audioBytes < 1.5 * size);
  });
});
