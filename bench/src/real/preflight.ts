import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { WebSocket } from 'ws';
import type { Scenario } from '../scenario.ts';
import { Impossible } from './impossible.ts';

/** File descriptors that one connection takes at one end, at its most. */
const DESCRIPTORS = { wrtc: 32, werift: 4 } as const;
/** Descriptors a process needs besides: files, sockets, stores. */
const SPARE_DESCRIPTORS = 500;
/** Connections being made or closed, beside those that stand. */
const IN_PASSING = 1.25;
const MB = 1_000_000;
/** What a store and the origin's own files take beyond the bytes themselves. */
const DISK_MARGIN = 1.05;
const ANSWER_WITHIN_MS = 5_000;

/** What a run needs of this machine and of others. */
export interface Needs {
  readonly scenario: Scenario;
  readonly rtc: 'wrtc' | 'werift';
  /** Processes of listeners. */
  readonly hosts: number;
  readonly ports: readonly number[];
  /** Somebody's own tracker, as `ws:` or `wss:` URL. */
  readonly tracker: string | undefined;
}

/** Listeners that one process can have links for. */
export function mostListeners(links: number, rtc: 'wrtc' | 'werift', descriptors: number): number {
  return Math.floor((descriptors - SPARE_DESCRIPTORS) / (DESCRIPTORS[rtc] * links * IN_PASSING));
}

/** Says why a run cannot be, before anything is started. Rejects with {@link Impossible}. */
export async function checkNeeds(needs: Needs): Promise<void> {
  const { scenario, rtc, hosts, ports, tracker } = needs;
  if (scenario.policy !== 'http-only') {
    await loadNodeRtc(rtc).catch((error: unknown) => {
      throw new Impossible(error instanceof Error ? error.message : String(error));
    });
    const { links = 8, peers } = scenario;
    const most = hosts * mostListeners(links, rtc, openFileLimit());
    if (peers > most)
      throw new Impossible(
        `${peers} real listeners with ${links} links each need more file descriptors than this machine gives: ${most} at most (ulimit -n ${openFileLimit()}, ${hosts} processes). Take fewer, --links ${Math.max(1, links >> 1)}, or --runtime sim.`,
      );
  }
  await checkDisk(scenario);
  for (const port of ports) await checkPort(port);
  if (tracker !== undefined) await checkTracker(tracker);
}

async function checkDisk({ peers, sizeMB, tracks, plays, policy }: Scenario): Promise<void> {
  const kept = policy !== 'http-only' ? peers * Math.min(tracks, plays) : 0;
  const needed = (tracks + kept) * sizeMB * MB * DISK_MARGIN;
  const { bavail, bsize } = await statfs(tmpdir());
  if (needed > bavail * bsize)
    throw new Impossible(
      `The run needs ${gigabytes(needed)} in ${tmpdir()} for tracks and stores; ${gigabytes(bavail * bsize)} are free. Set TMPDIR to a larger disk.`,
    );
}

function checkPort(port: number): Promise<void> {
  if (port === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(new Impossible(`Port ${port} cannot be had: ${error.message}.`)));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

function checkTracker(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'sonantica.v1', { handshakeTimeout: ANSWER_WITHIN_MS });
    socket.once('open', () => {
      socket.close();
      resolve();
    });
    socket.once('error', (error) =>
      reject(new Impossible(`The tracker ${url} is out of reach: ${error.message || 'no answer'}.`)),
    );
  });
}

/** The soft limit of this process, which its children inherit. */
function openFileLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1_024);
  } catch {
    return 10_240;
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
