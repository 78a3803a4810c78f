import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { HonestPairs, spawnTracker, type TrackerProcess } from './support/tracker-process.ts';

const ATTACKER = fileURLToPath(new URL('support/attacker.mjs', import.meta.url));
/** What an attack may cost at most, in bytes. */
const MAX_GROWTH_BYTES = 64 * 1_048_576;
/**
 * Below this, longer is nothing a listener would notice. Alone on two cores an attack costs 5 to 25 ms; beside
 * other tests, which share them with the attacker and the tracker, ten times that.
 */
const UNNOTICED_MS = 200;

let tracker: TrackerProcess;
beforeAll(async () => {
  tracker = await spawnTracker(['--log-level', 'warn']);
});
afterAll(async () => {
  tracker.kill('SIGTERM');
  await tracker.ended;
});

async function attack(kind: string): Promise<void> {
  const child = spawn(process.execPath, [ATTACKER, kind, tracker.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
}

describe('honest listeners are served', { retry: 2 }, () => {
  it.each([
    'announces',
    'tracks',
    'claims',
    'finds',
    'strangers',
    'joins',
    'hellos',
    'rubbish',
    'deep',
    'huge frames',
    'unfinished fragments',
    'pings and pongs',
    'empty fragments',
    'half-open sockets',
    'sockets without hello',
    'connects',
    'slow readers',
  ])('during a flood of %s', async (kind) => {
    const honest = await HonestPairs.start(tracker.url);
    const quietMs = await honest.p99Ms(700);
    const before = tracker.residentBytes();
    await attack(kind);
    const attackedMs = await honest.p99Ms(1_500);
    const grown = tracker.residentBytes() - before;
    console.log(
      `${kind}: p99 ${quietMs.toFixed(1)} → ${attackedMs.toFixed(1)} ms, ${(grown / 1_048_576).toFixed(0)} MB`,
    );
    expect(attackedMs).toBeLessThan(Math.max(2 * quietMs, UNNOTICED_MS));
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES);
    expect((await tracker.stats())['uptimeSeconds']).toBeGreaterThanOrEqual(0);
  });
});
