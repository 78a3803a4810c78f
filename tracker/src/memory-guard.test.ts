import { describe, expect, it } from 'vitest';
import { lookAgainMs, measureMemory, memoryState } from './memory-guard.ts';

const MB = 1_000_000;
const NONE = { residentBytes: 0, heapBytes: 0, externalBytes: 0, heapLimitBytes: 4_000 * MB };

describe('memory', () => {
  it.each([
    [80, 'ample'],
    [80.001, 'short'],
    [95, 'short'],
    [95.001, 'exhausted'],
    [300, 'exhausted'],
  ])('of %d MB of 100 is %s', (usedMB, state) => {
    const use = { ...NONE, residentBytes: usedMB * MB, heapBytes: usedMB * MB };
    expect(memoryState(use, 100)).toBe(state);
  });

  it('that the engine holds empty is room', () => {
    const use = { ...NONE, residentBytes: 99 * MB };
    expect(memoryState({ ...use, heapBytes: 10 * MB }, 100)).toBe('ample');
    expect(memoryState({ ...use, heapBytes: 10 * MB, residentBytes: 101 * MB }, 100)).toBe('short');
    expect(memoryState({ ...use, heapBytes: 10 * MB, externalBytes: 10 * MB }, 100)).toBe('short');
    expect(memoryState({ ...use, heapBytes: 20 * MB, externalBytes: 20 * MB }, 100)).toBe('exhausted');
  });

  it('without a limit is bounded by the engine’s own', () => {
    const use = { ...NONE, residentBytes: 9_000 * MB, heapLimitBytes: 100 * MB };
    expect(memoryState(use, 0)).toBe('ample');
    expect(memoryState({ ...use, heapBytes: 96 * MB }, 0)).toBe('exhausted');
  });

  it('is measured', () => {
    const { residentBytes, heapBytes, heapLimitBytes } = measureMemory();
    expect(residentBytes).toBeGreaterThan(heapBytes / 2);
    expect(heapLimitBytes).toBeGreaterThan(heapBytes);
  });
});

it('memory is looked at more often when little room is left, and as seldom as else without a limit', () => {
  const use = { residentBytes: 90e6, heapBytes: 20e6, externalBytes: 0, heapLimitBytes: 4e9 };
  expect([150, 120, 0].map((maxMemoryMB) => lookAgainMs(use, maxMemoryMB))).toEqual([100, 20, 100]);
});
