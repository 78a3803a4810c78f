import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { spawnTracker } from './support/tracker-process.ts';

/** Every thread's nice value (proc(5), `stat`), the one that serves first. */
function nicesOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  return threads
    .sort((a, b) => Number(b === pid) - Number(a === pid))
    .map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    });
}

describe.skipIf(process.platform !== 'linux')("the engine's helpers", () => {
  it.each([
    [['--single-threaded-gc'], 10],
    [[], 0],
  ])(
    'of a tracker started with %j have the nice value %i above the one that serves',
    async (flags, above) => {
      const tracker = await spawnTracker([], {}, flags);
      const [serving = 0, ...helpers] = nicesOf(tracker.pid);
      tracker.kill('SIGTERM');
      await tracker.ended;
      expect(helpers.length).toBeGreaterThan(3);
      // Threads for files and names may have come later.
      expect(helpers.filter((nice) => nice - serving === above).length).toBeGreaterThanOrEqual(4);
      if (above === 0) expect(new Set(helpers)).toEqual(new Set([serving]));
    },
  );
});
