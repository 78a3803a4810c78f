import { BLOCK_HEADER_BYTES, decodePeerFrame, LIMITS } from '@sonantica/wire';
import type { Lane, PeerLink, PeerLinkHandler } from '@sonantica/swarm';
import type { PlayClock } from '../playback.ts';
import type { PeerKind } from '../scenario.ts';
import type { Flow, Line } from './line.ts';

/** Bytes waiting at which a link says that it is full: what the library's own links have. */
const CEILING_BYTES = 1_048_576;
/** What the end of a link takes on the line. */
const END_BYTES = 40;

const FRAME_HELLO = 1;
const FRAME_PROOF = 7;
const FRAME_BLOCK = 8;
const FRAME_REFUSE = 10;
const FRAME_CLOSE = 13;

/** What one listener's links share: its access line, its distance, its manners, and who counts. */
export interface AccessLine {
  readonly clock: PlayClock;
  readonly up: Line;
  readonly down: Line;
  /** From this listener to the middle of the network, one way; the other end adds its own. */
  readonly halfWayMs: number;
  readonly kind: PeerKind;
  readonly meter: LinkMeter;
  /** Nothing passes any more, and nobody is told: the listener crashed. */
  isCut: boolean;
}

/** What links count. Bytes of blocks are without their headers. `nonce` names the other end once it said who it is. */
export interface LinkMeter {
  blockSent(bytes: number): void;
  blockArrived(nonce: string, bytes: number): void;
  /** Everything else that was sent: headers, proofs, requests, news. */
  control(bytes: number): void;
  /** This end closed the link because the other broke the protocol. */
  blamed(nonce: string): void;
}

/**
 * A link held to its owner's access line: what is sent goes through the uplink, then half the distance; what arrives
 * goes the other half, then through the downlink. Frames are counted by what they are. A liar's blocks are falsified
 * here, under the library, which would not send a wrong byte.
 */
export class ShapedLink implements PeerLink {
  readonly #inner: PeerLink;
  readonly #line: AccessLine;
  readonly #out: Flow;
  readonly #in: Flow;
  #handler: PeerLinkHandler | undefined;
  #nonce = '';
  #isEnded = false;
  #isFull = false;
  #toldClosed = false;
  /** Why the link ended, for an owner who starts it afterwards. */
  #endedBecause = '';
  #innerIsFull = false;

  constructor(inner: PeerLink, line: AccessLine) {
    this.#inner = inner;
    this.#line = line;
    this.#out = line.up.flow();
    this.#in = line.down.flow();
  }

  get maxFrameBytes(): number {
    return this.#inner.maxFrameBytes;
  }

  get bufferedBytes(): number {
    return this.#isEnded ? 0 : this.#out.queuedBytes + this.#inner.bufferedBytes;
  }

  start(handler: PeerLinkHandler): void {
    this.#handler = handler;
    if (this.#isEnded) {
      this.#line.clock.schedule(0, () => this.#tellClosed(this.#endedBecause));
      return;
    }
    this.#inner.start({
      frame: (frame) => this.#arrived(frame),
      drain: () => {
        this.#innerIsFull = false;
        this.#drainIfRoom();
      },
      closed: (reason) => {
        if (this.#line.isCut) return;
        this.#line.clock.schedule(this.#line.halfWayMs, () =>
          this.#line.down.urgent(END_BYTES, () => this.#ended(reason)),
        );
      },
    });
  }

  sendable(): boolean {
    if (this.#isEnded) return false;
    this.#innerIsFull = !this.#inner.sendable();
    this.#isFull = this.#innerIsFull || this.#out.queuedBytes >= CEILING_BYTES;
    return !this.#isFull;
  }

  send(frame: Uint8Array, lane: Lane): void {
    const { kind, meter, clock, up, halfWayMs } = this.#line;
    const type = frame[0];
    if (this.#isEnded || this.#line.isCut) return;
    if (kind === 'dead' && (type === FRAME_BLOCK || type === FRAME_PROOF || type === FRAME_REFUSE)) return;
    // The library uses its memory again.
    const copy = frame.slice();
    const pass = () => {
      clock.schedule(halfWayMs, () => {
        if (!this.#line.isCut) this.#inner.send(copy, lane);
      });
    };
    if (lane === 'control') {
      meter.control(copy.length);
      if (type === FRAME_CLOSE) this.#noteBlame(copy);
      up.urgent(copy.length, pass);
      return;
    }
    if (kind === 'liar' && type === FRAME_BLOCK && copy.length > BLOCK_HEADER_BYTES)
      copy[BLOCK_HEADER_BYTES] = (copy[BLOCK_HEADER_BYTES] ?? 0) ^ 0xff;
    this.#out.push(copy.length, () => {
      meter.blockSent(copy.length - BLOCK_HEADER_BYTES);
      meter.control(BLOCK_HEADER_BYTES);
      pass();
      this.#drainIfRoom();
    });
  }

  close(reason: string): void {
    if (this.#isEnded) return;
    const { clock, up, halfWayMs } = this.#line;
    up.urgent(END_BYTES, () => clock.schedule(halfWayMs, () => this.#inner.close(reason)));
    this.#finish(reason);
    clock.schedule(0, () => this.#tellClosed(reason));
  }

  #arrived(frame: Uint8Array): void {
    const { clock, down, halfWayMs, meter } = this.#line;
    if (this.#isEnded || this.#line.isCut) return;
    const isBlock = frame[0] === FRAME_BLOCK;
    const deliver = () => {
      if (this.#isEnded || this.#line.isCut) return;
      if (isBlock) meter.blockArrived(this.#nonce, frame.length - BLOCK_HEADER_BYTES);
      else if (frame[0] === FRAME_HELLO) this.#noteNonce(frame);
      this.#handler?.frame(frame);
    };
    clock.schedule(halfWayMs, () => {
      if (isBlock) this.#in.push(frame.length, deliver);
      else down.urgent(frame.length, deliver);
    });
  }

  #drainIfRoom(): void {
    if (!this.#isFull || this.#innerIsFull || this.#isEnded) return;
    if (this.#out.queuedBytes > CEILING_BYTES / 2) return;
    this.#isFull = false;
    this.#handler?.drain();
  }

  #ended(reason: string): void {
    if (this.#isEnded) return;
    this.#finish(reason);
    this.#tellClosed(reason);
  }

  #finish(reason: string): void {
    this.#isEnded = true;
    this.#endedBecause = reason;
    this.#out.drop();
    this.#in.drop();
  }

  #tellClosed(reason: string): void {
    if (this.#toldClosed || this.#handler === undefined) return;
    this.#toldClosed = true;
    this.#handler.closed(reason);
  }

  #noteNonce(frame: Uint8Array): void {
    const hello = decoded(frame);
    if (hello?.type === 'hello') this.#nonce = hello.nonce;
  }

  #noteBlame(frame: Uint8Array): void {
    const close = decoded(frame);
    if (close?.type === 'close' && close.reason === 'misbehaved') this.#line.meter.blamed(this.#nonce);
  }
}

/** A frame, or `undefined` for one that is malformed: the library says so, not the bench. */
function decoded(frame: Uint8Array): ReturnType<typeof decodePeerFrame> | undefined {
  if (frame.length > LIMITS.maxFrameBytes) return undefined;
  try {
    return decodePeerFrame(frame);
  } catch {
    return undefined;
  }
}
