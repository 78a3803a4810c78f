import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { BarePage } from './bare-page.ts';
import { serveLibrary } from './browser-stage.ts';

const RATE = 96_000;
const BYTES_PER_SECOND = RATE * 2 * 3;
/** The player listens for so long at one place and then goes on to the next, or measuring would take a quarter of an hour. */
const STAY_MS = 10_000;
const PLACES = 4;
const SAMPLE_MS = 500;

/** Memory of pages and their workers, in decimal megabytes: what their process has to itself, as Linux counts it (USS). */
export interface PlayingMemory {
  readonly idleMB: number;
  readonly peakMB: number;
  /** What was fetched of the track meanwhile. */
  readonly fetchedMB: number;
}

/**
 * What a page needs to play a long track, at many places from its beginning to its end, beside the same page idle. Rejects where the system does not tell
 * the memory of processes.
 */
export async function measureMemory(
  browser: Browser,
  pageUrl: string,
  megabytes: number,
): Promise<PlayingMemory> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-bench-'));
  try {
    await writeSound(join(folder, 'long.wav'), megabytes);
    const served = await serveLibrary(Number.POSITIVE_INFINITY, folder);
    try {
      // The origin hashes the file once.
      await (await fetch(`${served.url}/long.manifest.json`)).arrayBuffer();
      const page = await BarePage.open(browser, pageUrl, 'globalThis.sonantica !== undefined');
      await wait(2_000);
      const idleMB = await memoryOf(browser);
      await page.evaluate(`(async () => {
        const swarm = sonantica.createSwarm({ origin: ${JSON.stringify(served.url)}, serviceWorker: '/sonantica-worker.js' });
        globalThis.longTrack = swarm.open('long');
        const player = document.querySelector('audio');
        player.src = await longTrack.url();
        await player.play();
      })()`);
      let peakMB = 0;
      const seconds = (megabytes * 1e6) / BYTES_PER_SECOND;
      for (let place = 0; place < PLACES; place++) {
        await page.evaluate(
          `void (document.querySelector('audio').currentTime = ${(place * seconds) / PLACES})`,
        );
        for (let ms = 0; ms < STAY_MS; ms += SAMPLE_MS) {
          await wait(SAMPLE_MS);
          peakMB = Math.max(peakMB, await memoryOf(browser));
        }
        const error = await page.evaluate<string | undefined>(
          `document.querySelector('audio').error?.message`,
        );
        if (error !== undefined) throw new Error(error);
      }
      const fetchedMB = await page.evaluate<number>('longTrack.stats().bytes.origin / 1e6');
      await page.close();
      return { idleMB, peakMB, fetchedMB };
    } finally {
      served.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function memoryOf(browser: Browser): Promise<number> {
  const devtools = await browser.newBrowserCDPSession();
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  await devtools.detach();
  let kilobytes = 0;
  for (const { id, type } of processInfo) {
    if (type !== 'renderer') continue;
    // One that has just ended has none.
    const rollup = await readFile(`/proc/${id}/smaps_rollup`, 'utf8').catch(() => '');
    for (const [, own] of rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)) kilobytes += Number(own);
  }
  if (kilobytes === 0) throw new Error('this system does not tell the memory of processes');
  return (kilobytes * 1024) / 1e6;
}

/** A WAV file of noise that is the same each time. */
async function writeSound(path: string, megabytes: number): Promise<void> {
  const dataBytes = Math.floor((megabytes * 1e6) / 6) * 6;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(2, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(BYTES_PER_SECOND, 28);
  header.writeUInt16LE(6, 32);
  header.writeUInt16LE(24, 34);
  header.write('data', 36);
  header.writeUInt32LE(dataBytes, 40);
  const file = createWriteStream(path);
  file.write(header);
  let seed = createHash('sha512').update('noise').digest();
  for (let left = dataBytes; left > 0;) {
    const piece = Buffer.alloc(Math.min(left, 1_048_576), seed);
    seed = createHash('sha512').update(seed).digest();
    left -= piece.length;
    if (!file.write(piece)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
}
