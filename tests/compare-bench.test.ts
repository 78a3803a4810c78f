import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { skipsBrowser } from './browser/support/chromium.ts';
import { runNode, runNodeIn } from './support/command.ts';
import { areGone, descendantsOf } from './support/processes.ts';
import { until } from './support/until.ts';

const BENCH = 'bench/dist/cli.js';
const SMALL = ['--ways', 'http', 'sonantica', '--megabytes', '2', '--runs', '1', '--json'];

interface Report {
  readonly in: string;
  readonly ways: Record<string, { completed: number; firstByteMs: { median: number } }>;
}

describe('sonantica-bench compare', { timeout: 60_000 }, () => {
  const places = skipsBrowser ? ['node'] : ['node', 'chromium'];
  it.each(places)('gets the same bytes over HTTP and from a peer in %s', async (where) => {
    const { status, stdout } = await runNode(BENCH, 'compare', '--in', where, ...SMALL).ended;
    const [report, ...more] = JSON.parse(stdout) as Report[];
    expect({ status, more, in: report?.in }).toEqual({ status: 0, more: [], in: where });
    expect(Object.keys(report?.ways ?? {})).toEqual(['http', 'sonantica']);
    for (const { completed, firstByteMs } of Object.values(report?.ways ?? {})) {
      expect(completed).toBe(1);
      expect(firstByteMs.median).toBeGreaterThan(0);
    }
  });

  it.each([
    ['no Chromium', ['compare'], { SONANTICA_CHROMIUM: '/nowhere/chromium' }, /Chromium is not installed/],
    [
      'no registry',
      ['compare', '--in', 'node'],
      { npm_config_registry: 'http://127.0.0.1:9' },
      /npm could not/,
    ],
    ['a track of no size', ['compare', '--megabytes', '0'], {}, /whole number/],
    [
      'a tracker that is down',
      ['tracker', '--url', 'ws://127.0.0.1:9'],
      {},
      /no tracker at ws:\/\/127.0.0.1:9/,
    ],
  ])('ends with status 2 and one clear line: %s', async (_name, args, environment, said) => {
    const cache = await temporaryFolder();
    const { status, stdout, stderr } = await runNodeIn(
      { XDG_CACHE_HOME: cache, ...environment },
      BENCH,
      ...args,
    ).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('installing '));
    expect(lines).toEqual([expect.stringMatching(said)]);
  });

  it.skipIf(skipsBrowser)('leaves no process and no folder behind when it is killed', async () => {
    const folder = await temporaryFolder();
    const args = ['compare', '--in', 'chromium', '--ways', 'http', '--runs', '50'];
    const bench = runNodeIn({ TMPDIR: folder }, BENCH, ...args);
    await until('a run has ended', () => bench.stderr().includes('chromium 1/50'), 30_000);
    const children = await descendantsOf(bench.pid);
    expect(children.length).toBeGreaterThan(2);
    expect(await readdir(folder)).not.toEqual([]);
    bench.kill('SIGKILL');
    await until('its processes are gone', () => areGone(children));
    await until('its folder is empty', async () => (await readdir(folder)).length === 0);
  });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
