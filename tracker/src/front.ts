import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { inTurns } from './in-turns.ts';
import { laterInTurns, type LaterLimits } from './later-in-turns.ts';
import { mayBecomeUpgrade, readPlainUpgrade, type PlainUpgrade } from './plain-upgrade.ts';
import type { TurnLimits } from './turns.ts';

/** Whom the front hands connections to, and how long it waits. */
export interface FrontRules {
  /** A new connection may take this long to say what it wants, in milliseconds; 0 for ever. */
  readonly silentMs: number;
  readonly nowMs: () => number;
  /** Takes a connection that asked for a WebSocket; `head` came after the request. */
  upgrade(request: PlainUpgrade, socket: Socket, head: Buffer): void;
  /** A connection closed that was not taken by {@link upgrade}; the HTTP server may have had it. */
  gone(socket: Socket): void;
  /** More connections say nothing than those who mean well ever leave waiting; or that is over. */
  crowded(isCrowded: boolean): void;
}

/** New sockets looked at in one turn: a crowd at the door does not keep those inside waiting. */
export const NEWCOMERS: TurnLimits = { perTurn: 2, mayWait: 0, waitingMs: 0.25, resumed: 1, restMs: 0 };

/** While more than so many connections have said nothing yet, those that come are not read from at once. */
export const READ_AT_ONCE = 64;
/**
 * They have said by then what they say first, most of them, and are read from a few in each turn. Who is read from at once
 * says it whenever it likes: a hundred of a flood in one turn.
 */
const READ_LATER: LaterLimits = { afterMs: 20, perTurn: 2 };

/** So few that are silent are no crowd any more. */
const CROWD_IS_OVER = READ_AT_ONCE / 2;

const FRONT = Symbol('front');
const BEGUN = Symbol('begun');

/** A connection that knows who listens to it, and how its request began: there are thousands, without closures. */
interface Newcomer extends Socket {
  [FRONT]?: Front | undefined;
  /** A character a byte: a buffer takes three times the memory. */
  [BEGUN]?: string | undefined;
}

/** A connection, and all it said so far. */
interface Asking {
  readonly socket: Newcomer;
  readonly said: Buffer;
}

/**
 * Stands before an HTTP server's connections and looks at the first bytes of each, waiting for the end of what begins
 * as a request for a WebSocket may: a plain one is taken from it, all else is the HTTP server's. To be heard by an HTTP
 * server costs a connection about as much as five messages, and 600 bytes for as long as it lives. Hundreds may ask in
 * one turn of the event loop; what they ask is looked at in turns.
 */
export class Front {
  readonly #server: Server;
  readonly #toHttp: readonly ((socket: Socket) => void)[];
  readonly #rules: FrontRules;
  /** Connections that have said nothing yet, or only the beginning of a request, oldest first. */
  readonly #silent = new Map<Newcomer, number>();
  readonly #readLater = laterInTurns<Newcomer>((socket) => void socket.resume(), READ_LATER);
  readonly #asking = inTurns<Asking>((asking) => this.#look(asking), NEWCOMERS);
  #isCrowded = false;

  constructor(server: Server, rules: FrontRules) {
    this.#server = server;
    this.#rules = rules;
    this.#toHttp = server.listeners('connection') as ((socket: Socket) => void)[];
    server.removeAllListeners('connection');
    // As the option of `net.createServer`, which servers of HTTP do not pass on; where it did nothing, all would be read at once.
    Object.assign(server, { pauseOnConnect: true });
    server.on('connection', (socket) => this.#listen(socket));
  }

  /** Lets time pass: drops who says nothing or never ends, one at each step. To be begun about once a second. */
  *duties(): Generator<undefined> {
    const { silentMs } = this.#rules;
    if (silentMs === 0) return;
    const nowMs = this.#rules.nowMs();
    for (const [socket, sinceMs] of this.#silent) {
      if (nowMs - sinceMs < silentMs) return;
      this.#forget(socket);
      socket.destroy();
      yield;
    }
  }

  /** Drops whom it still waits for. */
  close(): void {
    for (const socket of this.#silent.keys()) socket.destroy();
  }

  /** Takes what a connection said first, or next. */
  hear(socket: Newcomer, bytes: Buffer): void {
    const begun = socket[BEGUN];
    const said = begun === undefined ? bytes : Buffer.concat([Buffer.from(begun, 'latin1'), bytes]);
    if (mayBecomeUpgrade(said)) return void (socket[BEGUN] = said.toString('latin1'));
    if (begun !== undefined) socket[BEGUN] = undefined;
    // Nobody listens until it was taken.
    socket.off('data', hear);
    socket.pause();
    this.#asking({ socket, said });
  }

  /** A connection closed, be it after the HTTP server had it. */
  gone(socket: Newcomer): void {
    this.#forget(socket);
    this.#rules.gone(socket);
  }

  #look({ socket, said }: Asking): void {
    if (socket.destroyed) return;
    this.#forget(socket);
    socket.off('end', drop);
    socket.off('error', drop);
    const request = readPlainUpgrade(said);
    if (request === undefined) return this.#handToHttp(socket, said);
    socket[FRONT] = undefined;
    socket.off('close', closed);
    this.#rules.upgrade(request, socket, said.subarray(request.length));
  }

  #listen(socket: Newcomer): void {
    socket[FRONT] = this;
    this.#silent.set(socket, this.#rules.nowMs());
    socket.on('data', hear);
    socket.on('end', drop);
    socket.on('error', drop);
    socket.on('close', closed);
    if (this.#silent.size <= READ_AT_ONCE) return void socket.resume();
    this.#beCrowded(true);
    this.#readLater(socket);
  }

  #forget(socket: Newcomer): void {
    this.#silent.delete(socket);
    if (this.#silent.size <= CROWD_IS_OVER) this.#beCrowded(false);
  }

  #beCrowded(isCrowded: boolean): void {
    if (isCrowded === this.#isCrowded) return;
    this.#isCrowded = isCrowded;
    this.#rules.crowded(isCrowded);
  }

  #handToHttp(socket: Socket, said: Buffer): void {
    socket.unshift(said);
    for (const take of this.#toHttp) take.call(this.#server, socket);
    socket.resume();
  }
}

function hear(this: Newcomer, bytes: Buffer): void {
  this[FRONT]?.hear(this, bytes);
}

function drop(this: Socket): void {
  this.destroy();
}

function closed(this: Newcomer): void {
  this[FRONT]?.gone(this);
}
