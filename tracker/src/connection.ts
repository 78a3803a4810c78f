import type { Duplex } from 'node:stream';
import { TRACKER_CLOSE } from '@sonantica/wire';
import type { ClientAddress } from './client-address.ts';
import type { TrackerSocket } from './core/env.ts';
import { spend, type Rate } from './core/rate-limit.ts';
import type { RefusalReason } from './core/refusal.ts';
import type { TrackerSession } from './core/session.ts';
import { FrameReader, TOO_BIG, type FrameSink } from './frame-reader.ts';
import { closeFrame, pingFrame, pongFrame, textFrame } from './frames.ts';
import type { TurnTaker } from './turns.ts';

/** Stands for a message that is not text. */
export const BINARY = Symbol('binary');
/** What a socket said; a long text as its bytes. */
export type Heard = string | Buffer | typeof BINARY;

/** What a connection needs of the adapter it belongs to. */
export interface ConnectionOwner {
  /** Bytes that may wait for a slow reader. */
  readonly maxBufferedBytes: number;
  readonly maxMessageBytes: number;
  /** Frames beside messages: pings, pongs nobody asked for, frames that do not end their message. */
  readonly controlFrames: Rate;
  nowMs(): number;
  /** It said something. */
  heard(connection: Connection, heard: Heard): void;
  /** It answered the ping it was sent last. */
  answered(connection: Connection): void;
  /** It has something to say: {@link Connection.flush} is to be called in this turn of the event loop. */
  speaks(connection: Connection): void;
  /** Much came of it that is no message, so many bytes of late: others are heard before it goes on. */
  yields(connection: Connection, bytes: number): void;
  /** Something it was told waits for it to read. */
  waits(connection: Connection): void;
  /** It is told more than it reads. */
  lags(connection: Connection): void;
  /** It is being closed, and has to be dropped when that takes long. */
  closing(connection: Connection): void;
  /** The client ended it: it is over, and has to be dropped when what waits for it is not read. */
  left(connection: Connection): void;
  /** It broke the rules and was told so: it is over, and has to be dropped in a while, so that it does not come back at once. */
  offended(connection: Connection): void;
  /** It closed. */
  gone(connection: Connection): void;
  /** Something was refused by the core, which counted it. */
  refused(connection: Connection, reason: RefusalReason, re: string | undefined): void;
  /** The connection is ended for something the core does not see. */
  ended(connection: Connection, reason: RefusalReason): void;
}

/** Close codes of who broke the rules. */
const OFFENCES: ReadonlySet<number> = new Set([
  TRACKER_CLOSE.malformed,
  TRACKER_CLOSE.tooLarge,
  TRACKER_CLOSE.tooFast,
]);
const CONNECTION = Symbol('connection');
/** Frames beside messages that are read of one connection in one turn. */
const CONTROLS_A_TURN = 16;
/** More than that waits for a reader that does not keep up, in bytes: a few descriptions are no sign of it. */
const LAGS_FROM_BYTES = 65_536;

/** A TCP or TLS socket that knows its connection: listeners are shared by all. */
export interface ConnectionStream extends Duplex {
  [CONNECTION]?: Connection;
}

/**
 * One WebSocket: what the core sees of it, and what the adapter remembers. There are many, so it is one object
 * without closures. What it says in one turn of the event loop leaves in one write.
 */
export class Connection implements TrackerSocket, TurnTaker<Heard>, FrameSink {
  readonly id: number;
  readonly from: ClientAddress;
  session: TrackerSession | undefined = undefined;
  /** Whether it takes one of the connections that there may be. */
  isCounted = false;
  pingAtMs = 0;
  /** When the unanswered ping was sent. */
  pingedMs: number | undefined = undefined;
  /** Whether anything was said to it yet. */
  wasSpokenTo = false;
  turn = -1;
  heardInTurn = 0;
  waiting: Heard[] | undefined = undefined;
  readonly #owner: ConnectionOwner;
  readonly #stream: ConnectionStream;
  readonly #reader: FrameReader;
  /** Frames to be sent, a character a byte. */
  #unsent = '';
  /** What the last ping that was not yet answered carried. */
  #pinged: string | undefined = undefined;
  /** What the last ping to it carried. */
  #mark = '';
  /** The rate limit of its frames beside messages. */
  #controlsUntilMs = 0;
  #controls = 0;
  #parts = 0;
  /** Bytes of parts of messages for which it has not yielded. */
  #partBytes = 0;
  #isOpen = true;
  #hasOffended = false;
  #isToBeFlushed = false;

  constructor(owner: ConnectionOwner, stream: ConnectionStream, id: number, from: ClientAddress) {
    this.#owner = owner;
    this.#stream = stream;
    this.#reader = new FrameReader(owner.maxMessageBytes);
    this.id = id;
    this.from = from;
    stream[CONNECTION] = this;
    stream.on('data', onData);
    stream.on('end', onEnd);
    stream.on('error', onError);
    stream.on('close', onClose);
    stream.resume();
  }

  get address(): string | undefined {
    return this.from.key;
  }

  /** Bytes that it was told and that have not left yet. */
  get waitingBytes(): number {
    return this.#stream.writableLength + this.#unsent.length;
  }

  /** Sends, unless so much waits already that the reader is dropped. */
  send(text: string): void {
    if (!this.#isOpen) return;
    const waiting = this.waitingBytes;
    if (waiting > LAGS_FROM_BYTES) this.#owner.lags(this);
    if (waiting <= this.#owner.maxBufferedBytes) return this.#say(textFrame(text));
    this.dropSlowReader();
  }

  /** Ends it, with all that waits for it. */
  dropSlowReader(): void {
    this.#owner.ended(this, 'slow-reader');
    this.terminate();
  }

  /** Asks for a sign of life. Only a pong with this `mark` (at most 125 characters of a byte) answers it. */
  ping(mark: string): void {
    this.#mark = mark;
    if (this.#isOpen) this.#say(pingFrame(mark));
  }

  /** Reads nothing more until {@link resume}. */
  pause(): void {
    this.#reader.hold();
    this.#stream.pause();
  }

  /** Goes on with what had come, and then with what comes. */
  resume(): void {
    this.#reader.resume(this);
    if (!this.#reader.isHeld) this.#stream.resume();
  }

  /** Hands over what was said. */
  flush(): void {
    this.#isToBeFlushed = false;
    if (this.#pinged !== undefined) {
      this.#unsent += pongFrame(this.#pinged);
      this.#pinged = undefined;
    }
    const unsent = this.#unsent;
    if (unsent === '') return;
    this.#unsent = '';
    if (!this.#stream.writable) return;
    // What waits for its reader waits outside the heap, where nobody copies it.
    if (this.#stream.writableLength > 0) this.#stream.write(Buffer.from(unsent, 'latin1'));
    else this.#stream.write(unsent, 'latin1');
    if (this.#stream.writableLength > 0) this.#owner.waits(this);
  }

  close(code: number, reason: string): void {
    if (OFFENCES.has(code)) this.#offends(code, reason);
    else this.#close(code, reason);
  }

  #close(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#unsent += closeFrame(code, reason);
    this.flush();
    this.#reader.beDeaf();
    this.#owner.closing(this);
  }

  terminate(): void {
    this.#isOpen = false;
    this.#unsent = '';
    this.#stream.destroy();
  }

  refused(reason: RefusalReason, re: string | undefined): void {
    this.#owner.refused(this, reason, re);
  }

  /** Takes bytes that came. */
  read(bytes: Buffer): void {
    if (this.#hasOffended) return;
    const parts = this.#parts;
    const wasOver = this.#reader.isOver;
    this.#reader.read(bytes, this);
    // Of who sends in parts, and of who is told to go, to read is the most of the work.
    if (wasOver || (!this.#reader.isOver && (this.#parts !== parts || !this.#isOpen))) {
      this.#partBytes = 0;
      this.#owner.yields(this, bytes.length);
    }
  }

  text(text: string): void {
    this.#owner.heard(this, text);
  }

  longText(bytes: Buffer): void {
    this.#owner.heard(this, bytes);
  }

  binary(): void {
    this.#owner.heard(this, BINARY);
  }

  /** Of several pings in one turn the last is answered: RFC 6455, 5.5.3. */
  pinged(payload: string): void {
    if (!this.#isOpen) return;
    this.#pinged = payload;
    this.#speaks();
    this.#countControl();
  }

  /** RFC 6455, 5.5.3: the answer carries what the ping did. Anything else may have been said before the ping came. */
  ponged(payload: string): void {
    if (this.pingedMs === undefined || payload !== this.#mark) this.#countControl();
    else this.#owner.answered(this);
  }

  part(bytes: number): void {
    this.#parts++;
    this.#partBytes += bytes;
    this.#countControl();
  }

  /** The client ends the connection, or answers that it is ended. */
  closed(code: number): void {
    const wasOpen = this.#isOpen;
    this.#close(code, '');
    this.#stream.end();
    if (wasOpen) this.#owner.left(this);
  }

  broken(code: number): void {
    if (!this.#isOpen) return void this.#stream.end();
    if (code !== TOO_BIG) return this.#offends(code, '');
    this.#owner.ended(this, 'too-large');
    this.#offends(TRACKER_CLOSE.tooLarge, 'message too large');
  }

  /** Nothing more will come, or be sent: it is over at once, and dropped where what waits is not read in a while. */
  endedByClient(): void {
    this.flush();
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#stream.end();
    if (wasOpen) this.#owner.left(this);
  }

  gone(): void {
    this.#isOpen = false;
    this.#reader.stop();
    this.#owner.gone(this);
  }

  /** What is no message has a rate of its own: read by the million, it would keep others waiting. */
  #countControl(): void {
    const { controlFrames } = this.#owner;
    const untilMs = spend(controlFrames, this.#controlsUntilMs, Math.floor(this.#owner.nowMs()));
    if (untilMs >= 0) {
      this.#controlsUntilMs = untilMs;
      if (++this.#controls % CONTROLS_A_TURN !== 0) return;
      this.#owner.yields(this, this.#partBytes);
      this.#partBytes = 0;
      return;
    }
    if (!this.#isOpen) return;
    this.#owner.ended(this, 'too-fast');
    this.#offends(TRACKER_CLOSE.tooFast, 'too fast');
  }

  /** Is told that it is over; what it goes on saying is not even thrown away. */
  #offends(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#hasOffended = true;
    this.#unsent += closeFrame(code, reason);
    this.flush();
    this.#reader.stop();
    this.#stream.pause();
    this.#owner.offended(this);
  }

  #say(frame: string): void {
    this.#unsent += frame;
    this.#speaks();
  }

  #speaks(): void {
    if (this.#isToBeFlushed) return;
    this.#isToBeFlushed = true;
    this.#owner.speaks(this);
  }
}

function onData(this: ConnectionStream, bytes: Buffer): void {
  this[CONNECTION]?.read(bytes);
}

function onEnd(this: ConnectionStream): void {
  this[CONNECTION]?.endedByClient();
}

/** The stream destroys itself; unheard, the error would end the process. */
function onError(): void {}

function onClose(this: ConnectionStream): void {
  this[CONNECTION]?.gone();
}
