import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import * as ws from 'ws';
import { FrameReader, LONG_FROM } from './frame-reader.ts';

/** The part of `ws`'s reader that is used; its types leave it out. */
interface WsReceiver {
  on(event: string, listener: (...values: never[]) => void): void;
  _write(bytes: Buffer, encoding: string, done: (error?: Error) => void): void;
}
const Receiver: new (options: object) => WsReceiver = Reflect.get(ws, 'Receiver');

const MAX_BYTES = 300;

/** What came, in the order in which it came. */
function read(chunks: readonly Buffer[], maxBytes = MAX_BYTES): unknown[] {
  const { reader, sink, heard } = listener(maxBytes);
  for (const chunk of chunks) reader.read(Buffer.from(chunk), sink);
  return heard;
}

/** The same, where every message holds the reader, and after every `resumeEvery` chunks it is resumed once. */
function readHeld(chunks: readonly Buffer[], resumeEvery: number): unknown[] {
  const { reader, sink, heard } = listener(MAX_BYTES, () => reader.hold());
  for (const [i, chunk] of chunks.entries()) {
    reader.read(Buffer.from(chunk), sink);
    if (i % resumeEvery === 0) reader.resume(sink);
  }
  while (reader.isHeld) reader.resume(sink);
  return heard;
}

function listener(maxBytes: number, onMessage: () => void = () => {}) {
  const heard: unknown[] = [];
  const sink = {
    text: (text: string) => {
      heard.push(['text', text]);
      onMessage();
    },
    longText: (bytes: Buffer) => {
      heard.push(['long text', bytes]);
      onMessage();
    },
    binary: () => {
      heard.push(['binary']);
      onMessage();
    },
    pinged: (payload: string) => void heard.push(['ping', payload]),
    ponged: (payload: string) => void heard.push(['pong', payload]),
    part: () => {},
    closed: (code: number) => void heard.push(['closed', code]),
    broken: (code: number) => void heard.push(['broken', code]),
  };
  return { reader: new FrameReader(maxBytes), sink, heard };
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
  readonly reserved?: number;
  /** The length the head tells, where it is not that of the payload. */
  readonly told?: number;
}

/** A client's frame. */
function frame({ opcode, payload, isFinal = true, isMasked = true, reserved = 0, told }: Frame): Buffer {
  const length = told ?? payload.length;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  const mask = Buffer.from([0x9c, 0x01, 0x7f, 0xe3]);
  const body = Buffer.from(payload.map((byte, i) => byte ^ (isMasked ? (mask[i % 4] ?? 0) : 0)));
  return Buffer.concat(isMasked ? [head, mask, body] : [head, body]);
}

const text = (words: string, more: Partial<Frame> = {}) =>
  frame({ opcode: 1, payload: Buffer.from(words), ...more });
const rest = (words: string, more: Partial<Frame> = {}) =>
  frame({ opcode: 0, payload: Buffer.from(words), ...more });
const close = (code: number, reason = '') => {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame({ opcode: 8, payload: Buffer.concat([payload, Buffer.from(reason)]) });
};
const eachByte = (bytes: Buffer) => [...bytes].map((byte) => Buffer.from([byte]));

describe('messages', () => {
  it.each(['', 'a', 'abc', 'abcd', 'x'.repeat(125), 'x'.repeat(126), 'naïve \u{1f3b5}', 'ÿ'.repeat(100)])(
    'are read whole and byte by byte: %.20s',
    (words) => {
      const both = Buffer.concat([text(words), text('next')]);
      const expected = [
        ['text', words],
        ['text', 'next'],
      ];
      expect(read([both])).toEqual(expected);
      expect(read(eachByte(both))).toEqual(expected);
    },
  );

  it('longer than 65,535 bytes are read where they are allowed', () => {
    const long = 'é'.repeat(40_000);
    expect(read([text(long)], 100_000)).toEqual([['long text', Buffer.from(long)]]);
  });

  it.each([
    ['of ASCII', 'x'],
    ['of other letters', 'é'],
  ])('beyond the bound are handed over as bytes, that what comes later leaves alone: %s', (_of, letter) => {
    const letterBytes = Buffer.byteLength(letter);
    const [short, long] = [0, 1].map((more) => letter.repeat(LONG_FROM / letterBytes + more));
    const half = Math.floor((short?.length ?? 0) / 2);
    const both = Buffer.concat([
      text(long ?? ''),
      text(short ?? ''),
      text((long ?? '').slice(0, half), { isFinal: false }),
      rest((long ?? '').slice(half)),
      text('z'.repeat(LONG_FROM)),
    ]);
    const expected = [
      ['long text', Buffer.from(long ?? '')],
      ['text', short],
      ['long text', Buffer.from(long ?? '')],
      ['text', 'z'.repeat(LONG_FROM)],
    ];
    expect(read([both], 10_000)).toEqual(expected);
    expect(read(eachByte(both), 10_000)).toEqual(expected);
  });

  it('of many readers that come in pieces at the same time are each what was sent, be some of them stopped', () => {
    const listeners = Array.from({ length: 12 }, () => listener(20_000));
    const sent = listeners.map((_, i) => String.fromCharCode(97 + i).repeat(3_000 + 500 * i));
    const said = sent.map((words) =>
      Buffer.concat([
        text(words.slice(0, 1_000), { isFinal: false }),
        rest(words.slice(1_000)),
        text(words),
        text(words.slice(0, 700), { isFinal: false }),
      ]),
    );
    for (let round = 0; round < 3; round++) {
      const longest = Math.max(...said.map(({ length }) => length));
      for (let at = 0; at < longest; at += 777)
        for (const [i, { reader, sink }] of listeners.entries())
          reader.read(Buffer.from(said[i]?.subarray(at, at + 777) ?? []), sink);
      for (const [i, { heard }] of listeners.entries()) {
        const words = sent[i] ?? '';
        const whole = words.length > LONG_FROM ? ['long text', Buffer.from(words)] : ['text', words];
        expect(heard).toEqual([whole, whole]);
        // What was begun and never ended goes with its reader; others put theirs where it was.
        listeners[i]?.reader.stop();
        listeners[i] = listener(20_000);
      }
    }
  });

  it('that come in pieces use the buffers of those before them, whole ones and those that never end', () => {
    const words = 'x'.repeat(4_000);
    const whole = Buffer.concat([text(words, { isFinal: false }), rest('')]);
    const endless = Buffer.concat([text(words, { isFinal: false }), rest(words).subarray(0, 3_000)]);
    const once = () => {
      const { reader, sink } = listener(20_000);
      for (let at = 0; at < whole.length; at += 900)
        reader.read(Buffer.from(whole.subarray(at, at + 900)), sink);
      reader.read(Buffer.from(endless), sink);
      reader.stop();
    };
    once();
    const allocated = vi.spyOn(Buffer, 'allocUnsafeSlow');
    // More than ever wait to be used again.
    for (let i = 0; i < 2_000; i++) once();
    expect(allocated).not.toHaveBeenCalled();
    allocated.mockRestore();
  });

  it('that are long and no UTF-8 end the connection, as short ones do', () => {
    const broken = frame({ opcode: 1, payload: Buffer.alloc(LONG_FROM + 1, 0xff) });
    expect(read([broken, text('more')], 10_000)).toEqual([['broken', 1007]]);
  });

  it('in fragments are one message, with control frames in between', () => {
    const bytes = Buffer.concat([
      text('na', { isFinal: false }),
      frame({ opcode: 9, payload: Buffer.from('p') }),
      frame({ opcode: 0, payload: Buffer.from('ï').subarray(0, 1), isFinal: false }),
      rest('', { isFinal: false }),
      frame({ opcode: 0, payload: Buffer.from('ï').subarray(1) }),
      text('ve'),
    ]);
    const expected = [
      ['ping', 'p'],
      ['text', 'naï'],
      ['text', 've'],
    ];
    expect(read([bytes])).toEqual(expected);
    expect(read(eachByte(bytes))).toEqual(expected);
  });

  it('that are not text are told apart, in fragments too', () => {
    const part = frame({ opcode: 2, payload: Buffer.from([1, 2]), isFinal: false });
    expect(read([part, rest('x'), frame({ opcode: 2, payload: Buffer.alloc(0) })])).toEqual([
      ['binary'],
      ['binary'],
    ]);
  });

  it('that are not UTF-8 end the connection with 1007', () => {
    const broken = frame({ opcode: 1, payload: Buffer.from([0x61, 0xc3]) });
    expect(read([broken, text('more')])).toEqual([['broken', 1007]]);
  });
});

describe('a message that is too big', () => {
  it.each([
    [MAX_BYTES, []],
    [MAX_BYTES + 1, [['broken', 1009]]],
    [2 ** 32, [['broken', 1009]]],
    [Number.MAX_SAFE_INTEGER, [['broken', 1009]]],
  ])('is refused by its head alone: %i bytes', (told, expected) => {
    expect(read([text('', { told })])).toEqual(expected);
  });

  it('is refused in fragments too, as soon as they come to too much', () => {
    const first = text('x'.repeat(MAX_BYTES - 1), { isFinal: false });
    expect(read([first, rest('y')])).toEqual([['text', `${'x'.repeat(MAX_BYTES - 1)}y`]]);
    expect(read([first, rest('', { told: 2, isFinal: false })])).toEqual([['broken', 1009]]);
  });
});

describe('the end of a connection', () => {
  it.each([
    ['without a code', frame({ opcode: 8, payload: Buffer.alloc(0) }), 1005],
    ['as 1000', close(1000), 1000],
    ['as 1001 with a reason', close(1001, 'naïve'), 1001],
    ['as 1014', close(1014), 1014],
    ['as 3000', close(3000), 3000],
    ['as 4999', close(4999), 4999],
  ])('is told %s, and nothing after it is read', (_, bytes, code) => {
    expect(read([Buffer.concat([bytes, text('late')]), text('later')])).toEqual([['closed', code]]);
  });

  it.each([0, 999, 1004, 1005, 1006, 1015, 2999, 5000])('with the code %i is a mistake', (code) => {
    expect(read([close(code)])).toEqual([['broken', 1002]]);
  });

  it('with half a code or a reason that is not UTF-8 is a mistake', () => {
    expect(read([frame({ opcode: 8, payload: Buffer.from([3]) })])).toEqual([['broken', 1002]]);
    const reason = frame({ opcode: 8, payload: Buffer.from([0x03, 0xe8, 0xff]) });
    expect(read([reason])).toEqual([['broken', 1007]]);
  });
});

describe('what breaks the protocol', () => {
  const control = (more: Partial<Frame>) => frame({ opcode: 9, payload: Buffer.alloc(0), ...more });
  it.each([
    ['a frame without a mask', text('x', { isMasked: false })],
    ['a compressed frame', text('x', { reserved: 4 })],
    ['another reserved bit', text('x', { reserved: 1 })],
    ['an opcode nobody knows', frame({ opcode: 3, payload: Buffer.alloc(0) })],
    ['a control opcode nobody knows', frame({ opcode: 11, payload: Buffer.alloc(0) })],
    ['a continuation of nothing', rest('x')],
    ['a message within a message', Buffer.concat([text('x', { isFinal: false }), text('y')])],
    ['a control frame in fragments', control({ isFinal: false })],
    ['a control frame over 125 bytes', control({ payload: Buffer.alloc(126) })],
  ])('%s ends it with 1002', (_, bytes) => {
    expect(read([bytes, text('more')])).toEqual([['broken', 1002]]);
  });
});

describe('beside the reader of ws', () => {
  /** What `ws` makes of the same, in the same words. */
  function readByWs(bytes: Buffer): unknown[] {
    const heard: unknown[] = [];
    const receiver = new Receiver({ isServer: true, maxPayload: MAX_BYTES });
    receiver.on('message', (data: Buffer, isBinary: boolean) =>
      heard.push(isBinary ? ['binary'] : ['text', String(data)]),
    );
    receiver.on('ping', (data: Buffer) => heard.push(['ping', data.toString('latin1')]));
    receiver.on('pong', (data: Buffer) => heard.push(['pong', data.toString('latin1')]));
    receiver.on('conclude', (code: number) => heard.push(['closed', code]));
    receiver.on('error', () => {});
    // Synchronous: what goes wrong is told to the callback.
    receiver._write(Buffer.from(bytes), 'buffer', (error) => {
      const code = error && Object.getOwnPropertySymbols(error)[0];
      if (code) heard.push(['broken', Reflect.get(error, code)]);
    });
    return heard;
  }

  const payload = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }).map((words) => Buffer.from(words)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(0, 125, 126, 127, MAX_BYTES, MAX_BYTES + 1).map((size) => Buffer.alloc(size, 'x')),
    fc.constantFrom(1000, 1005, 1015, 2000, 3000).map((code) => Buffer.from([code >> 8, code & 255])),
  );
  const frames = fc.record({
    opcode: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(0, 1, 1, 1, 2, 9, 10) },
      { weight: 1, arbitrary: fc.nat(15) },
    ),
    payload,
    isFinal: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 3, arbitrary: fc.boolean() }),
    isMasked: fc.oneof({ weight: 20, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.boolean() }),
    reserved: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
  });
  const streams = fc.oneof(
    { weight: 8, arbitrary: fc.array(frames, { maxLength: 8 }).map((all) => Buffer.concat(all.map(frame))) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
  );

  it('hears the same, however it is cut', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat(400), { maxLength: 12 }), (bytes, cuts) => {
        const expected = readByWs(bytes);
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(read(chunks)).toEqual(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  it('hears the same when it is held after each message', () => {
    fc.assert(
      fc.property(
        streams,
        fc.array(fc.nat(400), { maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        (bytes, cuts, resumeEvery) => {
          const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          expect(readHeld(chunks, resumeEvery)).toEqual(read(chunks));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('a held reader', () => {
  it('looks at nothing beyond the frame in which it was held', () => {
    const { reader, sink, heard } = listener(MAX_BYTES, () => reader.hold());
    reader.read(Buffer.concat([text('a'), text('b'), text('c')]), sink);
    reader.read(text('d'), sink);
    expect(heard).toEqual([['text', 'a']]);
    reader.resume(sink);
    expect(heard).toEqual([
      ['text', 'a'],
      ['text', 'b'],
    ]);
  });

  it('goes on with a frame that had begun before', () => {
    const { reader, sink, heard } = listener(MAX_BYTES);
    const [first, second] = [text('first'), text('second')];
    reader.read(first.subarray(0, 7), sink);
    reader.hold();
    reader.read(Buffer.concat([first.subarray(7), second]), sink);
    reader.resume(sink);
    expect(heard).toEqual([
      ['text', 'first'],
      ['text', 'second'],
    ]);
  });
});

describe('a deaf reader', () => {
  it('passes messages over, whole and in parts, and hears the close', () => {
    const { reader, sink, heard } = listener(MAX_BYTES);
    reader.read(text('begun', { isFinal: false }), sink);
    reader.beDeaf();
    reader.read(Buffer.concat([rest('ended'), text('more'), rest('never begun')]), sink);
    reader.read(frame({ opcode: 8, payload: Buffer.from([0x03, 0xe8]) }), sink);
    expect(heard).toEqual([['closed', 1000]]);
  });
});
