import { describe, expect, it } from 'vitest';
import type { Span } from './core-clock.ts';
import { signalFigures } from './tracker-attacked.ts';

/** A hundred signals, one every 10 ms, each of which takes as long as `tookMs` says. */
function signals(tookMs: (at: number) => number): Span[] {
  return Array.from({ length: 100 }, (_, i) => [i * 10, i * 10 + tookMs(i)] as const);
}

describe('the figures of signals', () => {
  it('are without those sent about when either core stood still', () => {
    const slow = new Map([
      [20, 7],
      [60, 9],
    ]);
    const sent = signals((at) => slow.get(at) ?? 1);
    const quiet = signalFigures([[], []], sent);
    expect(quiet).toMatchObject({ samples: 100, leftOut: 0, wholeP99: quiet.p99, stoodStillMs: 0 });
    expect(quiet.p99).toBeGreaterThan(1);
    const gaps: Span[][] = [[[200.1, 206]], [[600.2, 608]]];
    expect(signalFigures(gaps, sent)).toMatchObject({
      p50: 1,
      p99: 1,
      samples: 98,
      leftOut: expect.closeTo(0.02),
      wholeP99: quiet.p99,
      stoodStillMs: expect.closeTo(5.9),
    });
  });

  it('keep what took long while none did, be it that one did in the middle of it', () => {
    const sent = signals((at) => (at % 10 === 0 ? 50 : 1));
    expect(signalFigures([[[25, 26]], []], sent)).toMatchObject({ p99: 50, samples: 100 });
  });

  it('are none where a core stood still most of the time', () => {
    expect(() =>
      signalFigures(
        [[], [[0, 600]]],
        signals(() => 1),
      ),
    ).toThrow('stood still');
  });
});
