import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { spawnTracker, Speaker, trackerForTest, type TrackerProcess } from './support/tracker-process.ts';
import { until } from './support/until.ts';

const ROOT = 'ab'.repeat(32);
const TRACK = { trackId: 'song', root: ROOT };
const STRANGER = 'Z'.repeat(22);

let tracker: TrackerProcess;
beforeAll(async () => {
  // What is tested here is not how often.
  tracker = await spawnTracker(['--others-per-minute', '0', '--announces-per-minute-per-track', '0']);
});
afterAll(async () => {
  tracker.kill('SIGTERM');
  expect(await tracker.ended).toBe(0);
});

const announce = (more: object = {}) =>
  JSON.stringify({ type: 'announce', ...TRACK, chunkCount: 20, have: 'all', ...more });

describe('what is no message', () => {
  it.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '7'],
    ['text', '"hello"'],
    ['not JSON', '{'],
    ['nothing', ''],
    ['an object without type', '{}'],
    ['a type that is no text', '{"type":{"toString":1}}'],
    ['lists 10,000 deep', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['objects 10,000 deep', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)],
  ])('%s is closed with 4400', async (_, text) => {
    const speaker = await Speaker.welcomed(tracker.url);
    speaker.raw(text);
    expect(await speaker.closed).toBe(4400);
  });

  it('a signal 10,000 deep is refused, and the socket stays', async () => {
    const speaker = await Speaker.welcomed(tracker.url);
    speaker.raw(`{"type":"signal","to":"${STRANGER}","data":${'['.repeat(8_000)}${']'.repeat(8_000)}}`);
    expect(await speaker.take('error')).toMatchObject({ code: 'bad-message', re: 'signal' });
  });
});

/** A good message of each type; every field is spoilt in turn. */
const GOOD: readonly Record<string, unknown>[] = [
  { type: 'join', aulaId: 'aula', want: 5 },
  { type: 'announce', ...TRACK, chunkCount: 20, have: 'all', scope: 'global', uploadKbps: 5, want: 5 },
  {
    type: 'announce',
    ...TRACK,
    chunkCount: 20,
    have: 'all',
    delivered: { cache: 0, aula: 0, global: 0, origin: 0 },
  },
  { type: 'have', ...TRACK, chunks: [1], lost: [2] },
  { type: 'find', ...TRACK, want: 5, needs: 'AAAA' },
  { type: 'claim', ...TRACK, chunks: [1], have: [2] },
  { type: 'signal', to: STRANGER, data: 1 },
  { type: 'leave', ...TRACK },
];
const OPTIONAL = new Set(['want', 'scope', 'uploadKbps', 'lost', 'needs', 'delivered']);
const MAY_BE_ANYTHING = new Set(['signal.data']);

const SPOILT: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['true', true],
  ['a negative number', -1],
  ['a fraction', 0.5],
  ['a huge number', 1e300],
  ['an empty text', ''],
  ['a huge text', 'x'.repeat(60_000)],
  ['a list', [null]],
  ['a huge list', Array(20_000).fill(0)],
  ['an object', { length: 3 }],
  ['a prototype', JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}')],
  ['the name of a prototype', '__proto__'],
];
/** Spoilt, and yet in order. */
const FINE = new Set([
  'join.aulaId: the name of a prototype',
  'announce.trackId: the name of a prototype',
  'announce.uploadKbps: a fraction',
  'have.trackId: the name of a prototype',
  'find.trackId: the name of a prototype',
  'claim.trackId: the name of a prototype',
  'leave.trackId: the name of a prototype',
]);

describe('a field', () => {
  const cases = GOOD.flatMap((good) =>
    Object.keys(good)
      .filter((field) => field !== 'type')
      .map((field) => [`${String(good['type'])}.${field}`, good, field] as const),
  );
  it.each(cases)(
    '%s that is missing or wrong in any way is refused by name, and nothing changes',
    async (name, good, field) => {
      const speaker = await Speaker.welcomed(tracker.url);
      speaker.raw(announce());
      await speaker.take('peers');
      const { [field]: _, ...without } = good;
      if (!OPTIONAL.has(field) && name !== 'claim.have') {
        speaker.raw(JSON.stringify(without));
        expect(await speaker.take('error')).toMatchObject({ code: 'bad-message', re: good['type'] });
      }
      for (const [how, value] of SPOILT) {
        if (MAY_BE_ANYTHING.has(name) || FINE.has(`${name}: ${how}`)) continue;
        // The parser of a test would drop what a stranger's would not.
        const text = JSON.stringify({ ...good, [field]: 'SPOILT' }).replace(
          '"SPOILT"',
          JSON.stringify(value),
        );
        speaker.raw(text);
        const error = await speaker.take('error');
        expect({ how, ...error }).toMatchObject({ how, code: 'bad-message', re: good['type'] });
        expect(error.message).toContain(field);
      }
      speaker.raw('{"type":"find","trackId":"song","root":"' + ROOT + '"}');
      expect(await speaker.take('peers')).toMatchObject({ complete: 1, incomplete: 0 });
      speaker.ws.close();
      await speaker.closed;
    },
  );

  it('of a prototype changes no object of the tracker', async () => {
    const speaker = await Speaker.welcomed(tracker.url);
    speaker.raw(
      `{"type":"find","__proto__":{"trackId":"song","root":"${ROOT}"},"constructor":{"prototype":{"x":1}}}`,
    );
    expect(await speaker.take('error')).toMatchObject({ code: 'bad-message', re: 'find' });
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      speaker.raw(announce({ trackId: name }));
      expect(await speaker.take('peers')).toMatchObject({ trackId: name, complete: 1 });
      speaker.raw(JSON.stringify({ type: 'join', aulaId: name }));
      expect(await speaker.take('peers')).toMatchObject({ aulaId: name, incomplete: 1 });
    }
  });
});

describe('hello', () => {
  it.each(['null', '7', '{}', `"${'x'.repeat(8_193)}"`])(
    'with the token %.20s is closed with 4401',
    async (token) => {
      const speaker = await new Speaker(tracker.url).opened();
      speaker.raw(`{"type":"hello","token":${token}}`);
      expect(await speaker.closed).toBe(4401);
    },
  );

  it('never said is closed with 4408', async () => {
    const speaker = await new Speaker((await trackerForTest(['--hello-timeout-ms', '200'])).url).opened();
    expect(await speaker.closed).toBe(4408);
  });
});

/** A masked client frame with a length of 64 bits (RFC 6455, 5.2). */
function frame(first: number, length: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(14);
  head[0] = first;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** An upgraded connection that writes bytes, and what came back until it closed. */
async function rawSocket(
  port: number,
  extensions = '',
): Promise<{
  readonly upgrade: string;
  write(bytes: Buffer): void;
  readonly ended: Promise<Buffer>;
}> {
  const tcp = connect(port, '127.0.0.1');
  onTestFinished(() => void tcp.destroy());
  tcp.on('error', () => {});
  const came: Buffer[] = [];
  const ended = new Promise<Buffer>((resolve) => tcp.once('close', () => resolve(Buffer.concat(came))));
  const answered = new Promise<string>((resolve) => {
    tcp.once('data', (data) => {
      resolve(data.toString('latin1'));
      tcp.on('data', (more) => came.push(more));
    });
  });
  tcp.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sonantica.v1\r\n${extensions}\r\n`,
  );
  return { upgrade: await answered, write: (bytes) => void tcp.write(bytes), ended };
}

describe('frames', () => {
  it('of 100 MB are closed with 4413 when their length is read', async () => {
    const { write, ended } = await rawSocket(tracker.port);
    write(frame(0x81, 100_000_000));
    const answer = await ended;
    expect(answer.readUInt16BE(2)).toBe(4413);
  });

  it('in fragments that never end are closed with 4413 beyond a message’s size', async () => {
    const { write, ended } = await rawSocket(tracker.port);
    write(frame(0x01, 40_000, Buffer.alloc(40_000)));
    write(frame(0x00, 40_000, Buffer.alloc(40_000)));
    expect((await ended).readUInt16BE(2)).toBe(4413);
  });

  it('are not compressed, however politely compression is asked for', async () => {
    const asked = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n';
    const { upgrade, write, ended } = await rawSocket(tracker.port, asked);
    expect(upgrade).toMatch(/^HTTP\/1\.1 101/);
    expect(upgrade).not.toMatch(/Extensions/i);
    write(frame(0xc1, 10, Buffer.alloc(10)));
    expect((await ended).readUInt16BE(2)).toBe(1002);
  });

  it('that are binary are closed with 4400', async () => {
    const speaker = await Speaker.welcomed(tracker.url);
    speaker.ws.send(Buffer.from('{}'));
    expect(await speaker.closed).toBe(4400);
  });

  it('with broken text are closed with 1007', async () => {
    const { write, ended } = await rawSocket(tracker.port);
    write(frame(0x81, 2, Buffer.from([0xc3, 0x28])));
    expect((await ended).readUInt16BE(2)).toBe(1007);
  });
});

describe('signals', () => {
  it.each(['a stranger', 'a peer of another swarm', 'a scoped peer from outside', 'oneself'])(
    'to %s are not passed on, and the answer is the same',
    async (whom) => {
      const [a, b] = [await Speaker.welcomed(tracker.url), await Speaker.welcomed(tracker.url)];
      const trackId = `signals-${whom.replaceAll(' ', '-')}`;
      a.raw(announce({ trackId }));
      b.raw(
        announce({ trackId: whom === 'a scoped peer from outside' ? trackId : 'elsewhere', scope: 'aula' }),
      );
      await a.take('peers');
      await b.take('peers');
      const to = whom === 'a stranger' ? STRANGER : whom === 'oneself' ? a.id : b.id;
      a.raw(JSON.stringify({ type: 'signal', to, data: 'offer' }));
      const { message, code } = await a.take('error');
      expect({ message, code }).toEqual({ code: 'not-visible', message: 'no such peer here' });
      b.raw(JSON.stringify({ type: 'find', trackId, root: ROOT }));
      await until('an answer', () => b.inbox.length > 0);
      expect(b.inbox.map(({ type }) => type)).not.toContain('signal');
    },
  );

  it('with a forged sender carry the true one', async () => {
    const [a, b] = [await Speaker.welcomed(tracker.url), await Speaker.welcomed(tracker.url)];
    for (const one of [a, b]) {
      one.raw(announce({ trackId: 'forged' }));
      await one.take('peers');
    }
    a.raw(
      JSON.stringify({ type: 'signal', from: STRANGER, tier: 'aula', to: b.id, data: { type: 'answer' } }),
    );
    expect(await b.take('signal')).toEqual({
      type: 'signal',
      from: a.id,
      tier: 'global',
      data: { type: 'answer' },
    });
    // Spelt by hand, and with a second sender inside what looks like the end of the payload.
    a.raw(`{"type":"signal","to":"${b.id}","data":{},"from":"${STRANGER}","tier":"aula"}`);
    expect(await b.take('signal')).toEqual({ type: 'signal', from: a.id, tier: 'global', data: {} });
  });

  it('answered by one who was never asked do not pass', async () => {
    const [asked, forger] = [await Speaker.welcomed(tracker.url), await Speaker.welcomed(tracker.url)];
    asked.raw(announce({ trackId: 'asked' }));
    await asked.take('peers');
    forger.raw(JSON.stringify({ type: 'signal', to: asked.id, data: { type: 'answer', sdp: 'v=0' } }));
    expect(await forger.take('error')).toMatchObject({ code: 'not-visible', to: asked.id });
  });
});

describe('names', () => {
  it('cannot be claimed: what a client says of its own changes nothing', async () => {
    const victim = await Speaker.welcomed(tracker.url);
    victim.raw(announce({ trackId: 'names' }));
    await victim.take('peers');
    const thief = await new Speaker(tracker.url).opened();
    thief.raw(JSON.stringify({ type: 'hello', peerId: victim.id }));
    await until('welcome', () => thief.welcome !== undefined);
    expect(thief.id).not.toBe(victim.id);
    thief.raw(announce({ trackId: 'names', peerId: victim.id }));
    expect((await thief.take('peers')).peers.map(({ peerId }) => peerId)).toEqual([victim.id]);
    thief.raw(JSON.stringify({ type: 'signal', to: victim.id, data: 1 }));
    expect(await victim.take('signal')).toMatchObject({ from: thief.id });
  });
});

describe('swarms', () => {
  it.each(['AAAAAA==', 'AAAAAAAAAAAA', '////', 'AAA', 'AA==AAAA'])(
    'of 20 chunks take no bitmap %s, which is too long, too short or has spare bits',
    async (have) => {
      const speaker = await Speaker.welcomed(tracker.url);
      speaker.raw(announce({ have }));
      expect(await speaker.take('error')).toMatchObject({ code: 'bad-message', re: 'announce' });
    },
  );

  it('of two versions or two chunk counts of one track never mix', async () => {
    const speakers = [];
    for (const more of [{}, { root: 'cd'.repeat(32) }, { chunkCount: 21 }]) {
      const speaker = await Speaker.welcomed(tracker.url);
      speaker.raw(announce({ trackId: 'mixed', ...more }));
      expect(await speaker.take('peers')).toMatchObject({ peers: [], complete: 1 });
      speakers.push(speaker);
    }
    const [a, b] = speakers;
    if (a === undefined || b === undefined) throw new Error('nobody');
    a.raw(JSON.stringify({ type: 'signal', to: b.id, data: 1 }));
    expect(await a.take('error')).toMatchObject({ code: 'not-visible' });
  });
});

describe('a slow reader', () => {
  it('of a busy swarm is dropped, and said to be one', async () => {
    const busy = await trackerForTest(['--max-buffered-bytes', '65536', '--signals-per-minute', '0']);
    const [reader, writer] = [await Speaker.welcomed(busy.url), await Speaker.welcomed(busy.url)];
    for (const one of [reader, writer]) {
      one.raw(announce());
      await one.take('peers');
    }
    reader.ws.pause();
    for (let i = 0; i < 1_000; i++) {
      writer.raw(JSON.stringify({ type: 'signal', to: reader.id, data: 'x'.repeat(16_000) }));
    }
    await until('the reader is gone', async () => (await busy.stats())['peers'] === 1);
    const [line] = busy.log().filter(({ reason }) => reason === 'slow-reader');
    expect(line).toMatchObject({ msg: 'refused', conn: 1, address: '127.0.0.1' });
  });
});

describe('claims never honoured', () => {
  it('leave the chunk to another after ten seconds at most', async () => {
    const [hog, honest] = [await Speaker.welcomed(tracker.url), await Speaker.welcomed(tracker.url)];
    for (const one of [hog, honest]) {
      one.raw(announce({ trackId: 'hogged', have: 'none' }));
      await one.take('peers');
    }
    const claim = JSON.stringify({
      type: 'claim',
      trackId: 'hogged',
      root: ROOT,
      chunks: [0, 1, 2, 3, 4, 5, 6, 7],
    });
    hog.raw(claim);
    expect((await hog.take('claimed')).granted).toHaveLength(8);
    const grantedTo = async () => {
      honest.raw(claim);
      return (await honest.take('claimed')).granted.length > 0;
    };
    const startMs = performance.now();
    await until('a lease for the honest one', grantedTo, 12_000);
    expect(performance.now() - startMs).toBeLessThan(11_000);
  });
});
