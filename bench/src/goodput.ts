import { fork, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startTracker } from '@sonantica/tracker';
import { BLOCK_HEADER_BYTES, LIMITS } from '@sonantica/wire';
import { measureRawChannel } from './raw-channel.ts';
import { requireRtc } from './requirements.ts';

/** What the library sends on a near link of each stack, three blocks a frame where it is fast, and lets be outstanding at most. */
export const LINK_FRAMES = {
  wrtc: {
    frameBytes: BLOCK_HEADER_BYTES + LIMITS.maxBlocksInFrame * LIMITS.blockBytes,
    windowBytes: 196_608,
  },
  werift: { frameBytes: BLOCK_HEADER_BYTES + LIMITS.blockBytes, windowBytes: 65_536 },
} as const;
const PATIENCE_MS = 180_000;
const LAST_WORDS_MS = 500;

/** What is compared. */
export interface GoodputSettings {
  readonly rtc: 'wrtc' | 'werift';
  readonly megabytes: number;
  /** Pairs of runs, in turn. */
  readonly runs: number;
}

/** Rates in decimal megabytes a second, from the first block to the last. */
export interface GoodputReport {
  readonly rtc: 'wrtc' | 'werift';
  readonly rawMBps: number;
  readonly goodputMBps: number;
  /** Median of the pairwise ratios. */
  readonly ratio: number;
  readonly ratios: readonly number[];
}

/**
 * What a seeder that has proven its chunks gives a leecher, each in its own process, beside what a bare data channel carries between two processes
 * with the same stack, frame and window, in alternating runs.
 */
export async function measureGoodput({ rtc, megabytes, runs }: GoodputSettings): Promise<GoodputReport> {
  await requireRtc(rtc);
  const raw: number[] = [];
  const own: number[] = [];
  for (let run = 0; run < runs; run++) {
    raw.push((await measureRawChannel({ rtc, ...LINK_FRAMES[rtc], megabytes })).mbPerS);
    own.push(await measureOnce(rtc, megabytes));
  }
  const ratios = own.map((rate, i) => rate / (raw[i] ?? Number.NaN));
  return { rtc, rawMBps: median(raw), goodputMBps: median(own), ratio: median(ratios), ratios };
}

async function measureOnce(rtc: 'wrtc' | 'werift', megabytes: number): Promise<number> {
  const tracker = await startTracker({ port: 0 });
  let manifest: unknown;
  const origin = createServer((request, response) => {
    if (request.url === '/goodput.manifest.json' && manifest !== undefined)
      response.end(JSON.stringify(manifest));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  const children: ChildProcess[] = [];
  const start = (role: string) => {
    const file = new URL(
      import.meta.url.endsWith('.ts') ? '../dist/goodput-peer.js' : './goodput-peer.js',
      import.meta.url,
    );
    const child = fork(file, [role, rtc, tracker.url, `http://127.0.0.1:${port}`, String(megabytes)]);
    children.push(child);
    return child;
  };
  try {
    const seeder = start('seeder');
    manifest = (await answerOf(seeder)).manifest;
    await answerOf(seeder);
    const { mbPerS, originBytes } = await answerOf(start('leecher'));
    if (originBytes !== 0 || mbPerS === undefined)
      throw new Error('the origin gave what the seeder should have');
    return mbPerS;
  } finally {
    for (const child of children) child.kill('SIGKILL');
    origin.close();
    await tracker.close();
  }
}

interface Answer {
  readonly manifest?: unknown;
  readonly mbPerS?: number;
  readonly originBytes?: number;
}

function answerOf(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    child.once('message', (answer: Answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      // Its last words may still be in the pipe.
      setTimeout(() => reject(new Error(`a process ended with ${code}`)), LAST_WORDS_MS);
    });
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
