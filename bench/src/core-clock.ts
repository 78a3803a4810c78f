import type { FromCoreClock, ToCoreClock } from './core-clock-main.ts';
import { BenchChild } from './tracker-child.ts';
import { keepOnCore, lookFirst } from './tracker-cores.ts';

/** From when to when, in milliseconds of {@link monotonicMs}. */
export type Span = readonly [fromMs: number, toMs: number];

/** How often the clock is looked at, in milliseconds. */
const LOOK_EVERY_MS = 0.5;
/** Later than this is a gap, in milliseconds: looking itself is up to 0.1 late. */
const LATE_MS = 0.3;
/** What begins so shortly before a gap may be under way when it comes, and is seen up to one look late. In milliseconds. */
const BEFORE_GAP_MS = 1;
/** What was held up is dealt with this long after a gap, in milliseconds. */
const AFTER_GAP_MS = 0.5;
const NS_PER_MS = 1e6;

/** Milliseconds of a clock that all processes of a machine share and nobody sets. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / NS_PER_MS;
}

/** Sleeps and wakes for a time, without ever giving way to this process' own events; answers the gaps it saw. */
export function watchClock(forMs: number): Span[] {
  const gaps: Span[] = [];
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  const untilMs = monotonicMs() + forMs;
  for (let lastMs = monotonicMs(); lastMs < untilMs;) {
    Atomics.wait(nobodyWakes, 0, 0, LOOK_EVERY_MS);
    const nowMs = monotonicMs();
    if (nowMs - lastMs > LOOK_EVERY_MS + LATE_MS) gaps.push([lastMs + LOOK_EVERY_MS, nowMs]);
    lastMs = nowMs;
  }
  return gaps;
}

/** How long it is, in milliseconds. */
export function lengthOf([fromMs, toMs]: Span): number {
  return toMs - fromMs;
}

/**
 * The spans that began apart from all gaps. What counts is when they began, not how long they took: else what takes long
 * for another reason would meet a gap the sooner, and be left out for it.
 */
export function begunApart(gaps: readonly Span[], spans: readonly Span[]): Span[] {
  return spans.filter(
    ([from]) =>
      !gaps.some(([gapFrom, gapTo]) => from > gapFrom - BEFORE_GAP_MS && from < gapTo + AFTER_GAP_MS),
  );
}

/**
 * A clock on each of some cores that is looked at before everything else there: what it misses no program could have
 * done in that time, since the machine did not run it, or its kernel let nobody in.
 */
export class CoreClocks {
  readonly #clocks: readonly BenchChild<ToCoreClock, FromCoreClock>[];

  /** Whether the system lets them come before all others. */
  readonly areFirst: boolean;

  constructor(cores: readonly number[]) {
    this.#clocks = cores.map(
      () => new BenchChild<ToCoreClock, FromCoreClock>('core-clock-main', ['--single-threaded-gc']),
    );
    this.areFirst = this.#clocks.every(
      ({ pid }, i) => pid !== undefined && keepOnCore(pid, cores[i] ?? 0) && lookFirst(pid),
    );
  }

  /**
   * For each core the times within the next `forMs` in which it stood still: the machine's own pauses, those of the
   * kernel. None is known where the clocks are not first.
   */
  async watch(forMs: number): Promise<Span[][]> {
    if (!this.areFirst) return this.#clocks.map(() => []);
    const watched = await Promise.all(
      this.#clocks.map((clock) => clock.ask({ type: 'watch', forMs }, 'watched')),
    );
    return watched.map(({ gaps }) => [...gaps]);
  }

  async kill(): Promise<void> {
    await Promise.all(this.#clocks.map((clock) => clock.kill()));
  }
}
