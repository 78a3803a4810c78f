import { constants, PerformanceObserver } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { collectInSmallPieces } from './young-collections.ts';

const TURNS = 600;
const KEPT_A_TURN = 500;

afterEach(() => collectInSmallPieces(false));

/** How often the young generation is collected while so many turns leave some 100 kB each behind. */
async function youngCollections(): Promise<number> {
  let young = 0;
  const observer = new PerformanceObserver((list) => {
    // A Node's entry has a detail, which its types leave out.
    for (const entry of list.getEntries())
      if (Reflect.get(entry, 'detail').kind === constants.NODE_PERFORMANCE_GC_MINOR) young++;
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let turn = 0; turn < TURNS; turn++) {
    Array.from({ length: KEPT_A_TURN }, (_, i) => ({ i, text: `${i}` }));
    await new Promise((passed) => setImmediate(passed));
  }
  await new Promise((passed) => setTimeout(passed, 10));
  observer.disconnect();
  return young;
}

describe('the young generation', () => {
  it('is collected in small pieces while it is to be, and then as usual', async () => {
    // What runs is compiled first.
    await youngCollections();
    const usual = await youngCollections();
    collectInSmallPieces(true);
    const small = await youngCollections();
    collectInSmallPieces(false);
    const again = await youngCollections();
    expect(small).toBeGreaterThan(3 * Math.max(1, usual));
    expect(again).toBeLessThan(small / 2);
  });
});
