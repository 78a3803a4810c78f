import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Front, READ_AT_ONCE } from './front.ts';
import { startTracker, type RunningTracker } from './start-tracker.ts';
import { collectInSmallPieces } from './young-collections.ts';

vi.mock(import('./young-collections.ts'), () => ({ collectInSmallPieces: vi.fn() }));

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sonantica.v1\r\n\r\n';
/** `{"type":"hello"}` in a masked frame. */
const HELLO = Buffer.concat([Buffer.from([0x81, 0x90, 0, 0, 0, 0]), Buffer.from('{"type":"hello"}')]);
const PAGE = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

const running: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const thing of running.splice(0).reverse()) await thing.close();
});

async function tracker(settings: object = {}): Promise<RunningTracker> {
  const started = await startTracker({ port: 0, ...settings });
  running.push(started);
  return started;
}

class Caller {
  readonly socket: Socket;
  heard = '';
  isClosed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (bytes) => (this.heard += bytes.toString('latin1')));
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.isClosed = true));
    running.push({ close: () => void this.socket.destroy() });
  }

  async connected(): Promise<this> {
    if (this.socket.connecting) await new Promise((connected) => this.socket.once('connect', connected));
    return this;
  }

  /** Says something in pieces of so many bytes, each in a packet of its own. */
  async say(bytes: Buffer | string, size = Number.POSITIVE_INFINITY): Promise<this> {
    const all = Buffer.from(bytes);
    for (let at = 0; at < all.length; at += size) {
      await new Promise((sent) => this.socket.write(all.subarray(at, at + size), sent));
      if (size < all.length) await new Promise((passed) => setImmediate(passed));
    }
    return this;
  }
}

describe('a new connection', () => {
  it.each([
    ['in one piece', Number.POSITIVE_INFINITY],
    ['in several', 50],
    ['byte by byte', 1],
  ])('that asks for a WebSocket %s gets one, and is heard', async (_, size) => {
    const { port } = await tracker();
    const caller = await new Caller(port).say(UPGRADE, size);
    await expect.poll(() => caller.heard).toMatch(/^HTTP\/1\.1 101 /);
    await caller.say(HELLO, size);
    await expect.poll(() => caller.heard).toContain('"type":"welcome"');
  });

  it('that says hello together with its request is heard', async () => {
    const { port } = await tracker();
    const caller = await new Caller(port).say(Buffer.concat([Buffer.from(UPGRADE), HELLO]));
    await expect.poll(() => caller.heard).toContain('"type":"welcome"');
  });

  it.each([Number.POSITIVE_INFINITY, 7])(
    'that asks for pages gets them: pieces of %i bytes',
    async (size) => {
      const { port } = await tracker();
      const caller = await new Caller(port).say(PAGE, size);
      await expect.poll(() => caller.heard.match(/"status":"ok"/g)).toHaveLength(1);
      await caller.say(PAGE + PAGE, size);
      await expect.poll(() => caller.heard.match(/"status":"ok"/g)).toHaveLength(3);
    },
  );

  it('that asks for a page and then for a WebSocket gets both', async () => {
    const { port } = await tracker();
    const caller = await new Caller(port).say(PAGE);
    await expect.poll(() => caller.heard).toContain('"status":"ok"');
    await caller.say(UPGRADE);
    await expect.poll(() => caller.heard).toContain('HTTP/1.1 101 ');
    await caller.say(HELLO);
    await expect.poll(() => caller.heard).toContain('"type":"welcome"');
  });

  it.each([
    ['nothing', ''],
    ['half a request', UPGRADE.slice(0, -2)],
  ])('that says %s is dropped in time', async (_, said) => {
    const { port } = await tracker({ headersTimeoutMs: 200 });
    const caller = await new Caller(port).say(said);
    await expect.poll(() => caller.isClosed, { timeout: 5_000 }).toBe(true);
  });

  it('that says nothing does not keep the tracker from stopping', async () => {
    const { port, close } = await tracker({ headersTimeoutMs: 0 });
    const caller = new Caller(port);
    await new Promise((connected) => caller.socket.once('connect', connected));
    await close();
  });
});

describe('of two connections at most that are no WebSocket yet', () => {
  it.each([
    ['said nothing', ''],
    ['asked for a page', PAGE],
  ])('one that %s and went makes room, and nobody gives way', async (_, said) => {
    const { port } = await tracker({ maxHandshakes: 2, headersTimeoutMs: 0 });
    const stays = await new Caller(port).connected();
    const goes = await (await new Caller(port).connected()).say(said);
    if (said !== '') await expect.poll(() => goes.heard).toContain('"status":"ok"');
    goes.socket.destroy();
    // Its end has come once a later one is answered.
    await expect.poll(() => goes.isClosed).toBe(true);
    await new Promise((passed) => setTimeout(passed, 50));
    const comes = await (await new Caller(port).connected()).say(PAGE);
    await expect.poll(() => comes.heard).toContain('"status":"ok"');
    expect([stays.isClosed, comes.isClosed]).toEqual([false, false]);
    const another = await (await new Caller(port).connected()).say(PAGE);
    await expect.poll(() => another.heard).toContain('"status":"ok"');
    await expect.poll(() => stays.isClosed).toBe(true);
  });
});

describe('a crowd that asks in one turn', () => {
  it('is looked at two in a turn, as far as that takes longer than a moment, and all are', async () => {
    const server = createServer();
    let taken = 0;
    const busyMs = 1;
    new Front(server, {
      silentMs: 0,
      nowMs: () => 0,
      gone: () => {},
      crowded: () => {},
      upgrade: () => {
        taken++;
        const untilMs = performance.now() + busyMs;
        while (performance.now() < untilMs);
      },
    });
    for (let i = 0; i < 20; i++) {
      const socket = new Socket();
      server.emit('connection', socket);
      socket.emit('data', Buffer.from(UPGRADE));
    }
    expect(taken).toBe(2);
    await new Promise((passed) => setImmediate(passed));
    expect(taken).toBeLessThanOrEqual(4);
    await expect.poll(() => taken).toBe(20);
  });
});

describe('beside a crowd that says nothing', () => {
  /** A front that counts what it takes, and how long after it came each connection was first heard. */
  async function watched() {
    const server = createServer();
    const cameMs = new Map<unknown, number>();
    const heardAfterMs: number[] = [];
    const crowded: boolean[] = [];
    let taken = 0;
    const front = new Front(server, {
      silentMs: 0,
      nowMs: () => 0,
      gone: () => {},
      crowded: (isCrowded) => crowded.push(isCrowded),
      upgrade: (_request, socket) => {
        taken++;
        socket.destroy();
      },
    });
    server.on('connection', (socket) => cameMs.set(socket, performance.now()));
    const hear = front.hear.bind(front);
    vi.spyOn(front, 'hear').mockImplementation((socket, bytes) => {
      heardAfterMs.push(performance.now() - (cameMs.get(socket) ?? 0));
      hear(socket, bytes);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    running.push({
      close: () => {
        front.close();
        server.close();
      },
    });
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const come = async (count: number) => {
      const callers = Array.from({ length: count }, () => new Caller(port));
      await Promise.all(callers.map((caller) => caller.connected()));
      return callers;
    };
    return { come, cameMs, heardAfterMs, crowded, taken: () => taken };
  }

  it('who comes is heard a moment later, and gets what it asks for', async () => {
    const { come, cameMs, heardAfterMs, taken } = await watched();
    await come(READ_AT_ONCE);
    await expect.poll(() => cameMs.size).toBe(READ_AT_ONCE);
    for (const caller of await come(30)) void caller.say(UPGRADE);
    await expect.poll(taken).toBe(30);
    // Timers of Node may be a millisecond early.
    expect(Math.min(...heardAfterMs)).toBeGreaterThan(18);
  });

  it('too small to matter nobody waits', async () => {
    const { come, cameMs, heardAfterMs, taken } = await watched();
    await come(READ_AT_ONCE - 1);
    await expect.poll(() => cameMs.size).toBe(READ_AT_ONCE - 1);
    for (let i = 0; i < 10; i++) {
      const [caller] = await come(1);
      await caller?.say(UPGRADE);
      await expect.poll(taken, { interval: 1 }).toBe(i + 1);
    }
    expect(Math.min(...heardAfterMs)).toBeLessThan(18);
  });

  it('what is left in memory is collected in small pieces, and as usual once they went', async () => {
    vi.mocked(collectInSmallPieces).mockClear();
    const { port } = await tracker();
    const callers = Array.from({ length: READ_AT_ONCE + 10 }, () => new Caller(port));
    await expect.poll(() => vi.mocked(collectInSmallPieces).mock.calls).toEqual([[true]]);
    for (const { socket } of callers) socket.destroy();
    await expect.poll(() => vi.mocked(collectInSmallPieces).mock.calls).toEqual([[true], [false]]);
  });

  it('that it is crowded is told once, and that it is not once half of them went', async () => {
    const { come, cameMs, crowded } = await watched();
    const first = await come(READ_AT_ONCE);
    await expect.poll(() => cameMs.size).toBe(READ_AT_ONCE);
    expect(crowded).toEqual([]);
    const more = await come(40);
    await expect.poll(() => cameMs.size).toBe(READ_AT_ONCE + 40);
    expect(crowded).toEqual([true]);
    for (const { socket } of more) socket.destroy();
    await new Promise((passed) => setTimeout(passed, 50));
    expect(crowded).toEqual([true]);
    for (const { socket } of first.slice(0, READ_AT_ONCE / 2)) socket.destroy();
    await expect.poll(() => crowded).toEqual([true, false]);
  });
});
