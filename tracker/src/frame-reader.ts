import { isUtf8 } from 'node:buffer';
import { NO_CODE } from './frames.ts';
import { KeptBytes } from './kept-bytes.ts';

/** What a {@link FrameReader} makes of what a client sends. */
export interface FrameSink {
  /** A whole message came, in whatever pieces. */
  text(text: string): void;
  /**
   * A whole message of more than {@link LONG_FROM} bytes came: valid UTF-8, the receiver's own. It waits for its turn
   * outside the heap, where no collection copies it.
   */
  longText(bytes: Buffer): void;
  /** A whole message that is not text came. */
  binary(): void;
  /** `payload`: a character a byte. */
  pinged(payload: string): void;
  /** `payload`: a character a byte. */
  ponged(payload: string): void;
  /** A frame of so many bytes came that does not end its message. */
  part(bytes: number): void;
  /** The client ends the connection, with a code or 1005 for none. Nothing more is read. */
  closed(code: number): void;
  /** What came breaks the protocol, or is too big: the close code that says so. Nothing more is read. */
  broken(code: number): void;
}

/** Close codes of RFC 6455, 7.4.1. */
export const PROTOCOL_ERROR = 1002;
export const NOT_UTF8 = 1007;
export const TOO_BIG = 1009;

/** A message of more bytes takes as long as many messages: twice a description, but with its candidates. */
export const LONG_FROM = 4_096;

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const MAX_CONTROL_BYTES = 125;
const MASK_BYTES = 4;

/**
 * Reads the frames of one WebSocket's client (RFC 6455, 5.2), however they are cut: masked, without extensions,
 * whole messages of at most `maxBytes`. A head that says more is enough to refuse. Keeps only what it cannot use
 * yet, and as much of it as came.
 */
export class FrameReader {
  readonly #maxBytes: number;
  /** The beginning of a frame that is not whole. */
  #frame: KeptBytes | undefined = undefined;
  /** The beginning of a message whose last frame is still to come. */
  #message: KeptBytes | undefined = undefined;
  /** What came and was not looked at, from `#restAt` on: whoever listens has enough for now. */
  #rest: Buffer | undefined = undefined;
  #restAt = 0;
  #isBinary = false;
  #isOver = false;
  #isHeld = false;
  #isDeaf = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Reads nothing more. */
  stop(): void {
    this.#isOver = true;
    this.#frame?.letGo();
    this.#frame = undefined;
    this.#forgetMessage();
    this.#rest = undefined;
  }

  /** Passes messages over from now on, unread, and hears only how the connection ends. */
  beDeaf(): void {
    this.#isDeaf = true;
    this.#forgetMessage();
  }

  /** Whether nothing more is read. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it waits for {@link resume}. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Reads no further frame until {@link resume}, not even of what has come. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Reads on, from where it was held. */
  resume(sink: FrameSink): void {
    this.#isHeld = false;
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    if (this.#frame === undefined) this.#frames(rest, this.#restAt, rest.length, sink);
    else this.read(rest.subarray(this.#restAt), sink);
  }

  /** Takes what came next, keeps it while it is held, and may overwrite it. */
  read(chunk: Buffer, sink: FrameSink): void {
    if (this.#isOver) return;
    if (this.#isHeld) {
      const rest = this.#rest?.subarray(this.#restAt);
      this.#rest = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      this.#restAt = 0;
      return;
    }
    const begun = this.#frame;
    this.#frames(chunk, begun === undefined ? 0 : this.#finish(begun, chunk, sink), chunk.length, sink);
  }

  /** Takes the frame that had begun as far as it came: nothing else is copied. Answers where the next one begins. */
  #finish(begun: KeptBytes, chunk: Buffer, sink: FrameSink): number {
    let at = 0;
    while (at < chunk.length) {
      const to = Math.min(chunk.length, at + bytesOfFrame(begun) - begun.length);
      begun.append(chunk, at, to);
      at = to;
      if (this.#take(begun.bytes, 0, begun.length, sink, begun) < 0 && !this.#isOver) continue;
      this.#frame = undefined;
      begun.letGo();
      break;
    }
    return at;
  }

  /** Takes the frames between `at` and `end`, as far as they are whole and wanted, and keeps the rest. */
  #frames(bytes: Buffer, from: number, end: number, sink: FrameSink): void {
    let at = from;
    while (!this.#isOver && !this.#isHeld && at < end) {
      const next = this.#take(bytes, at, end, sink);
      if (next < 0) break;
      at = next;
    }
    if (this.#isOver || at === end) return;
    if (this.#isHeld) {
      this.#rest = bytes.subarray(0, end);
      this.#restAt = at;
      return;
    }
    this.#frame = new KeptBytes();
    this.#frame.append(bytes, at, end);
  }

  /**
   * Takes one frame, of what is `kept` where it came in pieces. Answers where the next one begins, or −1 when it is not
   * whole or nothing more is read.
   */
  #take(bytes: Buffer, at: number, end: number, sink: FrameSink, kept?: KeptBytes): number {
    if (end - at < 2) return -1;
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    let length = second & 0x7f;
    if ((first & 0x70) !== 0 || (second & 0x80) === 0 || !this.#mayCome(opcode, isFinal, length)) {
      return this.#break(PROTOCOL_ERROR, sink);
    }
    let maskAt = at + 2;
    if (length === 126) {
      if (end - at < 4) return -1;
      length = bytes.readUInt16BE(at + 2);
      maskAt = at + 4;
    } else if (length === 127) {
      if (end - at < 10) return -1;
      length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
      maskAt = at + 10;
    }
    if (opcode < CLOSE && length + (this.#message?.length ?? 0) > this.#maxBytes) {
      return this.#break(TOO_BIG, sink);
    }
    const from = maskAt + MASK_BYTES;
    const to = from + length;
    if (end < to) return -1;
    if (this.#isDeaf && opcode < CLOSE) return to;
    const isAscii = unmask(bytes, maskAt, from, to);
    if (opcode >= CLOSE) this.#control(opcode, bytes, from, to, sink);
    else if (isFinal && opcode === TEXT) this.#text(bytes, from, to, isAscii, sink, kept);
    else this.#part(opcode, isFinal, bytes, from, to, sink);
    return to;
  }

  #mayCome(opcode: number, isFinal: boolean, length: number): boolean {
    if (opcode === CLOSE && length === 1) return false;
    if (opcode >= CLOSE) return opcode <= PONG && isFinal && length <= MAX_CONTROL_BYTES;
    if (this.#isDeaf) return opcode <= BINARY;
    return opcode <= BINARY && (opcode === CONTINUATION) === (this.#message !== undefined);
  }

  #control(opcode: number, bytes: Buffer, from: number, to: number, sink: FrameSink): void {
    if (opcode === PING) return sink.pinged(bytes.toString('latin1', from, to));
    if (opcode === PONG) return sink.ponged(bytes.toString('latin1', from, to));
    const length = to - from;
    const code = length < 2 ? NO_CODE : bytes.readUInt16BE(from);
    if (length > 0 && !isSendable(code)) this.#break(PROTOCOL_ERROR, sink);
    else if (length > 2 && !isUtf8(bytes.subarray(from + 2, to))) this.#break(NOT_UTF8, sink);
    else {
      this.#isOver = true;
      sink.closed(code);
    }
  }

  #text(
    bytes: Buffer,
    from: number,
    to: number,
    isAscii: boolean,
    sink: FrameSink,
    kept: KeptBytes | undefined,
  ): void {
    if (!isAscii && !isUtf8(bytes.subarray(from, to))) return void this.#break(NOT_UTF8, sink);
    if (to - from > LONG_FROM) sink.longText((kept?.giveAway() ?? bytes).subarray(from, to));
    else sink.text(bytes.toString(isAscii ? 'latin1' : 'utf8', from, to));
  }

  #part(opcode: number, isFinal: boolean, bytes: Buffer, from: number, to: number, sink: FrameSink): void {
    if (opcode !== CONTINUATION) this.#isBinary = opcode === BINARY;
    this.#message ??= new KeptBytes();
    this.#message.append(bytes, from, to);
    if (!isFinal) return sink.part(to - from);
    const message = this.#message;
    this.#message = undefined;
    if (this.#isBinary) sink.binary();
    else this.#text(message.bytes, 0, message.length, false, sink, message);
    message.letGo();
  }

  #forgetMessage(): void {
    this.#message?.letGo();
    this.#message = undefined;
  }

  #break(code: number, sink: FrameSink): -1 {
    this.stop();
    sink.broken(code);
    return -1;
  }
}

/** Codes a close frame may carry: RFC 6455, 7.4.1 and 7.4.2, and the registry of IANA. */
function isSendable(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  );
}

/** How long a frame is of which the beginning is here; of a head that is not whole, how long that is at least. */
function bytesOfFrame({ bytes, length }: KeptBytes): number {
  const short = (bytes[1] ?? 0) & 0x7f;
  if (length < 2) return 2;
  if (short < 126) return 2 + MASK_BYTES + short;
  if (short === 126) return length < 4 ? 4 : 4 + MASK_BYTES + bytes.readUInt16BE(2);
  return length < 10 ? 10 : 10 + MASK_BYTES + Number(bytes.readBigUInt64BE(2));
}

/** Takes the mask off the bytes between `from` and `to`, in place. Answers whether all of them are ASCII. */
function unmask(bytes: Buffer, maskAt: number, from: number, to: number): boolean {
  const a = bytes[maskAt] ?? 0;
  const b = bytes[maskAt + 1] ?? 0;
  const c = bytes[maskAt + 2] ?? 0;
  const d = bytes[maskAt + 3] ?? 0;
  let seen = 0;
  let i = from;
  for (; i + 3 < to; i += 4) {
    seen |= bytes[i] = (bytes[i] ?? 0) ^ a;
    seen |= bytes[i + 1] = (bytes[i + 1] ?? 0) ^ b;
    seen |= bytes[i + 2] = (bytes[i + 2] ?? 0) ^ c;
    seen |= bytes[i + 3] = (bytes[i + 3] ?? 0) ^ d;
  }
  if (i < to) seen |= bytes[i] = (bytes[i] ?? 0) ^ a;
  if (i + 1 < to) seen |= bytes[i + 1] = (bytes[i + 1] ?? 0) ^ b;
  if (i + 2 < to) seen |= bytes[i + 2] = (bytes[i + 2] ?? 0) ^ c;
  return seen < 0x80;
}
