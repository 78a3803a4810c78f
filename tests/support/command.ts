import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

const ROOT = new URL('../../', import.meta.url);
/** Where commands keep what lasts: not where a test that has temporary files elsewhere looks for what they leave. */
const STATES = tmpdir();

/** How a command ended. `status` is `null` when a signal ended it. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in a process of its own. It is killed after the test if it still runs. */
export interface RunningCommand {
  readonly ended: Promise<Ended>;
  readonly pid: number;
  /** Standard output so far. */
  stdout(): string;
  /** Standard error so far. */
  stderr(): string;
  kill(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): void;
  /** The next whole line of standard output that is JSON. */
  json(withinMs?: number): Promise<Record<string, unknown>>;
}

/** Runs `sonantica-swarm` as it was built. */
export function swarmCommand(...args: readonly string[]): RunningCommand {
  return runNode('packages/swarm/dist/cli/main.js', ...args);
}

/** Runs a script of the workspace, its path from the root. */
export function runNode(script: string, ...args: readonly string[]): RunningCommand {
  return runNodeIn({}, script, ...args);
}

/** Runs a script of the workspace in an environment that differs in this. */
export function runNodeIn(
  environment: Readonly<Record<string, string>>,
  script: string,
  ...args: readonly string[]
): RunningCommand {
  // What a listener gave today is not the user's who runs the tests.
  const state = mkdtempSync(join(STATES, 'sonantica-state-'));
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, ROOT)), ...args], {
    cwd: fileURLToPath(ROOT),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NO_COLOR: '1',
      DEBUG: '',
      NODE_OPTIONS: '',
      XDG_STATE_HOME: state,
      ...environment,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(state, { recursive: true, force: true });
  });
  return {
    ended,
    pid: child.pid ?? -1,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    json: (withinMs = 15_000) =>
      until(
        `${script} ${args.join(' ')} prints JSON; it said: ${stderr}`,
        () => {
          const line = stdout.split('\n').find((each) => each.startsWith('{') && each.endsWith('}'));
          return line === undefined ? undefined : (JSON.parse(line) as Record<string, unknown>);
        },
        withinMs,
      ),
  };
}
