import { describe, expect, it } from 'vitest';
import { TransferCounts } from './transfer-counts.ts';

describe('counts of bytes', () => {
  it('are kept by where they came from', () => {
    const counts = new TransferCounts();
    counts.add('aula', 10, 0);
    counts.add('global', 20, 0);
    counts.add('origin', 30, 0);
    counts.add('cache', 40, 0);
    counts.add('aula', 1, 0);
    expect(counts.bytes).toEqual({ cache: 40, aula: 11, global: 20, origin: 30 });
  });
});

describe('the rate', () => {
  it('is 0 before anything came', () => {
    expect(new TransferCounts().bytesPerSecond(0)).toBe(0);
  });

  it('is that of a steady stream', () => {
    const counts = new TransferCounts();
    for (let now = 0; now <= 10_000; now += 50) counts.add('aula', 5_000, now);
    expect(counts.bytesPerSecond(10_000)).toBeGreaterThan(95_000);
    expect(counts.bytesPerSecond(10_000)).toBeLessThan(110_000);
  });

  it('of a first burst is taken over a second, not over an instant', () => {
    const counts = new TransferCounts();
    counts.add('aula', 100_000, 0);
    expect(counts.bytesPerSecond(1)).toBe(100_000);
  });

  it('falls to 0 three seconds after the last byte', () => {
    const counts = new TransferCounts();
    counts.add('origin', 9_000, 0);
    expect(counts.bytesPerSecond(3_000)).toBe(3_000);
    expect(counts.bytesPerSecond(3_001)).toBe(0);
  });

  it('leaves out what was kept from before', () => {
    const counts = new TransferCounts();
    counts.add('cache', 1e9, 0);
    expect(counts.bytesPerSecond(100)).toBe(0);
  });
});
