import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { ChunkSet } from './chunk-set.ts';
import { ProtocolError } from './errors.ts';
import { parseRootHash, parseTrackId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { BLOCK_HEADER_BYTES, decodePeerFrame, encodeBlockFrame, encodePeerFrame } from './peer-codec.ts';
import { NO_DEADLINE_MS, type CloseReason, type PeerFrame, type RefuseReason } from './peer-messages.ts';

const NONCE = '00112233445566778899aabbccddeeff';
const ROOT = '0f'.repeat(32);
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
const MOST = 0xffff_ffff;

const open = (held: ChunkSet, trackId = 'song'): PeerFrame => ({
  type: 'open',
  handle: 7,
  trackId: parseTrackId(trackId),
  root: parseRootHash(ROOT),
  held,
});

/** Every frame as it is on the wire. */
const LAYOUTS: readonly (readonly [string, PeerFrame, string])[] = [
  ['hello', { type: 'hello', version: 1, nonce: NONCE }, `01 01 ${NONCE}`],
  ['open, holding nothing', open(ChunkSet.none(10)), `02 00000007 ${ROOT} 0000000a 04 736f6e67 00`],
  ['open, holding all', open(ChunkSet.all(10)), `02 00000007 ${ROOT} 0000000a 04 736f6e67 01`],
  ['open, holding some', open(ChunkSet.of(10, [0, 9])), `02 00000007 ${ROOT} 0000000a 04 736f6e67 02 8040`],
  ['shut', { type: 'shut', handle: 1 }, '03 00000001'],
  [
    'have',
    { type: 'have', handle: 1, chunks: [2, 258], lost: [3] },
    '04 00000001 0002 00000002 00000102 0001 00000003',
  ],
  [
    'fetching',
    { type: 'fetching', handle: 1, chunks: [{ chunk: 2, etaMs: 3000 }] },
    '05 00000001 0001 00000002 00000bb8',
  ],
  [
    'request',
    {
      type: 'request',
      handle: 1,
      chunk: 2,
      first: 4,
      count: 12,
      deadlineMs: 500,
      needsProof: true,
      together: false,
    },
    '06 00000001 00000002 0004 000c 000001f4 01',
  ],
  [
    'request that wishes for several blocks a frame',
    {
      type: 'request',
      handle: 1,
      chunk: 2,
      first: 4,
      count: 12,
      deadlineMs: 500,
      needsProof: false,
      together: true,
    },
    '06 00000001 00000002 0004 000c 000001f4 02',
  ],
  [
    'proof',
    { type: 'proof', handle: 1, chunk: 2, leaves: new Uint8Array(32).fill(5) },
    `07 00000001 00000002 ${'05'.repeat(32)}`,
  ],
  [
    'block',
    { type: 'block', handle: 1, chunk: 2, block: 3, bytes: Uint8Array.of(9, 8) },
    '08 00000001 00000002 0003 0908',
  ],
  ['cancel', { type: 'cancel', handle: 1, chunk: 2, first: 4, count: 12 }, '09 00000001 00000002 0004 000c'],
  ['part', { type: 'part', handle: 1, chunk: 2, first: 4, count: 12 }, '0e 00000001 00000002 0004 000c'],
  [
    'refuse',
    { type: 'refuse', handle: 1, chunk: 2, first: 4, count: 12, reason: 'busy' },
    '0a 00000001 00000002 0004 000c 05',
  ],
  ['ping', { type: 'ping', token: 258 }, '0b 00000102'],
  ['pong', { type: 'pong', token: MOST }, '0c ffffffff'],
  ['close', { type: 'close', reason: 'misbehaved' }, '0d 03'],
];

describe.each(LAYOUTS)('%s', (_name, frame, layout) => {
  const bytes = bytesOf(layout);

  it('is written byte for byte as specified, and read back', () => {
    expect(toHex(encodePeerFrame(frame))).toBe(toHex(bytes));
    expect(plain(decodePeerFrame(bytes))).toEqual(plain(frame));
  });

  it('is read out of the middle of larger memory', () => {
    const around = new Uint8Array(bytes.length + 20).fill(0xee);
    around.set(bytes, 9);
    expect(plain(decodePeerFrame(around.subarray(9, 9 + bytes.length)))).toEqual(plain(frame));
  });

  it('is refused when it is cut short anywhere', () => {
    // Blocks end where their frame ends; all others know how long they are.
    const least = frame.type === 'block' ? BLOCK_HEADER_BYTES + 1 : bytes.length;
    for (let length = 0; length < least; length++) {
      expect(refusal(bytes.subarray(0, length)), `${length} bytes`).toMatch(/^bad-(frame|field)$/);
    }
  });

  it('is refused with a byte behind its end', () => {
    if (frame.type === 'block') return;
    expect(refusal(Uint8Array.of(...bytes, 0))).toBe('bad-frame');
  });
});

describe('reasons', () => {
  it.each(REFUSE_REASONS)('%s is told and understood', (reason) => {
    const frame: PeerFrame = { type: 'refuse', handle: 1, chunk: 0, first: 0, count: 0, reason };
    expect(decodePeerFrame(encodePeerFrame(frame))).toEqual(frame);
  });

  it.each(CLOSE_REASONS)('%s ends a link', (reason) => {
    expect(decodePeerFrame(encodePeerFrame({ type: 'close', reason }))).toEqual({ type: 'close', reason });
  });
});

describe('rubbish', () => {
  const request = '06 00000001 00000002 0004';
  const opened = `02 00000007 ${ROOT}`;

  it.each([
    ['nothing at all', '', 'bad-frame'],
    ['type 0', '00', 'bad-type'],
    ['a type beyond the last', '0f', 'bad-type'],
    ['type 255', 'ff ff ff', 'bad-type'],
    ['text', toHex(new TextEncoder().encode('{"type":"hello"}')), 'bad-type'],
    ['a hello with a short nonce', '01 01 00112233', 'bad-frame'],
    ['a hello with a long nonce', `01 01 ${NONCE} 00`, 'bad-frame'],
    ['an open of no chunks', `${opened} 00000000 04 736f6e67 00`, 'bad-field'],
    ['an open of too many chunks', `${opened} 00008001 04 736f6e67 01`, 'bad-field'],
    ['an open of enormously many chunks', `${opened} ffffffff 04 736f6e67 01`, 'bad-field'],
    ['an open without a track id', `${opened} 0000000a 00 00`, 'bad-field'],
    ['an open with a track id that is a path', `${opened} 0000000a 04 2e2e2f61 00`, 'bad-field'],
    ['an open with a track id of two dots', `${opened} 0000000a 02 2e2e 00`, 'bad-field'],
    ['an open with a zero in its track id', `${opened} 0000000a 02 6100 00`, 'bad-field'],
    ['an open with a track id beyond ASCII', `${opened} 0000000a 02 c3a9 00`, 'bad-field'],
    ['an open whose track id runs over the end', `${opened} 0000000a ff 736f6e67 00`, 'bad-frame'],
    ['an open with holdings of an unknown kind', `${opened} 0000000a 04 736f6e67 03`, 'bad-field'],
    ['an open without its bitmap', `${opened} 0000000a 04 736f6e67 02`, 'bad-frame'],
    ['an open with a short bitmap', `${opened} 0000000a 04 736f6e67 02 80`, 'bad-frame'],
    ['an open with a long bitmap', `${opened} 0000000a 04 736f6e67 02 804000`, 'bad-frame'],
    ['an open with a spare bit set', `${opened} 0000000a 04 736f6e67 02 8060`, 'bad-field'],
    ['an open that holds all and sends a bitmap', `${opened} 0000000a 04 736f6e67 01 ffc0`, 'bad-frame'],
    ['a have that promises more than it carries', '04 00000001 ffff 00000001', 'bad-frame'],
    ['a have without its lost chunks', '04 00000001 0001 00000001', 'bad-frame'],
    ['a have whose lost chunks run over the end', '04 00000001 0000 0002 00000001', 'bad-frame'],
    ['a fetching that promises more than it carries', '05 00000001 ffff 00000001 00000001', 'bad-frame'],
    ['a fetching cut within an entry', '05 00000001 0001 00000001 0000', 'bad-frame'],
    ['a request of no blocks', `${request} 0000 00000000 00`, 'bad-field'],
    ['a request with a wish that is none', `${request} 0001 00000000 04`, 'bad-field'],
    ['a cancel of no blocks', '09 00000001 00000002 0004 0000', 'bad-field'],
    ['a part of no blocks', '0e 00000001 00000002 0004 0000', 'bad-field'],
    ['a refusal for an unknown reason', '0a 00000001 00000002 0004 0001 06', 'bad-field'],
    ['a proof without leaves', '07 00000001 00000002', 'bad-frame'],
    ['a proof of half a hash', `07 00000001 00000002 ${'05'.repeat(16)}`, 'bad-frame'],
    ['a proof of a hash and a byte', `07 00000001 00000002 ${'05'.repeat(33)}`, 'bad-frame'],
    ['a block without bytes', '08 00000001 00000002 0003', 'bad-frame'],
    ['a ping with a long token', '0b 0000000001', 'bad-frame'],
    ['a close for an unknown reason', '0d 06', 'bad-field'],
    ['a close without a reason', '0d', 'bad-frame'],
  ])('refuses %s', (_name, layout, code) => {
    expect(refusal(bytesOf(layout))).toBe(code);
  });
});

describe('bounds', () => {
  const proof = (leaves: number) =>
    encodePeerFrame({ type: 'proof', handle: 1, chunk: 0, leaves: new Uint8Array(32 * leaves) });
  const block = (bytes: number) =>
    encodePeerFrame({ type: 'block', handle: 1, chunk: 0, block: 0, bytes: new Uint8Array(bytes) });
  const have = (chunks: number) =>
    encodePeerFrame({
      type: 'have',
      handle: 1,
      chunks: Array.from({ length: chunks }, (_, i) => i),
      lost: [],
    });
  const named = (length: number) =>
    encodePeerFrame({ ...open(ChunkSet.none(1)), trackId: 'x'.repeat(length) } as PeerFrame);
  const holding = (capacity: number) => encodePeerFrame(open(ChunkSet.of(capacity, [0])));

  it.each([
    ['a block of one byte', 'taken', block(1)],
    ['a block one byte under the limit', 'taken', block(LIMITS.blockBytes - 1)],
    ['a block at the limit', 'taken', block(LIMITS.blockBytes)],
    ['three blocks', 'taken', block(3 * LIMITS.blockBytes)],
    ['three blocks and a byte', 'bad-frame', block(3 * LIMITS.blockBytes + 1)],
    ['a proof of one leaf', 'taken', proof(1)],
    ['a proof of the largest chunk but one leaf', 'taken', proof(63)],
    ['a proof of the largest chunk', 'taken', proof(64)],
    ['a proof of a leaf more', 'bad-frame', proof(65)],
    ['a have just under the largest frame', 'taken', have(16_381)],
    ['a have just over the largest frame', 'too-large', have(16_382)],
    ['garbage of the largest frame', 'bad-type', new Uint8Array(LIMITS.maxFrameBytes)],
    ['garbage of a byte more', 'too-large', new Uint8Array(LIMITS.maxFrameBytes + 1)],
    ['a track id of one character', 'taken', named(1)],
    ['a track id of 127', 'taken', named(127)],
    ['a track id of 128', 'taken', named(128)],
    ['a track id of 129', 'bad-field', named(129)],
    ['a track of one chunk', 'taken', holding(1)],
    ['a track one chunk under the limit', 'taken', holding(LIMITS.maxChunks - 1)],
    ['a track of the most chunks', 'taken', holding(LIMITS.maxChunks)],
    ['a track of one chunk too many', 'bad-field', holding(LIMITS.maxChunks + 1)],
  ])('%s is %s', (_name, outcome, bytes) => {
    expect(refusal(bytes)).toBe(outcome);
  });

  it('carry the largest numbers whole', () => {
    const frames: PeerFrame[] = [
      {
        type: 'request',
        handle: MOST,
        chunk: MOST,
        first: 65_535,
        count: 65_535,
        deadlineMs: NO_DEADLINE_MS,
        needsProof: true,
        together: true,
      },
      { type: 'block', handle: MOST, chunk: MOST, block: 65_535, bytes: Uint8Array.of(1) },
      { type: 'have', handle: MOST, chunks: [MOST], lost: [MOST] },
      { type: 'fetching', handle: MOST, chunks: [{ chunk: MOST, etaMs: MOST }] },
    ];
    for (const frame of frames) expect(decodePeerFrame(encodePeerFrame(frame))).toEqual(frame);
  });
});

describe('memory', () => {
  it('of a block and of a proof is the frame’s own', () => {
    const block = encodePeerFrame({ type: 'block', handle: 1, chunk: 0, block: 0, bytes: new Uint8Array(9) });
    const proof = encodePeerFrame({ type: 'proof', handle: 1, chunk: 0, leaves: new Uint8Array(32) });
    const [readBlock, readProof] = [decodePeerFrame(block), decodePeerFrame(proof)];
    block[BLOCK_HEADER_BYTES] = 7;
    proof[9] = 8;
    expect(readBlock.type === 'block' && readBlock.bytes[0]).toBe(7);
    expect(readProof.type === 'proof' && readProof.leaves[0]).toBe(8);
  });

  it('of everything else is copied', () => {
    const bytes = encodePeerFrame(open(ChunkSet.of(10, [3])));
    const frame = decodePeerFrame(bytes);
    bytes.fill(0xff);
    expect(plain(frame)).toEqual(plain(open(ChunkSet.of(10, [3]))));
  });

  it('of a sent block is not the caller’s', () => {
    const bytes = new Uint8Array(9);
    const frame = encodePeerFrame({ type: 'block', handle: 1, chunk: 0, block: 0, bytes });
    bytes.fill(7);
    expect(frame[BLOCK_HEADER_BYTES]).toBe(0);
  });

  it('for block after block may be the same', () => {
    const memory = new Uint8Array(BLOCK_HEADER_BYTES + 4).fill(0xff);
    for (const bytes of [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6)]) {
      const block = { type: 'block', handle: 0x89ab_cdef, chunk: MOST, block: 0x1234, bytes } as const;
      const frame = encodeBlockFrame(block, memory);
      expect(frame.buffer).toBe(memory.buffer);
      expect(toHex(frame)).toBe(toHex(encodePeerFrame(block)));
      expect(decodePeerFrame(frame)).toEqual(block);
    }
  });

  it('too small for a block takes none', () => {
    const block = { type: 'block', handle: 1, chunk: 0, block: 0, bytes: new Uint8Array(9) } as const;
    expect(() => encodeBlockFrame(block, new Uint8Array(BLOCK_HEADER_BYTES + 8))).toThrow(RangeError);
  });
});

describe('fuzz', () => {
  const u32 = fc.integer({ min: 0, max: MOST });
  const u16 = fc.integer({ min: 0, max: 65_535 });
  const someBytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
  const run = { handle: u32, chunk: u32, first: u16, count: fc.integer({ min: 1, max: 65_535 }) };
  const type = <Type extends PeerFrame['type']>(name: Type) => fc.constant(name);
  const anyFrame: fc.Arbitrary<PeerFrame> = fc.oneof(
    fc.record({
      type: type('hello'),
      version: fc.integer({ min: 0, max: 255 }),
      nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex),
    }),
    fc
      .record({
        capacity: fc.integer({ min: 1, max: 300 }),
        chosen: fc.array(fc.nat(299)),
        trackId: fc.stringMatching(/^[A-Za-z0-9_~-]{1,128}$/).map((id) => parseTrackId(id)),
        root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => parseRootHash(toHex(bytes))),
        handle: u32,
      })
      .map(({ capacity, chosen, ...rest }) => ({
        type: 'open' as const,
        ...rest,
        held: ChunkSet.of(
          capacity,
          chosen.filter((chunk) => chunk < capacity),
        ),
      })),
    fc.record({ type: type('shut'), handle: u32 }),
    fc.record({ type: type('have'), handle: u32, chunks: fc.array(u32), lost: fc.array(u32) }),
    fc.record({
      type: type('fetching'),
      handle: u32,
      chunks: fc.array(fc.record({ chunk: u32, etaMs: u32 })),
    }),
    fc.record({
      type: type('request'),
      ...run,
      deadlineMs: u32,
      needsProof: fc.boolean(),
      together: fc.boolean(),
    }),
    fc.record({
      type: type('proof'),
      handle: u32,
      chunk: u32,
      leaves: fc.integer({ min: 1, max: 64 }).map((count) => new Uint8Array(32 * count).fill(count)),
    }),
    fc.record({ type: type('block'), handle: u32, chunk: u32, block: u16, bytes: someBytes }),
    fc.record({ type: type('cancel'), ...run }),
    fc.record({ type: type('part'), ...run }),
    fc.record({ type: type('refuse'), ...run, count: u16, reason: fc.constantFrom(...REFUSE_REASONS) }),
    fc.record({ type: type('ping'), token: u32 }),
    fc.record({ type: type('pong'), token: u32 }),
    fc.record({ type: type('close'), reason: fc.constantFrom(...CLOSE_REASONS) }),
  );

  it('reads every frame back as it was written', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(plain(decodePeerFrame(encodePeerFrame(frame)))).toEqual(plain(frame));
      }),
      { numRuns: 2_000 },
    );
  });

  it('throws nothing but ProtocolError, whatever the bytes', () => {
    const bytes = fc
      .tuple(fc.integer({ min: 0, max: 15 }), fc.uint8Array({ maxLength: 400 }))
      .map(([first, rest]) => Uint8Array.of(first, ...rest));
    fc.assert(fc.property(bytes, takenOrRefused), { numRuns: 20_000 });
  });

  it('throws nothing but ProtocolError, however a right frame is damaged', () => {
    const damage = fc.tuple(anyFrame, fc.nat(), fc.nat(255), fc.nat(3)).map(([frame, at, byte, how]) => {
      const bytes = encodePeerFrame(frame);
      const place = at % bytes.length;
      if (how === 0) return bytes.subarray(0, place);
      if (how === 1) return Uint8Array.of(...bytes, byte);
      bytes[place] = byte;
      return bytes;
    });
    fc.assert(fc.property(damage, takenOrRefused), { numRuns: 10_000 });
  });
});

/** Reads bytes; what is taken means the same when it is written and read again. */
function takenOrRefused(bytes: Uint8Array): void {
  let frame: PeerFrame;
  try {
    frame = decodePeerFrame(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return;
  }
  expect(plain(decodePeerFrame(encodePeerFrame(frame)))).toEqual(plain(frame));
}

/** The code with which bytes are refused, or `taken`. */
function refusal(bytes: Uint8Array): string {
  try {
    decodePeerFrame(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'taken';
}

/** A frame whose parts can be compared: sets and bytes as text. */
function plain(frame: PeerFrame): Record<string, unknown> {
  switch (frame.type) {
    case 'open':
      return { ...frame, held: `${frame.held.capacity}: ${frame.held.toText()}` };
    case 'block':
      return { ...frame, bytes: toHex(frame.bytes) };
    case 'proof':
      return { ...frame, leaves: toHex(frame.leaves) };
    default:
      return { ...frame };
  }
}

function bytesOf(layout: string): Uint8Array {
  const hex = layout.replaceAll(' ', '');
  return fromHex(hex, hex.length / 2);
}
