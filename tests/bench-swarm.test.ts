import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runNode, runNodeIn } from './support/command.ts';
import { until } from './support/until.ts';

const BENCH = 'bench/dist/cli.js';
const bench = (...args: readonly string[]) => runNode(BENCH, 'swarm', ...args);
const SMALL = ['--runtime', 'real', '--peers', '4', '--size-mb', '1.5', '--rtt-ms', '10'];

/** A temporary folder of its own for the bench, so that what it leaves there can be seen. */
function ownTmp(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sonantica-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  onTestFinished(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  return folder;
}

/** Processes that were told of a folder. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const isZombie = /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
        return !isZombie && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    });
}

describe('a swarm of real listeners', { timeout: 60_000 }, () => {
  it('delivers the publisher’s bytes to all, says what it took, and leaves nothing', async () => {
    const tmp = ownTmp();
    const samples = join(tmp, 'samples.csv');
    const args = [...SMALL, '--join-spread-s', '1', '--warm-s', '1', '--aulas', '2', '--json'];
    const { status, stdout, stderr } = await bench(...args, '--samples', samples).ended;
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const report = JSON.parse(stdout) as { bytes: Record<string, number> };
    expect(report).toMatchObject({
      runtime: 'real',
      seed: 1,
      peers: 4,
      completed: 4,
      badBytesDelivered: 0,
      bannedHonest: 0,
      rtc: 'wrtc',
      sha256: { files: 4, right: 4 },
      cpuS: expect.any(Number),
      rssMB: expect.any(Number),
      rawMBps: expect.any(Number),
      goodputMBps: expect.any(Number),
    });
    const { origin = 0, aula = 0, global = 0 } = report.bytes;
    expect(origin + aula + global).toBe(4 * 1_500_000);
    expect(aula).toBeGreaterThan(0);
    expect(readFileSync(samples, 'utf8')).toMatch(/^atS,opened,playing,/);
    expect(readdirSync(tmp)).toEqual(['samples.csv']);
    expect(processesOf(tmp)).toEqual([]);
  });

  it('catches liars, whose bytes reach no listener', async () => {
    ownTmp();
    const { status, stdout } = await bench(...SMALL, '--liars', '0.25', '--join-spread-s', '0', '--json')
      .ended;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      completed: 3,
      badBytesDelivered: 0,
      bannedLiars: 1,
      bannedHonest: 0,
      sha256: { files: 3, right: 3 },
    });
  });

  it('goes over HTTP alone where it is told to', async () => {
    ownTmp();
    const { stdout } = await bench(...SMALL, '--policy', 'http-only', '--join-spread-s', '0', '--json').ended;
    expect(JSON.parse(stdout)).toMatchObject({ completed: 4, originCopies: 4, offload: 0 });
  });

  it('ends on Ctrl-C with what was measured, and leaves nothing', async () => {
    const tmp = ownTmp();
    const run = bench(...SMALL, '--size-mb', '20', '--join-spread-s', '1', '--json');
    await until('listeners', () => processesOf(tmp).length >= 4, 40_000);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    run.kill('SIGINT');
    const { status, stdout } = await run.ended;
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ runtime: 'real', peers: 4, completed: 0 });
    expect(readdirSync(tmp)).toEqual([]);
    expect(processesOf(tmp)).toEqual([]);
  });

  it('ends on Ctrl-C before it began, and leaves nothing', async () => {
    const tmp = ownTmp();
    const run = bench(...SMALL, '--json');
    await until('a folder', () => readdirSync(tmp).length > 0, 40_000);
    run.kill('SIGINT');
    const { status, stdout, stderr } = await run.ended;
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: 'stopped before anything was measured\n',
    });
    expect(readdirSync(tmp)).toEqual([]);
  });

  it.each([200, 1_500, 4_000])('killed after %i ms leaves no process and no folder', async (afterMs) => {
    const tmp = ownTmp();
    const run = bench(...SMALL, '--size-mb', '20', '--json');
    await until('a folder', () => readdirSync(tmp).length > 0, 40_000);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    run.kill('SIGKILL');
    await run.ended;
    await until('no process', () => processesOf(tmp).length === 0);
    await until('no folder', () => readdirSync(tmp).length === 0);
  });

  it('killed before it had children is cleaned up after by the next run', async () => {
    const tmp = ownTmp();
    const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await new Promise((resolve) => gone.once('close', resolve));
    const left = join(tmp, `sonantica-bench-${gone.pid}-AbCdEf`);
    const alive = join(tmp, `sonantica-bench-${process.pid}-AbCdEf`);
    for (const folder of [left, alive]) mkdirSync(folder);
    await bench(...SMALL, '--peers', '1', '--size-mb', '0.5', '--policy', 'http-only', '--json').ended;
    expect(existsSync(left)).toBe(false);
    expect(existsSync(alive)).toBe(true);
  });
});

describe('a simulation of many listeners', { timeout: 60_000 }, () => {
  const MANY = ['swarm', '--runtime', 'sim', '--peers', '300', '--policy', 'http-only', '--json'];

  it('reports what it reports where Node is told otherwise, and judges it', async () => {
    const args = [...MANY, '--size-mb', '1', '--expect', 'originCopies<=1'];
    const itself = await runNodeIn({ NODE_OPTIONS: '--max-semi-space-size=16' }, BENCH, ...args).ended;
    expect(JSON.parse(itself.stdout)).toMatchObject({ peers: 300, completed: 300 });
    expect(itself.status).toBe(1);
    expect(await runNode(BENCH, ...args).ended).toEqual(itself);
  });

  it('ends with what was measured when it is stopped, and leaves nothing', async () => {
    const tmp = ownTmp();
    const run = runNode(BENCH, ...MANY, '--size-mb', '90', '--samples', join(tmp, 'samples.csv'));
    await until('two processes', () => processesOf(tmp).length === 2, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    run.kill('SIGTERM');
    const { status, stdout } = await run.ended;
    expect(status).toBe(1);
    const report = JSON.parse(stdout) as { runtime: string; completed: number };
    expect(report.runtime).toBe('sim');
    expect(report.completed).toBeLessThan(300);
    expect(processesOf(tmp)).toEqual([]);
  });

  it('killed leaves no process', async () => {
    const tmp = ownTmp();
    const run = runNode(BENCH, ...MANY, '--size-mb', '200', '--samples', join(tmp, 'samples.csv'));
    await until('two processes', () => processesOf(tmp).length === 2, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    run.kill('SIGKILL');
    await until('no process', () => processesOf(tmp).length === 0, 5_000);
    await run.ended;
  });
});

describe('an impossible swarm', { timeout: 30_000 }, () => {
  async function refused(...args: readonly string[]): Promise<string> {
    const tmp = ownTmp();
    const { status, stdout, stderr } = await bench(...args).ended;
    expect(stdout).toBe('');
    expect(status).toBe(2);
    expect(stderr.trimEnd()).toMatch(/^error: .*$/);
    expect(readdirSync(tmp)).toEqual([]);
    return stderr;
  }

  it.each<[string, string[], RegExp]>([
    ['no peers', ['--peers', '0'], /whole number from 1 to 10000/],
    ['a million real listeners', ['--runtime', 'real', '--peers', '1000000'], /whole number from 1 to 10000/],
    [
      'more real listeners than descriptors',
      ['--runtime', 'real', '--peers', '10000'],
      /file descriptors.*at most/,
    ],
    ['no such scenario', ['--scenario', 'nowhere'], /neither staggered, .* nor a JSON file/],
    ['a share above one', ['--liars', '1.5'], /number from 0 to 1/],
    ['more bad peers than peers', ['--liars', '0.5', '--slow', '0.6'], /more than all: 0\.5 \+ 0\.6 \+ 0/],
    ['a figure that no report has', ['--expect', 'ofload>=1'], /no figure ofload/],
    ['an expectation that says nothing', ['--expect', 'offload'], /no expectation/],
    [
      'an origin that is down',
      ['--runtime', 'real', '--origin', 'http://127.0.0.1:9'],
      /origin is out of reach/,
    ],
    [
      'a tracker that is down',
      ['--runtime', 'real', '--tracker', 'ws://127.0.0.1:9'],
      /tracker .* is out of reach/,
    ],
    [
      'a host that is not this one',
      ['--runtime', 'real', '--tracker', 'wss://t.example.org'],
      /--confirm-host t.example.org/,
    ],
    ['another WebRTC in virtual time', ['--rtc', 'werift'], /^error: --rtc is for --runtime real\./],
    ['the usual one named, too', ['--rtc', 'wrtc'], /--rtc is for --runtime real/],
    [
      'ports in virtual time',
      ['--tracker-port', '0', '--origin-port', '7001'],
      /--tracker-port and --origin-port are for --runtime real/,
    ],
    ['an origin in virtual time', ['--origin', 'http://127.0.0.1:9'], /--origin is for --runtime real/],
    ['a track in virtual time', ['--track', 'noise'], /--track is for --runtime real/],
    ['a host in virtual time', ['--confirm-host', 'a.example.org'], /--confirm-host is for --runtime real/],
    [
      'pairs that cannot connect over real lines',
      ['--runtime', 'real', '--connect-success', '0.8'],
      /^error: --connect-success is for --runtime sim\./,
    ],
    [
      'links by the second over real lines',
      ['--runtime', 'real', '--links-per-s', '10'],
      /--links-per-s is for --runtime sim/,
    ],
    ['a file in no folder', ['--html', '/nowhere/report.html'], /cannot be written/],
    ['two reports on one output', ['--json', '--csv'], /take one/],
  ])('with %s is refused in one line', async (_, args, why) => {
    expect(await refused(...args)).toMatch(why);
  });

  it('by a scenario whose fields real lines do not heed is refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sonantica-test-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'evening.json');
    writeFileSync(file, '{ "peers": 2, "linksPerS": 3 }');
    expect(await refused('--runtime', 'real', '--scenario', file)).toMatch('--links-per-s is for');
  });

  it('on a port in use is refused', async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await refused(...SMALL, '--origin-port', String(port))).toMatch(`Port ${port} cannot be had`);
    expect(await refused(...SMALL, '--tracker-port', String(port))).toMatch(`Port ${port} cannot be had`);
  });

  it('on a disk too small is refused', async () => {
    const needs = [
      '--runtime',
      'real',
      '--peers',
      '100',
      '--size-mb',
      '4000',
      '--tracks',
      '1000',
      '--plays',
      '1000',
    ];
    expect(await refused(...needs)).toMatch(/needs \d+\.\d GB in .* are free/);
  });

  it('without the WebRTC that was asked for is refused, with what to install', async () => {
    const hook = join(mkdtempSync(join(tmpdir(), 'sonantica-hook-')), 'hook.mjs');
    onTestFinished(() => rmSync(join(hook, '..'), { recursive: true }));
    writeFileSync(
      hook,
      `import { register } from 'node:module';
      register('data:text/javascript,' + encodeURIComponent(
        'export const resolve = (name, context, next) => { if (name === "@roamhq/wrtc") throw new Error("not installed"); return next(name, context); };'
      ));`,
    );
    const script = fileURLToPath(new URL(`../${BENCH}`, import.meta.url));
    const child = spawn(process.execPath, ['--import', hook, script, 'swarm', ...SMALL], { stdio: 'pipe' });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(2);
    expect(stderr).toMatch(/^error: .*npm install @roamhq\/wrtc.*\n$/);
  });
});

describe('what a run prints', { timeout: 30_000 }, () => {
  it('prints a table for people, a row for spreadsheets, and exits by its bars', async () => {
    const args = ['--peers', '3', '--size-mb', '1', '--join-spread-s', '1'];
    const table = await bench(...args, '--expect', 'completed=3').ended;
    expect(table).toMatchObject({ status: 0, stderr: expect.stringContaining('pass  completed=3') });
    expect(table.stdout).toMatch(/^3 listeners of a track of 1 MB.*\n\ncomplete +3 {2}of 3 listeners\n/);
    const csv = await bench(...args, '--csv', '--expect', 'completed>3').ended;
    expect(csv).toMatchObject({ status: 1, stderr: expect.stringContaining('FAIL  completed>3') });
    const [names = '', values = ''] = csv.stdout.split('\n');
    expect(names.split(',').slice(0, 4)).toEqual(['runtime', 'seed', 'peers', 'completed']);
    expect(values.split(',').slice(0, 4)).toEqual(['sim', '1', '3', '3']);
  });
});

it('the command tells its version', async () => {
  const { version } = JSON.parse(readFileSync('bench/package.json', 'utf8')) as { version: string };
  expect(await runNode(BENCH, '--version').ended).toMatchObject({ status: 0, stdout: `${version}\n` });
});
