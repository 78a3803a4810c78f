import { fromHex, toHex } from './bytes.ts';
import { ChunkSet } from './chunk-set.ts';
import { ProtocolError } from './errors.ts';
import { parseRootHash, parseTrackId } from './ids.ts';
import { LIMITS } from './limits.ts';
import type { BlockFrame, CloseReason, PeerFrame, RefuseReason } from './peer-messages.ts';

const TYPES = {
  hello: 1,
  open: 2,
  shut: 3,
  have: 4,
  fetching: 5,
  request: 6,
  proof: 7,
  block: 8,
  cancel: 9,
  refuse: 10,
  ping: 11,
  pong: 12,
  close: 13,
  part: 14,
} as const;

const REFUSE_REASONS: readonly RefuseReason[] = [
  'other-version',
  'too-many-tracks',
  'not-sharing',
  'over-budget',
  'not-held',
  'busy',
];
const CLOSE_REASONS: readonly CloseReason[] = [
  'done',
  'duplicate',
  'self',
  'misbehaved',
  'no-room',
  'version',
];

const NONCE_BYTES = 16;
const HOLDS_NONE = 0;
const HOLDS_ALL = 1;
const HOLDS_SOME = 2;
/** Bits of the last byte of a request. */
const NEEDS_PROOF = 1;
const TOGETHER = 2;
/** What one block frame may carry. */
const MOST_BLOCK_BYTES = LIMITS.maxBlocksInFrame * LIMITS.blockBytes;

/** Bytes of a block frame before its blocks. */
export const BLOCK_HEADER_BYTES = 11;

/** Writes a frame into new memory, the caller's to keep. Numbers are big-endian and unsigned. */
export function encodePeerFrame(frame: PeerFrame): Uint8Array {
  switch (frame.type) {
    case 'hello': {
      const writer = new FrameWriter(TYPES.hello, 1 + NONCE_BYTES);
      writer.u8(frame.version);
      writer.bytes(fromHex(frame.nonce, NONCE_BYTES));
      return writer.frame;
    }
    case 'open': {
      const { held } = frame;
      const kind = held.isEmpty ? HOLDS_NONE : held.isFull ? HOLDS_ALL : HOLDS_SOME;
      const bitmap = kind === HOLDS_SOME ? held.toBitmap() : new Uint8Array();
      const writer = new FrameWriter(
        TYPES.open,
        10 + LIMITS.hashBytes + frame.trackId.length + bitmap.length,
      );
      writer.u32(frame.handle);
      writer.bytes(fromHex(frame.root, LIMITS.hashBytes));
      writer.u32(held.capacity);
      writer.u8(frame.trackId.length);
      for (let i = 0; i < frame.trackId.length; i++) writer.u8(frame.trackId.charCodeAt(i));
      writer.u8(kind);
      writer.bytes(bitmap);
      return writer.frame;
    }
    case 'shut': {
      const writer = new FrameWriter(TYPES.shut, 4);
      writer.u32(frame.handle);
      return writer.frame;
    }
    case 'have': {
      const writer = new FrameWriter(TYPES.have, 8 + 4 * (frame.chunks.length + frame.lost.length));
      writer.u32(frame.handle);
      writer.u16(frame.chunks.length);
      for (const chunk of frame.chunks) writer.u32(chunk);
      writer.u16(frame.lost.length);
      for (const chunk of frame.lost) writer.u32(chunk);
      return writer.frame;
    }
    case 'fetching': {
      const writer = new FrameWriter(TYPES.fetching, 6 + 8 * frame.chunks.length);
      writer.u32(frame.handle);
      writer.u16(frame.chunks.length);
      for (const { chunk, etaMs } of frame.chunks) {
        writer.u32(chunk);
        writer.u32(etaMs);
      }
      return writer.frame;
    }
    case 'request':
    case 'cancel':
    case 'part':
    case 'refuse': {
      const writer = new FrameWriter(TYPES[frame.type], RUN_BYTES + BYTES_AFTER_RUN[frame.type]);
      writer.u32(frame.handle);
      writer.u32(frame.chunk);
      writer.u16(frame.first);
      writer.u16(frame.count);
      if (frame.type === 'request') {
        writer.u32(frame.deadlineMs);
        writer.u8((frame.needsProof ? NEEDS_PROOF : 0) | (frame.together ? TOGETHER : 0));
      }
      if (frame.type === 'refuse') writer.u8(REFUSE_REASONS.indexOf(frame.reason));
      return writer.frame;
    }
    case 'proof': {
      const writer = new FrameWriter(TYPES.proof, 8 + frame.leaves.length);
      writer.u32(frame.handle);
      writer.u32(frame.chunk);
      writer.bytes(frame.leaves);
      return writer.frame;
    }
    case 'block':
      return encodeBlockFrame(frame, new Uint8Array(BLOCK_HEADER_BYTES + frame.bytes.length));
    case 'ping':
    case 'pong': {
      const writer = new FrameWriter(TYPES[frame.type], 4);
      writer.u32(frame.token);
      return writer.frame;
    }
    case 'close': {
      const writer = new FrameWriter(TYPES.close, 1);
      writer.u8(CLOSE_REASONS.indexOf(frame.reason));
      return writer.frame;
    }
  }
}

/**
 * Writes a block frame into the beginning of `memory`, which must have room for it, and answers that part. A giver
 * that sends block after block writes them all into the same memory: new memory for each is work for the collector.
 */
export function encodeBlockFrame(
  { handle, chunk, block, bytes }: BlockFrame,
  memory: Uint8Array,
): Uint8Array {
  const length = BLOCK_HEADER_BYTES + bytes.length;
  const frame = length === memory.length ? memory : memory.subarray(0, length);
  frame[0] = TYPES.block;
  writeU32(frame, 1, handle);
  writeU32(frame, 5, chunk);
  frame[9] = block >>> 8;
  frame[10] = block;
  frame.set(bytes, BLOCK_HEADER_BYTES);
  return frame;
}

/**
 * Reads a frame. `proof` and `block` keep views of `bytes`; everything else is copied. Throws
 * `ProtocolError`: `too-large` above 65,536 bytes, `bad-type` for an unknown type, `bad-frame` or
 * `bad-field` for what does not fit. Counts are checked against the frame's length before anything is
 * allocated. Indices are only checked against a track by whoever knows it.
 */
export function decodePeerFrame(bytes: Uint8Array): PeerFrame {
  if (bytes.length > LIMITS.maxFrameBytes)
    throw new ProtocolError('too-large', `a frame of ${bytes.length} bytes`);
  if (bytes[0] === TYPES.block) return readBlock(bytes);
  const reader = new FrameReader(bytes);
  const frame = readFrame(reader);
  reader.end();
  return frame;
}

function readFrame(reader: FrameReader): PeerFrame {
  const type = reader.u8();
  switch (type) {
    case TYPES.hello:
      return { type: 'hello', version: reader.u8(), nonce: toHex(reader.bytes(NONCE_BYTES)) };
    case TYPES.open:
      return readOpen(reader);
    case TYPES.shut:
      return { type: 'shut', handle: reader.u32() };
    case TYPES.have: {
      const handle = reader.u32();
      const chunks = reader.list(4, () => reader.u32());
      return { type: 'have', handle, chunks, lost: reader.list(4, () => reader.u32()) };
    }
    case TYPES.fetching: {
      const handle = reader.u32();
      return {
        type: 'fetching',
        handle,
        chunks: reader.list(8, () => ({ chunk: reader.u32(), etaMs: reader.u32() })),
      };
    }
    case TYPES.request:
    case TYPES.cancel:
    case TYPES.part:
    case TYPES.refuse:
      return readRunFrame(type, reader);
    case TYPES.proof: {
      const handle = reader.u32();
      const chunk = reader.u32();
      const leaves = reader.rest(LIMITS.hashBytes * (LIMITS.maxChunkBytes / LIMITS.blockBytes));
      if (leaves.length === 0 || leaves.length % LIMITS.hashBytes !== 0) {
        throw new ProtocolError('bad-frame', 'a proof is whole hashes');
      }
      return { type: 'proof', handle, chunk, leaves };
    }
    case TYPES.ping:
      return { type: 'ping', token: reader.u32() };
    case TYPES.pong:
      return { type: 'pong', token: reader.u32() };
    case TYPES.close:
      return { type: 'close', reason: reader.oneOf(CLOSE_REASONS) };
    default:
      throw new ProtocolError('bad-type', `frame type ${type}`);
  }
}

/** Frames that name a run of blocks. They come with every few blocks: fields are written one by one, as spreading takes five times as long. */
function readRunFrame(type: number, reader: FrameReader): PeerFrame {
  const handle = reader.u32();
  const chunk = reader.u32();
  const first = reader.u16();
  const count = reader.u16();
  if (type !== TYPES.refuse && count === 0) throw new ProtocolError('bad-field', 'a run without blocks');
  switch (type) {
    case TYPES.request: {
      const deadlineMs = reader.u32();
      const wishes = reader.u8();
      if (wishes > (NEEDS_PROOF | TOGETHER)) throw new ProtocolError('bad-field', 'an unknown wish');
      const needsProof = (wishes & NEEDS_PROOF) !== 0;
      const together = (wishes & TOGETHER) !== 0;
      return { type: 'request', handle, chunk, first, count, deadlineMs, needsProof, together };
    }
    case TYPES.cancel:
      return { type: 'cancel', handle, chunk, first, count };
    case TYPES.part:
      return { type: 'part', handle, chunk, first, count };
    default:
      return { type: 'refuse', handle, chunk, first, count, reason: reader.oneOf(REFUSE_REASONS) };
  }
}

/** Blocks are nearly all of the frames, so they are read without a reader. */
function readBlock(bytes: Uint8Array): BlockFrame {
  const length = bytes.length - BLOCK_HEADER_BYTES;
  if (length < 0) throw new ProtocolError('bad-frame', 'the frame is short');
  if (length === 0) throw new ProtocolError('bad-frame', 'an empty block');
  if (length > MOST_BLOCK_BYTES)
    throw new ProtocolError('bad-frame', `${length} bytes where ${MOST_BLOCK_BYTES} fit`);
  return {
    type: 'block',
    handle: readU32(bytes, 1),
    chunk: readU32(bytes, 5),
    block: ((bytes[9] ?? 0) << 8) | (bytes[10] ?? 0),
    bytes: bytes.subarray(BLOCK_HEADER_BYTES),
  };
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function readOpen(reader: FrameReader): PeerFrame {
  const handle = reader.u32();
  const root = parseRootHash(toHex(reader.bytes(LIMITS.hashBytes)));
  const capacity = reader.u32();
  if (capacity < 1 || capacity > LIMITS.maxChunks) throw new ProtocolError('bad-field', `${capacity} chunks`);
  const trackId = parseTrackId(String.fromCharCode(...reader.bytes(reader.u8())));
  const kind = reader.u8();
  if (kind > HOLDS_SOME) throw new ProtocolError('bad-field', `holdings of kind ${kind}`);
  const held =
    kind === HOLDS_ALL
      ? ChunkSet.all(capacity)
      : kind === HOLDS_NONE
        ? ChunkSet.none(capacity)
        : ChunkSet.fromBitmap(capacity, reader.bytes(Math.ceil(capacity / 8)));
  return { type: 'open', handle, trackId, root, held };
}

const RUN_BYTES = 12;
/** What follows the run in each frame that names one. */
const BYTES_AFTER_RUN = { request: 5, cancel: 0, part: 0, refuse: 1 } as const;

/** Writes bytes one by one: a `DataView` would have each small frame take memory of its own outside of the heap. */
class FrameWriter {
  readonly frame: Uint8Array;
  #at = 1;

  constructor(type: number, bodyBytes: number) {
    this.frame = new Uint8Array(1 + bodyBytes);
    this.frame[0] = type;
  }

  u8(value: number): void {
    this.frame[this.#at] = value;
    this.#at += 1;
  }

  u16(value: number): void {
    this.frame[this.#at] = value >>> 8;
    this.frame[this.#at + 1] = value;
    this.#at += 2;
  }

  u32(value: number): void {
    writeU32(this.frame, this.#at, value);
    this.#at += 4;
  }

  bytes(value: Uint8Array): void {
    this.frame.set(value, this.#at);
    this.#at += value.length;
  }
}

class FrameReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  u16(): number {
    const at = this.#take(2);
    return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  u32(): number {
    return readU32(this.#bytes, this.#take(4));
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  rest(most: number): Uint8Array {
    const length = this.#bytes.length - this.#at;
    if (length > most) throw new ProtocolError('bad-frame', `${length} bytes where ${most} fit`);
    return this.bytes(length);
  }

  list<T>(bytesEach: number, readOne: () => T): T[] {
    const count = this.u16();
    if (count * bytesEach > this.#bytes.length - this.#at)
      throw new ProtocolError('bad-frame', 'the frame is short');
    const values: T[] = [];
    for (let i = 0; i < count; i++) values.push(readOne());
    return values;
  }

  oneOf<T>(values: readonly T[]): T {
    const value = values[this.u8()];
    if (value === undefined) throw new ProtocolError('bad-field', 'an unknown reason');
    return value;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new ProtocolError('bad-frame', 'bytes after the end');
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new ProtocolError('bad-frame', 'the frame is short');
    this.#at = at + length;
    return at;
  }
}
