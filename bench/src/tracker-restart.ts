import { round } from './report.ts';
import { BenchChild } from './tracker-child.ts';
import { pause } from './tracker-load.ts';
import type { ServerProcess } from './tracker-bench.ts';
import type { FromServer, ToServer } from './tracker-messages.ts';
import type { FromListeners, ToListeners } from './tracker-restart-main.ts';

/** How listeners came back to a tracker that was killed. Times in seconds, from the kill. */
export interface RestartReport {
  readonly listeners: number;
  /** Listeners that noticed. */
  readonly lost: number;
  /** Share of listeners that were back within 15 s. */
  readonly backWithin15S: number;
  /** When 99 % were back. */
  readonly back99S: number;
  /** When the tracker listened again. */
  readonly listeningS: number;
  /** Most that came back in one second. */
  readonly peakPerS: number;
  /** Listeners that come back in a second if 99 % do so evenly over the 15 s they have. */
  readonly steadyPerS: number;
  /** Announcements a second of as many listeners in quiet times. */
  readonly announcesPerS: number;
}

const ALLOWED_S = 15;
/** Between two announcements of a listener, in seconds. */
const ANNOUNCE_INTERVAL_S = 25;
/** Listeners are started over this time, in milliseconds. */
const START_OVER_MS = 4_000;

/** Kills a tracker under so many listeners of the library, starts it again on its port, and sees them return. */
export async function measureRestart(listeners: number): Promise<RestartReport> {
  const first: ServerProcess = new BenchChild<ToServer, FromServer>('tracker-server-main');
  const second: ServerProcess = new BenchChild<ToServer, FromServer>('tracker-server-main');
  const crowd = new BenchChild<ToListeners, FromListeners>('tracker-restart-main');
  try {
    const { url, port } = await first.ask(
      { type: 'start', subject: 'sonantica', port: 0, rival: undefined },
      'listening',
    );
    const { up } = await crowd.ask(
      { type: 'start', url, count: listeners, overMs: START_OVER_MS },
      'started',
    );
    if (up < listeners) throw new Error(`only ${up} of ${listeners} listeners reached the tracker`);
    const watched = crowd.ask({ type: 'watch', forMs: (ALLOWED_S + 10) * 1_000 }, 'watched');
    await pause(50);
    const killedMs = performance.now();
    await first.kill();
    await second.ask({ type: 'start', subject: 'sonantica', port, rival: undefined }, 'listening');
    const listeningS = (performance.now() - killedMs) / 1_000;
    const { lost, backMs } = await watched;
    const sorted = backMs.map((ms) => ms - 50).sort((a, b) => a - b);
    const all99 = Math.ceil(0.99 * listeners);
    const perSecond = new Map<number, number>();
    for (const ms of sorted)
      perSecond.set(Math.floor(ms / 1_000), (perSecond.get(Math.floor(ms / 1_000)) ?? 0) + 1);
    return {
      listeners,
      lost,
      backWithin15S: round(sorted.filter((ms) => ms <= ALLOWED_S * 1_000).length / listeners, 4),
      back99S: round((sorted[all99 - 1] ?? Number.POSITIVE_INFINITY) / 1_000, 2),
      listeningS: round(listeningS, 2),
      peakPerS: Math.max(0, ...perSecond.values()),
      steadyPerS: round(all99 / ALLOWED_S, 1),
      announcesPerS: round(listeners / ANNOUNCE_INTERVAL_S, 1),
    };
  } finally {
    await Promise.all([first, second, crowd].map((child) => child.kill()));
  }
}
