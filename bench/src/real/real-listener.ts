import type { ChunkStore, LinkConnector, PeerLink, RtcImplementation, Swarm } from '@sonantica/swarm';
import { createSwarmIn, type ChunkOrder, type LinkMaker } from '@sonantica/swarm/testing';
import { bytesPerMs, SLOW_KBPS, type PeerKind } from '../scenario.ts';
import { Line } from './line.ts';
import type { RealClock } from './real-clock.ts';
import { shapedFetch } from './shaped-fetch.ts';
import { ShapedLink, type AccessLine } from './shaped-link.ts';
import { shapedSockets } from './shaped-socket.ts';

/** Round trips of ICE and DTLS, which take none on this machine. */
const CONNECT_ROUND_TRIPS = 2;
/** Megabytes a listener of the bench may give in a day: its line is the limit. */
const UPLOAD_MB_PER_DAY = 1_000_000;

/** What a listener is like, drawn by the bench. Rates in kbit/s. */
export interface ListenerShape {
  readonly name: string;
  readonly index: number;
  readonly kind: PeerKind;
  readonly aula: number;
  readonly upKbps: number;
  readonly downKbps: number;
  readonly rttMs: number;
}

/** Where a listener's parts are. */
export interface ListenerPlace {
  readonly tracker: string | undefined;
  readonly origin: string;
  /** `undefined`: plain HTTP. */
  readonly rtc: RtcImplementation | undefined;
  readonly maxLinks: number;
  /** In which order chunks are asked for; as the library does, unless told. */
  readonly order?: ChunkOrder | undefined;
  readonly storageGB: number;
  /** `undefined`: plain HTTP, no swarm. */
  readonly store: ChunkStore | undefined;
  readonly aulaPrefix: string;
  log?(line: string): void;
}

/** What was counted of a listener. Sizes in bytes. */
export interface Counted {
  uploadedBytes: number;
  receivedBlockBytes: number;
  receivedAudioBytes: number;
  controlBytes: number;
  /** Block bytes by the nonce of who sent them. */
  readonly from: Map<string, number>;
  readonly blamed: Set<string>;
}

/** A listener on real sockets, WebRTC and a real disk, held to its access line. */
export interface RealListener {
  readonly swarm: Swarm | undefined;
  /** How others name it. */
  readonly nonce: string;
  readonly counted: Counted;
  readonly fetch: ReturnType<typeof shapedFetch>;
  /** Falls silent at once, as a machine without power does; what it held is freed with `close`. */
  cut(): void;
}

/** Makes a listener. It is in its Aula from now on. */
export function createRealListener(
  clock: RealClock,
  shape: ListenerShape,
  place: ListenerPlace,
): RealListener {
  const { kind, rttMs } = shape;
  const counted: Counted = {
    uploadedBytes: 0,
    receivedBlockBytes: 0,
    receivedAudioBytes: 0,
    controlBytes: 0,
    from: new Map(),
    blamed: new Set(),
  };
  const line: AccessLine = {
    clock,
    up: new Line(clock, bytesPerMs(kind === 'slow' ? SLOW_KBPS : shape.upKbps)),
    down: new Line(clock, bytesPerMs(shape.downKbps)),
    halfWayMs: rttMs / 4,
    kind,
    isCut: false,
    meter: {
      blockSent: (bytes) => (counted.uploadedBytes += bytes),
      blockArrived: (nonce, bytes) => {
        counted.receivedBlockBytes += bytes;
        counted.from.set(nonce, (counted.from.get(nonce) ?? 0) + bytes);
      },
      control: (bytes) => (counted.controlBytes += bytes),
      blamed: (nonce) => void counted.blamed.add(nonce),
    },
  };
  const ownFetch = shapedFetch({
    clock,
    rttMs,
    down: line.down,
    audio: (bytes) => (counted.receivedAudioBytes += bytes),
    isCut: () => line.isCut,
  });
  const nonce = crypto.getRandomValues(new Uint8Array(16));
  const { store, tracker, origin, rtc, maxLinks, storageGB, order, log } = place;
  const swarm =
    store === undefined || rtc === undefined
      ? undefined
      : createSwarmIn(
          {
            ...(tracker === undefined ? {} : { tracker }),
            origin,
            aulaId: `${place.aulaPrefix}${shape.aula}`,
            contribution: { maxBandwidthMBPerDay: UPLOAD_MB_PER_DAY, maxStorageGB: storageGB },
            rtc,
            store,
            fetch: ownFetch,
            ...(log === undefined ? {} : { logger: log }),
          },
          (system) => ({
            chunkOrder: order,
            randomBytes: (length) => (length === nonce.length ? nonce.slice() : system.randomBytes(length)),
            openWebSocket: shapedSockets(system.openWebSocket, {
              clock,
              rttMs,
              count: (bytes) => (counted.controlBytes += bytes),
            }),
            links: async (given) => shapedMaker(await system.links(given), clock, maxLinks, line, rttMs),
          }),
        );
  return {
    swarm,
    nonce: Buffer.from(nonce).toString('hex'),
    counted,
    fetch: ownFetch,
    cut: () => void (line.isCut = true),
  };
}

/** Links of the production library, each handed over once the round trips of connecting have passed. */
function shapedMaker(
  maker: LinkMaker,
  clock: RealClock,
  maxLinks: number,
  line: AccessLine,
  rttMs: number,
): LinkMaker {
  return {
    maxWindowBytes: maker.maxWindowBytes,
    maxLinks,
    connector: (options) => {
      let isClosed = false;
      const connector: LinkConnector = maker.connector({
        ...options,
        handler: {
          ...options.handler,
          send: (to, data) => options.handler.send(to, data),
          failed: (peerId, error) => options.handler.failed(peerId, error),
          link: (peerId, link: PeerLink) =>
            void clock.schedule(CONNECT_ROUND_TRIPS * rttMs, () => {
              if (isClosed) link.close('closed here');
              else options.handler.link(peerId, new ShapedLink(link, line));
            }),
        },
      });
      return {
        connect: (peerId) => connector.connect(peerId),
        signal: (from, data) => connector.signal(from, data),
        abandon: (peerId, reason) => connector.abandon(peerId, reason),
        giveWay: (peerId) => connector.giveWay(peerId),
        close: async () => {
          isClosed = true;
          // What was said last is still on its way through the line.
          await clock.pause(rttMs);
          await connector.close();
        },
      };
    },
  };
}
