import { ATTACK_KINDS, measureAttacked, ONE_CORE_FLAGS } from '@sonantica/bench/tracker-attacked';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnTracker, type TrackerProcess } from './support/tracker-process.ts';

/** What an attack may cost at most, in megabytes. */
const MAX_GROWN_MB = 64;
/**
 * Below this, longer is nothing a listener would notice. On a quiet machine an attack costs 2 to 8 ms
 * (`sonantica-bench tracker-figures --only attack`); other programs on the cores of the tracker and of the listeners
 * that measure it add ten times that.
 */
const UNNOTICED_MS = 100;

let tracker: TrackerProcess;
beforeAll(async () => {
  tracker = await spawnTracker(['--log-level', 'warn'], {}, ONE_CORE_FLAGS);
});
afterAll(async () => {
  tracker.kill('SIGTERM');
  await tracker.ended;
});

describe('honest listeners are served', { retry: 2, timeout: 40_000 }, () => {
  it.each(ATTACK_KINDS)('during a flood of %s', async (kind) => {
    const { quietP99Ms, attackedP99Ms, grownMB } = await measureAttacked(kind, tracker, 1);
    console.log(`${kind}: p99 ${quietP99Ms} → ${attackedP99Ms} ms, ${grownMB} MB`);
    expect(attackedP99Ms).toBeLessThan(Math.max(2 * quietP99Ms, UNNOTICED_MS));
    expect(grownMB).toBeLessThan(MAX_GROWN_MB);
    expect((await tracker.stats())['uptimeSeconds']).toBeGreaterThanOrEqual(0);
  });
});
