import { createHash } from 'node:crypto';
import {
  buildManifest,
  decodePeerFrame,
  parsePeerId,
  parseTrackId,
  type ManifestJson,
  type PeerFrame,
} from '@sonantica/wire';
import {
  createSimListener,
  seededRandom,
  seedSim,
  SimLinks,
  SimNetwork,
  SimOrigin,
  SimTrackerSockets,
  VirtualClock,
  type SimListener,
  type SimListenerOptions,
  type SimNode,
  type SimTrackerCore,
} from '@sonantica/swarm/testing';
import { Tracker } from '@sonantica/tracker/core';
import { onTestFinished } from 'vitest';

/** Chunks of simulated tracks, in bytes. */
export const CHUNK = 262_144;
/** How fast simulated tracks are played. */
export const BYTES_PER_SECOND = 175_000;

/** Lets every promise that can settle do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What differs from a quiet home network. */
export interface RoomOptions {
  /** Track id → bytes. */
  readonly tracks: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly originUpKbps?: number;
}

/** How a listener differs. */
export interface ListenerOptions
  extends Pick<SimListenerOptions, 'maxLinks'>, NonNullable<SimListenerOptions['swarm']> {
  readonly giving?: SimListenerOptions['giving'];
  readonly upKbps?: number;
  readonly downKbps?: number;
  readonly rttMs?: number;
}

/** An origin's answer to one request for audio. */
export interface AskedOrigin {
  readonly atMs: number;
  readonly from: string;
  readonly trackId: string;
  readonly start: number;
  readonly end: number;
}

/** The production library and tracker in virtual time: an origin, a tracker, listeners. */
export class VirtualRoom {
  readonly clock = new VirtualClock();
  readonly network = new SimNetwork(this.clock);
  readonly tracker: SimTrackerSockets;
  readonly origin: SimOrigin;
  readonly links: SimLinks;
  readonly asked: AskedOrigin[] = [];
  /** What peers told each other beside blocks. */
  readonly frames: { readonly from: string; readonly to: string; readonly message: PeerFrame }[] = [];
  /** What the tracker was told, in its own words. */
  readonly told: { readonly type?: string; readonly [field: string]: unknown }[] = [];
  /** Names of nodes whose links others closed as misbehaved. */
  readonly blamed: string[] = [];
  /** Bytes of everything but blocks that a node sent to peers and exchanged with the tracker. */
  readonly controlBytes = new Map<string, number>();
  originBytes = 0;
  readonly #documents: ReadonlyMap<string, ManifestJson>;
  readonly #trackerNode: SimNode;
  readonly #random;
  #names = 0;

  static async open(options: RoomOptions): Promise<VirtualRoom> {
    const documents = new Map<string, ManifestJson>();
    for (const [trackId, size] of Object.entries(options.tracks))
      documents.set(trackId, await documentOf(trackId, size));
    return new VirtualRoom(options, documents);
  }

  private constructor(
    { seed = 1, originUpKbps = 1_000_000 }: RoomOptions,
    documents: ReadonlyMap<string, ManifestJson>,
  ) {
    const { clock, network } = this;
    this.#documents = documents;
    this.#random = seededRandom(seed);
    const count = (node: SimNode, bytes: number) =>
      void this.controlBytes.set(node.name, (this.controlBytes.get(node.name) ?? 0) + bytes);
    this.links = new SimLinks(network, {
      blockSent: () => undefined,
      blockArrived: () => undefined,
      control: (from, _to, bytes) => count(from, bytes),
      frame: (from, to, frame) =>
        void this.frames.push({ from: from.name, to: to.name, message: decodePeerFrame(frame.slice()) }),
      blamed: (_from, to) => void this.blamed.push(to.name),
    });
    const server = (name: string, kbps: number) =>
      network.node({ name, upBytesPerMs: kbps / 8, downBytesPerMs: Number.POSITIVE_INFINITY, rttMs: 50 });
    this.origin = new SimOrigin(network, server('origin', originUpKbps), [...documents.values()], {
      asked: (from, start, end, trackId) =>
        void this.asked.push({ atMs: clock.nowMs(), from: from.name, trackId, start, end }),
      audioSent: (_to, bytes) => (this.originBytes += bytes),
      audioArrived: () => undefined,
      otherBytes: () => undefined,
    });
    this.#trackerNode = server('tracker', Number.POSITIVE_INFINITY);
    const tracker = new Tracker({
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      random: () => this.#random.next(),
      newPeerId: () =>
        parsePeerId(
          createHash('sha256')
            .update(`${seed}/${this.#names++}`)
            .digest('base64url')
            .slice(0, 22),
        ),
    });
    const tick = () => {
      tracker.tick();
      clock.schedule(1_000, tick);
    };
    clock.schedule(1_000, tick);
    const listened: SimTrackerCore = {
      connect: (socket) => {
        const session = tracker.connect(socket);
        return {
          receive: (text) => {
            this.told.push(JSON.parse(text));
            session.receive(text);
          },
          roundTrip: (ms) => session.roundTrip(ms),
          closed: () => session.closed(),
        };
      },
    };
    this.tracker = new SimTrackerSockets(network, this.#trackerNode, listened, count);
  }

  document(trackId: string): ManifestJson {
    const document = this.#documents.get(trackId);
    if (document === undefined) throw new Error(`there is no ${trackId}`);
    return document;
  }

  /** A listener, whose swarm is closed after the test. */
  listener(name: string, options: ListenerOptions = {}): SimListener {
    const { giving = 'honest', upKbps = 20_000, downKbps = 50_000, rttMs = 40, maxLinks, ...swarm } = options;
    const listener = createSimListener({
      node: this.network.node({ name, upBytesPerMs: upKbps / 8, downBytesPerMs: downKbps / 8, rttMs }),
      links: this.links,
      origin: this.origin,
      tracker: this.tracker,
      random: seededRandom(Math.floor(this.#random.next() * 2 ** 32)),
      giving,
      maxLinks,
      swarm,
    });
    onTestFinished(() => void listener.swarm.close());
    return listener;
  }

  /** A listener that holds whole tracks from the start. */
  async seeder(
    name: string,
    trackIds: readonly string[],
    options: ListenerOptions = {},
  ): Promise<SimListener> {
    const listener = this.listener(name, options);
    await this.during(Promise.all(trackIds.map((trackId) => seedSim(listener, this.document(trackId)))));
    await this.pass(2_000);
    return listener;
  }

  /** Lets this much time pass. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms;
    await turn();
    for (let next = this.clock.nextAtMs; next !== undefined && next <= untilMs; next = this.clock.nextAtMs) {
      this.network.isQuiet = false;
      this.clock.step();
      if (!this.network.isQuiet) await turn();
    }
    this.clock.advanceTo(untilMs);
  }

  /** Lets time pass until a promise settles; throws when it has not within `mostMs`. */
  async during<T>(promise: Promise<T>, mostMs = 600_000): Promise<T> {
    const untilMs = this.clock.nowMs() + mostMs;
    let settled = false;
    const seen = promise.finally(() => (settled = true));
    seen.catch(() => undefined);
    await turn();
    while (!settled) {
      if (this.clock.nowMs() > untilMs) throw new Error(`nothing came of it within ${mostMs} ms`);
      this.network.isQuiet = false;
      if (!this.clock.step()) throw new Error('nothing more is to happen');
      if (!this.network.isQuiet) await turn();
    }
    return seen;
  }
}

/** A manifest whose tree is right over chunk hashes that are made up. */
async function documentOf(trackId: string, size: number): Promise<ManifestJson> {
  const hasher = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
  const chunkHashes = Array.from({ length: Math.ceil(size / CHUNK) }, (_, chunk) =>
    hasher(new TextEncoder().encode(`${trackId}/${chunk}`)),
  );
  const facts = { trackId: parseTrackId(trackId), size, chunkSize: CHUNK, mime: 'audio/flac' };
  const audio = {
    codec: 'flac',
    sampleRate: 44_100,
    bitsPerSample: 16,
    channels: 2,
    durationSeconds: size / BYTES_PER_SECOND,
    bitrateKbps: (BYTES_PER_SECOND * 8) / 1000,
    lossless: true,
  };
  return buildManifest({ ...facts, audio, sha256: '0'.repeat(64), chunkHashes }, hasher);
}
