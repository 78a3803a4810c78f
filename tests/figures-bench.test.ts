import { describe, expect, it } from 'vitest';
import { runNode } from './support/command.ts';
import { areGone, descendantsOf } from './support/processes.ts';
import { until } from './support/until.ts';

const BENCH = 'bench/dist/cli.js';
/** Bars that one seed shows within seconds; `figures` has them all. */
const QUICK = ['start, 50 ms', 'all peers liars'];

describe('the bars of the project', { timeout: 240_000 }, () => {
  it('hold where they are soon measured', async () => {
    const args = ['figures', '--runtime', 'sim', '--seeds', '1', '--only', ...QUICK, '--json'];
    const { status, stdout } = await runNode(BENCH, ...args).ended;
    const rows = JSON.parse(stdout) as { row: string; passed: boolean }[];
    expect(new Set(rows.map(({ row }) => row)).size).toBe(QUICK.length);
    expect(rows.filter(({ passed }) => !passed)).toEqual([]);
    expect(status).toBe(0);
  });

  it('promise the same under random faults', async () => {
    const { status, stdout } = await runNode(BENCH, 'faults', '--seeds', '5', '--json').ended;
    expect(JSON.parse(stdout)).toEqual({ runtime: 'sim', seeds: 5, broken: [] });
    expect(status).toBe(0);
  });

  it('are more than the simulator’s, and make a page', async () => {
    const args = ['figures', '--runtime', 'all', '--only', 'tracker: registry heap', '--markdown'];
    const { status, stdout } = await runNode(BENCH, ...args).ended;
    expect(stdout).toContain('**Every bar is reached: 1 of 1.**');
    expect(stdout).toMatch(/at most 200 B \| \d+ B \| pass \| `sonantica-bench tracker-figures --only /);
    expect(status).toBe(0);
  });

  it.each<[string, RegExp, ...string[]]>([
    ['figures', /There are: origin copies, 20 peers over 60 s, warm; .*; random faults/],
    ['figures --runtime all', /; tracker: registry heap of a peer in a track; .*in Chromium: playing/],
    // In the list and not in the quick subset; one of two.
    ['figures --quick', /There are: origin copies/, 'half of the peers'],
    ['figures', /There are: origin copies/, 'at once', 'at onec'],
    ['tracker-figures', /There are: processor time of a join.*; honest listeners under attack: /],
    ['browser', /There are: seek; kept; begin; worker; goodput; tasks; memory; size$/m],
  ])('are not passed by a name that none has: %s', async (command, names, ...only) => {
    const args = [...command.split(' '), '--json', '--only', ...(only.length > 0 ? only : ['typo'])];
    const { status, stdout, stderr } = await runNode(BENCH, ...args).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^sonantica-bench: --only ".+" names nothing\. .+\n$/);
    expect(stderr).toMatch(names);
  });

  it('are no longer measured once the bench is killed', async () => {
    const bench = runNode(BENCH, 'figures', '--only', 'origin copies', '--jobs', '2');
    const children = await until('simulations run', async () => {
      const all = await descendantsOf(bench.pid);
      return all.length >= 2 && all;
    });
    bench.kill('SIGKILL');
    await until('they have ended', () => areGone(children), 30_000);
  });
});
