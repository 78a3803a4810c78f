import { afterEach, describe, expect, it } from 'vitest';
import type { FromCoreClock, ToCoreClock } from './core-clock-main.ts';
import { begunApart, lengthOf, monotonicMs, type Span } from './core-clock.ts';
import { pause } from './tracker-load.ts';
import { BenchChild } from './tracker-child.ts';

/** Longer than a busy machine keeps a program from its core by itself. */
const STOPPED_MS = 400;

let clock: BenchChild<ToCoreClock, FromCoreClock> | undefined;
afterEach(() => clock?.kill());

describe('a clock that is looked at', () => {
  it('tells when it could not be looked at', async () => {
    clock = new BenchChild('core-clock-main');
    const pid = clock.pid ?? 0;
    // It runs once it has answered.
    await clock.ask({ type: 'watch', forMs: 1 }, 'watched');
    const watched = clock.ask({ type: 'watch', forMs: 1_000 }, 'watched');
    await pause(200);
    process.kill(pid, 'SIGSTOP');
    const fromMs = monotonicMs();
    await pause(STOPPED_MS);
    const toMs = monotonicMs();
    process.kill(pid, 'SIGCONT');
    const { gaps } = await watched;
    expect(begunApart(gaps, [[(fromMs + toMs) / 2, toMs]])).toEqual([]);
    expect(Math.max(...gaps.map(lengthOf))).toBeGreaterThan(STOPPED_MS - 50);
    expect(gaps.every(([from, to]) => from < to)).toBe(true);
  });
});

describe('what begins about when a core stands still', () => {
  it('is left out, however long it takes, and nothing else', () => {
    const gaps: Span[] = [
      [10, 12],
      [20, 21],
    ];
    const apart: Span[] = [
      [1, 2],
      [1, 100],
      [9, 11],
      [12.5, 13],
      [18.9, 60],
    ];
    const about: Span[] = [
      [9.1, 9.2],
      [9.5, 100],
      [11, 11.5],
      [12.4, 12.5],
      [20.5, 22],
    ];
    expect(begunApart(gaps, [...apart, ...about])).toEqual(apart);
    expect(begunApart([], about)).toEqual(about);
  });
});
