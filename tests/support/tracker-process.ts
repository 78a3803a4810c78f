import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  encodeClientMessage,
  parseTrackerMessage,
  type ClientMessage,
  type TrackerMessage,
  type WelcomeReply,
} from '@sonantica/wire';
import { onTestFinished } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { until } from './until.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** `sonantica-tracker` in a process of its own. */
export interface TrackerProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly ended: Promise<number | null>;
  /** Lines of its log so far, parsed. */
  log(): Record<string, unknown>[];
  /** What `/api/stats` tells. */
  stats(): Promise<Record<string, unknown>>;
  /** Resident memory, in bytes. */
  residentBytes(): number;
  /** From now on it gets no file or socket whose number is `count` or above. Files it has open stay open. */
  limitOpenFiles(count: number): void;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Starts the tracker's command as it was built, on a free port. Whoever starts it ends it. */
export async function spawnTracker(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  nodeFlags: readonly string[] = [],
): Promise<TrackerProcess> {
  const child = spawn(
    process.execPath,
    [...nodeFlags, 'tracker/dist/main.js', '--json', '--port', '0', ...args],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', (status) => resolve(status)));
  const line = await until(`the tracker listens; it said: ${stderr}`, () => {
    if (child.exitCode !== null) throw new Error(`the tracker ended with ${child.exitCode}: ${stderr}`);
    return stdout.split('\n').find((each) => each.includes('"listening"'));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the tracker has no process');
  const { url, port } = JSON.parse(line) as { url: string; port: number };
  return {
    url,
    port,
    pid,
    ended,
    log: () =>
      stderr
        .split('\n')
        .filter((each) => each.startsWith('{'))
        .map((each) => JSON.parse(each) as Record<string, unknown>),
    stats: async () => {
      const response = await fetch(`http://127.0.0.1:${port}/api/stats`);
      return (await response.json()) as Record<string, unknown>;
    },
    residentBytes: () => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
    },
    limitOpenFiles: (count) => void execFileSync('prlimit', ['--pid', String(pid), `--nofile=${count}`]),
    kill: (signal) => void child.kill(signal),
  };
}

/** The same for one test, after which it is killed. */
export async function trackerForTest(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<TrackerProcess> {
  const tracker = await spawnTracker(args, env);
  onTestFinished(async () => {
    tracker.kill('SIGKILL');
    await tracker.ended;
  });
  return tracker;
}

/** A client that says exactly what it is told, true or not. Gone after the test. */
export class Speaker {
  readonly ws: WebSocket;
  readonly inbox: TrackerMessage[] = [];
  /** The code it was closed with. */
  readonly closed: Promise<number>;
  /** The HTTP status when there was no upgrade. */
  refusedWith: number | undefined = undefined;
  welcome: WelcomeReply | undefined = undefined;

  constructor(url: string, options: ClientOptions = {}, protocol = 'sonantica.v1') {
    this.ws = new WebSocket(url, protocol, options);
    this.ws.on('message', (data) => {
      const message = parseTrackerMessage(String(data));
      if (message.type === 'welcome') this.welcome = message;
      else this.inbox.push(message);
    });
    this.ws.on('error', () => {});
    this.ws.on('unexpected-response', (_request, response) => {
      this.refusedWith = response.statusCode;
      this.ws.terminate();
    });
    this.closed = new Promise((resolve) => this.ws.once('close', (code) => resolve(code)));
    onTestFinished(() => this.ws.terminate());
  }

  /** A client that was welcomed. `address` is what a proxy would say of it. */
  static async welcomed(url: string, address?: string, token?: string): Promise<Speaker> {
    const headers = address === undefined ? {} : { 'X-Forwarded-For': address };
    const speaker = new Speaker(url, { headers });
    await speaker.opened();
    speaker.say({ type: 'hello', ...(token === undefined ? {} : { token }) });
    await until('welcome', () => speaker.welcome !== undefined);
    return speaker;
  }

  get id() {
    if (this.welcome === undefined) throw new Error('not welcomed');
    return this.welcome.peerId;
  }

  async opened(): Promise<this> {
    await until('an open socket', () => this.ws.readyState === WebSocket.OPEN);
    return this;
  }

  say(message: ClientMessage): void {
    this.ws.send(encodeClientMessage(message));
  }

  raw(text: string): void {
    this.ws.send(text);
  }

  /** The oldest message not taken yet, which must be of this type. */
  async take<Type extends TrackerMessage['type']>(
    type: Type,
  ): Promise<Extract<TrackerMessage, { type: Type }>> {
    await until(`a message of type ${type}`, () => this.inbox.length > 0);
    const message = this.inbox.shift();
    if (!isOfType(message, type)) throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
    return message;
  }
}

function isOfType<Type extends TrackerMessage['type']>(
  message: TrackerMessage | undefined,
  type: Type,
): message is Extract<TrackerMessage, { type: Type }> {
  return message?.type === type;
}
