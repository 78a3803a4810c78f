import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { LIMITS, TRACKER_CLOSE, TRACKER_SUBPROTOCOL } from '@sonantica/wire';
import { WebSocket, WebSocketServer } from 'ws';
import type { TrackerSocket } from './core/env.ts';
import type { TrackerSession } from './core/session.ts';
import type { Tracker } from './core/tracker.ts';

/** How the adapter treats connections; times in milliseconds. */
export interface WsAdapterOptions {
  /** Time between two pings of one socket; who has not answered one by the next is gone. */
  readonly pingIntervalMs: number;
  /** Bytes that may wait for a slow reader before it is dropped. */
  readonly maxBufferedBytes: number;
}

export const DEFAULT_WS_ADAPTER_OPTIONS: WsAdapterOptions = {
  pingIntervalMs: 25_000,
  maxBufferedBytes: 1_048_576,
};

/** A new connection is pinged this soon: its round trip is wanted, but not while it still joins. */
const FIRST_PING_MS = 2_000;
const TICK_MS = 500;
/** RFC 6455: the message is too big. The contract's own code says it instead. */
const WS_TOO_BIG = 1009;

/** Closes with the contract's code where `ws` closes by itself. */
class TrackerWebSocket extends WebSocket {
  override close(code?: number, data?: string | Buffer): void {
    if (code === WS_TOO_BIG) super.close(TRACKER_CLOSE.tooLarge, 'message too large');
    else super.close(code, data);
  }
}

interface Connection {
  readonly ws: TrackerWebSocket;
  session: TrackerSession;
  pingAtMs: number;
  /** When the unanswered ping was sent. */
  pingedMs: number | undefined;
}

/**
 * Puts a tracker on WebSockets: `upgrade` takes an HTTP server's upgrade requests. Offers no compression,
 * bounds what a slow reader may leave waiting, and measures round trips with pings.
 */
export class WsAdapter {
  readonly #tracker: Tracker;
  readonly #options: WsAdapterOptions;
  readonly #server: WebSocketServer;
  readonly #nowMs: () => number;
  /** In the order of their next ping. */
  readonly #connections = new Set<Connection>();
  /** Connections whose first ping is still to come, oldest first. */
  readonly #fresh = new Set<Connection>();
  /** Connections of an unknown version, on their way out. */
  readonly #unwelcome = new Set<TrackerWebSocket>();
  readonly #timer: NodeJS.Timeout;

  constructor(tracker: Tracker, nowMs: () => number, options: Partial<WsAdapterOptions> = {}) {
    this.#tracker = tracker;
    this.#nowMs = nowMs;
    this.#options = { ...DEFAULT_WS_ADAPTER_OPTIONS, ...options };
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: LIMITS.maxTrackerMessageBytes,
      WebSocket: TrackerWebSocket,
      handleProtocols: (offered) => {
        if (offered.has(TRACKER_SUBPROTOCOL)) return TRACKER_SUBPROTOCOL;
        // A browser drops a connection that names none of its protocols, and would never see the close code.
        const [first] = offered;
        return first ?? false;
      },
    });
    this.#server.on('connection', (ws: TrackerWebSocket) => this.#accept(ws));
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get connectionCount(): number {
    return this.#connections.size + this.#fresh.size;
  }

  /** Takes over an upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (ws) => this.#server.emit('connection', ws, request));
  }

  /** Says that the tracker restarts, and drops who has not left after `graceMs`. */
  async close(graceMs = 1_000): Promise<void> {
    clearInterval(this.#timer);
    for (const ws of this.#unwelcome) ws.terminate();
    const leaving = [...this.#fresh, ...this.#connections].map(
      ({ ws }) =>
        new Promise<void>((resolve) => {
          ws.once('close', () => resolve());
          ws.close(TRACKER_CLOSE.restarting, 'the tracker restarts');
        }),
    );
    const deadline = setTimeout(() => {
      for (const { ws } of [...this.#fresh, ...this.#connections]) ws.terminate();
    }, graceMs);
    await Promise.all(leaving);
    clearTimeout(deadline);
  }

  #accept(ws: TrackerWebSocket): void {
    if (ws.protocol !== TRACKER_SUBPROTOCOL) {
      this.#unwelcome.add(ws);
      ws.on('error', () => ws.terminate());
      ws.on('close', () => this.#unwelcome.delete(ws));
      ws.close(TRACKER_CLOSE.unknownVersion, `speak ${TRACKER_SUBPROTOCOL}`);
      return;
    }
    const session = this.#tracker.connect(boundedSocket(ws, this.#options.maxBufferedBytes));
    const connection: Connection = {
      ws,
      session,
      pingAtMs: this.#nowMs() + FIRST_PING_MS,
      pingedMs: undefined,
    };
    this.#fresh.add(connection);
    ws.on('message', (data, isBinary) => {
      if (isBinary || !Buffer.isBuffer(data)) session.receiveBinary();
      else session.receive(data.toString());
    });
    ws.on('pong', () => {
      if (connection.pingedMs === undefined) return;
      session.roundTrip(this.#nowMs() - connection.pingedMs);
      connection.pingedMs = undefined;
    });
    // `ws` closes the connection itself; without a listener the error would end the process.
    ws.on('error', () => {});
    ws.on('close', () => {
      this.#connections.delete(connection);
      this.#fresh.delete(connection);
      session.closed();
    });
  }

  #tick(): void {
    this.#tracker.tick();
    const nowMs = this.#nowMs();
    this.#pingDue(this.#fresh, nowMs);
    this.#pingDue(this.#connections, nowMs);
  }

  #pingDue(connections: Set<Connection>, nowMs: number): void {
    for (const connection of connections) {
      if (connection.pingAtMs > nowMs) return;
      connections.delete(connection);
      if (connection.pingedMs !== undefined) {
        connection.ws.terminate();
        continue;
      }
      connection.pingedMs = nowMs;
      connection.pingAtMs = nowMs + this.#options.pingIntervalMs;
      this.#connections.add(connection);
      if (connection.ws.readyState === WebSocket.OPEN) connection.ws.ping();
    }
  }
}

/** What the core sees of a WebSocket: it drops a reader who leaves too much waiting. */
function boundedSocket(ws: WebSocket, maxBufferedBytes: number): TrackerSocket {
  return {
    send(text) {
      if (ws.readyState !== WebSocket.OPEN) return;
      if (ws.bufferedAmount > maxBufferedBytes) ws.terminate();
      else ws.send(text);
    },
    close(code, reason) {
      ws.close(code, reason);
    },
  };
}
