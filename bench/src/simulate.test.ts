import { describe, expect, it } from 'vitest';
import { DEFAULT_SCENARIO, POLICIES, type Scenario } from './scenario.ts';
import { observeSimulation, simulate } from './simulate.ts';

const QUICK: Scenario = { ...DEFAULT_SCENARIO, peers: 6, sizeMB: 3, joinSpreadS: 5 };

const exactly = (value: number) => ({ least: value, most: value });

describe('a simulated swarm', () => {
  it('gives the same report for the same seed, to the byte', async () => {
    const scenario = { ...QUICK, rttMs: { least: 20, most: 200 }, liars: 0.34, connectSuccess: 0.8 };
    const first = JSON.stringify(await simulate(scenario));
    expect(JSON.stringify(await simulate(scenario))).toBe(first);
    expect(JSON.stringify(await simulate({ ...scenario, seed: 2 }))).not.toBe(first);
  });

  it('delivers to every listener the whole track, each byte from one tier', async () => {
    const { completed, bytes, badBytesDelivered, originCopies, stalls } = await simulate(QUICK);
    expect(completed).toBe(6);
    expect(bytes.origin + bytes.aula + bytes.global + bytes.cache).toBe(6 * 3_000_000);
    expect(badBytesDelivered).toBe(0);
    expect(originCopies).toBeLessThan(6);
    expect(stalls.stalledPlays).toBe(0);
  });

  it('counts what liars sent as wasted, and passes none of it on', async () => {
    const { completed, bytes, bannedLiars, bannedHonest, badBytesDelivered } = await simulate({
      ...QUICK,
      peers: 9,
      liars: 0.34,
    });
    expect(completed).toBe(6);
    expect(bytes.origin + bytes.aula + bytes.global).toBe(6 * 3_000_000);
    expect(bytes.wasted).toBeGreaterThan(0);
    expect(bannedLiars).toBe(3);
    expect(bannedHonest).toBe(0);
    expect(badBytesDelivered).toBe(0);
  });
});

describe('a room of more than a listener has links', () => {
  it('has a place for everybody who comes', async () => {
    const { completed, originCopies, stalls } = await simulate({
      ...QUICK,
      peers: 24,
      sizeMB: 6,
      joinSpreadS: 12,
      links: 8,
    });
    expect(completed).toBe(24);
    expect(stalls.stalledPlays).toBe(0);
    // One copy, and a head each: 1.4. Where the first nine fill each other’s places it is 3.2.
    expect(originCopies).toBeLessThan(1.7);
  }, 60_000);
});

describe('another policy', () => {
  it.each(POLICIES)('delivers all the same: %s', async (policy) => {
    const { completed, badBytesDelivered } = await simulate({ ...QUICK, policy });
    expect(completed).toBe(6);
    expect(badBytesDelivered).toBe(0);
  });

  it('leads to other swarms', async () => {
    const scenario = { ...QUICK, sizeMB: 6, peers: 5 };
    const reports = new Set<string>();
    for (const policy of POLICIES) reports.add(JSON.stringify(await simulate({ ...scenario, policy })));
    expect(reports.size).toBe(POLICIES.length);
  });
});

describe('the simulated network', () => {
  it('takes size over bandwidth and three round trips for one listener on plain HTTP, within 2 %', async () => {
    const report = await simulate({
      ...QUICK,
      peers: 1,
      policy: 'http-only',
      peerDownKbps: exactly(8_000),
      rttMs: exactly(100),
    });
    const expectedS = 3_000_000 / 1_000_000 + 3 * 0.1;
    expect(report.completionS.max).toBeGreaterThan(expectedS * 0.98);
    expect(report.completionS.max).toBeLessThan(expectedS * 1.02);
    expect(report.startMs.p50).toBeGreaterThan((300 + 98.304) * 0.98);
    expect(report.startMs.p50).toBeLessThan((300 + 98.304) * 1.06);
  });

  it('shares the origin’s line equally', async () => {
    const report = await simulate({
      ...QUICK,
      peers: 4,
      joinSpreadS: 0,
      policy: 'http-only',
      originUpKbps: 8_000,
      peerDownKbps: exactly(1_000_000),
    });
    expect(report.completionS.max).toBeGreaterThan(12.1);
    expect(report.completionS.max).toBeLessThan(12.4);
    expect(report.completionS.max - report.completionS.p50).toBeLessThan(0.1);
  });
});

describe('links that come up one after another', () => {
  it('are made as many in a second as are said, whoever gave up while it waited', async () => {
    const scenario = { ...QUICK, peers: 30, sizeMB: 6, joinSpreadS: 0, links: 8, linksPerS: 3 };
    const { samples } = await observeSimulation(scenario, { sample: () => undefined });
    const after = (seconds: number) => samples[seconds - 1]?.links ?? Number.NaN;
    // Attempts are given up after 15 seconds; those that wait behind them come the sooner.
    expect(after(14) - after(4)).toBeGreaterThan(26);
    expect(after(18)).toBeGreaterThan(after(14));
  });
});
