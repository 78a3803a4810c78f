import { describe, expect, it } from 'vitest';
import { blockTimeoutMs, SourceHealth } from './source-health.ts';

describe('the time-out of a block', () => {
  it.each([
    [0, 500],
    [100, 500],
    [166, 500],
    [167, 501],
    [400, 1_200],
  ])('with a round trip of %i ms is %i ms', (roundTripMs, timeoutMs) => {
    expect(blockTimeoutMs(roundTripMs)).toBe(timeoutMs);
  });
});

describe('a silent source', () => {
  it('is left alone for one second, then twice as long each time, at most a minute', () => {
    const health = new SourceHealth();
    const pauses = Array.from({ length: 9 }, (_, i) => snub(health, i * 1e6));
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
  });

  it('begins anew with one second after it delivered', () => {
    const health = new SourceHealth();
    for (let i = 0; i < 5; i++) health.timedOut(0);
    health.delivered();
    expect(snub(health, 1e6)).toBe(1_000);
  });

  it('is not asked earlier because it delivered something', () => {
    const health = new SourceHealth();
    health.timedOut(0);
    health.delivered();
    expect(health.usable(999)).toBe(false);
  });
});

describe('a pause', () => {
  it('never shortens a longer one', () => {
    const health = new SourceHealth();
    health.pause(5_000, 0);
    health.pause(1_000, 100);
    expect(health.usable(4_999)).toBe(false);
    expect(health.usable(5_000)).toBe(true);
  });
});

describe('a liar', () => {
  it('is never usable again, whatever it delivers', () => {
    const health = new SourceHealth();
    expect(health.banned).toBe(false);
    health.lied();
    health.delivered();
    expect(health.banned).toBe(true);
    expect(health.usable(1e12)).toBe(false);
  });
});

/** How long one more silence at `nowMs` keeps a source from being asked. */
function snub(health: SourceHealth, nowMs: number): number {
  expect(health.usable(nowMs)).toBe(true);
  health.timedOut(nowMs);
  for (let pauseMs = 0; ; pauseMs += 500) if (health.usable(nowMs + pauseMs)) return pauseMs;
}
