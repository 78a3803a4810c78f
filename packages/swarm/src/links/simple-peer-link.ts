import { LIMITS } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { FrameInbox } from './frame-inbox.ts';
import type { Lane, PeerLink, PeerLinkHandler } from './peer-link.ts';
import { scheduleTimeout, type Schedule } from './rtc-types.ts';

/** Bytes waiting at which the link says that it is full. */
const CEILING_BYTES = 1024 * 1024;
/** Above 16 MiB wrtc drops what is sent without a word, so the link ends before that. */
const MOST_BUFFERED_BYTES = 8 * CEILING_BYTES;
/** How often a full or closing link looks again: simple-peer keeps the low-water event to itself. */
const POLL_MS = 4;
/** How long closing waits for what was sent. */
const LINGER_MS = 1_000;
/** A moment for what is under way when nothing waits any more. */
const SETTLE_MS = 50;

/** The part of a `simple-peer` instance that a link uses. */
export interface SimplePeer {
  readonly connected: boolean;
  readonly destroyed: boolean;
  /** Bytes waiting in the channel. */
  readonly bufferSize: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  destroy(): unknown;
  on(event: string, listener: (value: unknown) => void): unknown;
}

/**
 * A link over a connected `simple-peer`, for applications that make such connections already. The link owns
 * the peer from then on: nobody else may send on it or listen to its data. Both lanes share its one ordered
 * channel, so under load control frames wait behind blocks. Throws `SwarmError('invalid-argument')` where
 * the peer is not connected.
 */
export function simplePeerLink(peer: SimplePeer, schedule: Schedule = scheduleTimeout): PeerLink {
  if (!peer.connected || peer.destroyed) {
    throw new SwarmError('invalid-argument', 'a simple-peer has to be connected before it can be a link');
  }
  return new SimplePeerLink(peer, schedule);
}

class SimplePeerLink implements PeerLink {
  readonly maxFrameBytes: number = LIMITS.maxFrameBytes;
  readonly #peer: SimplePeer;
  readonly #schedule: Schedule;
  readonly #inbox = new FrameInbox();
  #ended = false;
  #full = false;
  #cancelPoll: (() => void) | undefined;

  constructor(peer: SimplePeer, schedule: Schedule) {
    this.#peer = peer;
    this.#schedule = schedule;
    peer.on('data', (data) => this.#receive(data));
    peer.on('close', () => this.#end('the other end closed the link'));
    // Its owner hears of the end; an error nobody listens to would be thrown at the process.
    peer.on('error', (error) => this.#end(error instanceof Error ? error.message : 'the connection failed'));
  }

  get bufferedBytes(): number {
    return this.#ended ? 0 : this.#peer.bufferSize;
  }

  start(handler: PeerLinkHandler): void {
    this.#inbox.start(handler);
  }

  sendable(): boolean {
    if (this.#ended) return false;
    if (this.#peer.bufferSize < CEILING_BYTES) return true;
    this.#full = true;
    this.#pollWhileFull();
    return false;
  }

  send(frame: Uint8Array, _lane: Lane): void {
    if (this.#ended) return;
    if (frame.byteLength === 0 || frame.byteLength > this.maxFrameBytes) {
      this.close(`a frame of ${frame.byteLength} bytes cannot be sent`);
      return;
    }
    if (this.#peer.bufferSize + frame.byteLength > MOST_BUFFERED_BYTES) {
      this.close('more was sent than the connection takes');
      return;
    }
    try {
      // `send` and not `write`: the stream in between costs two thirds of the throughput.
      this.#peer.send(
        frame.buffer instanceof ArrayBuffer ? ownView(frame, frame.buffer) : new Uint8Array(frame),
      );
    } catch (error) {
      this.close(`sending failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  close(reason: string): void {
    if (this.#ended) return;
    this.#inbox.forget();
    this.#end(reason);
    let cancelNext: (() => void) | undefined;
    const cancelLinger = this.#schedule(LINGER_MS, () => {
      cancelNext?.();
      this.#peer.destroy();
    });
    const destroyOnceSent = () => {
      if (this.#peer.bufferSize > 0) {
        cancelNext = this.#schedule(POLL_MS, destroyOnceSent);
        return;
      }
      cancelNext = this.#schedule(SETTLE_MS, () => {
        cancelLinger();
        this.#peer.destroy();
      });
    };
    destroyOnceSent();
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    if (!ArrayBuffer.isView(data)) {
      this.close('the other end sent something that is no frame');
      return;
    }
    const frame = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (!this.#inbox.take(frame)) this.close('the other end sent too much too early');
    this.#drainIfRoom();
  }

  #drainIfRoom(): void {
    if (!this.#full || this.#ended || this.#peer.bufferSize >= CEILING_BYTES) return;
    this.#full = false;
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
    this.#inbox.drain();
  }

  #pollWhileFull(): void {
    this.#cancelPoll ??= this.#schedule(POLL_MS, () => {
      this.#cancelPoll = undefined;
      this.#drainIfRoom();
      if (this.#full && !this.#ended) this.#pollWhileFull();
    });
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelPoll?.();
    this.#inbox.end(reason);
  }
}

/** A bare view: simple-peer may be driven by an implementation that keeps a reference to a `Buffer`. */
function ownView(frame: Uint8Array, buffer: ArrayBuffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer, frame.byteOffset, frame.byteLength);
}
