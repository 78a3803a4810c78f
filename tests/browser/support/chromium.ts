import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where Chromium is: `SONANTICA_CHROMIUM`, or one of the usual places. */
export const chromiumPath: string | undefined =
  process.env['SONANTICA_CHROMIUM'] ?? PATHS.find((path) => existsSync(path));

/** What a missing Chromium means: nothing where a person tests, a failure in continuous integration. */
export const skipsBrowser = chromiumPath === undefined && process.env['CI'] !== 'true';
if (skipsBrowser) console.warn('Skipped: Chromium is not installed. On Debian: apt-get install chromium');

const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-gpu',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--mute-audio',
  // A name that is not this machine's own: a page there is no secure context.
  '--host-resolver-rules=MAP plain.test 127.0.0.1',
];

/** Starts Chromium for one test file. The caller closes it. */
export async function launch(...flags: string[]): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('Chromium is not installed: apt-get install chromium');
  return chromium.launch({
    executablePath: chromiumPath,
    args: [...FLAGS, ...flags],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
}

/** A browser profile of its own, gone after the test. */
export async function newContext(
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close().catch(() => undefined));
  return context;
}

/** A page whose errors are shown, gone after the test. */
export async function newPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    if (process.env['SONANTICA_PAGE_LOG'] !== undefined) console.error(`page: ${message.text()}`);
  });
  await page.goto(url);
  return page;
}
