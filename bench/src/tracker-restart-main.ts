import { createHash } from 'node:crypto';
import { createSwarm, type Swarm } from '@sonantica/swarm';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { toBase64, type ManifestJson } from '@sonantica/wire';
import { answer } from './tracker-child.ts';
import { pause } from './tracker-load.ts';

// Listeners of the library, each with a tracker client of its own, in one process. All hold the whole of one
// small track, so none of them links to another: what is seen is how they come back to a tracker.

/** What the bench tells the listeners. */
export type ToListeners =
  | { readonly type: 'start'; readonly url: string; readonly count: number; readonly overMs: number }
  /** Watch from now on, until all are back or the time is over. */
  | { readonly type: 'watch'; readonly forMs: number };

/** What they answer. Times in milliseconds from the beginning of the watch. */
export type FromListeners =
  | { readonly type: 'started'; readonly up: number }
  | { readonly type: 'watched'; readonly lost: number; readonly backMs: readonly number[] };

const swarms: Swarm[] = [];
let lost = 0;
let backMs: number[] = [];
let watchedFromMs = 0;

answer<ToListeners, FromListeners>(async (message) => {
  if (message.type === 'start') {
    await start(message.url, message.count, message.overMs);
    return { type: 'started', up: swarms.filter((swarm) => swarm.stats().trackerUp).length };
  }
  lost = 0;
  backMs = [];
  watchedFromMs = performance.now();
  const untilMs = watchedFromMs + message.forMs;
  while (performance.now() < untilMs && backMs.length < swarms.length) await pause(50);
  return { type: 'watched', lost, backMs };
});

/** Starts listeners evenly over `overMs`. */
async function start(url: string, count: number, overMs: number): Promise<void> {
  const bytes = Buffer.alloc(16_384, 'sonantica');
  const hash = createHash('sha256').update(bytes).digest();
  const document: ManifestJson = {
    version: 1,
    trackId: 'restart',
    size: bytes.length,
    chunkSize: 262_144,
    mime: 'audio/flac',
    root: hash.toString('hex'),
    chunks: toBase64(hash),
    sha256: hash.toString('hex'),
  };
  const rtc = await loadNodeRtc('werift');
  const startMs = performance.now();
  for (let i = 0; i < count; i++) {
    const waitMs = startMs + (i / count) * overMs - performance.now();
    if (waitMs > 1) await pause(waitMs);
    const swarm = createSwarm({ tracker: url, rtc, logger: () => {} });
    swarm.on('tracker', ({ up }) => {
      if (up) backMs.push(performance.now() - watchedFromMs);
      else lost++;
    });
    await swarm.seed(document, () => Promise.resolve(new Uint8Array(bytes)));
    swarms.push(swarm);
  }
  const untilMs = performance.now() + 5_000;
  while (performance.now() < untilMs && swarms.some((swarm) => !swarm.stats().trackerUp)) await pause(50);
}
