import { BLOCK_HEADER_BYTES, decodePeerFrame, LIMITS, type PeerId } from '@sonantica/wire';
import type { LinkMaker } from '../environment.ts';
import { SwarmError } from '../errors.ts';
import type { LinkConnector } from '../links/link-connector.ts';
import type { Lane, PeerLink, PeerLinkHandler } from '../links/peer-link.ts';
import type { RtcConnectorOptions } from '../links/rtc-connector.ts';
import type { Packet, SimFlow, SimNetwork, SimNode } from './sim-network.ts';
import { isWrong, makeWrong } from './sim-proof.ts';

/** Bytes waiting at which a link says that it is full: the same as over WebRTC. */
const CEILING_BYTES = 1_048_576;
/** How long candidates are gathered, and how long an attempt may take: the same as over WebRTC. */
const GATHER_MS = 30;
const CONNECT_TIMEOUT_MS = 15_000;
/** Round trips of ICE and DTLS from the answer to the open link. */
const CONNECT_ROUND_TRIPS = 2;
/** What a description takes beside its candidates: about the length of a real one. */
const DESCRIPTION = 'v=0 '.repeat(150);

const FRAME_PROOF = 7;
const FRAME_BLOCK = 8;
const FRAME_REFUSE = 10;
const FRAME_CLOSE = 13;
/** Where the header of a block frame has what: the type, its handle, its chunk, its block. */
const HANDLE_AT = 1;
const CHUNK_AT = 5;
const BLOCK_AT = 9;

/** How a peer treats those who ask it. */
export type Giving = 'honest' | 'wrong-bytes' | 'nothing';

/** What a link counts, for a report. */
export interface LinkMeter {
  /** Bytes of blocks that left `from` for `to`. */
  blockSent(from: SimNode, to: SimNode, bytes: number): void;
  /** Bytes of blocks that reached `to`. */
  blockArrived(from: SimNode, to: SimNode, bytes: number): void;
  /** Bytes of everything else that `from` sent: headers, proofs, requests, news. */
  control(from: SimNode, to: SimNode, bytes: number): void;
  /** A frame of the control lane, as `from` sends it; not to be kept. Missing: nobody looks. */
  frame?(from: SimNode, to: SimNode, frame: Uint8Array): void;
  /** `from` closed the link because `to` broke the protocol. */
  blamed(from: SimNode, to: SimNode): void;
}

interface Attempt {
  readonly own: SimConnector;
  readonly peerId: PeerId;
  readonly id: number;
  readonly isOffer: boolean;
  /** Names the offer with which it began. */
  readonly offerId: string;
  link: SimLink | undefined;
  over: boolean;
}

/** All links of a simulation: who may reach whom, and what goes between them. */
export class SimLinks {
  readonly network: SimNetwork;
  readonly meter: LinkMeter;
  /** Whether a connection between these two can be made at all. */
  canConnect: (a: SimNode, b: SimNode) => boolean = () => true;
  /** Links that come up in a second, one after another: those of one machine wait for its processor. */
  perSecond = Number.POSITIVE_INFINITY;
  readonly #attempts = new Map<number, Attempt>();
  #nextId = 1;
  /** Pairs of attempts that wait for their turn, where only so many links come up in a second. */
  readonly #waiting: (readonly [offer: Attempt, answer: Attempt])[] = [];
  #isMaking = false;

  constructor(network: SimNetwork, meter: LinkMeter) {
    this.network = network;
    this.meter = meter;
  }

  /** The links of one node. */
  maker(node: SimNode, giving: Giving, maxLinks?: number): LinkMaker {
    return {
      maxWindowBytes: CEILING_BYTES,
      ...(maxLinks === undefined ? {} : { maxLinks }),
      connector: (options) => new SimConnector(this, node, giving, options),
    };
  }

  newAttempt(own: SimConnector, peerId: PeerId, offerId: string | undefined): Attempt {
    const id = this.#nextId++;
    const isOffer = offerId === undefined;
    const attempt = { own, peerId, id, isOffer, offerId: offerId ?? `${id}`, link: undefined, over: false };
    this.#attempts.set(attempt.id, attempt);
    return attempt;
  }

  attempt(id: number): Attempt | undefined {
    return this.#attempts.get(id);
  }

  drop(attempt: Attempt): void {
    attempt.over = true;
    this.#attempts.delete(attempt.id);
  }

  /** Both descriptions are known: the connection opens after its round trips, at the answerer half a trip later. */
  open(offer: Attempt, answer: Attempt): void {
    if (!this.canConnect(offer.own.node, answer.own.node)) return;
    if (this.perSecond === Number.POSITIVE_INFINITY) return this.#make(offer, answer);
    this.#waiting.push([offer, answer]);
    this.#makeNext();
  }

  /** One after another; who gave up in the meantime takes no turn. */
  #makeNext(): void {
    if (this.#isMaking) return;
    let pair = this.#waiting.shift();
    while (pair !== undefined && pair.some(({ over }) => over)) pair = this.#waiting.shift();
    if (pair === undefined) return;
    const [offer, answer] = pair;
    this.#isMaking = true;
    this.network.clock.schedule(1000 / this.perSecond, () => {
      this.#isMaking = false;
      this.#make(offer, answer);
      this.#makeNext();
    });
  }

  #make(offer: Attempt, answer: Attempt): void {
    const { network } = this;
    const [a, b] = [offer.own.node, answer.own.node];
    const rttMs = network.rttMs(a, b);
    network.clock.schedule(CONNECT_ROUND_TRIPS * rttMs, () => {
      if (offer.over || answer.over || !network.reaches(a, b)) return;
      const [near, far] = SimLink.pair(this, offer, answer);
      offer.own.opened(offer, near);
      network.clock.schedule(rttMs / 2, () => {
        if (!answer.over) answer.own.opened(answer, far);
      });
    });
  }
}

/** Makes simulated links by signals through the tracker, as the one over WebRTC does. */
export class SimConnector implements LinkConnector {
  readonly node: SimNode;
  readonly giving: Giving;
  readonly #links: SimLinks;
  readonly #options: Omit<RtcConnectorOptions, 'rtc'>;
  readonly #byPeer = new Map<PeerId, Attempt>();
  #closed = false;

  constructor(links: SimLinks, node: SimNode, giving: Giving, options: Omit<RtcConnectorOptions, 'rtc'>) {
    this.#links = links;
    this.node = node;
    this.giving = giving;
    this.#options = options;
  }

  connect(peerId: PeerId): void {
    if (this.#closed || this.#byPeer.has(peerId)) return;
    const attempt = this.#begin(peerId, undefined);
    this.#describe(attempt, `${attempt.id}`);
  }

  signal(from: PeerId, data: unknown): void {
    if (this.#closed) return;
    const declined = declinedIn(data);
    if (declined !== undefined) return this.#declined(from, declined);
    const ids = idsOf(data);
    const current = this.#byPeer.get(from);
    const offer = this.#links.attempt(ids[0] ?? 0);
    if (ids.length === 2) {
      const answer = this.#links.attempt(ids[1] ?? 0);
      if (offer !== undefined && current === offer && answer !== undefined) this.#links.open(offer, answer);
      return;
    }
    if (offer === undefined) return;
    if (current !== undefined && current.isOffer && current.link === undefined) {
      const self = this.#options.selfId();
      if (self !== undefined && self < from) return;
    }
    if (current === undefined && !(this.#options.handler.accepts?.(from) ?? true))
      return this.#options.handler.send(from, [{ declined: `${offer.id}` }]);
    if (current !== undefined) this.#end(current);
    const attempt = this.#begin(from, `${offer.id}`);
    this.#describe(attempt, `${offer.id} ${attempt.id}`);
  }

  abandon(peerId: PeerId, reason: string): void {
    const attempt = this.#byPeer.get(peerId);
    if (attempt !== undefined && attempt.link === undefined) this.#fail(attempt, reason);
  }

  giveWay(peerId: PeerId): void {
    const attempt = this.#byPeer.get(peerId);
    if (attempt === undefined || attempt.link !== undefined) return;
    this.#options.handler.send(peerId, [{ declined: attempt.offerId }]);
    this.ended(attempt);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const attempt of [...this.#byPeer.values()]) this.#end(attempt);
    return Promise.resolve();
  }

  opened(attempt: Attempt, link: SimLink): void {
    if (attempt.over || this.#closed) return link.close('closed here');
    attempt.link = link;
    this.#options.handler.link(attempt.peerId, link);
  }

  /** A link of this connector is over. */
  ended(attempt: Attempt): void {
    if (this.#byPeer.get(attempt.peerId) === attempt) this.#byPeer.delete(attempt.peerId);
    this.#links.drop(attempt);
  }

  /** There is no place for the attempt that began with this offer. */
  #declined(from: PeerId, offerId: string): void {
    const current = this.#byPeer.get(from);
    if (current === undefined || current.link !== undefined || current.offerId !== offerId) return;
    this.ended(current);
    this.#options.handler.declined?.(from);
  }

  /** `offerId`: the offer it answers; its own when `undefined`. */
  #begin(peerId: PeerId, offerId: string | undefined): Attempt {
    const attempt = this.#links.newAttempt(this, peerId, offerId);
    this.#byPeer.set(peerId, attempt);
    this.#links.network.clock.schedule(CONNECT_TIMEOUT_MS, () => {
      if (attempt.link === undefined && !attempt.over) this.#fail(attempt, 'timed out');
    });
    return attempt;
  }

  #describe({ peerId, isOffer }: Attempt, ids: string): void {
    const description = { type: isOffer ? 'offer' : 'answer', sdp: `${ids} ${DESCRIPTION}` } as const;
    this.#links.network.clock.schedule(GATHER_MS, () => {
      if (!this.#closed) this.#options.handler.send(peerId, [{ description }]);
    });
  }

  #fail(attempt: Attempt, reason: string): void {
    this.ended(attempt);
    if (!this.#closed) this.#options.handler.failed(attempt.peerId, new SwarmError('link-failed', reason));
  }

  #end(attempt: Attempt): void {
    this.ended(attempt);
    attempt.link?.close('the other end began anew');
  }
}

/** One end of a simulated link. */
export class SimLink implements PeerLink {
  readonly maxFrameBytes = LIMITS.maxFrameBytes;
  readonly #links: SimLinks;
  readonly #attempt: Attempt;
  readonly #flow: SimFlow;
  readonly #from: SimNode;
  readonly #to: SimNode;
  #other: SimLink | undefined;
  #handler: PeerLinkHandler | undefined;
  #early: Uint8Array[] = [];
  #ended = false;
  #toldClosed = false;
  #full = false;

  /** The ends of one link, the first being the offerer's. */
  static pair(links: SimLinks, offer: Attempt, answer: Attempt): [SimLink, SimLink] {
    const near = new SimLink(links, offer, answer.own.node);
    const far = new SimLink(links, answer, offer.own.node);
    near.#other = far;
    far.#other = near;
    return [near, far];
  }

  private constructor(links: SimLinks, attempt: Attempt, to: SimNode) {
    this.#links = links;
    this.#attempt = attempt;
    this.#from = attempt.own.node;
    this.#to = to;
    this.#flow = links.network.flow(this.#from, to, false);
  }

  start(handler: PeerLinkHandler): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    if (early.length > 0) {
      this.#links.network.clock.schedule(0, () => {
        for (const frame of early) handler.frame(frame);
      });
    }
  }

  get bufferedBytes(): number {
    return this.#flow.queuedBytes;
  }

  sendable(): boolean {
    if (this.#ended) return false;
    this.#full = this.#flow.queuedBytes >= CEILING_BYTES;
    return !this.#full;
  }

  send(frame: Uint8Array, lane: Lane): void {
    if (this.#ended || this.#from.isDown) return;
    const { meter, network } = this.#links;
    const type = frame[0];
    const { giving } = this.#attempt.own;
    if (giving === 'nothing' && (type === FRAME_BLOCK || type === FRAME_PROOF || type === FRAME_REFUSE))
      return;
    if (lane === 'control') {
      meter.control(this.#from, this.#to, frame.length);
      meter.frame?.(this.#from, this.#to, frame);
      if (type === FRAME_CLOSE) this.#noteBlame(frame);
      network.sendUrgent(this.#from, this.#to, frame.length, () => this.#other?.receive(frame));
      return;
    }
    const wrong = giving === 'wrong-bytes' || isWrong(frame, BLOCK_HEADER_BYTES);
    this.#flow.send(new BlockPacket(this, frame, wrong));
  }

  /** A block left this end. */
  blockLeft(blockBytes: number): void {
    const { meter } = this.#links;
    meter.blockSent(this.#from, this.#to, blockBytes);
    meter.control(this.#from, this.#to, BLOCK_HEADER_BYTES);
    this.#drainIfRoom();
  }

  /** A block is at the other end. */
  blockArrived(frame: Uint8Array): void {
    this.#links.meter.blockArrived(this.#from, this.#to, frame.length - BLOCK_HEADER_BYTES);
    this.#other?.receive(frame);
  }

  receive(frame: Uint8Array): void {
    if (this.#ended) return;
    if (this.#handler === undefined) this.#early.push(frame);
    else this.#handler.frame(frame);
  }

  close(reason: string): void {
    if (this.#ended) return;
    this.#end(reason);
    const { network } = this.#links;
    network.sendUrgent(this.#from, this.#to, 40, () => this.#other?.gone());
  }

  /** The other end closed. */
  gone(): void {
    if (!this.#ended) this.#end('the other end closed the link');
  }

  #end(reason: string): void {
    this.#ended = true;
    this.#flow.drop();
    this.#attempt.own.ended(this.#attempt);
    if (this.#toldClosed) return;
    this.#toldClosed = true;
    this.#links.network.clock.schedule(0, () => this.#handler?.closed(reason));
  }

  #drainIfRoom(): void {
    if (!this.#full || this.#ended || this.#flow.queuedBytes > CEILING_BYTES / 2) return;
    this.#full = false;
    this.#links.network.isQuiet = false;
    this.#handler?.drain();
  }

  #noteBlame(frame: Uint8Array): void {
    const close = decodePeerFrame(frame);
    if (close.type === 'close' && close.reason === 'misbehaved')
      this.#links.meter.blamed(this.#from, this.#to);
  }
}

/** A block on its way. The bytes of a right one are zeros everywhere: only its header travels, and what makes it wrong. */
class BlockPacket implements Packet {
  readonly bytes: number;
  readonly #link: SimLink;
  readonly #handle: number;
  readonly #chunk: number;
  readonly #block: number;
  readonly #wrong: boolean;

  constructor(link: SimLink, frame: Uint8Array, wrong: boolean) {
    this.bytes = frame.length;
    this.#link = link;
    this.#handle = u32(frame, HANDLE_AT);
    this.#chunk = u32(frame, CHUNK_AT);
    this.#block = u32(frame, BLOCK_AT) >>> 16;
    this.#wrong = wrong;
  }

  sent(): void {
    this.#link.blockLeft(this.bytes - BLOCK_HEADER_BYTES);
  }

  arrived(): void {
    const frame = this.#wrong ? wrongBlock(this.bytes) : rightBlock(this.bytes);
    // The header is parsed before the link hears of more; views of the rest are zeros for ever.
    frame[0] = FRAME_BLOCK;
    setU32(frame, HANDLE_AT, this.#handle);
    setU32(frame, CHUNK_AT, this.#chunk);
    frame[BLOCK_AT] = this.#block >>> 8;
    frame[BLOCK_AT + 1] = this.#block;
    this.#link.blockArrived(frame);
  }
}

/** Right blocks are read at once and copied nowhere: one buffer serves all, seen as frames of the few lengths there are. */
const scratch = new Uint8Array(BLOCK_HEADER_BYTES + LIMITS.maxBlocksInFrame * LIMITS.blockBytes);
const scratchOf = new Map<number, Uint8Array>();

function rightBlock(length: number): Uint8Array {
  const frame = scratchOf.get(length) ?? scratch.subarray(0, length);
  scratchOf.set(length, frame);
  return frame;
}

function wrongBlock(length: number): Uint8Array {
  const frame = new Uint8Array(length);
  makeWrong(frame, BLOCK_HEADER_BYTES);
  return frame;
}

function u32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let end = at + 4; at < end; at++) value = (value << 8) | (bytes[at] ?? 0);
  return value >>> 0;
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function declinedIn(data: unknown): string | undefined {
  const item: unknown = Array.isArray(data) ? data[0] : data;
  return typeof item === 'object' && item !== null && 'declined' in item ? String(item.declined) : undefined;
}

function idsOf(data: unknown): number[] {
  const item: unknown = Array.isArray(data) ? data[0] : data;
  if (typeof item !== 'object' || item === null || !('description' in item)) return [];
  const { description } = item;
  if (typeof description !== 'object' || description === null || !('sdp' in description)) return [];
  // They come first, and there are two at most.
  return String(description.sdp)
    .split(' ', 2)
    .filter((word) => /^\d+$/.test(word))
    .map(Number);
}
