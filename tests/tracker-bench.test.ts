import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { trackerForTest } from './support/tracker-process.ts';

const BENCH = fileURLToPath(new URL('../bench/dist/cli.js', import.meta.url));
const SMALL = ['--peers', '200', '--swarms', '10', '--offers', '5'];

/** Runs the bench; rejects with its output where it does not end with 0. */
const bench = async (...args: string[]) =>
  (await promisify(execFile)(process.execPath, [BENCH, ...args])).stdout;

/** Five offers of each of 200 peers, and their answers: every swarm has founders to offer to. */
const MOST_RELAYED = 2 * 5 * 200;

describe('the bench of the tracker', { timeout: 60_000 }, () => {
  it('says what a join costs', async () => {
    const report = JSON.parse(await bench('tracker', ...SMALL, '--json')) as Record<string, unknown>;
    expect(report).toMatchObject({
      cpuMsPerJoin: expect.any(Number),
      kbPerPeer: expect.any(Number),
      joinsPerS: expect.any(Number),
      announceMs: { p50: expect.any(Number), p99: expect.any(Number) },
      joins: 200,
      failed: 0,
    });
    expect(report['relayed']).toBeGreaterThan(MOST_RELAYED * 0.95);
    expect(report['relayed']).toBeLessThanOrEqual(MOST_RELAYED);
    expect(report['cpuMsPerJoin']).toBeGreaterThan(0.05);
  });

  it('relays as many candidate signals as offers and answers', async () => {
    const report = JSON.parse(await bench('tracker', ...SMALL, '--candidates', '--json')) as {
      relayed: number;
      failed: number;
    };
    expect(report.failed).toBe(0);
    expect(report.relayed).toBeGreaterThan(2 * MOST_RELAYED * 0.9);
  });

  it('measures another beside ours, and says so in words', async () => {
    const text = await bench('tracker', ...SMALL, '--against', 'ws');
    expect(text).toContain('200 peers joined 10 swarms.');
    expect(text).toMatch(/Ours takes \d\.\d\d of the processor time of ws\./);
  });

  it('loads a tracker that runs already', async () => {
    const tracker = await trackerForTest();
    const report = JSON.parse(await bench('tracker', ...SMALL, '--url', tracker.url, '--json')) as object;
    expect(report).toMatchObject({ joins: 200, failed: 0, cpuMsPerJoin: null });
    expect(await tracker.stats()).toMatchObject({ announces: 200 });
  });

  it('counts idle sockets that come, and those a tracker lets go', async () => {
    const args = ['--load', 'idle', '--peers', '300', '--hold-s', '0', '--json'];
    const report = JSON.parse(await bench('tracker', ...args)) as Record<string, unknown>;
    expect(report).toMatchObject({ load: 'idle', peers: 300, up: 300, refused: {}, dropped: 0 });
    expect(report).not.toHaveProperty('announcedMs');
    expect(report['kbPerPeer']).toBeGreaterThan(0.5);
  });

  it('counts who of a storm a tracker that runs already does not take, by what it says', async () => {
    const tracker = await trackerForTest(['--max-connections', '100']);
    const args = ['--load', 'storm', '--peers', '250', '--url', tracker.url, '--json'];
    const report = JSON.parse(await bench('tracker', ...args)) as {
      up: number;
      refused: Record<string, number>;
    };
    expect(report.up).toBeGreaterThan(0);
    expect(report.up).toBeLessThanOrEqual(100);
    for (const reason of Object.keys(report.refused)) expect(reason).toMatch(/\b(4429|429)\b/);
    expect(Object.values(report.refused).reduce((sum, n) => sum + n, 0)).toBe(250 - report.up);
    expect(report).toMatchObject({ cpuMsPerPeer: null, kbPerPeer: null });
  });

  it('sees a herd come back', async () => {
    const tracker = await trackerForTest();
    const args = ['--load', 'herd', '--peers', '200', '--swarms', '10', '--url', tracker.url, '--json'];
    const report = JSON.parse(await bench('tracker', ...args)) as object;
    expect(report).toMatchObject({ up: 200, refused: {}, announcedMs: { p99: expect.any(Number) } });
    expect(await tracker.stats()).toMatchObject({ announces: 400 });
  });

  it('does not load a machine that is not this one, unless told twice', async () => {
    const refused = bench('tracker', ...SMALL, '--url', 'ws://tracker.example.org');
    await expect(refused).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--confirm-host tracker.example.org'),
    });
  });

  it('holds the registry to its bar', async () => {
    expect(await bench('tracker-figures', '--only', 'registry')).toMatch(/^pass {2}registry heap/);
  });
});
