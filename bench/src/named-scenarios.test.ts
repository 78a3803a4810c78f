import { describe, expect, it } from 'vitest';
import { NAMED_SCENARIOS } from './scenario-choice.ts';
import { DEFAULT_SCENARIO, type Scenario } from './scenario.ts';
import { observeSimulation, simulate } from './simulate.ts';
import { scenarioOf } from './swarm-flags.ts';

const NAMES = Object.keys(NAMED_SCENARIOS) as (keyof typeof NAMED_SCENARIOS)[];
const SMALL = { peers: 8, sizeMB: 1, joinSpreadS: 3 };

describe('a scenario by name', () => {
  it.each(NAMES)('%s runs in virtual time, and all complete', async (name) => {
    const { completed } = await simulate({ ...scenarioOf({}, 'sim', name), ...SMALL });
    expect(completed).toBeGreaterThanOrEqual(name === 'liars' ? 6 : 8);
  });
});

describe('listeners of many tracks', () => {
  const mixed: Scenario = { ...DEFAULT_SCENARIO, ...SMALL, tracks: 6, plays: 5, joinSpreadS: 20 };

  it('play them one after another, what they had already counting as their own', async () => {
    const { report, listeners } = await observeSimulation(mixed);
    const { bytes, stalls } = report;
    expect(stalls.plays).toBe(8 * 5);
    expect(bytes.origin + bytes.aula + bytes.global + bytes.cache).toBe(8 * 5 * 1_000_000);
    expect(bytes.cache).toBeGreaterThan(0);
    const playMs = 1_000_000 / (mixed.bitrateKbps / 8);
    for (const { plays } of listeners) {
      for (const [i, { openedMs }] of plays.entries()) {
        if (i > 0) expect(openedMs - (plays[i - 1]?.openedMs ?? 0)).toBeGreaterThanOrEqual(playMs);
      }
    }
  });

  it('cost the origin about one copy of each track that was played', async () => {
    const { report } = await observeSimulation(mixed);
    expect(report.originCopies).toBeGreaterThanOrEqual(1);
    expect(report.originCopies).toBeLessThan(3);
  });
});

describe('what is seen of a run', () => {
  it('is sampled each second and stops where it is told to', async () => {
    const stop = new AbortController();
    const record = await observeSimulation(
      { ...DEFAULT_SCENARIO, peers: 4, sizeMB: 4 },
      {
        stop: stop.signal,
        sample: ({ atMs }) => {
          if (atMs >= 10_000) stop.abort();
        },
      },
    );
    expect(record.isStopped).toBe(true);
    expect(record.samples.at(-1)?.atMs).toBeLessThan(12_000);
    expect(record.samples.length).toBeGreaterThanOrEqual(10);
    expect(record.report.completed).toBeLessThan(4);
    const total = record.transfers.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(total).toBe(record.listeners.reduce((sum, { receivedBlockBytes }) => sum + receivedBlockBytes, 0));
  });

  it('tells the death of the tracker and of the origin', async () => {
    const { events } = await observeSimulation(
      { ...DEFAULT_SCENARIO, ...SMALL, trackerDiesS: 1, originDiesS: 2 },
      { sample: () => {} },
    );
    expect(events.filter(({ what }) => what.endsWith('died'))).toEqual([
      { atMs: 1_000, what: 'tracker-died', who: 'tracker' },
      { atMs: 2_000, what: 'origin-died', who: 'origin' },
    ]);
  });
});
