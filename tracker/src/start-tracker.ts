import { randomFillSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { parsePeerId, type PeerId } from '@sonantica/wire';
import { DEFAULT_CONFIG, type TrackerConfig } from './config.ts';
import type { TrackerEnv } from './core/env.ts';
import { Tracker } from './core/tracker.ts';
import type { TrackerStats } from './core/tracker-options.ts';
import { createHttpApp } from './http-app.ts';
import { WsAdapter } from './ws-adapter.ts';

/** A tracker that listens. */
export interface RunningTracker {
  /** For clients: `ws://host:port`. */
  readonly url: string;
  readonly port: number;
  stats(): TrackerStats;
  /** Closes every socket with 1012 and frees the port. Repeated calls wait for the same end. */
  close(): Promise<void>;
}

/** Time a stranger has to send a request's headers, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;

/**
 * Starts a tracker. Rejects with Node's own error when it cannot listen (`EADDRINUSE`, `EACCES`,
 * `ENOTFOUND`…).
 */
export async function startTracker(config: Partial<TrackerConfig> = {}): Promise<RunningTracker> {
  const { port, host, tracker: options, sockets } = { ...DEFAULT_CONFIG, ...config };
  const env = systemEnv();
  const tracker = new Tracker(env, options);
  const startedMs = env.nowMs();
  const app = createHttpApp({
    stats: () => tracker.stats(),
    trackCounts: (trackId) => tracker.trackCounts(trackId),
    uptimeSeconds: () => Math.floor((env.nowMs() - startedMs) / 1_000),
  });
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS },
    app,
  );
  await listen(server, port, host);
  const adapter = new WsAdapter(tracker, () => env.nowMs(), sockets);
  server.on('upgrade', (request, socket, head) => adapter.upgrade(request, socket, head));

  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  let closing: Promise<void> | undefined;
  return {
    url: `ws://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    stats: () => tracker.stats(),
    close: () => (closing ??= shutDown(server, adapter)),
  };
}

/** The real clocks and random numbers. */
export function systemEnv(): TrackerEnv {
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    random: () => Math.random(),
    newPeerId: peerIdSource(),
  };
}

/** Bytes of a peer's name, and of the store they are cut from: asking the system each time costs more. */
const PEER_ID_BYTES = 16;
const RANDOM_STORE_BYTES = 4_096;

function peerIdSource(): () => PeerId {
  const store = Buffer.alloc(RANDOM_STORE_BYTES);
  let used = RANDOM_STORE_BYTES;
  return () => {
    if (used === RANDOM_STORE_BYTES) {
      randomFillSync(store);
      used = 0;
    }
    const id = store.toString('base64url', used, used + PEER_ID_BYTES);
    // What was given away is not kept where it could be given again.
    store.fill(0, used, used + PEER_ID_BYTES);
    used += PEER_ID_BYTES;
    return parsePeerId(id);
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function shutDown(server: Server, adapter: WsAdapter): Promise<void> {
  const freed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  await adapter.close();
  server.closeAllConnections();
  await freed;
}
