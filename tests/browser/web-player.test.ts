import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { ROOT } from './support/bundle.ts';
import { launch, newContext, newPage, skipsBrowser } from './support/chromium.ts';
import { serveSite } from './support/site.ts';
import { FIRST_LIGHT, LAMPLIGHT, nodeListener, setStage, type Stage } from './support/stage.ts';

const PLAYER = join(ROOT, 'examples/web-player/dist');
/** Pictures of the page, kept for people to look at. */
const SHOTS = join(ROOT, 'coverage/web-player');

const SIZES = {
  desktop: { viewport: { width: 1280, height: 960 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true },
};

/** How many chunks of a track lie in the page's database. */
function keptChunks(page: Page, trackId: string): Promise<number> {
  return page.evaluate(
    (id) =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('sonantica');
        opening.addEventListener('error', () => reject(opening.error));
        opening.addEventListener('success', () => {
          const db = opening.result;
          const keys = db.transaction('keyval').objectStore('keyval').getAllKeys();
          keys.addEventListener('error', () => reject(keys.error));
          keys.addEventListener('success', () => {
            db.close();
            const chunks = keys.result.filter(
              (key) => Array.isArray(key) && key[0] === 'chunk' && String(key[1]).startsWith(`${id}@`),
            );
            resolve(chunks.length);
          });
        });
      }),
    trackId,
  );
}

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

  it('offers the choices, says honestly what they mean, and keeps them', async () => {
    const stage = await setStage();
    const near = nodeListener(stage, { aulaId: 'attic' });
    await near.open(FIRST_LIGHT).download();
    const page = await open(stage, 'aula=attic');
    await page.getByText('You are in “attic”, linked to one listener.').waitFor();
    await page.getByRole('switch', { name: 'Give back' }).uncheck({ force: true });
    await page.getByText('This is not privacy').waitFor();
    await page.getByRole('switch', { name: 'Listen with others' }).uncheck({ force: true });
    await page.getByText('Everything comes from the server. No other listener sees you.').waitFor();
    await until('Node is alone', () => near.stats().links === 0);
    await page.getByRole('button', { name: 'Español' }).click();
    await page.reload();
    const others = page.getByRole('switch', { name: 'Escuchar con otros' });
    await page.getByText('Todo viene del servidor.').waitFor();
    expect(await others.isChecked()).toBe(false);
    await page.getByRole('button', { name: 'Reproducir' }).click();
    await page.getByText('del servidor.').first().waitFor();
    await others.check({ force: true });
    await page.getByText('en enlace con un oyente').waitFor();
    await page.getByRole('button', { name: 'Salir' }).click();
    await page.getByText('Un Aula es una sala de escucha.').waitFor();
    await page.getByLabel('Nombre del Aula').fill('no es un nombre');
    await page.getByRole('button', { name: 'Entrar' }).click();
    await page.getByText('Un nombre se forma con').waitFor();
  });

  it('shows what was kept from before, and plays another track at a click', async () => {
    const stage = await setStage();
    const page = await open(stage, 'lang=en');
    await page.getByRole('button', { name: /Lamplight/ }).click();
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0.5);
    await page.getByText('from the server').first().waitFor();
    // What is heard is written behind: nothing of it may be there yet.
    await until('something of it is kept', async () => (await keptChunks(page, LAMPLIGHT)) > 0);
    await page.reload();
    await page.getByRole('button', { name: /Lamplight/ }).click();
    await page
      .getByText(/MB kept here/)
      .first()
      .waitFor();
    await page.locator('#seek').focus();
    await page.keyboard.press('End');
    await page.waitForFunction(
      () =>
        document.querySelector('audio')?.ended === true ||
        (document.querySelector('audio')?.currentTime ?? 0) > 60,
    );
  });

  it('plays a track whose row is written anew while it is pressed', async () => {
    const stage = await setStage();
    const page = await open(stage, 'lang=en');
    const row = page.getByRole('button', { name: /Lamplight/ });
    await row.hover();
    await page.mouse.down();
    await page.evaluate(() => document.getElementById('language')?.click());
    await page.getByText('Biblioteca', { exact: true }).waitFor();
    await page.mouse.up();
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0.5);
    expect(await page.locator('h1').textContent()).toBe('Lamplight');
    expect(await row.getAttribute('aria-current')).toBe('true');
    expect(await page.locator('#library [aria-current]').count()).toBe(1);
  });

  it('plays though the button was pressed at the moment the track got its source', async () => {
    const stage = await setStage();
    const page = await open(stage, 'lang=en');
    await page.addInitScript(() => {
      const source = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'src');
      Object.defineProperty(HTMLMediaElement.prototype, 'src', {
        ...source,
        set(this: HTMLMediaElement, url: string) {
          document.querySelector<HTMLButtonElement>('#play')?.click();
          source?.set?.call(this, url);
        },
      });
    });
    await page.reload();
    await page.waitForFunction(() => (document.querySelector('audio')?.currentTime ?? 0) > 0.5);
  });

  it('says so when the server does not answer', async () => {
    const stage = await setStage();
    await stage.origin.close();
    const page = await open(stage, 'lang=en');
    await page.getByText('The server does not answer.').waitFor();
  });
});
