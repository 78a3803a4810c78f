import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runNodeIn } from './support/command.ts';
import { makeFolder, sha256Of, startPlace } from './support/place.ts';
import { startMirror } from './support/mirror.ts';
import { until } from './support/until.ts';

const COMMAND = 'packages/swarm/dist/cli/main.js';
const NO_TRACKER = ['--tracker', 'ws://127.0.0.1:9'];
const posix = process.platform !== 'win32';

describe('audio on standard output', () => {
  it.each([['-'], ...(posix ? [['/dev/stdout']] : [])])(
    'is the track alone with --out %s: what else there is to say is on standard error',
    async (out) => {
      const { origin, track } = await startPlace({ chunks: 4 });
      for (const json of [[], ['--json']]) {
        const run = start(['get', track.trackId, '--origin', origin.url, '--out', out, ...json]);
        const [audio, said] = await Promise.all([buffer(run.stdout), text(run.stderr), run.ended]);
        expect(sha256Of(audio)).toBe(track.sha256);
        expect(said).toContain(track.sha256);
        expect(said).not.toContain('written to');
        expect(await run.ended).toEqual({ status: 0, signal: null });
      }
    },
  );

  it.skipIf(!posix)('goes into a file that the shell opened, which is not replaced', async () => {
    const { origin, track } = await startPlace({ chunks: 2 });
    const folder = await makeFolder();
    const path = join(folder, 'x.wav');
    const file = openSync(path, 'w');
    const { ino } = fstatSync(file);
    const run = start(['get', track.trackId, '--origin', origin.url, '--out', path], file);
    closeSync(file);
    expect(await run.ended).toEqual({ status: 0, signal: null });
    expect(sha256Of(await readFile(path))).toBe(track.sha256);
    expect([await readdir(folder), (await stat(path)).ino]).toEqual([['x.wav'], ino]);
  });

  it('waits for who reads slowly, to the last byte', async () => {
    const { origin, track } = await startPlace({ chunks: 8 });
    const run = start(['get', track.trackId, '--origin', origin.url, '--out', '-']);
    await until('it reads on', () => run.stdout.readableLength > 0);
    run.stdout.pause();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(sha256Of(await buffer(run.stdout))).toBe(track.sha256);
    expect(await run.ended).toEqual({ status: 0, signal: null });
  });
});

describe('a reader that goes away', () => {
  it('ends get with 141 and without a word', async () => {
    const { origin, track } = await startPlace({ chunks: 8 });
    const args = ['get', track.trackId, '--origin', origin.url, '--json', '--out', '-'];
    const run = start(args);
    const said = text(run.stderr);
    await once(run.stdout, 'data');
    run.stdout.destroy();
    expect([await run.ended, await said]).toEqual([{ status: 141, signal: null }, '']);
  });

  it('ends get with 141 where it takes no summary', async () => {
    const { origin, track } = await startPlace({ chunks: 1 });
    const run = start(['get', track.trackId, '--origin', origin.url, '--json']);
    const said = text(run.stderr);
    run.stdout.destroy();
    expect([await run.ended, await said]).toEqual([{ status: 141, signal: null }, '']);
  });

  it('ends seed with 141', async () => {
    const { tracker, track } = await startPlace({ chunks: 1 });
    const store = ['--store', await makeFolder()];
    const run = start(['seed', track.path, '--tracker', tracker.url, ...store, '--json']);
    const said = text(run.stderr);
    run.stdout.destroy();
    expect([await run.ended, await said]).toEqual([{ status: 141, signal: null }, '']);
  });

  it.skipIf(process.platform !== 'linux')('is not a disk that is full, which is told', async () => {
    const { origin, track } = await startPlace({ chunks: 1 });
    for (const out of [[], ['--out', '-']]) {
      const full = openSync('/dev/full', 'w');
      const run = start(['get', track.trackId, '--origin', origin.url, '--json', ...out], full);
      closeSync(full);
      const said = await text(run.stderr);
      expect(await run.ended).toEqual({ status: 1, signal: null });
      expect(said).toBe('sonantica-swarm: store-full: writing standard output: the disk is full\n');
    }
  });
});

describe('the end of a command', () => {
  /** What WebRTC does where it leaves something open. */
  const HANDLE = { NODE_OPTIONS: '--import data:text/javascript,setInterval(()=>undefined,1e9)' };

  it('comes when its work is done, whatever still keeps the process alive', async () => {
    const { origin, track } = await startPlace({ chunks: 1 });
    const got = runNodeIn(HANDLE, COMMAND, 'get', track.trackId, '--origin', origin.url, '--json');
    const { status, stdout } = await got.ended;
    expect([status, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ sha256: track.sha256 })]);
    const failed = runNodeIn(HANDLE, COMMAND, 'get', 'unheard-of', '--origin', origin.url);
    expect((await failed.ended).status).toBe(1);
    const seeder = runNodeIn(HANDLE, COMMAND, 'seed', track.path, ...NO_TRACKER, '--json');
    await seeder.json();
    seeder.kill('SIGTERM');
    expect((await seeder.ended).status).toBe(0);
  });

  it('is not held up by an origin that says nothing', async () => {
    const place = await startPlace({ chunks: 1 });
    const mirror = await startMirror(place, () => 'hang');
    const run = start(['get', place.track.trackId, '--origin', mirror.url, '--json']);
    await until('it asks', () => mirror.asked.length > 0);
    const stoppedAt = performance.now();
    run.kill('SIGTERM');
    expect(await run.ended).toEqual({ status: 1, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(2_500);
  });

  it('is not held up by who does not read', async () => {
    const { origin, track } = await startPlace({ chunks: 8 });
    const run = start(['get', track.trackId, '--origin', origin.url, '--out', '-', '--json']);
    await until('the pipe is full', () => run.stdout.readableLength > 0);
    run.kill('SIGINT');
    expect(await run.ended).toEqual({ status: 1, signal: null });
  });

  it.skipIf(!posix)('is at once at the second signal, of whichever kind', async () => {
    const { origin, track } = await startPlace({ chunks: 1 });
    const pipe = join(await makeFolder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    // Nobody opens the other end, so that the system holds the command up.
    const run = start(['get', track.trackId, '--origin', origin.url, '--out', pipe]);
    run.stderr.resume();
    await until('it has the track', () => origin.stats().audioBytes >= track.size);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    run.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 500));
    run.kill('SIGTERM');
    // A shell tells it as 143.
    expect(await run.ended).toEqual({ status: null, signal: 'SIGTERM' });
  });
});

/** Runs `sonantica-swarm` with its output as bytes, or into an open file. */
function start(args: readonly string[], output: 'pipe' | number = 'pipe') {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: fileURLToPath(new URL('../', import.meta.url)),
    stdio: ['ignore', output, 'pipe'],
    env: { ...process.env, NO_COLOR: '1', DEBUG: '', NODE_OPTIONS: '' },
  });
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('exit', (status, signal) => resolve({ status, signal })),
  );
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const { stdout, stderr } = child;
  if (stderr === null) throw new Error('no standard error');
  return {
    ended,
    stdout: stdout ?? stderr,
    stderr,
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
  };
}
