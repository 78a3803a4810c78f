import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RATES, PeerMeter, perMinute, spend, type TrackerRates } from './rate-limit.ts';

describe('a rate', () => {
  it('allows its burst at once, then one in each interval', () => {
    const rate = { perMinute: 60, burst: 3 };
    let untilMs = 0;
    for (let i = 0; i < 3; i++) {
      untilMs = spend(rate, untilMs, 500);
      expect(untilMs).toBeGreaterThan(0);
    }
    expect(spend(rate, untilMs, 500)).toBe(-1_000);
    expect(spend(rate, untilMs, 1_499)).toBe(-1);
    expect(spend(rate, untilMs, 1_500)).toBeGreaterThan(0);
  });

  it('of 0 allows everything', () => {
    for (let i = 0; i < 1_000; i++) expect(spend(perMinute(0), 0, 0)).toBe(0);
  });

  it('never lets through more than its burst and its share of the time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 200 }),
        (times, burst, gaps) => {
          const rate = { perMinute: times, burst };
          let [nowMs, untilMs, passed] = [0, 0, 0];
          for (const gap of gaps) {
            nowMs += gap;
            const next = spend(rate, untilMs, nowMs);
            if (next < 0) continue;
            untilMs = next;
            passed++;
          }
          expect(passed).toBeLessThanOrEqual(burst + (nowMs * times) / 60_000 + 1e-6);
        },
      ),
    );
  });
});

describe('a meter', () => {
  it('keeps the kinds apart', () => {
    const rates: TrackerRates = { ...DEFAULT_RATES, signals: perMinute(1), others: perMinute(2) };
    const meter = new PeerMeter();
    expect(meter.wait('signals', rates, 0)).toBe(0);
    expect(meter.wait('signals', rates, 0)).toBe(60_000);
    expect(meter.wait('others', rates, 0)).toBe(0);
    expect(meter.wait('claims', rates, 0)).toBe(0);
  });
});
