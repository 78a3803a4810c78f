import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ChunkSet } from './chunk-set.ts';
import { ProtocolError } from './errors.ts';
import { parseAulaId, parsePeerId, parseRootHash, parseTrackId } from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  clientMessageType,
  encodeClientMessage,
  encodeRelayedSignal,
  encodeTrackerMessage,
  parseClientMessage,
  parseTrackerMessage,
} from './tracker-codec.ts';
import type { ClientMessage, TrackerMessage } from './tracker-messages.ts';

const trackId = parseTrackId('song');
const root = parseRootHash('0f'.repeat(32));
const peerId = parsePeerId('AAAAAAAAAAAAAAAAAAAA_-');
const track = { trackId, root };

/** The code and path with which a text is refused. */
function refusal(parse: (text: string) => unknown, text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.code} ${error.path ?? ''}`.trim();
    throw error;
  }
  return 'taken';
}

const clientMessages: ClientMessage[] = [
  { type: 'hello' },
  { type: 'hello', token: 'abc.def' },
  { type: 'join', aulaId: parseAulaId('room'), want: 0 },
  { type: 'part' },
  { type: 'announce', ...track, chunkCount: 10, have: ChunkSet.all(10) },
  {
    type: 'announce',
    ...track,
    chunkCount: LIMITS.maxChunks,
    have: ChunkSet.none(LIMITS.maxChunks),
    want: 50,
  },
  {
    type: 'announce',
    ...track,
    chunkCount: 10,
    have: ChunkSet.of(10, [0, 9]),
    scope: 'aula',
    uploadKbps: 800,
  },
  { type: 'have', ...track, chunks: [0, 32_767] },
  { type: 'have', ...track, chunks: [], lost: [3] },
  { type: 'have', ...track, chunks: [], released: [3, 4] },
  { type: 'find', ...track },
  { type: 'find', ...track, want: 3, needs: ChunkSet.of(10, [1]).toText() },
  { type: 'claim', ...track, chunks: [1, 2, 3, 4, 5, 6, 7, 8] },
  { type: 'claim', ...track, chunks: [], have: [4] },
  { type: 'claim', ...track, chunks: [1, 2], most: 1 },
  { type: 'leave', ...track },
];

const trackerMessages: TrackerMessage[] = [
  {
    type: 'welcome',
    peerId,
    iceServers: [{ urls: 'stun:a' }, { urls: ['turn:b'], username: 'u', credential: 'c' }],
    announceIntervalMs: 25_000,
    serverTimeMs: 1_700_000_000_000,
    limits: { maxClaims: 8 },
  },
  { type: 'peers', aulaId: parseAulaId('room'), peers: [], complete: 0, incomplete: 1 },
  {
    type: 'peers',
    ...track,
    peers: [
      { peerId, tier: 'aula', have: 'all', uploadKbps: 100, rttMs: 12.5 },
      { peerId, tier: 'global', have: 'gA==', uploadKbps: null, rttMs: null },
    ],
    complete: 1,
    incomplete: 1,
  },
  { type: 'claimed', ...track, granted: [1], heldBy: new Map([[32_767, peerId]]), ttlMs: 10_000 },
  { type: 'signal', from: peerId, tier: 'aula', data: [null, 'é\u2028'] },
  {
    type: 'error',
    code: 'too-fast',
    message: 'too fast',
    re: 'find',
    ...track,
    to: peerId,
    retryAfterMs: 300,
  },
];

describe('a message', () => {
  it.each(clientMessages.map((message) => [message.type, message] as const))(
    'of a client is read as it was written: %s',
    (_, message) => {
      expect(parseClientMessage(encodeClientMessage(message))).toEqual(message);
    },
  );

  it.each(trackerMessages.map((message) => [message.type, message] as const))(
    'of a tracker is read as it was written: %s',
    (_, message) => {
      expect(parseTrackerMessage(encodeTrackerMessage(message))).toEqual(message);
    },
  );

  it('of either side is the JSON of the contract', () => {
    const json = (text: string): unknown => JSON.parse(text);
    const announce: ClientMessage = {
      type: 'announce',
      ...track,
      chunkCount: 10,
      have: ChunkSet.of(10, [0]),
    };
    expect(json(encodeClientMessage(announce))).toEqual({
      type: 'announce',
      ...track,
      chunkCount: 10,
      have: 'gAA=',
    });
    expect(json(encodeClientMessage({ type: 'signal', to: peerId, data: [1] }))).toEqual({
      type: 'signal',
      to: peerId,
      data: [1],
    });
    const claimed: TrackerMessage = {
      type: 'claimed',
      ...track,
      granted: [4, 32_767],
      heldBy: new Map([
        [7, peerId],
        [0, peerId],
      ]),
      ttlMs: 1.5,
    };
    expect(json(encodeTrackerMessage(claimed))).toEqual({
      ...claimed,
      heldBy: { '0': peerId, '7': peerId },
    });
    expect(json(encodeTrackerMessage({ ...claimed, granted: [], heldBy: new Map() }))).toEqual({
      ...claimed,
      granted: [],
      heldBy: {},
    });
  });

  it('keeps its meaning with unknown fields', () => {
    expect(parseClientMessage('{"type":"part","stats":{"offload":0.9},"__proto__":{"type":"join"}}')).toEqual(
      {
        type: 'part',
      },
    );
  });
});

const announce = { type: 'announce', ...track, chunkCount: 20, have: 'none' };
const have = { type: 'have', ...track, chunks: [] };
const find = { type: 'find', ...track };
const claim = { type: 'claim', ...track, chunks: [] };
const signal = { type: 'signal', to: peerId, data: 0 };

describe('rubbish from a client', () => {
  it.each([
    ['bad-json', 'null'],
    ['bad-json', '[]'],
    ['bad-json', '[{"type":"part"}]'],
    ['bad-json', '"part"'],
    ['bad-json', '{}'],
    ['bad-json', '{"type":{}}'],
    ['bad-json', ''],
    ['bad-json', '{"type":"part"'],
    ['bad-json', '{"__proto__":{"type":"part"}}'],
    ['bad-json', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['bad-json', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)],
    ['bad-type type', '{"type":"welcome"}'],
    ['bad-type type', '{"type":"toString"}'],
    ['too-large', ' '.repeat(65_537)],
    ['too-large', `"${'é'.repeat(32_768)}"`],
    ['too-large', `"${'漢'.repeat(21_846)}"`],
  ])('is refused as %s: %.40s', (expected, text) => {
    expect(refusal(parseClientMessage, text)).toBe(expected);
  });

  it.each<[string, unknown]>([
    ['token', { type: 'hello', token: 5 }],
    ['token', { type: 'hello', token: 'x'.repeat(8_193) }],
    ['aulaId', { type: 'join' }],
    ['aulaId', { type: 'join', aulaId: 'a b' }],
    ['aulaId', { type: 'join', aulaId: 'x'.repeat(129) }],
    ['want', { type: 'join', aulaId: 'a', want: 51 }],
    ['want', { type: 'join', aulaId: 'a', want: -1 }],
    ['want', { type: 'join', aulaId: 'a', want: 1.5 }],
    ['want', { type: 'join', aulaId: 'a', want: null }],
    ['trackId', { ...announce, trackId: '..' }],
    ['trackId', { ...announce, trackId: ['song'] }],
    ['root', { ...announce, root: root.toUpperCase() }],
    ['root', { ...announce, root: undefined }],
    ['chunkCount', { ...announce, chunkCount: 0 }],
    ['chunkCount', { ...announce, chunkCount: LIMITS.maxChunks + 1 }],
    ['chunkCount', { ...announce, chunkCount: '20' }],
    ['chunkCount', { ...announce, chunkCount: 1e308 }],
    ['have', { ...announce, have: 'some' }],
    ['have', { ...announce, have: null }],
    ['have', { ...announce, have: ['all'] }],
    ['have', { ...announce, have: 'AAA=' }],
    ['have', { ...announce, have: 'AAAAAAAA' }],
    ['have', { ...announce, have: 'AAAB' }],
    ['have', { ...announce, have: 'A'.repeat(40_000) }],
    ['scope', { ...announce, scope: 'world' }],
    ['scope', { ...announce, scope: null }],
    ['uploadKbps', { ...announce, uploadKbps: -1 }],
    ['uploadKbps', { ...announce, uploadKbps: 1e9 }],
    ['uploadKbps', { ...announce, uploadKbps: '9' }],
    ['chunks', { ...have, chunks: undefined }],
    ['chunks', { ...have, chunks: { length: 1 } }],
    ['chunks', { ...have, chunks: Array(LIMITS.maxHaveChunks + 1).fill(0) }],
    ['chunks[0]', { ...have, chunks: [null] }],
    ['chunks[1]', { ...have, chunks: [0, -1] }],
    ['chunks[0]', { ...have, chunks: [LIMITS.maxChunks] }],
    ['lost[0]', { ...have, lost: ['0'] }],
    ['released[1]', { ...have, released: [1, -1] }],
    ['released', { ...have, released: [0, 1, 2, 3, 4, 5, 6, 7, 8] }],
    ['needs', { ...find, needs: 'all' }],
    ['needs', { ...find, needs: 'A' }],
    ['needs', { ...find, needs: '' }],
    ['needs', { ...find, needs: 'A'.repeat(5_468) }],
    ['chunks', { ...claim, chunks: [0, 1, 2, 3, 4, 5, 6, 7, 8] }],
    ['have', { ...claim, have: 'all' }],
    ['most', { ...claim, most: 0 }],
    ['most', { ...claim, most: 9 }],
    ['to', { ...signal, to: 'me' }],
    ['to', { ...signal, to: `${peerId}=` }],
    ['to', { ...signal, to: undefined }],
    ['data', { ...signal, data: undefined }],
  ])('is refused for the field %s: %j', (path, message) => {
    expect(refusal(parseClientMessage, JSON.stringify(message))).toBe(`bad-field ${path}`);
  });

  it('names its type where it has one', () => {
    expect(clientMessageType('{"type":"join","aulaId":5}')).toBe('join');
    for (const text of ['{', 'null', '{"type":"constructor"}', '{"type":5}']) {
      expect(clientMessageType(text)).toBeUndefined();
    }
  });
});

describe('rubbish from a tracker', () => {
  const welcome = {
    type: 'welcome',
    peerId,
    iceServers: [],
    announceIntervalMs: 1,
    serverTimeMs: 1,
    limits: {},
  };
  const peer = { peerId, tier: 'aula', have: 'all', uploadKbps: null, rttMs: null };
  const peers = { type: 'peers', peers: [peer], complete: 0, incomplete: 0 };
  const claimed = { type: 'claimed', ...track, granted: [], heldBy: {}, ttlMs: 1 };
  const error = { type: 'error', code: 'bad-message', message: '' };

  it.each<[string, unknown]>([
    ['bad-type type', { type: 'hello' }],
    ['bad-field peerId', { ...welcome, peerId: 1 }],
    ['bad-field iceServers', { ...welcome, iceServers: null }],
    ['bad-field iceServers[0]', { ...welcome, iceServers: [null] }],
    ['bad-field iceServers[0].urls', { ...welcome, iceServers: [{ urls: [null] }] }],
    ['bad-field iceServers[0].username', { ...welcome, iceServers: [{ urls: 'a', username: 1 }] }],
    ['bad-field announceIntervalMs', { ...welcome, announceIntervalMs: 0 }],
    ['bad-field limits', { ...welcome, limits: [] }],
    ['bad-field limits.maxClaims', { ...welcome, limits: { maxClaims: 'x' } }],
    ['bad-field peers', { ...peers, peers: Array(51).fill(peer) }],
    ['bad-field peers[0]', { ...peers, peers: [null] }],
    ['bad-field peers[1].tier', { ...peers, peers: [peer, { ...peer, tier: 'origin' }] }],
    ['bad-field peers[0].have', { ...peers, peers: [{ ...peer, have: 7 }] }],
    ['bad-field peers[0].rttMs', { ...peers, peers: [{ ...peer, rttMs: -1 }] }],
    ['bad-field complete', { ...peers, complete: -1 }],
    ['bad-field heldBy', { ...claimed, heldBy: null }],
    ['bad-field heldBy.x', { ...claimed, heldBy: { x: peerId } }],
    ['bad-field heldBy.32768', { ...claimed, heldBy: { 32768: peerId } }],
    ['bad-field heldBy.1', { ...claimed, heldBy: { 1: null } }],
    ['bad-field granted', { ...claimed, granted: [1, 2, 3, 4, 5, 6, 7, 8, 9] }],
    ['bad-field from', { type: 'signal', tier: 'aula', data: 1 }],
    ['bad-field tier', { type: 'signal', from: peerId, data: 1 }],
    ['bad-field data', { type: 'signal', from: peerId, tier: 'aula' }],
    ['bad-field message', { ...error, message: 'x'.repeat(2_049) }],
  ])('is refused as %s: %j', (expected, message) => {
    expect(refusal(parseTrackerMessage, JSON.stringify(message))).toBe(expected);
  });

  it('with an error code of a later version is an error of another kind', () => {
    expect(parseTrackerMessage(JSON.stringify({ ...error, code: 'full-moon' }))).toMatchObject({
      code: 'other',
    });
  });
});

describe('the payload of a signal', () => {
  const textOf = (data: unknown) => encodeClientMessage({ type: 'signal', to: peerId, data });

  it('goes on as it came in the usual spelling', () => {
    const text = `{"type":"signal","to":"${peerId}","data":{"n":12345678901234567890,"__proto__":1}}`;
    const message = parseClientMessage(text);
    expect(message).toMatchObject({ dataText: '{"n":12345678901234567890,"__proto__":1}' });
    expect(encodeRelayedSignal(peerId, 'aula', '[null]')).toBe(
      `{"type":"signal","from":"${peerId}","tier":"aula","data":[null]}`,
    );
  });

  it.each([
    `{"type":"signal","to":"${peerId}","data":1,"data":2}`,
    `{"type":"signal","to":"${peerId}","data":{"a":1},"to":"${peerId}"}`,
    `{"data":2,"to":"${peerId}","type":"signal"}`,
    ` {"type":"signal","to":"${peerId}","data":2}`,
    `{"type":"signal","to":"${peerId}","data":2 } `,
  ])('is found in any spelling, and is what JSON says it is: %s', (text) => {
    const { data } = JSON.parse(text) as { data: unknown };
    const message = parseClientMessage(text);
    expect(message).toMatchObject({ type: 'signal', to: peerId, data });
    if (message.type === 'signal') expect(JSON.parse(message.dataText)).toEqual(data);
  });

  it.each([
    `{"type":"signal","to":"${peerId}","data":}`,
    `{"type":"signal","to":"${peerId}","data":1}}`,
    `{"type":"signal","to":"${peerId}","data":1},{"a":1}`,
  ])('cannot break out of its place: %s', (text) => {
    expect(refusal(parseClientMessage, text)).toBe('bad-json');
  });

  it.each([
    ['x'.repeat(16_382), 'taken'],
    ['x'.repeat(16_383), 'too-large data'],
    ['é'.repeat(8_191), 'taken'],
    ['é'.repeat(8_192), 'too-large data'],
    [`${'🎻'.repeat(4_095)}xx`, 'taken'],
    [`${'🎻'.repeat(4_095)}xxx`, 'too-large data'],
  ])('is bounded in bytes', (data, expected) => {
    expect(refusal(parseClientMessage, textOf(data))).toBe(expected);
    expect(refusal(parseClientMessage, ` ${textOf(data)}`)).toBe(expected);
  });

  it.each([
    [64, 'taken'],
    [65, 'bad-field data'],
    [8_000, 'bad-field data'],
  ])('nested %i deep is %s', (depth, expected) => {
    const text = `{"type":"signal","to":"${peerId}","data":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(refusal(parseClientMessage, text)).toBe(expected);
    expect(refusal(parseClientMessage, ` ${text}`)).toBe(expected);
    expect(clientMessageType(text)).toBe('signal');
  });

  it.each(['', ' '])('that nests deep is not parsed, however it is spelt: %j', (before) => {
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    const data = `${'['.repeat(8_000)}${']'.repeat(8_000)}`;
    const text = `${before}{"type":"signal","to":"${peerId}","data":${data}}`;
    expect(refusal(parseClientMessage, text)).toBe('bad-field data');
    expect(clientMessageType(text)).toBe('signal');
    expect(parse).not.toHaveBeenCalled();
  });

  it('is not deep for the brackets in its text', () => {
    const text = textOf(['"'.repeat(101), '\\', '[{'.repeat(2_000), { a: ['}]'] }]);
    expect(parseClientMessage(text)).toMatchObject({ type: 'signal' });
    expect(parseClientMessage(` ${text}`)).toMatchObject({ type: 'signal' });
  });

  it.each(['[', '{"a":', '[[],', '{"data":['])('what else nests deep is no message: %s', (opening) => {
    const text = opening.repeat(6_000);
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    expect(refusal(parseClientMessage, text)).toBe('bad-json');
    expect(clientMessageType(text)).toBeUndefined();
    expect(parse).not.toHaveBeenCalled();
  });

  it('may be anything JSON can say', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (data) => {
        const message = parseClientMessage(textOf(data));
        if (message.type !== 'signal') throw new Error(message.type);
        const relayed = parseTrackerMessage(encodeRelayedSignal(peerId, 'global', message.dataText));
        expect(relayed).toEqual({
          type: 'signal',
          from: peerId,
          tier: 'global',
          data: JSON.parse(JSON.stringify(data)),
        });
      }),
    );
  });

  it('must be JSON to be sent', () => {
    expect(() => textOf(undefined)).toThrow(ProtocolError);
    expect(() => textOf(() => {})).toThrow(ProtocolError);
  });
});

describe('reading', () => {
  const anyText = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.json(),
    fc
      .tuple(
        fc.constantFrom(
          ...clientMessages.map(encodeClientMessage),
          ...trackerMessages.map(encodeTrackerMessage),
        ),
        fc.constantFrom(
          'type',
          'trackId',
          'root',
          'chunks',
          'have',
          'data',
          'to',
          'peers',
          'heldBy',
          '__proto__',
        ),
        fc.jsonValue(),
      )
      .map(([text, field, value]) => JSON.stringify({ ...JSON.parse(text), [field]: value })),
    fc
      .tuple(
        fc.constantFrom(...clientMessages.map(encodeClientMessage)),
        fc.nat(),
        fc.string({ maxLength: 3 }),
      )
      .map(
        ([text, at, piece]) => text.slice(0, at % text.length) + piece + text.slice((at % text.length) + 1),
      ),
  );

  it('throws nothing but ProtocolError, whatever comes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        refusal(parseClientMessage, text);
        refusal(parseTrackerMessage, text);
        clientMessageType(text);
      }),
      { numRuns: 5_000 },
    );
  });

  it('leaves the prototype of objects alone', () => {
    parseClientMessage(
      '{"type":"part","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    );
    expect('polluted' in {}).toBe(false);
  });
});
