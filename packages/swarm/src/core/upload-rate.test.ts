import { describe, expect, it } from 'vitest';
import { UploadRate } from './upload-rate.ts';

describe('the rate of the own line', () => {
  it('is what leaves it while others wait', () => {
    const rate = new UploadRate();
    for (let ms = 0; ms <= 1_000; ms += 10) rate.left(1_250, true, ms);
    expect(rate.bytesPerMs).toBeCloseTo(125, 0);
    expect(rate.durationMs(12_500)).toBeCloseTo(100, 0);
  });

  it('is not known while nobody waits', () => {
    const rate = new UploadRate();
    for (let ms = 0; ms <= 1_000; ms += 10) rate.left(1_250, false, ms);
    expect(rate.bytesPerMs).toBeUndefined();
    expect(rate.durationMs(1e9)).toBe(0);
  });
});
