import { existsSync } from 'node:fs';
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

/** Starts Chromium without a window, with further `flags`. */
export function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: [...FLAGS, ...flags] });
}
