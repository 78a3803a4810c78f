import { describe, expect, it } from 'vitest';
import { UploadPace } from './upload-pace.ts';

describe('the pace of giving', () => {
  it('is that of the line unless the listener says otherwise', () => {
    const pace = new UploadPace();
    for (let i = 0; i < 100; i++) expect(pace.reserve(1_000_000, 0)).toBe(0);
  });

  it('lets the first bytes go at once, and each of the next when those before it would have left', () => {
    const pace = new UploadPace();
    pace.setLimit(800);
    expect([0, 0, 50, 300].map((nowMs) => pace.reserve(10_000, nowMs))).toEqual([0, 100, 150, 0]);
    expect(pace.reserve(10_000, 5_000)).toBe(0);
    expect(pace.reserve(10_000, 5_000)).toBe(100);
  });

  it('is taken anew when the listener changes it', () => {
    const pace = new UploadPace();
    pace.setLimit(8);
    pace.reserve(1_000_000, 0);
    pace.setLimit(8_000);
    expect([pace.reserve(1_000, 1), pace.reserve(1_000, 1)]).toEqual([0, 1]);
    pace.setLimit(undefined);
    expect(pace.reserve(1_000_000, 1)).toBe(0);
  });
});
