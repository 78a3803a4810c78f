import type { Clock } from '../core/env.ts';

/** Takes back something that was scheduled. Harmless once it ran. */
export type Cancel = () => void;

/** Something that runs when it falls due. */
export interface Task {
  run(): void;
  /** Whether it was taken back; what never is need not say so. */
  readonly isOver?: boolean;
}

/** Something that may be taken back before it runs. */
class Scheduled implements Task {
  #run: (() => void) | undefined;

  constructor(run: () => void) {
    this.#run = run;
  }

  get isOver(): boolean {
    return this.#run === undefined;
  }

  run(): void {
    const run = this.#run;
    this.#run = undefined;
    run?.();
  }

  takeBack(): void {
    this.#run = undefined;
  }
}

/** 1 January 2026, UTC: where the wall clock stands unless told otherwise. */
const DEFAULT_WALL_MS = Date.UTC(2026, 0, 1);

/** Cancelled entries are swept out of the heap once there are this many and they are the majority. */
const SWEEP_FROM = 1024;
/** Children of a place in the heap: four lie side by side, and the heap is half as deep as with two. */
const CHILDREN = 4;
const FIRST_ROOM = 1024;

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
  /** A heap in three arrays: when each entry runs, what breaks ties (what was scheduled first runs first), and what does. */
  #times = new Float64Array(FIRST_ROOM);
  #orders = new Float64Array(FIRST_ROOM);
  #entries: Task[] = [];

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
    return this.#entries.length - this.#cancelled;
  }

  /** When the next thing runs, in the time of {@link nowMs}, or `undefined` when nothing waits. */
  get nextAtMs(): number | undefined {
    this.#dropCancelled();
    return this.#entries.length === 0 ? undefined : this.#times[0];
  }

  /** Runs `run` in `delayMs` from now; negative delays count as 0. */
  schedule(delayMs: number, run: () => void): Cancel {
    return this.scheduleAt(this.#nowMs + delayMs, run);
  }

  /** Runs `run` at a moment of {@link nowMs}; one that has passed counts as now. Never runs at once. */
  scheduleAt(atMs: number, run: () => void): Cancel {
    const scheduled = new Scheduled(run);
    this.#push(atMs, scheduled);
    return () => {
      if (scheduled.isOver) return;
      scheduled.takeBack();
      this.#cancelled++;
      if (this.#cancelled >= SWEEP_FROM && this.#cancelled * 2 > this.#entries.length) this.#sweep();
    };
  }

  /** As {@link schedule}, for what is never taken back: `task` itself waits, with nothing around it. */
  post(delayMs: number, task: Task): void {
    this.#push(this.#nowMs + delayMs, task);
  }

  /** Runs the next thing, moving the time to it. Answers whether there was one. */
  step(): boolean {
    this.#dropCancelled();
    const atMs = this.#times[0] ?? this.#nowMs;
    const entry = this.#pop();
    if (entry === undefined) return false;
    this.#nowMs = atMs;
    entry.run();
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
    while (this.#entries[0]?.isOver === true) {
      this.#pop();
      this.#cancelled--;
    }
  }

  #sweep(): void {
    const [times, orders, entries] = [this.#times.slice(), this.#orders.slice(), this.#entries];
    const at = (index: number) => times[index] ?? 0;
    const live = [...entries.keys()].filter((index) => entries[index]?.isOver !== true);
    live.sort((a, b) => at(a) - at(b) || (orders[a] ?? 0) - (orders[b] ?? 0));
    // What is sorted is a heap.
    this.#entries = [];
    for (const index of live) {
      const entry = entries[index];
      if (entry !== undefined) this.#put(this.#entries.length, at(index), orders[index] ?? 0, entry);
    }
    this.#cancelled = 0;
  }

  #put(place: number, atMs: number, order: number, entry: Task): void {
    this.#times[place] = atMs;
    this.#orders[place] = order;
    this.#entries[place] = entry;
  }

  #push(when: number, entry: Task): void {
    if (Number.isNaN(when)) throw new RangeError('a time is a number');
    const atMs = Math.max(when, this.#nowMs);
    let place = this.#entries.length;
    if (place === this.#times.length) {
      this.#times = twiceAsLong(this.#times);
      this.#orders = twiceAsLong(this.#orders);
    }
    const [times, orders, entries] = [this.#times, this.#orders, this.#entries];
    entries.push(entry);
    while (place > 0) {
      const above = (place - 1) >> 2;
      const aboveMs = times[above] ?? 0;
      // What was scheduled before comes first where times are equal.
      if (aboveMs <= atMs) break;
      times[place] = aboveMs;
      orders[place] = orders[above] ?? 0;
      entries[place] = entries[above] ?? entry;
      place = above;
    }
    this.#put(place, atMs, this.#order++, entry);
  }

  #pop(): Task | undefined {
    const [times, orders, entries] = [this.#times, this.#orders, this.#entries];
    const top = entries[0];
    const last = entries.pop();
    const length = entries.length;
    if (top === undefined || last === undefined || length === 0) return top;
    const lastMs = times[length] ?? 0;
    const lastOrder = orders[length] ?? 0;
    let place = 0;
    for (;;) {
      const first = place * CHILDREN + 1;
      if (first >= length) break;
      let least = first;
      let leastMs = times[first] ?? 0;
      for (let child = first + 1; child < Math.min(first + CHILDREN, length); child++) {
        const childMs = times[child] ?? 0;
        if (childMs > leastMs || (childMs === leastMs && (orders[child] ?? 0) > (orders[least] ?? 0)))
          continue;
        least = child;
        leastMs = childMs;
      }
      if (lastMs < leastMs || (lastMs === leastMs && lastOrder < (orders[least] ?? 0))) break;
      times[place] = leastMs;
      orders[place] = orders[least] ?? 0;
      entries[place] = entries[least] ?? last;
      place = least;
    }
    this.#put(place, lastMs, lastOrder, last);
    return top;
  }
}

function twiceAsLong(numbers: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(2 * numbers.length);
  longer.set(numbers);
  return longer;
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
