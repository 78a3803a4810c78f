import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProtocolError } from './errors.ts';
import { clientMessageType, parseClientMessage, parseTrackerMessage } from './tracker-codec.ts';

const CASES = 1_000_000;
const MAX_MS = 100;
const SEED = Number(process.env['SONANTICA_FUZZ_SEED'] ?? 20_260_101);

const TRACK = { trackId: 'song', root: 'a0'.repeat(32) };
const PEER = 'p'.repeat(22);
/** One good message of each type, both ways. */
const GOOD: readonly Record<string, unknown>[] = [
  { type: 'hello', token: 'a.b.c' },
  { type: 'join', aulaId: 'aula', want: 3 },
  { type: 'part' },
  { type: 'announce', ...TRACK, chunkCount: 20, have: 'AAAA', scope: 'aula', uploadKbps: 9, want: 3 },
  {
    type: 'have',
    ...TRACK,
    chunks: [1, 2],
    lost: [3],
    released: [4],
    delivered: { cache: 1, aula: 2, global: 3, origin: 4 },
  },
  { type: 'find', ...TRACK, want: 3, needs: 'AAAA' },
  { type: 'claim', ...TRACK, chunks: [1, 2, 3], have: [4] },
  { type: 'signal', to: PEER, data: { sdp: 'v=0', list: [null, { a: [] }] } },
  { type: 'leave', ...TRACK },
  {
    type: 'welcome',
    peerId: PEER,
    iceServers: [{ urls: ['stun:x'], username: 'u', credential: 'c' }],
    announceIntervalMs: 1,
    serverTimeMs: 2,
    limits: { maxClaims: 8 },
    tokenExpiresMs: 3,
  },
  {
    type: 'peers',
    ...TRACK,
    peers: [{ peerId: PEER, tier: 'aula', have: 'all', uploadKbps: 1, rttMs: null }],
    complete: 1,
    incomplete: 2,
  },
  { type: 'claimed', ...TRACK, granted: [1], heldBy: { 2: PEER }, ttlMs: 10 },
  { type: 'signal', from: PEER, tier: 'global', data: [1] },
  { type: 'error', code: 'busy', message: 'm', re: 'announce', to: PEER, ...TRACK, retryAfterMs: 5 },
];
const TEXTS = GOOD.map((message) => JSON.stringify(message));

/** What a stranger puts where something else belongs. */
const RUBBISH: readonly unknown[] = [
  ...[null, true, -1, 0.5, 1e308, -0, '', ' ', '\u0000', '\ud800', '__proto__', 'all', '../..', [], [[]], {}],
  ...[
    [null],
    ['x'],
    { length: 1e9 },
    { toString: null },
    'x'.repeat(200),
    Array(100).fill(0),
    2 ** 53,
    32_768,
  ],
];
const SYNTAX = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  'null',
  '1e999',
  '"type":',
  '"data":',
  '\\ud800',
  '\u2028',
];

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function copyOf(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value;
}

/** How long it takes, in milliseconds. What takes too long is tried again: a busy machine is slow once, slow code every time. */
function leastMs(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 5 && least >= MAX_MS; tries++) {
    const startMs = performance.now();
    run();
    least = Math.min(least, performance.now() - startMs);
  }
  return least;
}

// Traces of the errors would take longer than all the rest.
let traceLimit = 0;
beforeAll(() => {
  traceLimit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = traceLimit;
});

it(`${CASES} spoilt messages throw nothing but ProtocolError, none takes ${MAX_MS} ms (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const below = (n: number) => Math.floor(random() * n);
  const oneOf = <T>(list: readonly T[]): T => {
    const one = list[below(list.length)];
    if (one === undefined) throw new Error('an empty list');
    return one;
  };
  /** Exchanges one field, at any depth, for rubbish, or drops or doubles it. */
  const spoilFields = (): string => {
    const message = JSON.parse(oneOf(TEXTS)) as Record<string, unknown>;
    for (let changes = 1 + below(3); changes > 0; changes--) {
      let place: Record<string, unknown> = message;
      for (;;) {
        const field = oneOf([...Object.keys(place), 'extra']);
        const inner = place[field];
        if (typeof inner === 'object' && inner !== null && random() < 0.5) {
          place = inner as Record<string, unknown>;
          continue;
        }
        if (random() < 0.2) delete place[field];
        else place[field] = copyOf(oneOf(RUBBISH));
        break;
      }
    }
    return JSON.stringify(message);
  };
  const spoilText = (): string => {
    let text = oneOf(TEXTS);
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const at = below(text.length + 1);
      const end = Math.min(text.length, at + below(8));
      switch (below(5)) {
        case 0:
          text = text.slice(0, at) + oneOf(SYNTAX) + text.slice(end);
          break;
        case 1:
          text = text.slice(0, at);
          break;
        case 2:
          text = text.slice(0, at) + String.fromCharCode(below(0x1_0000)) + text.slice(end);
          break;
        case 3:
          text = text.slice(0, at) + oneOf(TEXTS).slice(below(60)) + text.slice(end);
          break;
        default:
          text =
            text.slice(0, at) +
            text.slice(at, end).repeat(1 + below(below(400) === 0 ? 5_000 : 4)) +
            text.slice(end);
      }
    }
    return text;
  };
  const bad: { text: string; what: string }[] = [];
  let slowestMs = 0;
  let understood = 0;
  for (let n = 0; n < CASES; n++) {
    const text = random() < 0.5 ? spoilFields() : spoilText();
    const parse = n % 2 === 0 ? parseClientMessage : parseTrackerMessage;
    const ms = leastMs(() => {
      try {
        parse(text);
        understood++;
      } catch (error) {
        if (!(error instanceof ProtocolError)) bad.push({ text: text.slice(0, 500), what: String(error) });
      }
      if (n % 16 === 0) clientMessageType(text);
    });
    slowestMs = Math.max(slowestMs, ms);
  }
  expect(bad.slice(0, 3)).toEqual([]);
  expect(slowestMs).toBeLessThan(MAX_MS);
  // Some must get through, or the cases would say little.
  expect(understood).toBeGreaterThan(CASES / 100);
}, 120_000);

it.each([
  ['lists', '['.repeat(30_000) + ']'.repeat(30_000)],
  ['objects', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)],
  ['a signal', `{"type":"signal","to":"${PEER}","data":${'['.repeat(8_000)}${']'.repeat(8_000)}}`],
  ['escapes', `{"type":"hello","token":"${'\\u0041'.repeat(10_000)}"}`],
  [
    'bitmap text',
    `{"type":"find","trackId":"a","root":"${'a0'.repeat(32)}","needs":"${'A'.repeat(60_000)}="}`,
  ],
  [
    'numbers',
    `{"type":"have","trackId":"a","root":"${'a0'.repeat(32)}","chunks":[${'1e300,'.repeat(9_000)}1]}`,
  ],
])('the largest message of %s is refused or read in that time', (_, text) => {
  const ms = leastMs(() => {
    for (const parse of [parseClientMessage, parseTrackerMessage]) {
      try {
        parse(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }
  });
  expect(ms).toBeLessThan(MAX_MS);
});
