import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './support/bundle.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';
import { serveSite } from './support/site.ts';
import { FIRST_LIGHT, nodeListener, setStage, type Stage } from './support/stage.ts';

const PLAYER = join(ROOT, 'examples/web-player/dist');
/** Pictures of the page, kept for people to look at. */
const SHOTS = join(ROOT, 'coverage/web-player');

const SIZES = {
  desktop: { viewport: { width: 1280, height: 960 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true },
};

describe.skipIf(skipsBrowser)('the web player', { timeout: 90_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
    await mkdir(SHOTS, { recursive: true });
  });
  afterAll(() => browser.close());

  async function open(stage: Stage, search: string, size: keyof typeof SIZES = 'desktop'): Promise<Page> {
    const place = JSON.stringify({ tracker: stage.tracker.url, origin: stage.origin.url });
    const site = await serveSite([PLAYER], { 'place.json': place });
    return newPage(await newContext(browser, { ...SIZES[size], locale: 'en-GB' }), `${site.url}?${search}`);
  }

  it.each([
    ['desktop', 'light', 'en', 'Library'],
    ['desktop', 'dark', 'es', 'Biblioteca'],
    ['phone', 'light', 'es', 'Biblioteca'],
    ['phone', 'dark', 'en', 'Library'],
  ] as const)('looks right on a %s, %s, in %s', async (size, theme, lang, word) => {
    const stage = await setStage();
    const near = nodeListener(stage, { aulaId: 'red' });
    const far = nodeListener(stage, { aulaId: 'blue' });
    await near.open(FIRST_LIGHT).read({ start: 0, end: 4_000_000 });
    await far.open(FIRST_LIGHT).read({ start: 3_000_000, end: 8_000_000 });
    const page = await open(stage, `theme=${theme}&lang=${lang}`, size);
    await page.getByText(word, { exact: true }).waitFor();
    await page.waitForFunction(() =>
      document.querySelector('#aula-note')?.textContent?.match(/1|one|un oyente|link|enlace/),
    );
    await page.locator('#play').click();
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 3);
    expect(await page.locator('h1').textContent()).toBe('First Light');
    expect(await page.locator('#quality').textContent()).toContain('FLAC · 24\u00a0bit');
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    await page.screenshot({
      animations: 'disabled',
      path: join(SHOTS, `${size}-${theme}-${lang}.png`),
      fullPage: true,
    });
  });
});
