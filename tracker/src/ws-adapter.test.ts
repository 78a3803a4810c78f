import { afterEach, describe, expect, it } from 'vitest';
import {
  ChunkSet,
  encodeClientMessage,
  parseTrackerMessage,
  type ClientMessage,
  type TrackerMessage,
} from '@sonantica/wire';
import { connect as connectTcp, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { parsePeerId, parseRootHash, parseTrackId } from '@sonantica/wire';
import { startTracker, type RunningTracker } from './start-tracker.ts';
import type { TrackerConfig } from './config.ts';

const trackId = parseTrackId('song');
const root = parseRootHash('ab'.repeat(32));

const running: { close(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const thing of running.splice(0).reverse()) await thing.close();
});

async function tracker(config: Partial<TrackerConfig> = {}): Promise<RunningTracker> {
  const started = await startTracker({ port: 0, ...config });
  running.push(started);
  return started;
}

/** A client that keeps what it is told until it is asked for. */
class Client {
  readonly ws: WebSocket;
  readonly #inbox: TrackerMessage[] = [];
  #wake: () => void = () => {};
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(url: string, protocols: string | string[] = 'sonantica.v1') {
    this.ws = new WebSocket(url, protocols);
    this.ws.on('message', (data) => {
      this.#inbox.push(parseTrackerMessage(String(data)));
      this.#wake();
    });
    this.ws.on('error', () => {});
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    running.push({ close: () => this.ws.terminate() });
  }

  async open(): Promise<this> {
    if (this.ws.readyState !== WebSocket.OPEN) await new Promise((resolve) => this.ws.once('open', resolve));
    return this;
  }

  say(message: ClientMessage): void {
    this.ws.send(encodeClientMessage(message));
  }

  async next<Type extends TrackerMessage['type']>(
    type: Type,
  ): Promise<Extract<TrackerMessage, { type: Type }>> {
    for (;;) {
      const message = this.#inbox.shift();
      if (message === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        expect(message.type).toBe(type);
        return message as Extract<TrackerMessage, { type: Type }>;
      }
    }
  }

  static async welcomed(url: string) {
    const client = await new Client(url).open();
    client.say({ type: 'hello' });
    return { client, welcome: await client.next('welcome') };
  }
}

/** Two of one swarm, of whom one no longer reads; `peerId` is that one's. */
async function writerAndDeaf(url: string) {
  const { client: writer } = await Client.welcomed(url);
  const { client: deaf, welcome } = await Client.welcomed(url);
  for (const client of [writer, deaf]) {
    client.say(announce(ChunkSet.all(10)));
    await client.next('peers');
  }
  deaf.ws.pause();
  return { writer, deaf, peerId: welcome.peerId };
}

const announce = (have: ChunkSet): ClientMessage => ({
  type: 'announce',
  trackId,
  root,
  chunkCount: have.capacity,
  have,
});

describe('a tracker on real sockets', () => {
  it('introduces two listeners and relays their signals', async () => {
    const { url } = await tracker();
    const { client: seeder, welcome: seederWelcome } = await Client.welcomed(url);
    const { client: listener, welcome } = await Client.welcomed(url);
    expect(welcome.peerId).not.toBe(seederWelcome.peerId);
    seeder.say(announce(ChunkSet.all(10)));
    expect((await seeder.next('peers')).peers).toEqual([]);
    listener.say(announce(ChunkSet.of(10, [1])));
    const { peers, complete, incomplete } = await listener.next('peers');
    expect({ complete, incomplete }).toEqual({ complete: 1, incomplete: 1 });
    expect(peers).toMatchObject([
      { peerId: seederWelcome.peerId, tier: 'global', have: 'all', uploadKbps: null },
    ]);
    listener.say({ type: 'signal', to: seederWelcome.peerId, data: [null, { sdp: 'v=0\r\n' }] });
    expect(await seeder.next('signal')).toEqual({
      type: 'signal',
      from: welcome.peerId,
      tier: 'global',
      data: [null, { sdp: 'v=0\r\n' }],
    });
  });

  it('forgets who hangs up', async () => {
    const { url, stats } = await tracker();
    const { client } = await Client.welcomed(url);
    client.say(announce(ChunkSet.none(3)));
    await client.next('peers');
    expect(stats()).toMatchObject({ peers: 1, swarms: 1 });
    client.ws.close();
    await client.closed;
    await expect.poll(() => stats()).toMatchObject({ peers: 0, swarms: 0, pending: 0 });
  });

  it('measures the round trip with a ping that comes with the welcome', async () => {
    const { url } = await tracker();
    const seeder = await new Client(url).open();
    const pinged = new Promise((resolve) => seeder.ws.once('ping', resolve));
    seeder.say({ type: 'hello' });
    await seeder.next('welcome');
    seeder.say(announce(ChunkSet.all(10)));
    await pinged;
    const { client: listener } = await Client.welcomed(url);
    await expect
      .poll(async () => {
        listener.say({ type: 'announce', trackId, root, chunkCount: 10, have: ChunkSet.none(10) });
        return (await listener.next('peers')).peers[0]?.rttMs;
      })
      .toBeTypeOf('number');
  });
});

it('a long message waits for its turn, those of others that came with it do not', async () => {
  const { url } = await tracker();
  const { client: reader, welcome } = await Client.welcomed(url);
  const [long, short] = [await Client.welcomed(url), await Client.welcomed(url)];
  reader.say(announce(ChunkSet.all(10)));
  await reader.next('peers');
  for (const { client } of [long, short]) {
    client.say(announce(ChunkSet.all(10)));
    await client.next('peers');
  }
  const data = 'é'.repeat(5_000);
  long.client.say({ type: 'signal', to: welcome.peerId, data });
  short.client.say({ type: 'signal', to: welcome.peerId, data: 'x' });
  expect((await reader.next('signal')).from).toBe(short.welcome.peerId);
  expect(await reader.next('signal')).toMatchObject({ from: long.welcome.peerId, data });
});

describe('the close codes', () => {
  it('4400 for a message that is not JSON', async () => {
    const { url } = await tracker();
    const { client } = await Client.welcomed(url);
    client.ws.send('{');
    expect((await client.closed).code).toBe(4400);
  });

  it('4400 for a binary message', async () => {
    const { url } = await tracker();
    const { client } = await Client.welcomed(url);
    client.ws.send(new Uint8Array([123, 125]));
    expect((await client.closed).code).toBe(4400);
  });

  it('4401 for a first message that is not hello', async () => {
    const { url } = await tracker();
    const client = await new Client(url).open();
    client.say({ type: 'part' });
    expect((await client.closed).code).toBe(4401);
  });

  it('4408 for a socket that never says hello', async () => {
    const { url } = await tracker({ tracker: { helloTimeoutMs: 100 } });
    expect((await new Client(url).closed).code).toBe(4408);
  });

  it.each([[['something.else']], [['sonantica.v2', 'sonantica.v3']], [[]]])(
    '4409 for the subprotocols %j',
    async (protocols) => {
      const { url } = await tracker();
      expect((await new Client(url, protocols).closed).code).toBe(4409);
    },
  );

  it.each([65_537, 70_000, 5_000_000])('4413 for a message of %i bytes', async (bytes) => {
    const { url } = await tracker();
    const { client } = await Client.welcomed(url);
    client.ws.send(JSON.stringify('x'.repeat(bytes - 2)));
    expect((await client.closed).code).toBe(4413);
  });

  it('not for a message of 65,536 bytes', async () => {
    const { url } = await tracker();
    const { client } = await Client.welcomed(url);
    const empty = JSON.stringify({ type: 'whisper', text: '' }).length;
    client.ws.send(JSON.stringify({ type: 'whisper', text: 'x'.repeat(65_536 - empty) }));
    expect(await client.next('error')).toMatchObject({ code: 'unknown-type' });
  });

  it('4429 for one who goes on after being told', async () => {
    const { url } = await tracker();
    const { client } = await Client.welcomed(url);
    for (let i = 0; i < 400; i++) client.ws.send('{"type":"part"}');
    expect((await client.closed).code).toBe(4429);
  });

  it('1012 when the tracker stops', async () => {
    const started = await tracker();
    const { client } = await Client.welcomed(started.url);
    await started.close();
    expect((await client.closed).code).toBe(1012);
  });
});

describe('one who is too fast', () => {
  it('is not read from for a moment after each refusal', async () => {
    const { url, stats } = await tracker();
    const { client } = await Client.welcomed(url);
    for (let i = 0; i < 300; i++) client.ws.send('{"type":"part"}');
    const refusals = () => stats().refusedBy['too-fast'];
    await expect.poll(refusals).toBeGreaterThan(0);
    // One in 20 ms; without the pause all hundred come in one go.
    expect(refusals()).toBeLessThan(50);
    // All are heard in the end; meanwhile the rate allows a few again.
    await expect.poll(refusals, { timeout: 10_000 }).toBeGreaterThan(90);
  });

  it('or has heaps to say that are refused, is not either', async () => {
    const { url, stats } = await tracker();
    const { client } = await Client.welcomed(url);
    for (let i = 0; i < 200; i++) client.ws.send(`{"type":"signal","to":"${'a'.repeat(22)}","data":${i}}`);
    const refusals = () => stats().refusedBy['not-visible'];
    await expect.poll(refusals).toBeGreaterThan(0);
    expect(refusals()).toBeLessThan(50);
    await expect.poll(refusals, { timeout: 15_000 }).toBe(200);
  });

  it('and tells a reader much that does not read, waits too', async () => {
    const { url, stats } = await tracker();
    const { writer, peerId } = await writerAndDeaf(url);
    const startMs = performance.now();
    for (let i = 0; i < 590; i++) writer.say({ type: 'signal', to: peerId, data: 'x'.repeat(16_000) });
    await expect.poll(() => stats().peers, { timeout: 15_000 }).toBe(1);
    // Sixty signals fill the mebibyte that may wait; once 64 KiB of it do, one in 80 ms.
    expect(performance.now() - startMs).toBeGreaterThan(3_600);
  });

  it('and long in what it says, waits longer', async () => {
    const { url, stats } = await tracker();
    const { client } = await Client.welcomed(url);
    const startMs = performance.now();
    for (let i = 0; i < 40; i++)
      client.say({ type: 'signal', to: parsePeerId('a'.repeat(22)), data: 'x'.repeat(16_000) });
    await expect.poll(() => stats().refusedBy['not-visible'], { timeout: 15_000 }).toBe(40);
    // 20 ms for each 4 KiB of most of them.
    expect(performance.now() - startMs).toBeGreaterThan(2_000);
  });
});

describe('one who breaks the rules', () => {
  it('is nobody’s peer at once, and is kept from coming back for a second', async () => {
    const { url, stats } = await tracker();
    const { client } = await Client.welcomed(url);
    client.say(announce(ChunkSet.all(10)));
    await client.next('peers');
    client.ws.send('x'.repeat(70_000));
    await expect.poll(() => stats().peers, { interval: 5 }).toBe(0);
    const overMs = performance.now();
    expect((await client.closed).code).toBe(4413);
    expect(performance.now() - overMs).toBeGreaterThan(800);
  });
});

describe('a slow reader', () => {
  it('is dropped when too much waits for it', async () => {
    const { url, port, stats } = await tracker({ sockets: { maxBufferedBytes: 65_536 } });
    const { client: writer } = await Client.welcomed(url);
    const { client: reader, welcome } = await Client.welcomed(url);
    expect(port).toBeGreaterThan(0);
    reader.say(announce(ChunkSet.all(10)));
    await reader.next('peers');
    writer.say(announce(ChunkSet.none(10)));
    await writer.next('peers');
    reader.ws.pause();
    const data = 'x'.repeat(16_000);
    for (let i = 0; i < 590; i++) writer.say({ type: 'signal', to: welcome.peerId, data });
    await expect.poll(() => stats().peers, { timeout: 5_000 }).toBe(1);
  });
});

describe('slow readers together', () => {
  it('are dropped when too much waits for all of them, though little for each', async () => {
    const { url, stats } = await tracker({ sockets: { maxBacklogBytes: 300_000, maxBufferedBytes: 0 } });
    const data = 'x'.repeat(16_000);
    for (let pair = 0; pair < 2; pair++) {
      const { writer, peerId } = await writerAndDeaf(url);
      for (let i = 0; i < 590; i++) writer.say({ type: 'signal', to: peerId, data });
    }
    await expect.poll(() => stats().refusedBy['slow-reader'], { timeout: 15_000 }).toBeGreaterThan(0);
    expect(stats().peers).toBeGreaterThanOrEqual(2);
  });
});

describe('one who hangs up', () => {
  it('is nobody’s peer at once, though what waits for it is never read', async () => {
    const { url, stats } = await tracker({ sockets: { maxBufferedBytes: 0 }, pingIntervalMs: 0 });
    const { writer, deaf, peerId } = await writerAndDeaf(url);
    const data = 'x'.repeat(16_000);
    for (let i = 0; i < 590; i++) writer.say({ type: 'signal', to: peerId, data });
    await new Promise((passed) => setTimeout(passed, 2_000));
    expect(stats().peers).toBe(2);
    deaf.ws.close();
    await expect.poll(() => stats().peers, { timeout: 1_000 }).toBe(1);
  });
});

it('a socket closed for an unknown subprotocol takes a place until it is gone', async () => {
  const { url, port, stats } = await tracker({ maxConnections: 1 });
  const silent = connectTcp(port, '127.0.0.1');
  running.push({ close: () => void silent.destroy() });
  silent.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: other\r\n\r\n',
  );
  await expect.poll(() => stats().refusedBy['unknown-version']).toBe(1);
  await new Client(url).closed;
  expect(stats().refusedBy['too-many-connections']).toBe(1);
  silent.destroy();
  await new Promise((passed) => setTimeout(passed, 200));
  await Client.welcomed(url);
});

describe('closing', () => {
  it('does not wait for who breaks the rules meanwhile', async () => {
    const started = await tracker({ drainMs: 400 });
    const clients = await Promise.all(Array.from({ length: 300 }, () => Client.welcomed(started.url)));
    const closing = started.close();
    for (const { client } of clients.slice(-20)) {
      client.ws.on('close', () => {});
      client.ws.send('x'.repeat(70_000));
    }
    await closing;
  });

  it('does not wait for clients that do not answer', async () => {
    const started = await tracker();
    const silent = connectTcp(started.port, '127.0.0.1');
    running.push({ close: () => void silent.destroy() });
    silent.write(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sonantica.v1\r\n\r\n',
    );
    await new Promise((resolve) => silent.once('data', resolve));
    await started.close();
    await started.close();
  });
});

describe('a socket that is pinged', () => {
  it('is pinged again and again, and stays while it answers', async () => {
    const { url } = await tracker({ pingIntervalMs: 100 });
    let pings = 0;
    const { ws } = new Client(url);
    ws.on('ping', () => pings++);
    ws.on('open', () => ws.send(encodeClientMessage({ type: 'hello' })));
    // The first comes with the welcome.
    await expect.poll(() => pings, { timeout: 5_000 }).toBeGreaterThanOrEqual(3);
    expect(ws.readyState).toBe(WebSocket.OPEN);
  });

  it('is as far away as its answer says: a pong before the ping counts for nothing', async () => {
    const { url } = await tracker();
    const ws = new WebSocket(url, 'sonantica.v1', { autoPong: false });
    running.push({ close: () => ws.terminate() });
    await new Promise((resolve) => ws.once('open', resolve));
    const pinged = new Promise<Buffer>((resolve) => ws.once('ping', resolve));
    // In one packet.
    (Reflect.get(ws, '_socket') as Socket).cork();
    ws.send(encodeClientMessage({ type: 'hello' }));
    ws.send(encodeClientMessage(announce(ChunkSet.all(10))));
    ws.pong();
    (Reflect.get(ws, '_socket') as Socket).uncork();
    const mark = await pinged;
    expect(mark).toHaveLength(4);
    const { client: listener } = await Client.welcomed(url);
    const heardOf = async () => {
      listener.say(announce(ChunkSet.none(10)));
      return (await listener.next('peers')).peers[0]?.rttMs;
    };
    expect(await heardOf()).toBeNull();
    ws.pong(mark);
    await expect.poll(heardOf).toBeTypeOf('number');
  });

  it('and answers with something else is dropped', async () => {
    const { url } = await tracker({ pingIntervalMs: 100 });
    const ws = new WebSocket(url, 'sonantica.v1', { autoPong: false });
    running.push({ close: () => ws.terminate() });
    ws.on('error', () => {});
    ws.on('open', () => ws.send(encodeClientMessage({ type: 'hello' })));
    ws.on('ping', () => ws.pong());
    expect(await new Promise<number>((resolve) => ws.on('close', resolve))).toBe(1006);
  });

  it('together with others that came at the same time is pinged a little apart from them', async () => {
    const { url } = await tracker({ pingIntervalMs: 2_000 });
    const pings = new Map<WebSocket, number>();
    for (let i = 0; i < 40; i++) {
      const { ws } = new Client(url);
      ws.on('ping', () => pings.set(ws, (pings.get(ws) ?? 0) + 1));
      ws.on('open', () => ws.send(encodeClientMessage({ type: 'hello' })));
    }
    const pinged = (times: number) => [...pings.values()].filter((count) => count >= times).length;
    await expect.poll(() => pinged(1)).toBe(40);
    await expect.poll(() => pinged(2), { timeout: 5_000, interval: 10 }).toBeGreaterThan(0);
    await new Promise((passed) => setTimeout(passed, 100));
    expect(pinged(2)).toBeLessThan(30);
    await expect.poll(() => pinged(2), { timeout: 5_000 }).toBe(40);
  });

  it('and has not answered by the next is dropped', async () => {
    const { url, stats } = await tracker({ pingIntervalMs: 100 });
    const ws = new WebSocket(url, 'sonantica.v1', { autoPong: false });
    running.push({ close: () => ws.terminate() });
    ws.on('error', () => {});
    ws.on('open', () => ws.send(encodeClientMessage({ type: 'hello' })));
    const closed = new Promise<number>((resolve) => ws.on('close', resolve));
    await expect.poll(() => stats().peers).toBe(1);
    expect(await closed).toBe(1006);
    await expect.poll(() => stats().peers).toBe(0);
  });
});
