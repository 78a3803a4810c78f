import {
  encodeClientMessage,
  parseTrackerMessage,
  ProtocolError,
  TRACKER_SUBPROTOCOL,
  type ClientMessage,
  type TrackerMessage,
  type WelcomeReply,
} from '@sonantica/wire';

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

/** A bearer token, or how to get a fresh one before each connection. */
export type TokenSource = string | (() => string | Promise<string>);

/** What a tracker client tells. */
export interface TrackerHandler {
  /** Admitted, for the first time or again, under a new peer id. */
  up(welcome: WelcomeReply): void;
  message(message: Exclude<TrackerMessage, WelcomeReply>): void;
  /** The socket is gone; the client comes back by itself. */
  down(reason: string): void;
}

/** What a tracker client is made of. */
export interface TrackerClientOptions {
  readonly url: string;
  readonly token: TokenSource | undefined;
  readonly open: OpenWebSocket;
  readonly handler: TrackerHandler;
  /** The pause before attempt `n` (0 the first), in milliseconds. */
  readonly retryDelayMs: (attempt: number) => number;
  /** Runs something once, later; the answer takes it back. */
  readonly after: (delayMs: number, run: () => void) => () => void;
}

const OPEN = 1;
/** A tracker that does not admit within this time is given up for now, in milliseconds. */
const WELCOME_WITHIN_MS = 10_000;
/** A socket that held this long counts as a success: the next pause is a short one again. */
const STEADY_AFTER_MS = 5_000;

/** Keeps a socket to a tracker: hello first, reconnects with growing, jittered pauses, never gives up. */
export class TrackerClient {
  readonly #options: TrackerClientOptions;
  #socket: WebSocketLike | undefined;
  #stopRetry: (() => void) | undefined;
  #attempt = 0;
  #admitted = false;
  #closed = false;

  constructor(options: TrackerClientOptions) {
    this.#options = options;
  }

  /** Whether messages reach the tracker now. */
  get isUp(): boolean {
    return this.#admitted;
  }

  start(): void {
    void this.#connect();
  }

  /** Sends a message; answers false when the tracker is out of reach and it was dropped. */
  send(message: ClientMessage): boolean {
    if (!this.#admitted || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(encodeClientMessage(message));
    return true;
  }

  close(): void {
    this.#closed = true;
    this.#admitted = false;
    this.#stopRetry?.();
    this.#socket?.close(1000);
    this.#socket = undefined;
  }

  async #connect(): Promise<void> {
    const { url, token, open, handler, after } = this.#options;
    let bearer: string | undefined;
    let socket: WebSocketLike;
    try {
      bearer = typeof token === 'function' ? await token() : token;
      if (this.#closed) return;
      socket = open(url, TRACKER_SUBPROTOCOL);
    } catch (error) {
      handler.down(error instanceof Error ? error.message : String(error));
      return this.#later();
    }
    this.#socket = socket;
    let why = 'the socket closed';
    const admitted = after(WELCOME_WITHIN_MS, () => {
      why = 'the tracker did not admit us in time';
      socket.close();
      lost();
    });
    let unsettle: (() => void) | undefined;
    const lost = () => {
      admitted();
      unsettle?.();
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#admitted = false;
      if (this.#closed) return;
      handler.down(why);
      this.#later();
    };
    socket.addEventListener('open', () => {
      socket.send(encodeClientMessage({ type: 'hello', ...(bearer === undefined ? {} : { token: bearer }) }));
    });
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket !== socket) return;
      const message = this.#read(data);
      if (message === undefined) return;
      if (message.type !== 'welcome') {
        if (this.#admitted) handler.message(message);
        return;
      }
      admitted();
      this.#admitted = true;
      unsettle = after(STEADY_AFTER_MS, () => (this.#attempt = 0));
      handler.up(message);
    });
    socket.addEventListener('error', (event) => {
      why = messageOf(event) ?? why;
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (code !== 1006 || why === 'the socket closed')
        why = `closed with ${code}${reason === '' ? '' : `: ${reason}`}`;
      lost();
    });
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

  #later(): void {
    if (this.#closed) return;
    this.#stopRetry = this.#options.after(
      this.#options.retryDelayMs(this.#attempt++),
      () => void this.#connect(),
    );
  }
}

function messageOf(event: unknown): string | undefined {
  if (typeof event === 'object' && event !== null && 'message' in event && typeof event.message === 'string')
    return event.message;
  return undefined;
}
