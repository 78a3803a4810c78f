import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder } from './support/place.ts';
import { runNode } from './support/command.ts';
import { Speaker, trackerForTest } from './support/tracker-process.ts';
import { until } from './support/until.ts';

describe('SIGTERM', () => {
  it('closes every socket with 1012, spread out, takes no new ones, and ends with 0', async () => {
    const tracker = await trackerForTest(['--drain-ms', '1000']);
    const speakers = await Promise.all(Array.from({ length: 400 }, () => Speaker.welcomed(tracker.url)));
    const closings = Promise.all(
      speakers.map(async ({ closed }) => ({ code: await closed, atMs: performance.now() })),
    );
    tracker.kill('SIGTERM');
    const [first] = speakers;
    if (first === undefined) throw new Error('nobody');
    await first.closed;
    const late = new Speaker(tracker.url);
    expect(await late.closed).toBe(1006);
    const closed = await closings;
    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([1012]));
    const times = closed.map(({ atMs }) => atMs).sort((a, b) => a - b);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(500);
    expect(await tracker.ended).toBe(0);
  });

  it('does not wait long where there are few', async () => {
    const tracker = await trackerForTest();
    await Speaker.welcomed(tracker.url);
    const startMs = performance.now();
    tracker.kill('SIGTERM');
    expect(await tracker.ended).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(4_000);
  });
});

describe('settings', () => {
  it('come from a file, the environment and flags, the nearest winning', async () => {
    const file = join(await makeFolder(), 'tracker.json');
    await writeFile(file, '{ "signalsPerMinute": 1, "claimsPerMinute": 2, "othersPerMinute": 3 }');
    const env = { SONANTICA_TRACKER_CLAIMS_PER_MINUTE: '20', SONANTICA_TRACKER_OTHERS_PER_MINUTE: '30' };
    const { url } = await trackerForTest(['--config', file, '--others-per-minute', '300'], env);
    const { welcome } = await Speaker.welcomed(url);
    expect(welcome?.limits).toMatchObject({ signalsPerMinute: 1, claimsPerMinute: 20, othersPerMinute: 300 });
  });

  it.each([
    [['--max-memory-mb', 'lots'], /^error: maxMemoryMB \(--max-memory-mb\): expected a whole number\n$/],
    [['--auth', 'short'], /^error: auth: a secret has at least 32 bytes/],
    [['--config', '/nowhere.json'], /^error: config: \/nowhere\.json cannot be read \(ENOENT\)\n$/],
    [['--origins', 'example.org'], /^error: origins \(--origins\): expected an origin/],
  ])('that are wrong end it with 2 and name the key: %j', async (args, message) => {
    const { status, stdout, stderr } = await runNode('tracker/dist/main.js', '--port', '0', ...args).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
  });

  it('that nobody knows are said in the log', async () => {
    const tracker = await trackerForTest([], { SONANTICA_TRACKER_PROT: '1' });
    await until('a line', () => tracker.log().length > 0);
    expect(tracker.log()).toMatchObject([{ variable: 'SONANTICA_TRACKER_PROT', msg: 'no such setting' }]);
  });
});

describe('memory', () => {
  it('that is nearly used up lets no new socket in, and the tracker lives', async () => {
    const tracker = await trackerForTest(['--max-memory-mb', '20']);
    await until('the guard has looked', () => tracker.log().some(({ memory }) => memory === 'exhausted'));
    const speaker = new Speaker(tracker.url);
    await speaker.closed;
    expect(speaker.refusedWith).toBe(503);
    expect(await tracker.stats()).toMatchObject({ peers: 0, refusedBy: { memory: 1 } });
  });

  it('does not grow without end under swarms that are founded without end', async () => {
    const limitMB = 160;
    const tracker = await trackerForTest([
      ...['--max-memory-mb', String(limitMB), '--max-tracks-per-peer', '0'],
      ...['--announces-per-minute', '0', '--log-level', 'warn'],
    ]);
    const founders = await Promise.all(Array.from({ length: 8 }, () => Speaker.welcomed(tracker.url)));
    const untilMs = performance.now() + 6_000;
    let most = 0;
    for (let n = 0; performance.now() < untilMs; n++) {
      for (const [i, { ws, inbox }] of founders.entries()) {
        inbox.length = 0;
        for (let k = 0; k < 50 && ws.bufferedAmount < 200_000; k++) {
          ws.send(
            `{"type":"announce","trackId":"t${i}-${n}-${k}","root":"${'ab'.repeat(32)}","chunkCount":32768,"have":"${'A'.repeat(5_460)}AA=="}`.replace(
              'AA==',
              'gA==',
            ),
          );
        }
      }
      most = Math.max(most, tracker.residentBytes() / 1e6);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { swarms, refusedBy } = await tracker.stats();
    console.log(`at most ${most.toFixed(0)} MB of ${limitMB}, ${String(swarms)} swarms left`);
    expect(refusedBy).toMatchObject({ busy: expect.any(Number) });
    // Beside what is kept stands what the engine has not collected yet: up to three young generations of 16 MB.
    expect(most).toBeLessThan(limitMB + 48);
  });
});
