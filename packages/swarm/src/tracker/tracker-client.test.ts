import { describe, expect, it } from 'vitest';
import {
  encodeTrackerMessage,
  TRACKER_SUBPROTOCOL,
  type AulaId,
  type PeerId,
  type TrackerMessage,
} from '@sonantica/wire';
import { retryDelayMs } from '../core/backoff.ts';
import { seededRandom } from '../testing/seeded-random.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { TrackerClient, type TokenSource, type WebSocketLike } from './tracker-client.ts';

const WELCOME: TrackerMessage = {
  type: 'welcome',
  peerId: 'A'.repeat(22) as PeerId,
  iceServers: [],
  announceIntervalMs: 25_000,
  serverTimeMs: 0,
  limits: {},
};

describe('a connection', () => {
  it('speaks our subprotocol and says hello first', async () => {
    const rig = await Rig.start();
    const { socket } = rig;
    expect([socket.url, socket.protocol]).toEqual(['ws://tracker', TRACKER_SUBPROTOCOL]);
    expect(socket.sent).toEqual([]);
    expect(rig.client.send({ type: 'part' })).toBe(false);
    socket.open();
    expect(socket.messages).toEqual([{ type: 'hello' }]);
    expect(rig.greetings).toBe(1);
  });

  it('takes what is said right after hello, which need not wait for the welcome', async () => {
    const rig = await Rig.start();
    rig.socket.open();
    expect(rig.client.isUp).toBe(false);
    expect(rig.client.isOpen).toBe(true);
    expect(rig.client.send({ type: 'part' })).toBe(true);
    expect(rig.socket.messages).toEqual([{ type: 'hello' }, { type: 'part' }]);
    rig.socket.end();
    expect(rig.client.isOpen).toBe(false);
    expect(rig.client.send({ type: 'part' })).toBe(false);
  });

  it('is up once the tracker admits, and says so', async () => {
    const rig = await Rig.start();
    expect(rig.client.isUp).toBe(false);
    rig.admit();
    expect(rig.client.isUp).toBe(true);
    expect(rig.log).toEqual(['up']);
    expect(rig.client.send({ type: 'part' })).toBe(true);
    expect(rig.socket.messages.at(-1)).toEqual({ type: 'part' });
  });

  it('passes messages on, and drops what came before the welcome or makes no sense', async () => {
    const rig = await Rig.start();
    rig.socket.open();
    const error: TrackerMessage = { type: 'error', code: 'too-fast', message: 'no' };
    rig.socket.hear(encodeTrackerMessage(error));
    rig.admit();
    for (const rubbish of ['{', '[]', '{"type":"nonsense"}', '', 5, undefined, new Uint8Array(4)])
      rig.socket.hear(rubbish);
    rig.socket.hear(encodeTrackerMessage(error));
    expect(rig.log).toEqual(['up', 'error']);
    expect(rig.client.isUp).toBe(true);
  });

  it('is given up when the tracker is silent for 20 seconds after what it always answers', async () => {
    const rig = await Rig.start();
    rig.admit();
    rig.client.send({ type: 'part' });
    await rig.pass(60_000);
    expect(rig.client.isUp).toBe(true);
    rig.client.send({ type: 'join', aulaId: 'aula' as AulaId });
    await rig.pass(15_000);
    rig.socket.hear('anything');
    await rig.pass(60_000);
    expect(rig.client.isUp).toBe(true);
    rig.client.send({ type: 'join', aulaId: 'aula' as AulaId });
    await rig.pass(19_999);
    expect(rig.client.isUp).toBe(true);
    await rig.pass(1);
    expect(rig.client.isUp).toBe(false);
    expect(rig.log.at(-1)).toContain('does not answer');
    await rig.pass(60_000);
    expect(rig.sockets.length).toBeGreaterThan(1);
  });

  it('sends nothing into a socket that is closing', async () => {
    const rig = await Rig.start();
    rig.admit();
    rig.socket.readyState = 2;
    expect(rig.client.send({ type: 'part' })).toBe(false);
  });
});

describe('a token', () => {
  it('goes with hello', async () => {
    const rig = await Rig.start({ token: 'secret' });
    rig.socket.open();
    expect(rig.socket.messages).toEqual([{ type: 'hello', token: 'secret' }]);
  });

  it('is fetched anew before each connection', async () => {
    let count = 0;
    const rig = await Rig.start({ token: async () => `token-${++count}` });
    rig.admit();
    await rig.pauseAfterEnding();
    rig.socket.open();
    expect(rig.sockets.map(({ messages }) => messages[0])).toEqual([
      { type: 'hello', token: 'token-1' },
      { type: 'hello', token: 'token-2' },
    ]);
  });

  it('that its callback does not have is left out, and asked for again', async () => {
    const tokens = [undefined, 'secret'];
    const rig = await Rig.start({ token: () => tokens.shift() });
    rig.socket.open();
    rig.socket.end(4401, 'a token is needed');
    await rig.pass(2_000);
    rig.socket.open();
    expect(rig.sockets.map(({ messages }) => messages[0])).toEqual([
      { type: 'hello' },
      { type: 'hello', token: 'secret' },
    ]);
  });

  it('that cannot be had is asked for again later', async () => {
    let count = 0;
    const rig = await Rig.start({
      token: () => {
        if (++count < 3) throw new Error('no token today');
        return 'late';
      },
    });
    expect(rig.log).toEqual(['down: no token today']);
    expect(rig.sockets).toEqual([]);
    await rig.pass(10_000);
    rig.socket.open();
    expect(rig.socket.messages).toEqual([{ type: 'hello', token: 'late' }]);
  });
});

describe('a tracker that is out of reach', () => {
  it('is tried for ever, after pauses that grow, up to a bound, and differ between listeners', async () => {
    const pausesOf = async (seed: number) => {
      const rig = await Rig.start({ seed });
      const pauses: number[] = [];
      for (let i = 0; i < 10; i++) {
        rig.socket.end();
        const from = rig.clock.nowMs();
        const sockets = rig.sockets.length;
        while (rig.sockets.length === sockets) await rig.pass(50);
        pauses.push(rig.clock.nowMs() - from);
      }
      return pauses;
    };
    const pauses = await pausesOf(1);
    pauses.forEach((pause, attempt) => {
      const most = Math.min(30_000, 1_000 * 2 ** attempt);
      expect(pause).toBeGreaterThanOrEqual(most / 2);
      expect(pause).toBeLessThanOrEqual(most + 50);
    });
    expect(await pausesOf(2)).not.toEqual(pauses);
  });

  it('is told once a loss, with the reason', async () => {
    const rig = await Rig.start();
    rig.admit();
    rig.socket.end(4429, 'too fast');
    rig.socket.end(4429, 'too fast');
    expect(rig.log).toEqual(['up', 'down: closed with 4429: too fast']);
    expect(rig.client.isUp).toBe(false);
  });

  it('is told with the socket’s own error where there is one', async () => {
    const rig = await Rig.start();
    rig.socket.fail('connect ECONNREFUSED');
    rig.socket.end(1006);
    expect(rig.log).toEqual(['down: connect ECONNREFUSED']);
  });

  it('is tried again when a socket cannot even be made', async () => {
    const rig = await Rig.start({ refuse: 1 });
    expect(rig.log).toEqual(['down: no such address']);
    await rig.pass(1_000);
    rig.admit();
    expect(rig.log.at(-1)).toBe('up');
  });

  it('is given up for now when it does not admit within ten seconds', async () => {
    const rig = await Rig.start();
    rig.socket.open();
    await rig.pass(9_999);
    expect(rig.log).toEqual([]);
    await rig.pass(1);
    expect(rig.log).toEqual(['down: the tracker did not admit us in time']);
    expect(rig.socket.closed).toBe(true);
    const late = rig.socket;
    await rig.pass(1_000);
    expect(rig.sockets).toHaveLength(2);
    late.hear(encodeTrackerMessage(WELCOME));
    late.end();
    expect(rig.client.isUp).toBe(false);
    expect(rig.log).toHaveLength(1);
    rig.admit();
    expect(rig.client.isUp).toBe(true);
  });

  it('that drops us soon after it admitted us is tried after pauses that grow', async () => {
    const rig = await Rig.start();
    for (let i = 0; i < 4; i++) await rig.pauseAfterHolding(4_000);
    expect(await rig.pauseAfterHolding(4_000)).toBeGreaterThan(5_000);
  });
});

describe('a crowd that loses its tracker', () => {
  const returnsOf = async (code: number, heldMs: number) => {
    const pauses: number[] = [];
    for (let seed = 0; seed < 200; seed++) {
      const rig = await Rig.start({ seed });
      pauses.push(await rig.pauseAfterHolding(heldMs, code));
      rig.client.close();
    }
    return pauses;
  };

  it.each([
    ['dies', 1006, 5_000],
    ['dies soon after it admitted them', 1006, 100],
    ['restarts', 1012, 5_000],
    ['restarts soon after it admitted them', 1012, 100],
  ])('when it %s, comes back evenly within half an announce interval', async (_, code, heldMs) => {
    const pauses = await returnsOf(code, heldMs);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(12_550);
    for (let from = 0; from < 12_500; from += 2_500) {
      const back = pauses.filter((pause) => pause >= from && pause < from + 2_500).length;
      expect(back, `from ${from} ms`).toBeGreaterThan(20);
      expect(back, `from ${from} ms`).toBeLessThan(60);
    }
  });

  it('spreads out again when it finds nobody', async () => {
    const pauses: number[] = [];
    for (let seed = 0; seed < 100; seed++) {
      const rig = await Rig.start({ seed });
      await rig.pauseAfterHolding(5_000);
      pauses.push(await rig.pauseAfterEnding());
    }
    expect(Math.max(...pauses)).toBeGreaterThan(10_000);
    expect(pauses.filter((pause) => pause < 2_000).length).toBeLessThan(35);
  });
});

describe('several trackers', () => {
  const urls = ['ws://first', 'ws://second', 'ws://third'];
  const tried = (rig: Rig) => rig.sockets.map(({ url }) => url.slice(5));

  it('are tried in order, one soon after the other, with a growing pause after each round in vain', async () => {
    const rig = await Rig.start({ urls });
    const pauses: number[] = [];
    for (let i = 0; i < 12; i++) pauses.push(await rig.pauseAfterEnding());
    expect(tried(rig).slice(0, 7)).toEqual(['first', 'second', 'third', 'first', 'second', 'third', 'first']);
    const [a = 0, b = 0, round1 = 0, c = 0, d = 0, round2 = 0, , , round3 = 0] = pauses;
    for (const soon of [a, b, c, d]) expect(soon).toBeLessThanOrEqual(1_050);
    expect(round1).toBeLessThanOrEqual(1_050);
    expect(round2).toBeGreaterThanOrEqual(1_000);
    expect(round3).toBeGreaterThanOrEqual(2_000);
  });

  it('are one for whoever listens: the one that admits is named', async () => {
    const rig = await Rig.start({ urls });
    await rig.pauseAfterEnding();
    rig.admit();
    expect(rig.log).toEqual(['down: closed with 1006', 'up']);
    expect(rig.upAt).toBe('ws://second');
    expect(rig.client.send({ type: 'part' })).toBe(true);
  });

  it('are not changed while one serves, and begin again with the first when it is lost', async () => {
    const rig = await Rig.start({ urls });
    await rig.pauseAfterEnding();
    rig.admit();
    await rig.pass(600_000);
    expect(tried(rig)).toEqual(['first', 'second']);
    await rig.pauseAfterEnding();
    expect(tried(rig)).toEqual(['first', 'second', 'first']);
    expect(await rig.pauseAfterEnding()).toBeLessThanOrEqual(1_050);
    expect(tried(rig).at(-1)).toBe('second');
  });

  it('go on to the next when one admits and drops us', async () => {
    const rig = await Rig.start({ urls });
    await rig.pauseAfterHolding(100, 4429);
    expect(tried(rig)).toEqual(['first', 'second']);
  });

  it('that speak another version, or refuse the only token, are not asked again', async () => {
    const rig = await Rig.start({ urls, token: 'only' });
    await rig.pauseAfterEnding(4409);
    await rig.pauseAfterEnding(4401);
    for (let i = 0; i < 3; i++) await rig.pauseAfterEnding();
    expect(tried(rig)).toEqual(['first', 'second', 'third', 'third', 'third', 'third']);
    rig.socket.end(4401, 'no');
    await rig.pass(1_000_000);
    expect(rig.sockets).toHaveLength(6);
    expect(rig.log.at(-1)).toBe('down: closed with 4401: no');
  });

  it('named twice are one', async () => {
    const rig = await Rig.start({ urls: ['ws://first', 'ws://first', 'ws://second'] });
    await rig.pauseAfterEnding();
    expect(tried(rig)).toEqual(['first', 'second']);
  });
});

describe('a later welcome', () => {
  it('is told as such: the listener is up already, and announces nothing again', async () => {
    const rig = await Rig.start();
    rig.admit();
    rig.socket.hear(encodeTrackerMessage({ ...WELCOME, serverTimeMs: 43_200_000 }));
    expect(rig.log).toEqual(['up', 'welcomed again at 43200000']);
    expect(rig.socket.messages).toEqual([{ type: 'hello' }]);
  });
});

describe('a token from a callback', () => {
  it('that was refused is asked for anew', async () => {
    let count = 0;
    const rig = await Rig.start({ token: () => `token-${++count}` });
    rig.socket.open();
    await rig.pauseAfterEnding(4401);
    rig.socket.open();
    expect(rig.socket.messages).toEqual([{ type: 'hello', token: 'token-2' }]);
  });

  it('that never comes holds nothing up for longer than ten seconds', async () => {
    let count = 0;
    const rig = await Rig.start({
      token: () => (++count === 1 ? new Promise<string>(() => undefined) : 'second'),
    });
    await rig.pass(9_999);
    expect(rig.log).toEqual([]);
    await rig.pass(1);
    expect(rig.log).toEqual(['down: the token did not come in time']);
    await rig.pass(1_000);
    rig.socket.open();
    expect(rig.socket.messages).toEqual([{ type: 'hello', token: 'second' }]);
  });

  it('is renewed on the same socket before it expires, and nothing is announced again', async () => {
    let count = 0;
    const rig = await Rig.start({ token: () => `token-${++count}` });
    rig.admit({ ...WELCOME, tokenExpiresMs: 100_000 });
    await rig.pass(79_999);
    expect(rig.socket.messages).toHaveLength(1);
    await rig.pass(1);
    expect(rig.socket.messages.at(-1)).toEqual({ type: 'hello', token: 'token-2' });
    rig.socket.hear(encodeTrackerMessage({ ...WELCOME, serverTimeMs: 80_000, tokenExpiresMs: 180_000 }));
    expect(rig.log).toEqual(['up', 'welcomed again at 80000']);
    await rig.pass(80_000);
    expect(rig.socket.messages.at(-1)).toEqual({ type: 'hello', token: 'token-3' });
    expect(rig.sockets).toHaveLength(1);
  });

  it('is renewed when it is due, whatever other welcomes bring meanwhile', async () => {
    let count = 0;
    const rig = await Rig.start({ token: () => `token-${++count}` });
    rig.admit({ ...WELCOME, tokenExpiresMs: 100_000 });
    const pass = async (ms: number, serverTimeMs: number) => {
      await rig.pass(ms);
      rig.socket.hear(encodeTrackerMessage({ ...WELCOME, serverTimeMs, tokenExpiresMs: 100_000 }));
    };
    await pass(50_000, 50_000);
    await pass(29_999, 79_999);
    expect(rig.socket.messages).toHaveLength(1);
    await rig.pass(1);
    expect(rig.socket.messages.at(-1)).toEqual({ type: 'hello', token: 'token-2' });
    // One that ends no later is renewed again before it does.
    await pass(0, 80_000);
    await rig.pass(16_000);
    expect(rig.socket.messages.at(-1)).toEqual({ type: 'hello', token: 'token-3' });
  });

  it('that was welcomed on a socket that is gone is renewed on the next', async () => {
    let count = 0;
    const rig = await Rig.start({ token: () => `token-${++count}` });
    rig.admit({ ...WELCOME, tokenExpiresMs: 100_000 });
    await rig.pauseAfterEnding(4429);
    rig.admit({ ...WELCOME, tokenExpiresMs: 100_000 });
    await rig.pass(80_000);
    expect(rig.socket.messages).toEqual([
      { type: 'hello', token: 'token-2' },
      { type: 'hello', token: 'token-3' },
    ]);
  });

  it('that does not come in time for renewal leaves the socket as it is', async () => {
    let count = 0;
    const rig = await Rig.start({
      token: () => (++count === 1 ? 'first' : new Promise<string>(() => undefined)),
    });
    rig.admit({ ...WELCOME, tokenExpiresMs: 100_000 });
    await rig.pass(99_000);
    expect(rig.log).toEqual(['up']);
    rig.client.close();
    expect(rig.clock.pending).toBe(0);
  });
});

describe('closing', () => {
  it('ends the socket, quietly and for good', async () => {
    const rig = await Rig.start();
    rig.admit();
    rig.client.close();
    expect(rig.socket.closed).toBe(true);
    expect(rig.client.isUp).toBe(false);
    rig.socket.end();
    await rig.pass(100_000);
    expect(rig.sockets).toHaveLength(1);
    expect(rig.log).toEqual(['up']);
  });

  it('ends a pause before the next attempt', async () => {
    const rig = await Rig.start();
    rig.socket.end();
    rig.client.close();
    await rig.pass(100_000);
    expect(rig.sockets).toHaveLength(1);
    expect(rig.clock.pending).toBe(0);
  });

  it('while a token is fetched opens no socket', async () => {
    let give: (token: string) => void = () => undefined;
    const rig = await Rig.start({ token: () => new Promise((resolve) => (give = resolve)) });
    rig.client.close();
    expect(rig.clock.pending).toBe(0);
    give('late');
    await rig.pass(100_000);
    expect(rig.sockets).toEqual([]);
  });

  it('leaves no timer behind', async () => {
    const rig = await Rig.start();
    rig.socket.open();
    rig.client.close();
    rig.socket.end();
    expect(rig.clock.pending).toBe(0);
  });
});

// --- A tracker by hand ---

class FakeSocket implements WebSocketLike {
  readonly url: string;
  readonly protocol: string;
  readyState = 0;
  closed = false;
  readonly sent: string[] = [];
  readonly #listeners: { type: string; listener: (event: never) => void }[] = [];

  constructor(url: string, protocol: string) {
    this.url = url;
    this.protocol = protocol;
  }

  get messages(): unknown[] {
    return this.sent.map((text) => JSON.parse(text) as unknown);
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.push({ type, listener });
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
    this.readyState = 2;
  }

  open(): void {
    this.readyState = 1;
    this.#tell('open', {});
  }

  hear(data: unknown): void {
    this.#tell('message', { data });
  }

  fail(message: string): void {
    this.#tell('error', { message });
  }

  end(code = 1006, reason = ''): void {
    this.readyState = 3;
    this.#tell('close', { code, reason });
  }

  #tell(type: string, event: unknown): void {
    for (const one of this.#listeners) if (one.type === type) one.listener(event as never);
  }
}

interface RigOptions {
  readonly urls?: readonly string[];
  readonly token?: TokenSource;
  readonly seed?: number;
  /** Sockets that cannot be made, at first. */
  readonly refuse?: number;
}

class Rig {
  readonly clock = new VirtualClock();
  readonly sockets: FakeSocket[] = [];
  readonly log: string[] = [];
  readonly client: TrackerClient;
  /** The tracker that admitted last. */
  upAt = '';
  greetings = 0;

  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    rig.client.start();
    await rig.pass(0);
    return rig;
  }

  private constructor({ urls = ['ws://tracker'], token, seed = 1, refuse = 0 }: RigOptions) {
    const random = seededRandom(seed);
    let refused = 0;
    this.client = new TrackerClient({
      urls,
      token,
      open: (url, protocol) => {
        if (refused++ < refuse) throw new Error('no such address');
        const socket = new FakeSocket(url, protocol);
        this.sockets.push(socket);
        return socket;
      },
      retryDelayMs: (attempt) => retryDelayMs(attempt, { firstMs: 1_000, mostMs: 30_000 }, random),
      random: () => random.next(),
      after: (delayMs, run) => this.clock.schedule(delayMs, run),
      handler: {
        greeted: () => void this.greetings++,
        up: (_welcome, url) => {
          this.upAt = url;
          this.log.push('up');
        },
        welcomedAgain: ({ serverTimeMs }) => void this.log.push(`welcomed again at ${serverTimeMs}`),
        message: ({ type }) => void this.log.push(type),
        down: (reason) => void this.log.push(`down: ${reason}`),
      },
    });
  }

  /** The latest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error('no socket was opened');
    return socket;
  }

  admit(welcome: TrackerMessage = WELCOME): void {
    this.socket.open();
    this.socket.hear(encodeTrackerMessage(welcome));
  }

  /** Ends the socket, and answers how long it takes until the next is opened, in milliseconds. */
  async pauseAfterEnding(code = 1006): Promise<number> {
    const { length } = this.sockets;
    const from = this.clock.nowMs();
    this.socket.end(code);
    while (this.sockets.length === length) await this.pass(50);
    return this.clock.nowMs() - from;
  }

  /** The same for a socket that was admitted, and held so long. */
  async pauseAfterHolding(heldMs: number, code?: number): Promise<number> {
    this.admit();
    await this.pass(heldMs);
    return this.pauseAfterEnding(code);
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
  }
}
