import { parsePeerId } from '@sonantica/wire';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { RtcConnector } from './rtc-connector.ts';
import type { SignalItem } from './rtc-signals.ts';
import type { RtcDescription, RtcImplementation, RtcPeerConnection } from './rtc-types.ts';

const SELF = parsePeerId('AAAAAAAAAAAAAAAAAAAAAA');
const OTHER = parsePeerId('zzzzzzzzzzzzzzzzzzzzzz');

type Listener = (event: unknown) => void;

class Channel {
  readyState = 'connecting';
  readonly bufferedAmount = 0;
  readonly #listeners: { type: string; listener: Listener }[] = [];
  send(): void {}
  close(): void {}
  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push({ type, listener });
  }
  receive(): void {
    for (const { type, listener } of this.#listeners)
      if (type === 'message') listener({ data: new ArrayBuffer(1) });
  }
  open(): void {
    this.readyState = 'open';
    for (const { type, listener } of this.#listeners) if (type === 'open') listener({});
  }
}

/** A connection whose state is the test's. */
class FakeConnection implements RtcPeerConnection {
  static last: FakeConnection;
  connectionState = 'new';
  iceGatheringState = 'new';
  remoteDescription: { readonly sdp: string } | null = null;
  readonly offers: { iceRestart?: boolean }[] = [];
  closed = false;
  readonly #channels: Channel[] = [];
  readonly #listeners: { type: string; listener: Listener }[] = [];
  #generation = 0;

  constructor() {
    FakeConnection.last = this;
  }

  createDataChannel(): Channel {
    const channel = new Channel();
    this.#channels.push(channel);
    return channel;
  }

  createOffer(options: { iceRestart?: boolean } = {}): Promise<{ sdp: string }> {
    this.offers.push(options);
    return Promise.resolve({ sdp: sdpOf('own', ++this.#generation) });
  }

  createAnswer(): Promise<{ sdp: string }> {
    return Promise.resolve({ sdp: sdpOf('own', ++this.#generation) });
  }

  setLocalDescription(): Promise<void> {
    return Promise.resolve();
  }

  setRemoteDescription({ sdp }: RtcDescription): Promise<void> {
    this.remoteDescription = { sdp };
    return Promise.resolve();
  }

  addIceCandidate(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push({ type, listener });
  }

  emit(type: string, event: unknown = {}): void {
    for (const each of this.#listeners) if (each.type === type) each.listener(event);
  }

  become(state: string): void {
    this.connectionState = state;
    this.emit('connectionstatechange');
  }

  receive(): void {
    this.#channels[0]?.receive();
  }

  openChannels(): void {
    for (const channel of this.#channels) channel.open();
  }
}

let clock: VirtualClock;
let signals: SignalItem[];
let ends: string[];
let addresses: string[];
let connector: RtcConnector;

beforeEach(() => {
  clock = new VirtualClock();
  signals = [];
  ends = [];
  addresses = ['192.0.2.1'];
});

describe('an open connection that falls silent', () => {
  it('is left alone when it comes back within half a second', async () => {
    await link();
    FakeConnection.last.become('disconnected');
    await clock.advanceAsync(499);
    FakeConnection.last.become('connected');
    await clock.advanceAsync(60_000);
    expect(restarts()).toBe(0);
    expect(ends).toEqual([]);
  });

  it('has ICE restarted after that, once, and ends when that leads nowhere within eight seconds', async () => {
    await link();
    FakeConnection.last.become('disconnected');
    await clock.advanceAsync(600);
    expect(restarts()).toBe(1);
    expect(offersSent()).toBe(1);
    await clock.advanceAsync(7_899);
    expect(ends).toEqual([]);
    await clock.advanceAsync(10);
    expect(ends).toEqual(['the connection was lost']);
    await clock.advanceAsync(60_000);
    expect(restarts()).toBe(1);
  });

  it('has ICE restarted at once when it failed, and ends when it fails again', async () => {
    await link();
    FakeConnection.last.become('failed');
    await clock.advanceAsync(100);
    expect(restarts()).toBe(1);
    FakeConnection.last.become('failed');
    await clock.advanceAsync(1);
    expect(ends).toEqual(['the connection was lost']);
    await clock.advanceAsync(5_000);
    expect(FakeConnection.last.closed).toBe(true);
  });

  it('goes on when the restart succeeds, and may be restarted again later', async () => {
    await link();
    FakeConnection.last.become('failed');
    await clock.advanceAsync(100);
    answer(2);
    await clock.advanceAsync(100);
    FakeConnection.last.become('connected');
    await clock.advanceAsync(60_000);
    expect(ends).toEqual([]);
    FakeConnection.last.become('failed');
    await clock.advanceAsync(100);
    expect(restarts()).toBe(2);
    expect(ends).toEqual([]);
  });

  it('goes on when frames come again, though the connection does not say that it is back', async () => {
    await link();
    FakeConnection.last.become('disconnected');
    await clock.advanceAsync(1_000);
    FakeConnection.last.receive();
    await clock.advanceAsync(60_000);
    expect(ends).toEqual([]);
    FakeConnection.last.become('failed');
    await clock.advanceAsync(9_000);
    expect(restarts()).toBe(2);
    expect(ends).toEqual(['the connection was lost']);
  });

  it('waits for the other end’s restart where that made the first offer, and answers it', async () => {
    await link({ offering: false });
    FakeConnection.last.become('disconnected');
    await clock.advanceAsync(3_000);
    expect(offersSent()).toBe(0);
    connector.signal(OTHER, [{ description: { type: 'offer', sdp: sdpOf('other', 2) } }]);
    await clock.advanceAsync(100);
    expect(descriptions()).toEqual(['answer']);
    FakeConnection.last.become('connected');
    await clock.advanceAsync(60_000);
    expect(ends).toEqual([]);
  });

  it('ends at once where the implementation cannot restart ICE', async () => {
    await link({ rtc: { restartsIce: false } });
    FakeConnection.last.become('failed');
    await clock.advanceAsync(1);
    expect(ends).toEqual(['the connection was lost']);
    expect(restarts()).toBe(0);
  });

  it.each([true, false])(
    'tells the addresses that the machine has now (first offer ours: %s)',
    async (offering) => {
      await link({ offering, rtc: { hostAddresses: () => Promise.resolve(addresses) } });
      addresses = ['198.51.100.7'];
      FakeConnection.last.become('failed');
      await clock.advanceAsync(10);
      if (!offering) connector.signal(OTHER, [{ description: { type: 'offer', sdp: sdpOf('other', 2) } }]);
      await clock.advanceAsync(10);
      for (const address of ['192.0.2.1', '198.51.100.7'])
        FakeConnection.last.emit('icecandidate', {
          candidate: {
            candidate: `candidate:1 1 udp 1 ${address} 5000 typ host`,
            sdpMid: '0',
            sdpMLineIndex: 0,
          },
        });
      await clock.advanceAsync(100);
      const told = signals.flatMap((item) =>
        'candidate' in item ? [item.candidate.candidate.split(' ')[4]] : [],
      );
      expect(told).toEqual(['198.51.100.7']);
    },
  );
});

/** Makes an open link with the other end, whose signals the test sends. */
async function link({
  offering = true,
  rtc = {},
}: { offering?: boolean; rtc?: Partial<RtcImplementation> } = {}): Promise<void> {
  connector = new RtcConnector({
    rtc: { RTCPeerConnection: FakeConnection, ...rtc },
    selfId: () => SELF,
    schedule: (delayMs, run) => clock.schedule(delayMs, run),
    handler: {
      send: (_to, data) => void signals.push(...data),
      link: (_peerId, made) =>
        made.start({ frame: () => undefined, drain: () => undefined, closed: (reason) => ends.push(reason) }),
      failed: (_peerId, error) => ends.push(error.message),
    },
  });
  if (offering) connector.connect(OTHER);
  else connector.signal(OTHER, [{ description: { type: 'offer', sdp: sdpOf('other', 1) } }]);
  await clock.advanceAsync(100);
  if (offering) answer(1);
  await clock.advanceAsync(100);
  FakeConnection.last.become('connected');
  FakeConnection.last.openChannels();
  signals = [];
}

/** The other end answers our offer of this generation. */
function answer(generation: number): void {
  connector.signal(OTHER, [
    { description: { type: 'answer', sdp: sdpOf('other', generation) }, re: `own${generation}` },
  ]);
}

function restarts(): number {
  return FakeConnection.last.offers.filter(({ iceRestart }) => iceRestart === true).length;
}

function descriptions(): string[] {
  return signals.flatMap((item) => ('description' in item ? [item.description.type] : []));
}

function offersSent(): number {
  return descriptions().filter((type) => type === 'offer').length;
}

/** Each end keeps its session and fingerprint, and has another `ice-ufrag` with each generation. */
function sdpOf(end: 'own' | 'other', generation: number): string {
  return `v=0\r\no=- ${end === 'own' ? 1 : 2} ${generation} IN IP4 0.0.0.0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:${end}${generation}\r\na=fingerprint:sha-256 AA:BB\r\n`;
}
