import { describe, expect, it } from 'vitest';
import { lookAgainMs, UploadRate } from './upload-rate.ts';

describe('the rate of the own line', () => {
  it('is what leaves it while others wait', () => {
    const rate = new UploadRate();
    for (let ms = 0; ms <= 1_000; ms += 10) rate.left(1_250, true, ms);
    expect(rate.bytesPerMs).toBeCloseTo(125, 0);
    expect(rate.durationMs(12_500)).toBeCloseTo(100, 0);
  });

  it('says the least that bytes take by the best that was measured', () => {
    const rate = new UploadRate();
    expect(rate.leastMs(1e9)).toBe(0);
    for (let ms = 0; ms <= 1_000; ms += 10) rate.left(1_250, true, ms);
    for (let ms = 1_010; ms <= 2_000; ms += 10) rate.left(125, true, ms);
    expect(rate.leastMs(12_500)).toBeCloseTo(100, 0);
    expect(rate.durationMs(12_500)).toBeGreaterThan(500);
  });

  it('is not known while nobody waits', () => {
    const rate = new UploadRate();
    for (let ms = 0; ms <= 1_000; ms += 10) rate.left(1_250, false, ms);
    expect(rate.bytesPerMs).toBeUndefined();
    expect(rate.durationMs(1e9)).toBe(0);
  });
});

describe('a link that is sending', () => {
  it.each([
    [0, 10],
    [-20, 10],
    [39, 10],
    [40, 20],
    [99, 40],
    [100, 50],
    [1e9, 50],
  ])('which takes it %i ms at least is looked at after %i ms', (leastMs, againMs) => {
    expect(lookAgainMs(leastMs)).toBe(againMs);
  });
});
