import type { Duplex } from 'node:stream';
import { TRACKER_CLOSE } from '@sonantica/wire';
import { WebSocket } from 'ws';
import type { TrackerSocket } from './core/env.ts';
import type { RefusalReason } from './core/refusal.ts';
import type { TrackerSession } from './core/session.ts';
import type { ClientAddress } from './client-address.ts';
import { textFrame } from './text-frame.ts';
import type { TurnTaker } from './turns.ts';

/** RFC 6455: the message is too big. The contract's own code says it instead. */
const WS_TOO_BIG = 1009;

/** A socket that knows its connection, and closes with the contract's code where `ws` closes by itself. */
export class TrackerWebSocket extends WebSocket {
  connection: Connection | undefined = undefined;

  override close(code?: number, data?: string | Buffer): void {
    if (code === WS_TOO_BIG) {
      this.connection?.ended('too-large');
      super.close(TRACKER_CLOSE.tooLarge, 'message too large');
    } else super.close(code, data);
  }

  /** Hands its events to the connection without listeners, of which each socket would keep a table of its own. */
  override emit(event: string | symbol, ...values: unknown[]): boolean {
    const { connection } = this;
    if (connection === undefined) return super.emit(event, ...values);
    switch (event) {
      case 'message': {
        const [data, isBinary] = values;
        connection.owner.heard(connection, isBinary === true || !Buffer.isBuffer(data) ? 'binary' : data);
        return true;
      }
      case 'pong':
        connection.owner.answered(connection);
        return true;
      case 'close':
        connection.owner.gone(connection);
        return true;
      case 'error':
        // `ws` closes the connection itself; unheard, the error would end the process.
        return true;
      default:
        return super.emit(event, ...values);
    }
  }
}

/** What a socket said: text, or what is not text. */
export type Heard = Buffer | 'binary';

/** What a connection needs of the adapter it belongs to. */
export interface ConnectionOwner {
  /** Bytes that may wait for a slow reader. */
  readonly maxBufferedBytes: number;
  /** It said something. */
  heard(connection: Connection, heard: Heard): void;
  /** It answered a ping. */
  answered(connection: Connection): void;
  /** It closed. */
  gone(connection: Connection): void;
  /** Something was refused by the core, which counted it. */
  refused(connection: Connection, reason: RefusalReason, re: string | undefined): void;
  /** The connection is ended for something the core does not see. */
  ended(connection: Connection, reason: RefusalReason): void;
}

/**
 * One admitted WebSocket: what the core sees of it, and what the adapter remembers. There are many, so it is
 * one object without closures.
 */
export class Connection implements TrackerSocket, TurnTaker<Heard> {
  readonly ws: TrackerWebSocket;
  readonly id: number;
  readonly from: ClientAddress;
  session: TrackerSession | undefined = undefined;
  pingAtMs: number;
  /** When the unanswered ping was sent. */
  pingedMs: number | undefined = undefined;
  turn = -1;
  heardInTurn = 0;
  waiting: Heard[] | undefined = undefined;
  readonly owner: ConnectionOwner;
  /** Beneath `ws`. */
  readonly #stream: Duplex;

  constructor(
    owner: ConnectionOwner,
    ws: TrackerWebSocket,
    stream: Duplex,
    id: number,
    from: ClientAddress,
    pingAtMs: number,
  ) {
    this.owner = owner;
    this.ws = ws;
    this.#stream = stream;
    this.id = id;
    this.from = from;
    this.pingAtMs = pingAtMs;
  }

  get address(): string | undefined {
    return this.from.key;
  }

  /** Sends, unless so much waits already that the reader is dropped. */
  send(text: string): void {
    if (this.ws.readyState !== WebSocket.OPEN) return;
    if (this.ws.bufferedAmount <= this.owner.maxBufferedBytes) {
      const frame = textFrame(text);
      if (frame === undefined) this.ws.send(text);
      else this.#stream.write(frame, 'latin1');
      return;
    }
    this.ended('slow-reader');
    this.ws.terminate();
  }

  close(code: number, reason: string): void {
    this.ws.close(code, reason);
  }

  refused(reason: RefusalReason, re: string | undefined): void {
    this.owner.refused(this, reason, re);
  }

  /** Says for what the connection is ended; ending it is the caller's. */
  ended(reason: RefusalReason): void {
    this.owner.ended(this, reason);
  }
}
