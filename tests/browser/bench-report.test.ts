import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './support/bundle.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';

/** Pictures of the page, kept for people to look at. */
const SHOTS = join(ROOT, 'coverage/bench-report');
const RUN =
  '--peers 12 --size-mb 3 --aulas 2 --join-spread-s 10 --churn-per-min 0.5 --liars 0.1 --tracker-dies-s 20';

describe.skipIf(skipsBrowser)('the page of a report', { timeout: 90_000 }, () => {
  let browser: Browser;
  let folder: string;
  let file: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sonantica-report-'));
    file = join(folder, 'report.html');
    const bench = join(ROOT, 'bench/dist/cli.js');
    await promisify(execFile)(process.execPath, [
      bench,
      'swarm',
      ...RUN.split(' '),
      '--json',
      '--html',
      file,
    ]);
    await mkdir(SHOTS, { recursive: true });
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The share of a chart's pixels that something was drawn on. */
  const painted = (page: Page) =>
    page.$$eval('canvas', (charts) =>
      charts.map((chart) => {
        const { data } = chart.getContext('2d')?.getImageData(0, 0, chart.width, chart.height) ?? {
          data: [],
        };
        let drawn = 0;
        for (let i = 3; i < data.length; i += 4) if ((data[i] ?? 0) > 0) drawn++;
        return drawn / (data.length / 4);
      }),
    );

  it.each([
    ['light', { width: 1100, height: 900 }],
    ['dark', { width: 1100, height: 900 }],
    ['light', { width: 390, height: 844 }],
  ] as const)('draws every chart, %s, at %o, and asks nobody for anything', async (theme, viewport) => {
    const context = await newContext(browser, { viewport, colorScheme: theme });
    const asked: string[] = [];
    context.on('request', (request) => void asked.push(request.url()));
    const page = await newPage(context, pathToFileURL(file).href);
    const errors: string[] = [];
    page.on('pageerror', ({ message }) => void errors.push(message));
    await page.waitForFunction(() => document.querySelectorAll('canvas').length === 6);
    await page.screenshot({ path: join(SHOTS, `${theme}-${viewport.width}.png`), fullPage: true });
    const charts = await painted(page);
    expect(charts).toHaveLength(6);
    for (const share of charts) expect(share).toBeGreaterThan(0.01);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
      viewport.width,
    );
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(paper).toBe(theme === 'dark' ? 'rgb(24, 23, 20)' : 'rgb(251, 250, 247)');
    expect(await page.textContent('main')).toContain('the tracker dies at 20 s');
    expect(asked.filter((url) => !url.startsWith('file:'))).toEqual([]);
    expect(errors).toEqual([]);
  });

  it('names who sent how much to whom where one points', async () => {
    const page = await newPage(
      await newContext(browser, { viewport: { width: 1100, height: 900 } }),
      pathToFileURL(file).href,
    );
    const map = page.locator('section', { hasText: 'Who sent to whom' });
    await map.scrollIntoViewIfNeeded();
    const box = await map.locator('.u-over').boundingBox();
    if (box === null) throw new Error('there is no map');
    await page.mouse.move(box.x + 5, box.y + 5);
    expect(await map.locator('.note').textContent()).toMatch(
      /^the origin → honest-\d+ \(Aula 1\): \d+\.\d\d MB$/,
    );
  });
});
