import { Duplex } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { BINARY, Connection, type ConnectionOwner } from './connection.ts';
import { perMinute } from './core/rate-limit.ts';

/** A client's frame, its mask all zero. */
function frame(opcode: number, payload = ''): Buffer {
  return Buffer.concat([
    Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]),
    Buffer.from(payload, 'latin1'),
  ]);
}

function place(controlFrames = perMinute(0), maxBufferedBytes = 1_000, reads = true) {
  const time = { nowMs: 0 };
  const writes: string[] = [];
  const events: unknown[] = [];
  const yielded: number[] = [];
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      writes.push(bytes.toString('latin1'));
      if (reads) done();
    },
  });
  const owner: ConnectionOwner = {
    maxBufferedBytes,
    maxMessageBytes: 100,
    controlFrames,
    nowMs: () => time.nowMs,
    heard: (_, heard) => events.push(heard),
    answered: () => events.push('answered'),
    speaks: () => events.push('speaks'),
    yields: (_, bytes) => {
      events.push('yields');
      yielded.push(bytes);
    },
    waits: ({ waitingBytes }) => events.push(`waits ${waitingBytes}`),
    lags: () => events.push('lags'),
    closing: () => events.push('closing'),
    left: () => events.push('left'),
    offended: () => events.push('offended'),
    gone: () => events.push('gone'),
    refused: (_, reason) => events.push(`refused ${reason}`),
    ended: (_, reason) => events.push(`ended ${reason}`),
  };
  const connection = new Connection(owner, stream, 1, { text: '203.0.113.9', key: '203.0.113.9' });
  return { time, writes, events, yielded, stream, connection };
}

describe('a connection', () => {
  it('says in one write what it was given in one turn', () => {
    const { writes, events, connection } = place();
    connection.send('a');
    connection.send('ä');
    connection.ping('mark');
    expect(writes).toEqual([]);
    expect(events).toEqual(['speaks']);
    connection.flush();
    expect(writes).toEqual(['\x81\x01a\x81\x02\xc3\xa4\x89\x04mark']);
    connection.send('b');
    connection.flush();
    connection.flush();
    expect(events).toEqual(['speaks', 'speaks']);
    expect(writes.slice(1)).toEqual(['\x81\x01b']);
  });

  it('hears messages and answers to pings', () => {
    const { events, connection } = place();
    connection.pingedMs = 0;
    connection.ping('mark');
    events.length = 0;
    connection.read(Buffer.concat([frame(1, 'text'), frame(2, 'x'), frame(10, 'mark')]));
    expect(events).toEqual(['text', BINARY, 'answered']);
  });

  it('that closes in the middle of a message leaves its buffer to others', () => {
    const half = frame(1, 'text').subarray(0, 8);
    const comesAndGoes = () => {
      const { connection } = place();
      connection.read(Buffer.from(half));
      connection.gone();
    };
    comesAndGoes();
    const allocated = vi.spyOn(Buffer, 'allocUnsafeSlow');
    // More than other tests have left to be used again.
    for (let i = 0; i < 1_000; i++) comesAndGoes();
    expect(allocated).not.toHaveBeenCalled();
    allocated.mockRestore();
  });

  it.each(['', 'mar', 'mark ', 'Mark', 'last'])('takes a pong with %j for no answer to a ping', (payload) => {
    const { writes, events, connection } = place(perMinute(2));
    connection.pingedMs = 0;
    connection.ping('last');
    connection.ping('mark');
    connection.read(frame(10, payload));
    connection.read(frame(10, payload));
    expect(events).toEqual(['speaks']);
    // They have the rate of pongs nobody asked for.
    connection.read(frame(10, payload));
    expect(events).toEqual(['speaks', 'ended too-fast', 'offended']);
    expect(writes.join('')).toContain('too fast');
  });

  it('answers the last of many pings', () => {
    const { writes, connection } = place();
    connection.read(Buffer.concat(Array.from({ length: 1_000 }, (_, i) => frame(9, String(i)))));
    connection.flush();
    expect(writes).toEqual(['\x8a\x03999']);
  });

  it('says what it has to before it closes, and nothing after', () => {
    const { writes, events, connection } = place();
    connection.send('a');
    connection.close(4408, 'no');
    connection.close(4401, 'again');
    connection.send('b');
    connection.ping('mark');
    connection.flush();
    expect(writes).toEqual(['\x81\x01a\x88\x04\x11\x38no']);
    expect(events).toEqual(['speaks', 'closing']);
  });

  it('ends once the client has answered its close', () => {
    const { stream, connection } = place();
    connection.close(4408, 'no');
    expect(stream.writableEnded).toBe(false);
    connection.read(frame(8, '\x0f\xa0'));
    expect(stream.writableEnded).toBe(true);
  });

  it.each([
    ['', '\x88\x00'],
    ['\x0f\xa0bye', '\x88\x02\x0f\xa0'],
  ])('answers a client that closes with %j', (payload, answer) => {
    const { writes, stream, connection } = place();
    connection.read(frame(8, payload));
    expect(writes).toEqual([answer]);
    expect(stream.writableEnded).toBe(true);
  });

  it.each([
    ['no frame', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), '\x88\x02\x03\xea', ['offended']],
    [
      'a frame that is too big',
      Buffer.from([0x81, 0xe5]),
      '\x88\x13\x11\x3dmessage too large',
      ['ended too-large', 'offended'],
    ],
  ])('ends on %s', (_, bytes, answer, expected) => {
    const { writes, events, stream, connection } = place();
    connection.read(bytes);
    connection.read(frame(1, 'more'));
    expect(writes).toEqual([answer]);
    expect(events).toEqual(expected);
    expect([stream.isPaused(), stream.writableEnded]).toEqual([true, false]);
  });

  it('drops a reader for whom too much waits, unsent or unread', async () => {
    const { writes, events, stream, connection } = place();
    connection.send('x'.repeat(1_001));
    connection.send('a');
    expect(events).toEqual(['speaks', 'ended slow-reader']);
    expect(stream.destroyed).toBe(true);
    connection.flush();
    await new Promise((closed) => stream.once('close', closed));
    expect(events.at(-1)).toBe('gone');
    expect(writes).toEqual([]);
  });

  it.each([
    ['pings', frame(9)],
    ['pongs nobody asked for', frame(10)],
    ['parts of a message', Buffer.from([0x00, 0x80, 0, 0, 0, 0])],
  ])('ends on more %s than are allowed, and reads nothing more', (_, more) => {
    const { time, writes, events, stream, connection } = place(perMinute(3));
    connection.read(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
    connection.read(Buffer.concat([more, more]));
    time.nowMs = 20_000;
    connection.read(more);
    connection.flush();
    expect(stream.writableEnded).toBe(false);
    writes.length = 0;
    connection.read(Buffer.concat([more, more, frame(8), more]));
    expect(events.filter((event) => event !== 'speaks' && event !== 'yields')).toEqual([
      'ended too-fast',
      'offended',
    ]);
    expect(writes.join('')).toContain('\x88\x0a\x11\x4dtoo fast');
    expect([stream.isPaused(), stream.writableEnded]).toEqual([true, false]);
  });

  it('lets others go first after many frames beside messages', () => {
    const { events, connection } = place();
    const pings = (count: number) => Buffer.concat(Array.from({ length: count }, () => frame(9)));
    connection.read(pings(15));
    expect(events).toEqual(['speaks']);
    connection.read(pings(1));
    expect(events).toEqual(['speaks', 'yields']);
  });

  it('lets others go first after each read of parts of a message', () => {
    const { events, connection } = place();
    connection.read(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
    connection.read(Buffer.from([0x00, 0x80, 0, 0, 0, 0]));
    expect(events).toEqual(['yields', 'yields']);
    connection.read(Buffer.from([0x80, 0x80, 0, 0, 0, 0]));
    expect(events.slice(2)).toEqual(['']);
  });

  it('lets others go first for as long as the parts of a message are, once many came in one read', () => {
    const { yielded, connection } = place();
    const part = (first: number) =>
      Buffer.concat([Buffer.from([first, 0x85, 0, 0, 0, 0]), Buffer.from('12345')]);
    connection.read(Buffer.concat([part(0x01), part(0x00)]));
    expect(yielded.splice(0)).toEqual([22]);
    // Those it yielded for are not counted again.
    connection.read(Buffer.concat(Array.from({ length: 14 }, () => part(0x00))));
    expect(yielded).toEqual([70, 154]);
    yielded.length = 0;
    connection.read(Buffer.concat(Array.from({ length: 15 }, () => frame(9))));
    expect(yielded).toEqual([]);
    connection.read(frame(9));
    expect(yielded).toEqual([0]);
  });

  it('keeps what waits for its reader outside the heap', () => {
    const { stream, connection } = place(perMinute(0), 1_000, false);
    const write = vi.spyOn(stream, 'write');
    for (const text of ['a', 'b']) {
      connection.send(text);
      connection.flush();
    }
    expect(write.mock.calls.map(([given]) => given)).toEqual([
      '\x81\x01a',
      Buffer.from('\x81\x01b', 'latin1'),
    ]);
  });

  it('reads nothing while it is paused, not even of what came, and then goes on', () => {
    const { events, connection } = place();
    connection.pause();
    connection.read(Buffer.concat([frame(1, 'a'), frame(1, 'b')]));
    expect(events).toEqual([]);
    connection.resume();
    expect(events).toEqual(['a', 'b']);
  });

  it('hears no message any more once it is being closed', () => {
    const { events, connection } = place();
    connection.close(1012, 'restarts');
    connection.read(Buffer.concat([frame(1, 'a'), frame(2, 'b')]));
    // To read what is passed over is work too.
    expect(events).toEqual(['closing', 'yields']);
  });

  it('lets others go first after each read of what comes behind the end', () => {
    const { events, connection } = place();
    connection.read(frame(8, '\x11\x4d'));
    expect(events).toEqual(['closing', 'left']);
    connection.read(frame(1, 'a'));
    expect(events).toEqual(['closing', 'left', 'yields']);
  });

  it.each([4400, 4413, 4429])('reads nothing more of one that is closed with %i, which is held', (code) => {
    const { events, stream, connection } = place();
    connection.close(code, 'why');
    connection.read(Buffer.concat([frame(1, 'a'), frame(8)]));
    expect(events).toEqual(['offended']);
    expect([stream.isPaused(), stream.writableEnded]).toEqual([true, false]);
  });

  it('says so when much waits for a reader, before it is too much', () => {
    const { events, connection } = place(perMinute(0), 100_000);
    connection.send('x'.repeat(65_000));
    connection.send('x'.repeat(1_000));
    expect(events).toEqual(['speaks']);
    connection.send('a');
    expect(events).toEqual(['speaks', 'lags']);
  });

  it('says once that the client ended it, though what waits is not read', () => {
    const { events, stream, connection } = place(perMinute(0), 1_000, false);
    connection.send('a');
    connection.endedByClient();
    connection.close(4408, 'no');
    connection.endedByClient();
    expect(events).toEqual(['speaks', 'waits 3', 'left']);
    expect([stream.writableEnded, stream.destroyed]).toEqual([true, false]);
  });

  it('says so when something is not read at once', () => {
    const { events, connection } = place(perMinute(0), 1_000, false);
    for (const text of ['a', 'b']) {
      connection.send(text);
      connection.flush();
    }
    expect(events).toEqual(['speaks', 'waits 3', 'speaks', 'waits 6']);
  });

  it('is asked for as many pongs as it gives', () => {
    const { events, connection } = place(perMinute(3));
    for (let i = 0; i < 10; i++) {
      connection.pingedMs = i;
      connection.ping(String(i));
      connection.read(frame(10, String(i)));
    }
    expect(events.filter((event) => event !== 'speaks')).toEqual(
      Array.from({ length: 10 }, () => 'answered'),
    );
  });

  it('outlives what its stream throws', async () => {
    const { events, stream } = place();
    stream.destroy(new Error('ECONNRESET'));
    await new Promise((closed) => stream.once('close', closed));
    expect(events).toEqual(['gone']);
  });
});
