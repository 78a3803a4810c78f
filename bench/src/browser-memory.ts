import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { serveLibrary } from './browser-stage.ts';

const RATE = 96_000;
const BYTES_PER_SECOND = RATE * 2 * 3;
/** Played this many times as fast, or measuring would take a quarter of an hour. */
const PLAYBACK_RATE = 16;
const SAMPLE_MS = 500;

/** Memory of a browser, in decimal megabytes: the shares of all its processes, as Linux counts them (PSS). */
export interface PlayingMemory {
  readonly idleMB: number;
  readonly peakMB: number;
  /** How far the player came, in seconds of sound. */
  readonly playedSeconds: number;
}

/**
 * What a browser needs to play a long track to its end, beside the same page idle. Rejects where the system does not tell
 * the memory of processes.
 */
export async function measureMemory(
  browser: Browser,
  openPage: () => Promise<Page>,
  megabytes: number,
): Promise<PlayingMemory> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-bench-'));
  try {
    await writeSound(join(folder, 'long.wav'), megabytes);
    const served = await serveLibrary(Number.POSITIVE_INFINITY, folder);
    try {
      // The origin hashes the file once.
      await (await fetch(`${served.url}/long.manifest.json`)).arrayBuffer();
      const page = await openPage();
      await page.waitForTimeout(2_000);
      const idleMB = await memoryOf(browser);
      await page.evaluate(
        async ({ origin, rate }) => {
          const player = document.querySelector('audio');
          if (player === null) throw new Error('no player');
          const swarm = globalThis.sonantica.createSwarm({ origin, serviceWorker: '/sonantica-worker.js' });
          player.src = await swarm.open('long').url();
          player.muted = true;
          player.playbackRate = rate;
          await player.play();
        },
        { origin: served.url, rate: PLAYBACK_RATE },
      );
      let peakMB = 0;
      let playedSeconds = 0;
      const lastsMs = ((megabytes * 1e6) / BYTES_PER_SECOND / PLAYBACK_RATE) * 1_500;
      const untilMs = performance.now() + lastsMs;
      for (let isOver = false; !isOver && performance.now() < untilMs;) {
        await page.waitForTimeout(SAMPLE_MS);
        peakMB = Math.max(peakMB, await memoryOf(browser));
        const { ended, at, error } = await page.evaluate(() => {
          const player = document.querySelector('audio');
          return {
            ended: player?.ended ?? true,
            at: player?.currentTime ?? 0,
            error: player?.error?.message,
          };
        });
        if (error !== undefined) throw new Error(error);
        playedSeconds = at;
        isOver = ended;
      }
      await page.context().close();
      return { idleMB, peakMB, playedSeconds };
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
  for (const { id } of processInfo) {
    // One that has just ended has none.
    const rollup = await readFile(`/proc/${id}/smaps_rollup`, 'utf8').catch(() => '');
    kilobytes += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
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
