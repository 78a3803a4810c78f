import {
  encodeClientMessage,
  parseTrackerMessage,
  ProtocolError,
  TRACKER_CLOSE,
  TRACKER_SUBPROTOCOL,
  type ClientMessage,
  type TrackerMessage,
  type WelcomeReply,
} from '@sonantica/wire';
import { bearerFrom, type After, type TokenSource } from './bearer.ts';
import { TrackerRota, type TrackerEnding } from './tracker-rota.ts';

export type { TokenSource } from './bearer.ts';

/** The part of a WebSocket that is used; the browser's own and `ws` both fit. */
export interface WebSocketLike {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'error', listener: (event: unknown) => void): void;
}

/** Opens a socket with a subprotocol. */
export type OpenWebSocket = (url: string, protocol: string) => WebSocketLike;

/** What a tracker client tells. `url` is the tracker's. */
export interface TrackerHandler {
  /** Hello was just said on a new socket. What is announced now is heard right after it, a round trip sooner than its answer. */
  greeted(): void;
  /** Admitted, for the first time or again, under a new peer id. */
  up(welcome: WelcomeReply, url: string): void;
  /** A later welcome on the same socket: the peer id and what was announced stay, servers and times are fresh. */
  welcomedAgain(welcome: WelcomeReply): void;
  message(message: Exclude<TrackerMessage, WelcomeReply>): void;
  /** The socket is gone, or did not come about. The client tries again by itself, unless all refused it. */
  down(reason: string, url: string): void;
}

/** What a tracker client is made of. */
export interface TrackerClientOptions {
  /** Trackers in order of preference, at least one. */
  readonly urls: readonly string[];
  readonly token: TokenSource | undefined;
  readonly open: OpenWebSocket;
  readonly handler: TrackerHandler;
  /** The pause after `n` rounds in vain (0 the first), in milliseconds, capped and jittered. */
  readonly retryDelayMs: (round: number) => number;
  /** At least 0, below 1: spreads clients that come back. */
  readonly random: () => number;
  readonly after: After;
}

const OPEN = 1;
/** RFC 6455, 7.4.1: the connection went without a word, as when its other end dies. */
const ABNORMAL = 1006;
/** A tracker that does not admit within this time is given up for now, in milliseconds. */
const WELCOME_WITHIN_MS = 10_000;
/** A tracker that is silent for so long after what it always answers is gone, whatever the socket says, in milliseconds. */
const ANSWER_WITHIN_MS = 20_000;
/** What it always answers. */
const ANSWERED: ReadonlySet<ClientMessage['type']> = new Set(['announce', 'join', 'find', 'claim']);
/** A socket that held this long counts as a success: the next pause is a short one again. */
const STEADY_AFTER_MS = 5_000;
/** A token is renewed when so much of its time has passed. */
const RENEW_AT_SHARE = 0.8;
/** The longest time a timer takes, in milliseconds: 2³¹ − 1. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Keeps a socket to one of several trackers: hello first, the next tracker when one fails, pauses that grow and
 * differ between clients, never giving up on those that do not refuse it. Tokens are renewed before they expire.
 */
export class TrackerClient {
  readonly #options: TrackerClientOptions;
  readonly #rota: TrackerRota;
  #socket: WebSocketLike | undefined;
  /** Ends the wait for the next attempt, or for its token. */
  #stopRetry: (() => void) | undefined;
  /** Ends the wait for the time to renew the token, or for the fresh one. */
  #stopRenewal: (() => void) | undefined;
  /** When the token ends whose renewal is waited for. */
  #tokenExpiresMs: number | undefined;
  /** Ends the wait for an answer. */
  #stopWaiting: (() => void) | undefined;
  #giveUp: (reason: string) => void = () => undefined;
  /** Whether hello was said on the socket. */
  #greeted = false;
  #admitted = false;
  #closed = false;

  constructor(options: TrackerClientOptions) {
    this.#options = options;
    this.#rota = new TrackerRota(options);
  }

  /** Whether messages can be sent: the tracker takes them in after hello. */
  get isOpen(): boolean {
    return this.#greeted;
  }

  /** Whether the tracker has admitted this listener. */
  get isUp(): boolean {
    return this.#admitted;
  }

  start(): void {
    void this.#connect();
  }

  /** Sends a message; answers false when the tracker is out of reach and it was dropped. */
  send(message: ClientMessage): boolean {
    if (!this.#greeted || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(encodeClientMessage(message));
    if (ANSWERED.has(message.type))
      this.#stopWaiting ??= this.#options.after(ANSWER_WITHIN_MS, () =>
        this.#giveUp('the tracker does not answer'),
      );
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#greeted = false;
    this.#admitted = false;
    this.#stopRetry?.();
    this.#forgetRenewal();
    this.#heard();
    this.#socket?.close(1000);
    this.#socket = undefined;
  }

  #heard(): void {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  async #connect(): Promise<void> {
    const { token, open, handler, after } = this.#options;
    const { url } = this.#rota;
    if (url === undefined) return;
    let bearer: string | undefined;
    let socket: WebSocketLike;
    try {
      const awaited = bearerFrom(token, after);
      this.#stopRetry = awaited.stop;
      bearer = await awaited.token;
      if (this.#closed) return;
      socket = open(url, TRACKER_SUBPROTOCOL);
    } catch (error) {
      if (this.#closed) return;
      handler.down(error instanceof Error ? error.message : String(error), url);
      return this.#next('failed');
    }
    this.#socket = socket;
    let why = 'the socket closed';
    let isSteady = false;
    const admitted = after(WELCOME_WITHIN_MS, () => this.#giveUp('the tracker did not admit us in time'));
    let unsettle: (() => void) | undefined;
    const lost = (code: number | undefined) => {
      admitted();
      unsettle?.();
      if (this.#socket !== socket) return;
      this.#forgetRenewal();
      this.#heard();
      this.#socket = undefined;
      const wasAdmitted = this.#admitted;
      this.#greeted = false;
      this.#admitted = false;
      if (this.#closed) return;
      handler.down(why, url);
      this.#next(this.#endingOf(code, wasAdmitted, isSteady));
    };
    this.#giveUp = (reason) => {
      why = reason;
      socket.close();
      lost(undefined);
    };
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return;
      socket.send(helloWith(bearer));
      this.#greeted = true;
      handler.greeted();
    });
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket !== socket) return;
      this.#heard();
      const message = this.#read(data);
      if (message === undefined) return;
      if (message.type !== 'welcome') {
        if (this.#admitted) handler.message(message);
        return;
      }
      this.#renewInTime(socket, message);
      this.#rota.admitted(message.announceIntervalMs);
      // A later one answers a renewed token, or names fresh servers.
      if (this.#admitted) return handler.welcomedAgain(message);
      admitted();
      this.#admitted = true;
      unsettle = after(STEADY_AFTER_MS, () => {
        isSteady = true;
        this.#rota.held();
      });
      handler.up(message, url);
    });
    socket.addEventListener('error', (event) => {
      why = messageOf(event) ?? why;
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (code !== 1006 || why === 'the socket closed')
        why = `closed with ${code}${reason === '' ? '' : `: ${reason}`}`;
      lost(code);
    });
  }

  #endingOf(code: number | undefined, wasAdmitted: boolean, isSteady: boolean): TrackerEnding {
    if (code === TRACKER_CLOSE.unknownVersion) return 'refused';
    if (code === TRACKER_CLOSE.notAuthorised) {
      // A callback may give a better token; the same one would be refused again.
      return typeof this.#options.token === 'function' ? 'failed' : 'refused';
    }
    if (code === TRACKER_CLOSE.restarting) return 'restarting';
    if (isSteady) return 'lost';
    return wasAdmitted && code === ABNORMAL ? 'dropped' : 'failed';
  }

  /** Asks for a fresh token before the one that was welcomed expires. Failing that, the tracker ends the socket. */
  #renewInTime(socket: WebSocketLike, { tokenExpiresMs, serverTimeMs }: WelcomeReply): void {
    const { token, after } = this.#options;
    // A welcome that brings other news leaves a renewal to come, or under way, as it is.
    if (this.#stopRenewal !== undefined && tokenExpiresMs === this.#tokenExpiresMs) return;
    this.#forgetRenewal();
    if (tokenExpiresMs === undefined || typeof token !== 'function') return;
    this.#tokenExpiresMs = tokenExpiresMs;
    const leftMs = Math.max(0, tokenExpiresMs - serverTimeMs) * RENEW_AT_SHARE;
    this.#stopRenewal = after(Math.min(leftMs, MAX_TIMER_MS), () => {
      const awaited = bearerFrom(token, after);
      this.#stopRenewal = awaited.stop;
      const settled = () => {
        if (this.#stopRenewal === awaited.stop) this.#stopRenewal = undefined;
      };
      awaited.token.then((bearer) => {
        settled();
        if (this.#socket === socket && socket.readyState === OPEN) socket.send(helloWith(bearer));
      }, settled);
    });
  }

  #forgetRenewal(): void {
    this.#stopRenewal?.();
    this.#stopRenewal = undefined;
  }

  /** A message the tracker should not have sent is dropped: its mistakes must not end ours. */
  #read(data: unknown): TrackerMessage | undefined {
    if (typeof data !== 'string') return undefined;
    try {
      return parseTrackerMessage(data);
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }

  #next(how: TrackerEnding): void {
    const delayMs = this.#rota.ended(how);
    if (this.#closed || delayMs === undefined) return;
    this.#stopRetry = this.#options.after(delayMs, () => void this.#connect());
  }
}

function helloWith(token: string | undefined): string {
  return encodeClientMessage({ type: 'hello', ...(token === undefined ? {} : { token }) });
}

function messageOf(event: unknown): string | undefined {
  if (typeof event === 'object' && event !== null && 'message' in event && typeof event.message === 'string')
    return event.message;
  return undefined;
}
