import type { Socket } from 'node:net';
import { LIMITS, TRACKER_CLOSE, TRACKER_SUBPROTOCOL } from '@sonantica/wire';
import type { ClientAddress } from './client-address.ts';
import { Backlog } from './backlog.ts';
import { Door, type Arrival } from './door.ts';
import { BINARY, Connection, type ConnectionOwner, type Heard } from './connection.ts';
import type { AddressLimits } from './address-limits.ts';
import { perMinute, type Rate } from './core/rate-limit.ts';
import type { RefusalReason } from './core/refusal.ts';
import type { TrackerSession } from './core/session.ts';
import type { Tracker } from './core/tracker.ts';
import { LONG_FROM } from './frame-reader.ts';
import { handshakeAnswer, type UpgradeRequest } from './handshake.ts';
import type { RefusalLog } from './log.ts';
import { Outboxes } from './outboxes.ts';
import { randomTexts } from './random-texts.ts';
import { refuseHandshake } from './refuse-upgrade.ts';
import { Turns, type TurnLimits } from './turns.ts';

/** How the adapter treats connections; times in milliseconds, every limit 0 for none. */
export interface WsAdapterOptions {
  /** Time between two pings of one socket; who has not answered one by the next is gone. 0: no pings. */
  readonly pingIntervalMs: number;
  /** Bytes that may wait for a slow reader before it is dropped. */
  readonly maxBufferedBytes: number;
  /** Bytes that may wait for all slow readers together, before those are dropped for whom the most waits. */
  readonly maxBacklogBytes: number;
  readonly maxMessageBytes: number;
  /** Pings, pongs nobody asked for and frames that do not end their message, of one socket. */
  readonly controlFramesPerMinute: number;
  /** Proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: number;
  /** Web origins admitted; all where there are none. */
  readonly origins: readonly string[];
}

export const DEFAULT_WS_ADAPTER_OPTIONS: WsAdapterOptions = {
  pingIntervalMs: 25_000,
  maxBufferedBytes: 1_048_576,
  maxBacklogBytes: 256_000_000,
  maxMessageBytes: LIMITS.maxTrackerMessageBytes,
  controlFramesPerMinute: 600,
  trustProxy: 0,
  origins: [],
};

/** What the adapter works with. */
export interface WsAdapterContext {
  readonly tracker: Tracker;
  readonly nowMs: () => number;
  readonly limits: AddressLimits;
  readonly refusals: RefusalLog;
  /** Is given the time that some of the messages took, in seconds. */
  readonly tookSeconds: (seconds: number) => void;
}

/** How messages are heard. */
export const TURN_LIMITS: TurnLimits = {
  /** An ordinary burst is through in a few turns. */
  perTurn: 2,
  /** Offers with candidates to a few peers. */
  mayWait: 4,
  /** As long as five to ten messages take, with what the kernel does to send the answers. */
  waitingMs: 0.25,
  /** To read what came of one, up to 64 KiB, takes as long as five to ten messages too. */
  resumed: 1,
  /** Who is told that it is too fast is heard some forty times a second, or less where it says long things. */
  restMs: 20,
};
/** One message in so many is timed: a clock costs about as much as a small message. */
const TIMED_ONE_IN = 32;
/**
 * Of those who came together so many times as many are pinged at a time as if they had come evenly, the rest a little
 * later: they answer together too, and stay apart from then on.
 */
const PINGED_AT_MOST = 2;
/** Time between the closes of two sockets when the tracker stops, at most, in milliseconds. */
const DRAIN_STEP_MS = 2;
/** When the tracker stops, sockets that have not closed this long after they were told to are dropped. */
const CLOSE_GRACE_MS = 1_000;
/** Who broke the rules is dropped after this: to come back takes more than to be kept waiting. In milliseconds. */
const HELD_MS = 1_000;
/** A client has this long to answer that it is told to go. */
const CLOSE_WITHIN_MS = 10_000;
/** What a ping carries, so that nobody answers one that has not come: RFC 6455 allows 125 bytes. */
const PING_MARK_BYTES = 4;
/** Sockets that may have something unsent: to write to so many takes about a millisecond. */
const MAY_BE_UNSENT = 64;

/**
 * Puts a tracker on WebSockets: `upgrade` takes an HTTP server's upgrade requests, and refuses whom it may not
 * take. Offers no compression, bounds what slow readers may leave waiting, measures round trips with pings.
 */
export class WsAdapter implements ConnectionOwner {
  readonly maxBufferedBytes: number;
  readonly maxMessageBytes: number;
  readonly controlFrames: Rate;
  readonly #context: WsAdapterContext;
  readonly #options: WsAdapterOptions;
  /** In the order of their next ping. */
  readonly #connections = new Set<Connection>();
  /** Connections on their way out with the time when they are dropped, oldest first. */
  readonly #closing = new Map<Connection, number>();
  /** Connections that broke the rules, with the time when they are dropped, oldest first. */
  readonly #held = new Map<Connection, number>();
  readonly #outboxes = new Outboxes(MAY_BE_UNSENT, (run) => void setImmediate(run));
  readonly #turns = new Turns<Heard, Connection>(TURN_LIMITS, {
    handle: (connection, heard) => this.#hear(connection, heard),
    isLong: (heard) => typeof heard === 'object',
    pause: (connection) => connection.pause(),
    resume: (connection) => connection.resume(),
    nextTurn: (run) => void setImmediate(run),
    later: (run, ms) => void setTimeout(run, ms),
    nowMs: () => performance.now(),
  });
  readonly #backlog: Backlog<Connection>;
  readonly #newMark = randomTexts(PING_MARK_BYTES, 'latin1');
  readonly #door: Door;
  #pingedUntilMs: number;
  #nextId = 1;
  #messages = 0;
  /** Whose message is being followed. */
  #hearing: Connection | undefined = undefined;
  #hearingBytes = 0;

  constructor(context: WsAdapterContext, options: Partial<WsAdapterOptions> = {}) {
    this.#context = context;
    this.#options = { ...DEFAULT_WS_ADAPTER_OPTIONS, ...options };
    this.#pingedUntilMs = context.nowMs();
    this.maxBufferedBytes = this.#options.maxBufferedBytes || Number.POSITIVE_INFINITY;
    this.maxMessageBytes = this.#options.maxMessageBytes || Number.MAX_SAFE_INTEGER;
    this.controlFrames = perMinute(this.#options.controlFramesPerMinute);
    this.#backlog = new Backlog({
      mostBytes: this.#options.maxBacklogBytes || Number.POSITIVE_INFINITY,
      drop: (connection) => connection.dropSlowReader(),
      nextTurn: (run) => void setImmediate(run),
      nowMs: () => performance.now(),
    });
    const { trustProxy, origins } = this.#options;
    this.#door = new Door({
      limits: context.limits,
      trustProxy,
      origins,
      admit: (arrival) => this.#admit(arrival),
      refused: (reason, from) => this.#turnedAway(reason, from),
    });
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Set by whoever measures memory: no new sockets. */
  set isOutOfMemory(isOut: boolean) {
    this.#door.isOutOfMemory = isOut;
  }

  /** Takes over an upgrade request: opens a connection, or answers why not. */
  upgrade(request: UpgradeRequest, socket: Socket, head: Buffer): void {
    this.#door.upgrade(request, socket, head);
  }

  /**
   * Lets time pass: pings whose turn it is, and drops who did not answer. To be begun about twice a second; each step
   * is one connection's.
   */
  *duties(): Generator<undefined> {
    const nowMs = this.#context.nowMs();
    for (const leaving of [this.#closing, this.#held])
      for (const [connection, untilMs] of leaving) {
        if (untilMs > nowMs) break;
        connection.terminate();
        yield;
      }
    const { pingIntervalMs } = this.#options;
    if (pingIntervalMs === 0) return;
    let left = Math.ceil(
      (PINGED_AT_MOST * this.#connections.size * (nowMs - this.#pingedUntilMs)) / pingIntervalMs,
    );
    this.#pingedUntilMs = nowMs;
    for (const connection of this.#connections) {
      if (connection.pingAtMs > nowMs || --left < 0) return;
      if (connection.pingedMs !== undefined) connection.terminate();
      this.#ping(connection, this.#context.nowMs());
      yield;
    }
  }

  /**
   * Takes no new connections and tells those there are, spread over up to `drainMs`, that the tracker restarts:
   * they do not all come back at once. Resolves when all have closed or were dropped.
   */
  async close(drainMs: number): Promise<void> {
    this.#door.isStopping = true;
    this.#dropLeaving();
    const leaving = [...this.#connections];
    const stepMs = Math.min(DRAIN_STEP_MS, drainMs / Math.max(1, leaving.length));
    const startMs = this.#context.nowMs();
    let told = 0;
    for (const connection of leaving) {
      if (told * stepMs > this.#context.nowMs() - startMs) await pause(Math.max(10, stepMs));
      connection.close(TRACKER_CLOSE.restarting, 'the tracker restarts');
      told++;
    }
    const graceUntilMs = this.#context.nowMs() + CLOSE_GRACE_MS;
    while (this.connectionCount > 0 && this.#context.nowMs() < graceUntilMs) await pause(10);
    for (const connection of this.#connections) connection.terminate();
    this.#dropLeaving();
  }

  /** Whoever is told to go already. */
  #dropLeaving(): void {
    for (const connection of [...this.#closing.keys(), ...this.#held.keys()]) connection.terminate();
  }

  nowMs(): number {
    return this.#context.nowMs();
  }

  heard(connection: Connection, heard: Heard): void {
    this.#turns.take(connection, heard);
  }

  answered(connection: Connection): void {
    if (connection.pingedMs === undefined) return;
    connection.session?.roundTrip(this.#context.nowMs() - connection.pingedMs);
    connection.pingedMs = undefined;
  }

  speaks(connection: Connection): void {
    this.#outboxes.add(connection);
    if (connection.wasSpokenTo) return;
    // With the welcome, and in the same packet.
    connection.wasSpokenTo = true;
    if (this.#options.pingIntervalMs > 0) this.#ping(connection, this.#context.nowMs());
  }

  yields(connection: Connection, bytes: number): void {
    this.#turns.rest(connection, restsFor(bytes));
  }

  waits(connection: Connection): void {
    this.#backlog.waits(connection);
  }

  /** Who goes on telling much to one that does not read waits with it, for as long as for any refusal. */
  lags(connection: Connection): void {
    const from = this.#hearing;
    if (from !== undefined && from !== connection) this.#rest(from);
  }

  closing(connection: Connection): void {
    // What it said and still says is passed over, until it answers.
    this.#turns.forget(connection);
    connection.resume();
    this.#closing.set(connection, this.#context.nowMs() + CLOSE_WITHIN_MS);
  }

  left(connection: Connection): void {
    this.#leave(connection);
    // Deaf already, it is dropped after the same time as one that is told to go.
    if (!this.#closing.has(connection))
      this.#closing.set(connection, this.#context.nowMs() + CLOSE_WITHIN_MS);
  }

  offended(connection: Connection): void {
    this.#leave(connection);
    this.#held.set(connection, this.#context.nowMs() + HELD_MS);
  }

  gone(connection: Connection): void {
    this.#closing.delete(connection);
    this.#held.delete(connection);
    this.#backlog.forget(connection);
    this.#leave(connection);
    if (connection.isCounted) this.#context.limits.disconnected(connection.from.key);
  }

  /** It is nobody's peer any more. */
  #leave(connection: Connection): void {
    this.#turns.forget(connection);
    if (this.#connections.delete(connection)) connection.session?.closed();
  }

  refused(connection: Connection, reason: RefusalReason, re: string | undefined): void {
    // Of who has heaps to say what is refused is heard fifty times a second; a mistake among few words costs nothing.
    if (reason === 'too-fast' || this.#turns.isLoud(connection)) this.#rest(connection);
    this.#context.refusals.note(reason, { conn: connection.id, address: connection.from.text }, re);
  }

  ended(connection: Connection, reason: RefusalReason): void {
    this.#context.tracker.countRefusal(reason);
    this.refused(connection, reason, undefined);
  }

  #rest(connection: Connection): void {
    this.#turns.rest(connection, restsFor(connection === this.#hearing ? this.#hearingBytes : 0));
  }

  #turnedAway(reason: RefusalReason, from: ClientAddress): void {
    this.#context.tracker.countRefusal(reason);
    this.#context.refusals.note(reason, { address: from.text });
  }

  #admit({ request, socket, head, from }: Arrival): void {
    const { limits, tracker } = this.#context;
    const handshake = handshakeAnswer(request);
    if ('status' in handshake) return refuseHandshake(socket, handshake.status);
    if (!socket.readable || !socket.writable) return void socket.destroy();
    socket.write(handshake.answer, 'latin1');
    const connection = new Connection(this, socket, this.#nextId++, from);
    if (!limits.connected(from.key)) {
      this.#turnedAway('too-many-connections', from);
      return connection.close(TRACKER_CLOSE.tooFast, 'too many connections');
    }
    connection.isCounted = true;
    if (!handshake.speaksOurs) {
      this.#turnedAway('unknown-version', from);
      return connection.close(TRACKER_CLOSE.unknownVersion, `speak ${TRACKER_SUBPROTOCOL}`);
    }
    connection.session = tracker.connect(connection);
    connection.pingAtMs = this.#context.nowMs() + this.#options.pingIntervalMs;
    this.#connections.add(connection);
    if (head.length > 0) connection.read(head);
  }

  #hear(connection: Connection, heard: Heard): void {
    const { session } = connection;
    if (session === undefined) return;
    this.#hearing = connection;
    this.#hearingBytes = heard === BINARY ? 0 : heard.length;
    this.#receive(session, heard);
    this.#hearing = undefined;
  }

  #receive(session: TrackerSession, heard: Heard): void {
    if (heard === BINARY) return session.receiveBinary();
    if (++this.#messages % TIMED_ONE_IN !== 0) return session.receive(heard.toString());
    const startMs = performance.now();
    session.receive(heard.toString());
    this.#context.tookSeconds((performance.now() - startMs) / 1_000);
  }

  #ping(connection: Connection, nowMs: number): void {
    connection.pingedMs = nowMs;
    connection.pingAtMs = nowMs + this.#options.pingIntervalMs;
    // To the end of the row.
    this.#connections.delete(connection);
    this.#connections.add(connection);
    connection.ping(this.#newMark());
  }
}

/** The longer what came, the longer its sender rests: to read it and to throw it away is work too. */
function restsFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / LONG_FROM));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
