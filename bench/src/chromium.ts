import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { Misuse } from './failure.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-gpu',
  '--mute-audio',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/** The Chromium of this machine, or the one `SONANTICA_CHROMIUM` names. Throws {@link Misuse} where there is none. */
export function findChromium(): string {
  const path = process.env['SONANTICA_CHROMIUM'] ?? CHROMIUM.find((each) => existsSync(each));
  if (path === undefined || !existsSync(path))
    throw new Misuse('Chromium is not installed: apt-get install chromium, or name it in SONANTICA_CHROMIUM');
  return path;
}

/**
 * Starts Chromium without a window, with further `flags`. All it writes lies in a temporary folder of its own, which
 * goes when the browser is closed, or when this process ends, however that happens.
 */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-bench-'));
  const letGo = removeWhenGone(folder);
  try {
    const browser = await withTemporaryFolder(folder, () =>
      chromium.launch({ executablePath, args: [...FLAGS, ...flags] }),
    );
    browser.once('disconnected', letGo);
    return browser;
  } catch (error) {
    letGo();
    throw error;
  }
}

/** Playwright and Chromium take the system's temporary folder; it is another one during `run`. */
async function withTemporaryFolder<T>(folder: string, run: () => Promise<T>): Promise<T> {
  const { TMPDIR: before } = process.env;
  process.env['TMPDIR'] = folder;
  try {
    return await run();
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

/**
 * A process that waits until its input ends, be it by the answer or because this process died, and removes the
 * folder, again and again for as long as a dying browser still writes there.
 */
function removeWhenGone(folder: string): () => void {
  const script = `
    const { rmSync } = require('node:fs');
    const remove = (left) => {
      try { rmSync(${JSON.stringify(folder)}, { recursive: true, force: true }); } catch {}
      if (left > 0) setTimeout(remove, 200, left - 1);
    };
    process.stdin.resume().once('close', () => remove(10));
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});`;
  const child = spawn(process.execPath, ['-e', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.unref();
  return () => child.stdin.destroy();
}
