import { parsePeerId, type PeerId } from '@sonantica/wire';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { loadNodeRtc, NODE_RTC_NAMES } from './node-rtc.ts';
import type { PeerLink } from './peer-link.ts';
import { RtcConnector, type RtcConnectorOptions } from './rtc-connector.ts';
import type { SignalItem } from './rtc-signals.ts';
import type {
  RtcCandidate,
  RtcConfiguration,
  RtcDescription,
  RtcImplementation,
  RtcPeerConnection,
} from './rtc-types.ts';

const LOW = parsePeerId('AAAAAAAAAAAAAAAAAAAAAA');
const HIGH = parsePeerId('zzzzzzzzzzzzzzzzzzzzzz');

/** Two connectors and the tracker between them, which delivers later and only plain JSON. */
class Pair {
  readonly signals: { from: PeerId; to: PeerId; data: SignalItem[] }[] = [];
  readonly links: { at: PeerId; peerId: PeerId; link: PeerLink }[] = [];
  readonly failures: { at: PeerId; peerId: PeerId; code: string; message: string }[] = [];
  readonly low: RtcConnector;
  readonly high: RtcConnector;
  /** While set, signals wait in `signals` for `deliver`. */
  held = false;
  #delivered = 0;

  constructor(rtc: RtcImplementation, options: Partial<RtcConnectorOptions> = {}) {
    const make = (self: PeerId) =>
      new RtcConnector({
        rtc,
        selfId: () => self,
        handler: {
          send: (to, data) => {
            this.signals.push({ from: self, to, data: JSON.parse(JSON.stringify(data)) });
            if (!this.held) queueMicrotask(() => this.deliver());
          },
          link: (peerId, link) => {
            this.links.push({ at: self, peerId, link });
          },
          failed: (peerId, { code, message }) => this.failures.push({ at: self, peerId, code, message }),
        },
        ...options,
      });
    this.low = make(LOW);
    this.high = make(HIGH);
  }

  deliver(): void {
    for (; this.#delivered < this.signals.length; this.#delivered++) {
      const signal = this.signals[this.#delivered];
      if (signal !== undefined) (signal.to === LOW ? this.low : this.high).signal(signal.from, signal.data);
    }
  }

  linksAt(self: PeerId): PeerLink[] {
    return this.links.filter(({ at }) => at === self).map(({ link }) => link);
  }

  async close(): Promise<void> {
    await Promise.all([this.low.close(), this.high.close()]);
  }
}

let pair: Pair | undefined;
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** An implementation whose connections can be made to report, once, that they failed: loopback never does. */
function failing(real: RtcImplementation): { rtc: RtcImplementation; fail: () => void } {
  let failed = false;
  const listeners: ((event: unknown) => void)[] = [];
  class FailingConnection extends real.RTCPeerConnection {
    constructor(configuration: RtcConfiguration) {
      super(configuration);
      // oxlint-disable-next-line no-constructor-return -- wrtc's property is on the instance and fixed
      return new Proxy(this, {
        get: (target, key) => {
          if (key === 'connectionState' && failed) return 'failed';
          const value: unknown = Reflect.get(target, key, target);
          if (key === 'addEventListener') {
            return (type: string, listener: (event: unknown) => void) => {
              target.addEventListener(type, listener);
              if (type === 'connectionstatechange') listeners.push(listener);
            };
          }
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    }
  }
  const fail = () => {
    failed = true;
    for (const listener of listeners) listener({});
    failed = false;
  };
  return { rtc: { ...real, RTCPeerConnection: FailingConnection }, fail };
}

/** A frame from one end arrives at the other. */
async function carries(from: PeerLink, to: PeerLink): Promise<void> {
  const arrived = new Promise<number | undefined>((resolve) => {
    to.start({ frame: (bytes) => resolve(bytes[0]), drain: () => undefined, closed: () => undefined });
  });
  from.send(Uint8Array.of(42), 'control');
  expect(await arrived).toBe(42);
}

describe.each(NODE_RTC_NAMES)('a connector over %s', (name) => {
  it('makes one link and hands it to both ends', async () => {
    pair = new Pair(await loadNodeRtc(name));
    const { links, failures } = pair;
    pair.low.connect(HIGH);
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    expect(links.map(({ at, peerId }) => `${at[0]}→${peerId[0]}`).toSorted()).toEqual(['A→z', 'z→A']);
    expect(failures).toEqual([]);
    expect(pair.low.has(HIGH)).toBe(true);
  });

  it('lets the lower id’s offer stand when two cross, and makes one link of both', async () => {
    pair = new Pair(await loadNodeRtc(name));
    const { links, signals, failures } = pair;
    pair.held = true;
    pair.high.connect(LOW);
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(new Set(signals.map(({ from }) => from)).size).toBe(2), 10_000);
    pair.held = false;
    pair.deliver();
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    const answers = signals.filter(({ data }) => JSON.stringify(data).includes('"answer"'));
    expect(answers.map(({ from }) => from)).toEqual([HIGH]);
    const [atLow, atHigh] = [pair.linksAt(LOW)[0], pair.linksAt(HIGH)[0]];
    if (atLow === undefined || atHigh === undefined) throw new Error('both ends have a link');
    await carries(atLow, atHigh);
    expect(failures).toEqual([]);
    expect([pair.low.size, pair.high.size]).toEqual([1, 1]);
  });

  it('puts the description and its candidates into one signal, over UDP alone', async () => {
    pair = new Pair(await loadNodeRtc(name));
    const { signals, links } = pair;
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    const offer = signals.find(({ from }) => from === LOW)?.data ?? [];
    expect(offer[0]).toHaveProperty('description.type', 'offer');
    const candidates = offer.slice(1).map((item) => ('candidate' in item ? item.candidate.candidate : ''));
    expect(candidates.length).toBeGreaterThan(0);
    for (const candidate of candidates) expect(candidate).toMatch(/ udp .* typ host/);
    expect(JSON.stringify(offer).length).toBeLessThan(16_384);
  });

  it('does not wait for a STUN server that is silent', async () => {
    const silent = { urls: 'stun:127.0.0.1:9' };
    pair = new Pair(await loadNodeRtc(name), { iceServers: () => [silent] });
    const { links } = pair;
    const startMs = performance.now();
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    expect(performance.now() - startMs).toBeLessThan(8_000);
  });

  it('connects again, under the same id, to a peer that began anew', async () => {
    const rtc = await loadNodeRtc(name);
    pair = new Pair(rtc);
    const { links } = pair;
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    const ended: string[] = [];
    pair.linksAt(HIGH)[0]?.start({
      frame: () => undefined,
      drain: () => undefined,
      closed: (reason) => ended.push(reason),
    });
    const again = new RtcConnector({
      rtc,
      selfId: () => LOW,
      handler: {
        send: (to, data) =>
          queueMicrotask(() => pair?.high.signal(LOW, JSON.parse(JSON.stringify({ to, data })).data)),
        link: () => undefined,
        failed: () => undefined,
      },
    });
    again.connect(HIGH);
    await vi.waitFor(() => expect(ended).toEqual(['the other end began anew']), 10_000);
    await again.close();
  });

  it('frees everything when it is closed, attempts included', async () => {
    pair = new Pair(await loadNodeRtc(name));
    const { links } = pair;
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    pair.low.connect(parsePeerId('BBBBBBBBBBBBBBBBBBBBBB'));
    expect(pair.low.size).toBe(2);
    await pair.close();
    expect([pair.low.size, pair.high.size]).toEqual([0, 0]);
    pair.low.connect(HIGH);
    expect(pair.low.size).toBe(0);
  });
});

describe('a connection that fails', () => {
  it('keeps a link over a restart of ICE in wrtc', async () => {
    const { rtc, fail } = failing(await loadNodeRtc('wrtc'));
    pair = new Pair(rtc);
    const { links, signals } = pair;
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    const before = signals.length;
    fail();
    await vi.waitFor(
      () => expect(JSON.stringify(signals.slice(before).map(({ data }) => data))).toMatch(/offer.*answer/),
      10_000,
    );
    const [atLow, atHigh] = [pair.linksAt(LOW)[0], pair.linksAt(HIGH)[0]];
    if (atLow === undefined || atHigh === undefined) throw new Error('both ends have a link');
    await carries(atLow, atHigh);
    expect(links).toHaveLength(2);
  });

  it('ends a failed link at both ends in werift, which cannot restart ICE', async () => {
    const { rtc, fail } = failing(await loadNodeRtc('werift'));
    pair = new Pair(rtc);
    const { links } = pair;
    pair.low.connect(HIGH);
    await vi.waitFor(() => expect(links).toHaveLength(2), 10_000);
    const ended: string[] = [];
    for (const { link } of links) {
      link.start({ frame: () => undefined, drain: () => undefined, closed: (reason) => ended.push(reason) });
    }
    fail();
    await vi.waitFor(() => expect(ended).toHaveLength(2), 10_000);
    expect(ended[0]).toBe('the connection was lost');
  });
});

/** An implementation that negotiates and never connects, and shows what it was told. */
class SilentConnection implements RtcPeerConnection {
  static made: SilentConnection[] = [];
  connectionState = 'new';
  iceGatheringState = 'new';
  remoteDescription: { readonly sdp: string } | null = null;
  closed = false;
  readonly added: RtcCandidate[] = [];
  readonly #session = 1_000 + SilentConnection.made.length;
  #generation = 0;
  readonly #listeners: { type: string; listener: (event: unknown) => void }[] = [];

  constructor() {
    SilentConnection.made.push(this);
  }

  createDataChannel() {
    return {
      readyState: 'connecting',
      bufferedAmount: 0,
      send: () => undefined,
      close: () => undefined,
      addEventListener: () => undefined,
    };
  }

  async createOffer() {
    return { sdp: this.#describe() };
  }

  async createAnswer() {
    return { sdp: this.#describe() };
  }

  async setLocalDescription(): Promise<void> {}

  async setRemoteDescription({ sdp }: RtcDescription): Promise<void> {
    this.remoteDescription = { sdp };
  }

  async addIceCandidate(candidate: RtcCandidate): Promise<void> {
    this.added.push(candidate);
  }

  close(): void {
    this.closed = true;
  }

  addEventListener(type: string, listener: (event: unknown) => void): void {
    this.#listeners.push({ type, listener });
  }

  emit(type: string, event: unknown = {}): void {
    for (const each of this.#listeners) if (each.type === type) each.listener(event);
  }

  /** Candidates it was given, within its description and after it. */
  get candidates(): number {
    return (this.remoteDescription?.sdp.match(/^a=candidate:/gm)?.length ?? 0) + this.added.length;
  }

  #describe(): string {
    this.#generation += 1;
    return `v=0\r\no=- ${this.#session} ${this.#generation} IN IP4 0.0.0.0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:u${this.#session}.${this.#generation}\r\na=fingerprint:sha-256 AA:BB\r\n`;
  }
}

const OFFER = {
  description: {
    type: 'offer',
    sdp: 'v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:remote\r\na=fingerprint:sha-256 CC:DD\r\n',
  },
};
const candidateAt = (port: number, ufrag = 'remote') => ({
  candidate: {
    candidate: `candidate:1 1 udp 1 192.0.2.7 ${port} typ host generation 0 ufrag ${ufrag}`,
    sdpMid: '0',
    sdpMLineIndex: 0,
  },
});

describe('a connector whose connections stay silent', () => {
  function silent(options: Partial<RtcConnectorOptions> = {}) {
    SilentConnection.made = [];
    const clock = new VirtualClock();
    const made = new Pair(
      { RTCPeerConnection: SilentConnection },
      { schedule: (delayMs, run) => clock.schedule(delayMs, run), ...options },
    );
    return { clock, pair: made, at: (index: number) => SilentConnection.made[index] };
  }

  it('gives up after the time-out, says so once, and closes', async () => {
    const { clock, pair: made, at } = silent({ timeoutMs: 5_000 });
    made.held = true;
    made.low.connect(HIGH);
    await clock.advanceAsync(4_999);
    expect(made.failures).toEqual([]);
    await clock.advanceAsync(60_000);
    expect(made.failures).toEqual([
      { at: LOW, peerId: HIGH, code: 'link-failed', message: 'no connection within 5000 ms' },
    ]);
    expect(at(0)?.closed).toBe(true);
    expect([made.low.size, clock.pending]).toEqual([0, 0]);
  });

  it('gathers candidates for 30 ms into the first signal where there is a STUN server', async () => {
    const { clock, pair: made, at } = silent({ iceServers: () => [{ urls: 'stun:192.0.2.1' }] });
    made.held = true;
    made.low.connect(HIGH);
    await clock.advanceAsync(10);
    at(0)?.emit('icecandidate', { candidate: candidateAt(1).candidate });
    await clock.advanceAsync(19);
    expect(made.signals).toHaveLength(0);
    await clock.advanceAsync(1);
    expect(made.signals.map(({ data }) => data.length)).toEqual([2]);
  });

  it('waits no longer than for its own addresses where there is none', async () => {
    const { clock, pair: made, at } = silent();
    made.held = true;
    made.low.connect(HIGH);
    await clock.advanceAsync(1);
    at(0)?.emit('icecandidate', { candidate: candidateAt(1).candidate });
    await clock.advanceAsync(3);
    at(0)?.emit('icecandidate', { candidate: candidateAt(2).candidate });
    await clock.advanceAsync(3);
    expect(made.signals).toHaveLength(0);
    await clock.advanceAsync(1);
    expect(made.signals.map(({ data }) => data.length)).toEqual([3]);
  });

  it('sends the first signal as soon as all is gathered', async () => {
    const { clock, pair: made, at } = silent({ iceServers: () => [{ urls: 'stun:192.0.2.1' }] });
    made.held = true;
    made.low.connect(HIGH);
    await clock.advanceAsync(1);
    at(0)?.emit('icecandidate', { candidate: candidateAt(1).candidate });
    at(0)?.emit('icecandidate', { candidate: null });
    await clock.advanceAsync(0);
    expect(made.signals.map(({ data }) => data.length)).toEqual([2]);
  });

  it('tries 16 candidates of the other end and no 17th', async () => {
    const { clock, pair: made, at } = silent();
    made.held = true;
    made.low.signal(HIGH, [OFFER, ...Array.from({ length: 10 }, (_, i) => candidateAt(i + 1))]);
    await clock.advanceAsync(0);
    expect(at(0)?.candidates).toBe(10);
    made.low.signal(
      HIGH,
      Array.from({ length: 10 }, (_, i) => candidateAt(i + 100)),
    );
    await clock.advanceAsync(0);
    expect(at(0)?.candidates).toBe(16);
  });

  it('leaves out candidates of another generation', async () => {
    const { clock, pair: made, at } = silent();
    made.held = true;
    made.low.signal(HIGH, [OFFER, candidateAt(1), candidateAt(2, 'older')]);
    await clock.advanceAsync(0);
    expect(at(0)?.candidates).toBe(1);
  });

  it('ignores an answer to an offer it no longer makes', async () => {
    const { clock, pair: made, at } = silent({ timeoutMs: 1_000 });
    made.held = true;
    made.low.connect(HIGH);
    await clock.advanceAsync(2_000);
    made.low.connect(HIGH);
    await clock.advanceAsync(100);
    const late = { description: { ...OFFER.description, type: 'answer' }, re: 'u1000.1' };
    made.low.signal(HIGH, late);
    await clock.advanceAsync(0);
    expect(at(1)?.remoteDescription).toBeNull();
    made.low.signal(HIGH, { ...late, re: 'u1001.1' });
    await clock.advanceAsync(0);
    expect(at(1)?.remoteDescription).not.toBeNull();
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['a list of null', [null]],
    ['text', 'hello'],
    ['a bad description', { description: { type: 'offer', sdp: 'x' } }],
    ['a bad candidate', { candidate: { candidate: 'x' } }],
  ])('ends the attempt at %s, and ignores it from strangers', async (_, data) => {
    const { clock, pair: made, at } = silent();
    made.held = true;
    made.low.connect(HIGH);
    made.high.signal(LOW, data);
    made.low.signal(HIGH, data);
    await clock.advanceAsync(0);
    expect(made.failures).toMatchObject([{ at: LOW, peerId: HIGH, code: 'link-failed' }]);
    expect(at(0)?.closed).toBe(true);
    expect(made.high.size).toBe(0);
  });

  it('ends the attempt when the implementation refuses the description', async () => {
    const { clock, pair: made } = silent();
    vi.spyOn(SilentConnection.prototype, 'setRemoteDescription').mockRejectedValueOnce(new Error('no'));
    made.low.signal(HIGH, OFFER);
    await clock.advanceAsync(0);
    expect(made.failures).toMatchObject([{ at: LOW, message: 'negotiation failed: no' }]);
    expect(made.low.size).toBe(0);
  });

  it('survives an implementation that refuses to make a connection', async () => {
    const { clock, pair: made } = silent({
      rtc: {
        RTCPeerConnection: class extends SilentConnection {
          constructor() {
            super();
            throw new TypeError('bad ICE server');
          }
        },
      },
    });
    made.low.connect(HIGH);
    made.low.signal(HIGH, OFFER);
    await clock.advanceAsync(0);
    expect(made.failures).toHaveLength(2);
    expect(made.low.size).toBe(0);
  });

  it('takes as many connections as it is told and no more', async () => {
    const { clock, pair: made } = silent({ maxConnections: 2 });
    made.held = true;
    const ids = ['BBBBBBBBBBBBBBBBBBBBBB', 'CCCCCCCCCCCCCCCCCCCCCC', 'DDDDDDDDDDDDDDDDDDDDDD'].map((id) =>
      parsePeerId(id),
    );
    for (const id of ids) made.low.signal(id, OFFER);
    expect(made.low.size).toBe(2);
    made.low.connect(HIGH);
    await clock.advanceAsync(0);
    expect(made.failures).toMatchObject([{ at: LOW, peerId: HIGH, code: 'link-failed' }]);
  });

  /** An offer of a connection of its own. */
  const anew = (session: number) => ({
    description: {
      type: 'offer',
      sdp: OFFER.description.sdp.replace('o=- 7 ', `o=- ${session} `).replace('remote', `remote${session}`),
    },
  });

  it('counts what an offer replaces until it is closed', async () => {
    const released: (() => void)[] = [];
    vi.spyOn(SilentConnection.prototype, 'close').mockImplementation(
      () => new Promise<void>((resolve) => void released.push(resolve)),
    );
    const { clock, pair: made, at } = silent({ maxConnections: 2 });
    made.held = true;
    for (let i = 0; i < 3; i++) made.low.signal(HIGH, anew(i));
    await clock.advanceAsync(0);
    expect(SilentConnection.made).toHaveLength(2);
    expect(at(1)?.remoteDescription?.sdp).toContain('remote1');
    expect(made.signals.filter(({ data }) => 'declined' in (data[0] ?? {}))).toHaveLength(1);
    released.shift()?.();
    await clock.advanceAsync(0);
    made.low.signal(HIGH, anew(4));
    expect(SilentConnection.made).toHaveLength(3);
    for (let i = 0; i < 5; i++) {
      for (const release of released.splice(0)) release();
      if (i === 0) void made.low.close();
      await clock.advanceAsync(0);
    }
    vi.restoreAllMocks();
  });

  it('makes four connections of a peer’s offers within fifteen seconds and no fifth', async () => {
    const { clock, pair: made, at } = silent();
    made.held = true;
    for (let i = 0; i < 150; i++) {
      made.low.signal(HIGH, anew(i));
      await clock.advanceAsync(1);
      // What ends an attempt gives no leave to begin another.
      if (i === 1) made.low.signal(HIGH, null);
    }
    expect(SilentConnection.made).toHaveLength(4);
    expect(at(3)?.closed).toBe(false);
    made.low.signal(LOW, anew(1_000));
    expect(SilentConnection.made).toHaveLength(5);
    await clock.advanceAsync(15_000);
    made.low.signal(HIGH, anew(2_000));
    expect(SilentConnection.made).toHaveLength(6);
  });

  it('leaves strangers out whom its owner does not accept', () => {
    const { pair: made } = silent({
      handler: {
        send: () => undefined,
        link: () => undefined,
        failed: () => undefined,
        accepts: () => false,
      },
    });
    made.low.signal(HIGH, OFFER);
    expect(made.low.size).toBe(0);
  });

  it('tells them that there is no place, so that they need not wait', async () => {
    const { clock, pair: made } = silent({
      handler: {
        send: (to, data) => void (to === LOW ? made.low : made.high).signal(to === LOW ? HIGH : LOW, data),
        link: () => undefined,
        failed: (peerId) => void told.push(`failed ${peerId}`),
        declined: (peerId) => void told.push(`declined by ${peerId}`),
        accepts: () => false,
      },
    });
    const told: string[] = [];
    made.low.connect(HIGH);
    await clock.advanceAsync(1_000);
    expect(told).toEqual([`declined by ${HIGH}`]);
    expect([made.low.has(HIGH), made.high.size]).toEqual([false, 0]);
  });

  it('tells the other end that an attempt gives way, whoever began it', async () => {
    for (const giver of ['low', 'high'] as const) {
      const told: string[] = [];
      const { clock, pair: made } = silent({
        handler: {
          send: (to, data) => void (to === LOW ? made.low : made.high).signal(to === LOW ? HIGH : LOW, data),
          link: () => undefined,
          failed: (peerId) => void told.push(`failed ${peerId}`),
          declined: (peerId) => void told.push(`declined by ${peerId}`),
        },
      });
      made.low.connect(HIGH);
      await clock.advanceAsync(1_000);
      expect([made.low.has(HIGH), made.high.has(LOW)]).toEqual([true, true]);
      made[giver].giveWay(giver === 'low' ? HIGH : LOW);
      await clock.advanceAsync(1_000);
      expect(told).toContain(`declined by ${giver === 'low' ? LOW : HIGH}`);
      expect([made.low.has(HIGH), made.high.has(LOW)]).toEqual([false, false]);
    }
  });

  it('says no to a peer once in fifteen seconds', async () => {
    let told = 0;
    const { clock, pair: made } = silent({
      handler: {
        send: () => void told++,
        link: () => undefined,
        failed: () => undefined,
        accepts: () => false,
      },
    });
    for (let i = 0; i < 5; i++) made.low.signal(HIGH, OFFER);
    expect(told).toBe(1);
    await clock.advanceAsync(15_000);
    made.low.signal(HIGH, OFFER);
    expect(told).toBe(2);
  });

  it('does not take a no to an earlier offer for one to this', async () => {
    const { clock, pair: made } = silent();
    made.held = true;
    made.low.connect(HIGH);
    await clock.advanceAsync(100);
    made.low.signal(HIGH, [{ declined: 'anotherUfrag' }]);
    expect(made.low.has(HIGH)).toBe(true);
  });

  it('gives up an attempt when it is told that the peer is gone', async () => {
    const { clock, pair: made } = silent();
    made.held = true;
    made.low.connect(HIGH);
    made.low.abandon(HIGH, 'the tracker does not know it');
    await clock.advanceAsync(0);
    expect(made.failures).toMatchObject([{ at: LOW, message: 'the tracker does not know it' }]);
    expect(clock.pending).toBe(0);
  });
});
