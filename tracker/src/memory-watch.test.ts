import { describe, expect, it } from 'vitest';
import { measureMemory } from './memory-guard.ts';
import { collectGarbage, MemoryWatch } from './memory-watch.ts';

const MB = 1_000_000;

/** A process of 100 MB with so much in use and so much that nothing refers to any more, in megabytes. */
function place(tookMs = 0) {
  const process = { usedMB: 0, deadMB: 0, nowMs: 0, collections: 0 };
  const watch = new MemoryWatch({
    maxMemoryMB: 100,
    nowMs: () => process.nowMs,
    measure: () => ({
      residentBytes: (process.usedMB + process.deadMB) * MB,
      heapBytes: process.usedMB * MB,
      externalBytes: process.deadMB * MB,
      heapLimitBytes: 4_000 * MB,
    }),
    collect: () => {
      process.collections++;
      process.deadMB = 0;
      process.nowMs += tookMs;
    },
  });
  return { process, watch };
}

describe('the memory watch', () => {
  it('calls nothing short that a collection frees', () => {
    const { process, watch } = place();
    Object.assign(process, { usedMB: 20, deadMB: 79 });
    expect(watch.look()).toEqual({ state: 'ample', againMs: 100 });
    expect(process.collections).toBe(1);
  });

  it.each([
    [81, 'short'],
    [96, 'exhausted'],
  ])('calls %d MB of 100 that stay in use %s', (usedMB, state) => {
    const { process, watch } = place();
    Object.assign(process, { usedMB, deadMB: 10 });
    expect(watch.look()).toEqual({ state, againMs: 20 });
  });

  it('collects nothing while there is room', () => {
    const { process, watch } = place();
    Object.assign(process, { usedMB: 20, deadMB: 60 });
    expect(watch.look().state).toBe('ample');
    expect(process.collections).toBe(0);
  });

  it('collects every two seconds at most', () => {
    const { process, watch } = place();
    process.usedMB = 99;
    for (; process.nowMs < 10_000; process.nowMs += 20) watch.look();
    expect(process.collections).toBe(5);
  });

  it('spends no more than a fiftieth of its time on collections that take long', () => {
    const { process, watch } = place(200);
    process.usedMB = 99;
    for (; process.nowMs < 40_000; process.nowMs += 20) watch.look();
    expect(process.collections).toBe(4);
  });
});

it('what nothing refers to is freed at once', () => {
  const external = () => measureMemory().externalBytes;
  const before = external();
  (() => {
    const kept = Array.from({ length: 20 }, () => Buffer.alloc(MB));
    expect(external() - before).toBeGreaterThan(kept.length * 0.9 * MB);
  })();
  collectGarbage();
  expect(external() - before).toBeLessThan(2 * MB);
});
