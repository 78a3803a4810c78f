import { createServer, type Server } from 'node:http';
import { AddressLimits } from './address-limits.ts';
import { trackerOptionsOf, type TrackerConfig } from './config.ts';
import { Tracker } from './core/tracker.ts';
import type { TrackerStats } from './core/tracker-options.ts';
import { Front } from './front.ts';
import { Handshakes } from './handshakes.ts';
import { createHttpApp } from './http-app.ts';
import { InPieces, type Duty } from './in-pieces.ts';
import { createLog, RefusalLog } from './log.ts';
import { makeManyShapedSockets } from './many-shaped-sockets.ts';
import { measureMemory, type MemoryState } from './memory-guard.ts';
import { watchMemory } from './memory-watch.ts';
import { createMetrics } from './metrics.ts';
import { packageVersion } from './package-version.ts';
import { parseSettings } from './settings.ts';
import { systemEnv } from './system-env.ts';
import { WsAdapter } from './ws-adapter.ts';
import { collectInSmallPieces } from './young-collections.ts';

/** A tracker that listens. */
export interface RunningTracker {
  /** For clients: `ws://host:port`. */
  readonly url: string;
  readonly port: number;
  stats(): TrackerStats;
  /**
   * Takes no more connections, closes every socket with 1012, spread over up to `drainMs`, and frees the port.
   * Repeated calls wait for the same end.
   */
  close(): Promise<void>;
}

const TICK_MS = 500;
/** What may wait for slow readers, of the memory that the tracker may take. */
const BACKLOG_SHARE = 1 / 4;
const BYTES_PER_MB = 1_000_000;
/** How often connections are looked through for late headers, in milliseconds: Node's own 30 s is long. */
const CHECK_HEADERS_EVERY_MS = 1_000;
/** An idle HTTP connection is kept this long, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;
/**
 * Connections the kernel keeps until they are accepted, one in each turn of the event loop (libuv 1.45 and later): in a
 * flood a longer row would keep each newcomer waiting. Who finds no room is let in a second later.
 */
const BACKLOG = 512;

/**
 * Starts a tracker. Throws `SettingsError` for settings that are wrong, and rejects with Node's own error when
 * it cannot listen (`EADDRINUSE`, `EACCES`, `ENOTFOUND`…).
 */
export async function startTracker(config: Partial<TrackerConfig> = {}): Promise<RunningTracker> {
  const {
    tracker: options,
    sockets,
    allowsTrack = () => true,
    log = createLog('silent', () => {}),
    ...given
  } = config;
  const settings = parseSettings(given);
  const { port, host, trustProxy, maxMemoryMB } = settings;
  const env = systemEnv();
  const tracker = new Tracker(env, {
    ...trackerOptionsOf(settings, allowsTrack, () => env.wallMs()),
    ...options,
  });
  const refusals = new RefusalLog(log);
  const limits = new AddressLimits(settings);
  const residentBytes = () => measureMemory().residentBytes;
  const metrics = createMetrics(() => tracker.stats(), residentBytes);
  const { pingIntervalMs, maxBufferedBytes, maxMessageBytes, controlFramesPerMinute, origins } = settings;
  const adapter = new WsAdapter(
    {
      tracker,
      nowMs: () => env.nowMs(),
      limits,
      refusals,
      tookSeconds: (taken) => metrics.tookSeconds(taken),
    },
    {
      pingIntervalMs,
      maxBufferedBytes,
      maxBacklogBytes: maxMemoryMB * BYTES_PER_MB * BACKLOG_SHARE,
      maxMessageBytes,
      controlFramesPerMinute,
      trustProxy,
      origins,
      ...sockets,
    },
  );
  const startedMs = env.nowMs();
  const app = createHttpApp({
    version: packageVersion(),
    metrics,
    limits,
    trustProxy,
    stats: () => tracker.stats(),
    trackCounts: (trackId) => tracker.trackCounts(trackId),
    uptimeSeconds: () => Math.floor((env.nowMs() - startedMs) / 1_000),
    residentBytes,
    refused: (reason, address) => {
      tracker.countRefusal(reason);
      refusals.note(reason, { address });
    },
  });
  makeManyShapedSockets();
  const server = createServer(
    {
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.headersTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_HEADERS_EVERY_MS,
    },
    app,
  );
  const handshakes = new Handshakes(settings.maxHandshakes);
  const front = new Front(server, {
    silentMs: settings.headersTimeoutMs,
    nowMs: () => env.nowMs(),
    upgrade: (request, socket, head) => {
      handshakes.ended(socket);
      adapter.upgrade(request, socket, head);
    },
    gone: (socket) => handshakes.ended(socket),
    crowded: collectInSmallPieces,
  });
  server.on('connection', (socket) => handshakes.began(socket));
  server.on('upgrade', (request, _stream, head) => {
    handshakes.ended(request.socket);
    adapter.upgrade(request, request.socket, head);
  });
  await listen(server, port, host);

  const watch = watchMemory(maxMemoryMB);
  let memory: MemoryState = 'ample';
  const inPieces = (duty: Duty) =>
    new InPieces(duty, { nextTurn: (run) => void setImmediate(run), nowMs: () => performance.now() });
  const shedding = inPieces(() => tracker.shedding());
  const duties = [
    shedding,
    inPieces(() => tracker.duties()),
    inPieces(() => adapter.duties()),
    inPieces(() => front.duties()),
  ];
  const timer = setInterval(() => {
    for (const duty of duties) duty.begin();
    refusals.flush();
  }, TICK_MS);
  let memoryTimer: ReturnType<typeof setTimeout> | undefined;
  const lookAtMemory = () => {
    const { state, againMs } = watch.look();
    tracker.isShortOfMemory = state !== 'ample';
    adapter.isOutOfMemory = state === 'exhausted';
    if (state !== memory) log.warn({ memory: state, residentBytes: residentBytes() }, 'memory');
    // What is to be shed is shed at once.
    if (memory === 'ample' && state !== 'ample') shedding.begin();
    memory = state;
    memoryTimer = setTimeout(lookAtMemory, againMs);
  };
  lookAtMemory();

  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  let closing: Promise<void> | undefined;
  const shutDown = async () => {
    const freed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    await adapter.close(settings.drainMs);
    clearInterval(timer);
    clearTimeout(memoryTimer);
    front.close();
    server.closeAllConnections();
    await freed;
  };
  return {
    url: `ws://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    stats: () => tracker.stats(),
    close: () => (closing ??= shutDown()),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
