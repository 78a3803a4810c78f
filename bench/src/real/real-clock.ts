import { VirtualClock } from '@sonantica/swarm/testing';
import type { PlayClock } from '../playback.ts';

/** The machine's time in milliseconds, the same in all its processes. */
export function machineMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * The machine's time since a moment, for players and shaped lines. What falls due runs in order, each as if at its own
 * time: a timer that fires late delays the first thing, not all that follow it, so that a line keeps its rate in a
 * busy process.
 */
export class RealClock implements PlayClock {
  readonly #epochMs: number;
  readonly #due = new VirtualClock();
  #isRunning = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  /** `epochMs`: when the run began, by {@link machineMs}. */
  constructor(epochMs: number) {
    this.#epochMs = epochMs;
  }

  nowMs(): number {
    return this.#isRunning ? this.#due.nowMs() : machineMs() - this.#epochMs;
  }

  schedule(delayMs: number, run: () => void): () => void {
    const cancel = this.#due.scheduleAt(this.nowMs() + Math.max(0, delayMs), run);
    if (!this.#isRunning) this.#arm();
    return cancel;
  }

  /** Resolves after this time, at once for 0. */
  pause(delayMs: number): Promise<void> {
    if (delayMs <= 0) return Promise.resolve();
    return new Promise((resolve) => void this.schedule(delayMs, resolve));
  }

  /** Nothing runs any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = Number.NEGATIVE_INFINITY;
  }

  #arm(): void {
    const atMs = this.#due.nextAtMs ?? Number.POSITIVE_INFINITY;
    if (atMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => this.#tick(), Math.max(0, atMs - (machineMs() - this.#epochMs)));
  }

  #tick(): void {
    const untilMs = machineMs() - this.#epochMs;
    this.#isRunning = true;
    try {
      this.#due.advanceTo(untilMs);
    } finally {
      this.#isRunning = false;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#arm();
    }
  }
}
