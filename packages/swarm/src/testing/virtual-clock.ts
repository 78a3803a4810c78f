import type { Clock } from '../core/env.ts';

/** Takes back something that was scheduled. Harmless once it ran. */
export type Cancel = () => void;

interface Entry {
  readonly atMs: number;
  /** Breaks ties: what was scheduled first runs first. */
  readonly order: number;
  run: (() => void) | undefined;
}

/** 1 January 2026, UTC: where the wall clock stands unless told otherwise. */
const DEFAULT_WALL_MS = Date.UTC(2026, 0, 1);

/** Cancelled entries are swept out of the heap once there are this many and they are the majority. */
const SWEEP_FROM = 1024;

/**
 * Time that moves only when a test or a simulator moves it. What was scheduled runs in order of its time,
 * and in order of scheduling where times are equal, so a run can be repeated exactly. Scheduling and
 * running cost O(log n).
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  #cancelled = 0;
  #heap: Entry[] = [];

  constructor(wallMs: number = DEFAULT_WALL_MS) {
    this.#wallOffsetMs = wallMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  /** Moves the wall clock by `byMs`, which may be negative, as a user or NTP would. Nothing runs. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Number of things waiting to run. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** When the next thing runs, in the time of {@link nowMs}, or `undefined` when nothing waits. */
  get nextAtMs(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.atMs;
  }

  /** Runs `run` in `delayMs` from now; negative delays count as 0. */
  schedule(delayMs: number, run: () => void): Cancel {
    return this.scheduleAt(this.#nowMs + delayMs, run);
  }

  /** Runs `run` at a moment of {@link nowMs}; one that has passed counts as now. Never runs at once. */
  scheduleAt(atMs: number, run: () => void): Cancel {
    if (Number.isNaN(atMs)) throw new RangeError('a time is a number');
    const entry: Entry = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, run };
    this.#push(entry);
    return () => {
      if (entry.run === undefined) return;
      entry.run = undefined;
      this.#cancelled++;
      if (this.#cancelled >= SWEEP_FROM && this.#cancelled * 2 > this.#heap.length) this.#sweep();
    };
  }

  /** Runs the next thing, moving the time to it. Answers whether there was one. */
  step(): boolean {
    this.#dropCancelled();
    const entry = this.#pop();
    if (entry === undefined) return false;
    this.#nowMs = entry.atMs;
    const { run } = entry;
    entry.run = undefined;
    run?.();
    return true;
  }

  /** Moves the time by `byMs`, running all that falls due, also what is scheduled meanwhile. */
  advance(byMs: number): void {
    this.advanceTo(this.#nowMs + byMs);
  }

  /** Moves the time to a moment of {@link nowMs}; one that has passed moves nothing. */
  advanceTo(atMs: number): void {
    for (let next = this.nextAtMs; next !== undefined && next <= atMs; next = this.nextAtMs) this.step();
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  /**
   * As {@link advance}, but lets promises settle before the first thing, after each and at the end, so that
   * code which awaits can schedule in time. Real I/O is not waited for.
   */
  async advanceAsync(byMs: number): Promise<void> {
    const atMs = this.#nowMs + byMs;
    await settlePromises();
    for (let next = this.nextAtMs; next !== undefined && next <= atMs; next = this.nextAtMs) {
      this.step();
      await settlePromises();
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.run === undefined) {
      this.#pop();
      this.#cancelled--;
    }
  }

  #sweep(): void {
    const live = this.#heap.filter((entry) => entry.run !== undefined);
    live.sort((a, b) => (runsBefore(a, b) ? -1 : 1));
    this.#heap = live;
    this.#cancelled = 0;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || runsBefore(parent, entry)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      const left = heap[at * 2 + 1];
      const right = heap[at * 2 + 2];
      if (left === undefined) break;
      const rightFirst = right !== undefined && runsBefore(right, left);
      const least = rightFirst ? right : left;
      if (runsBefore(last, least)) break;
      heap[at] = least;
      at = at * 2 + (rightFirst ? 2 : 1);
    }
    heap[at] = last;
    return top;
  }
}

function runsBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** A message through a channel arrives after every promise that can settle has settled. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
