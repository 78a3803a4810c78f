import { describe, expect, it } from 'vitest';
import { measureMemory, memoryState } from './memory-guard.ts';

const MB = 1_000_000;

describe('memory', () => {
  it.each([
    [80, 'ample'],
    [80.001, 'short'],
    [95, 'short'],
    [95.001, 'exhausted'],
    [300, 'exhausted'],
  ])('of %d MB of 100 is %s', (usedMB, state) => {
    const use = { residentBytes: usedMB * MB, heapBytes: 0, heapLimitBytes: MB };
    expect(memoryState(use, 100)).toBe(state);
  });

  it('without a limit is bounded by the engine’s own', () => {
    const use = { residentBytes: 9_000 * MB, heapBytes: 0, heapLimitBytes: 100 * MB };
    expect(memoryState(use, 0)).toBe('ample');
    expect(memoryState({ ...use, heapBytes: 96 * MB }, 0)).toBe('exhausted');
  });

  it('is measured', () => {
    const { residentBytes, heapBytes, heapLimitBytes } = measureMemory();
    expect(residentBytes).toBeGreaterThan(heapBytes / 2);
    expect(heapLimitBytes).toBeGreaterThan(heapBytes);
  });
});
