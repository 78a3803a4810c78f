import { LIMITS } from '@sonantica/wire';
import { FrameInbox } from './frame-inbox.ts';
import type { Lane, PeerLink, PeerLinkHandler } from './peer-link.ts';
import { scheduleTimeout, type RtcDataChannel, type RtcPeerConnection, type Schedule } from './rtc-types.ts';

/** Bytes waiting in the channels at which a link says that it is full: a ceiling, not the flow control. */
const CEILING_BYTES = 1024 * 1024;
/** Above 16 MiB wrtc drops what is sent without a word, so the link ends before that. */
const MOST_BUFFERED_BYTES = 8 * CEILING_BYTES;
/** Control frames of fewer bytes than this are as good as sent: they are small, and leave first. */
const FEW_BYTES = 4_096;
/** How often a full link looks again, where the implementation has no low-water event (wrtc). */
const POLL_MS = 4;
/** How long closing waits for the other end to take what was sent, before the connection is cut. */
const LINGER_MS = 1_000;
/** A moment for what is under way, before the control channel is closed and before the connection is. */
const SETTLE_MS = 50;
/** RFC 8841, section 6.1: what an absent `max-message-size` means. */
const DEFAULT_MAX_MESSAGE_BYTES = 65_536;
/** A link that cannot carry one block in one frame is of no use. */
const LEAST_FRAME_BYTES = LIMITS.blockBytes + 256;

/** What an {@link RtcLink} needs and whom it tells. */
export interface RtcLinkOptions {
  /** A connection on which no channel was made yet and no offer either. The link closes it in the end. */
  readonly connection: RtcPeerConnection;
  /** Both channels are open: frames can be sent. Called at most once. */
  readonly onOpen?: () => void;
  /** The link ended, whether or not it had opened. Called exactly once. */
  readonly onEnd?: (reason: string) => void;
  /** The connection is closed and its resources are free. Called exactly once, the last call. */
  readonly onReleased?: () => void;
  readonly schedule?: Schedule;
}

/**
 * A link over two negotiated data channels of one `RTCPeerConnection`: id 0 `control`, ordered, and id 1
 * `blocks`, unordered; both reliable. Make it before the offer or answer, so that the channels are part of
 * it; hand it on once `onOpen` was called.
 *
 * A connection that fails or closes ends the link at its channels' `close`; whether a silent connection is
 * worth another try is up to the owner, who calls `close` when it is not.
 */
export class RtcLink implements PeerLink {
  readonly #connection: RtcPeerConnection;
  readonly #control: RtcDataChannel;
  readonly #blocks: RtcDataChannel;
  readonly #options: RtcLinkOptions;
  readonly #schedule: Schedule;
  #state: 'opening' | 'open' | 'ended' = 'opening';
  #maxFrameBytes: number = LIMITS.maxFrameBytes;
  readonly #inbox = new FrameInbox();
  #cutAlready = false;
  #full = false;
  #receivedFrames = 0;
  /** What waited in each channel when it was last asked, and all that was sent since. */
  readonly #atMost: Record<Lane, number> = { control: 0, blocks: 0 };
  #cancelPoll: (() => void) | undefined;

  constructor(options: RtcLinkOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#schedule = options.schedule ?? scheduleTimeout;
    this.#control = this.#channel('control', 0, true);
    this.#blocks = this.#channel('blocks', 1, false);
    this.#connection.addEventListener('connectionstatechange', () => {
      if (this.#connection.connectionState === 'closed') {
        this.#finish('the connection was closed', { gone: true });
      }
    });
  }

  /** How many frames came: a sign of life, whatever the connection says of itself. */
  get receivedFrames(): number {
    return this.#receivedFrames;
  }

  get maxFrameBytes(): number {
    return this.#maxFrameBytes;
  }

  get bufferedBytes(): number {
    return this.#state === 'open' ? this.#bufferedBytes() : 0;
  }

  start(handler: PeerLinkHandler): void {
    this.#inbox.start(handler);
  }

  sendable(): boolean {
    if (this.#state !== 'open') return false;
    if (this.#hasRoom(CEILING_BYTES)) return true;
    this.#full = true;
    this.#pollWhileFull();
    return false;
  }

  send(frame: Uint8Array, lane: Lane): void {
    if (this.#state !== 'open') return;
    // An oversize send appears to succeed in wrtc, and then the channel dies without a word.
    if (frame.byteLength === 0 || frame.byteLength > this.#maxFrameBytes) {
      this.#finish(`a frame of ${frame.byteLength} bytes cannot be sent`);
      return;
    }
    if (!this.#hasRoom(MOST_BUFFERED_BYTES - frame.byteLength + 1)) {
      this.#finish('more was sent than the connection takes');
      return;
    }
    try {
      (lane === 'control' ? this.#control : this.#blocks).send(plainView(frame));
      this.#atMost[lane] += frame.byteLength;
    } catch (error) {
      this.#finish(`sending failed: ${describe(error)}`);
    }
  }

  close(reason: string): void {
    this.#inbox.forget();
    this.#finish(reason);
  }

  #channel(label: Lane, id: number, ordered: boolean): RtcDataChannel {
    const channel = this.#connection.createDataChannel(label, { negotiated: true, id, ordered });
    channel.binaryType = 'arraybuffer';
    if (channel.bufferedAmountLowThreshold !== undefined) {
      channel.bufferedAmountLowThreshold = CEILING_BYTES / 2;
      channel.addEventListener('bufferedamountlow', () => this.#drainIfRoom());
    }
    channel.addEventListener('open', () => this.#openIfBoth());
    channel.addEventListener('message', (event) => this.#receive(event));
    channel.addEventListener('close', () => this.#finish('the other end closed the link', { gone: true }));
    return channel;
  }

  #openIfBoth(): void {
    if (this.#state !== 'opening') return;
    if (this.#control.readyState !== 'open' || this.#blocks.readyState !== 'open') return;
    this.#maxFrameBytes = Math.min(LIMITS.maxFrameBytes, remoteMaxMessageBytes(this.#connection));
    if (this.#maxFrameBytes < LEAST_FRAME_BYTES) {
      this.#finish(`the other end takes frames of ${this.#maxFrameBytes} bytes at most`);
      return;
    }
    this.#state = 'open';
    this.#options.onOpen?.();
  }

  #receive(event: unknown): void {
    if (this.#state === 'ended') return;
    const frame = frameOf(event);
    // A frame that is too large is for the handler to refuse: it knows whom to blame.
    if (frame === undefined) {
      this.#finish('the other end sent something that is no frame');
      return;
    }
    this.#receivedFrames++;
    if (!this.#inbox.take(frame)) this.#finish('the other end sent too much too early');
    this.#drainIfRoom();
  }

  /**
   * Whether fewer than `bytes` wait in the channels. Asking wrtc costs a hop to its thread, a third of a send, so it is
   * asked only when what was sent since the last answer could have filled them.
   */
  #hasRoom(bytes: number): boolean {
    return this.#atMost.control + this.#atMost.blocks < bytes || this.#bufferedBytes() < bytes;
  }

  /** A channel is not asked into which nothing went since it was empty, nor about a few small frames. */
  #bufferedBytes(fewBytes = FEW_BYTES): number {
    const { control, blocks } = this.#atMost;
    if (control > fewBytes) this.#atMost.control = this.#control.bufferedAmount;
    if (blocks > 0) this.#atMost.blocks = this.#blocks.bufferedAmount;
    return (control > fewBytes ? this.#atMost.control : 0) + this.#atMost.blocks;
  }

  #drainIfRoom(): void {
    if (!this.#full || this.#state !== 'open' || this.#bufferedBytes() >= CEILING_BYTES) return;
    this.#full = false;
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
    this.#inbox.drain();
  }

  #pollWhileFull(): void {
    if (this.#blocks.bufferedAmountLowThreshold !== undefined || this.#cancelPoll !== undefined) return;
    this.#cancelPoll = this.#schedule(POLL_MS, () => {
      this.#cancelPoll = undefined;
      this.#drainIfRoom();
      if (this.#full && this.#state === 'open') this.#pollWhileFull();
    });
  }

  #finish(reason: string, other: { readonly gone: boolean } = { gone: false }): void {
    if (this.#state === 'ended') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'ended';
    this.#cancelPoll?.();
    this.#inbox.end(reason);
    this.#options.onEnd?.(reason);
    const { connectionState } = this.#connection;
    const reachable = !other.gone && connectionState !== 'failed' && connectionState !== 'disconnected';
    if (wasOpen && reachable) this.#closeOnceSent();
    else this.#cut();
  }

  /**
   * Closing a channel tells the other end; cutting the connection does not in werift, whose other end would
   * not notice for half a minute. werift forgets what waits in a channel that is closed, and wrtc what it
   * has received and not yet given out, so what was sent gets a moment before; and the other end's own
   * closing gets one after, or it would wait in vain for our part.
   */
  #closeOnceSent(): void {
    let cancelNext: (() => void) | undefined;
    const cancelLinger = this.#schedule(LINGER_MS, () => {
      cancelNext?.();
      this.#cut();
    });
    this.#control.addEventListener('close', () => {
      cancelNext = this.#schedule(SETTLE_MS, () => {
        cancelLinger();
        this.#cut();
      });
    });
    const closeIfSent = () => {
      cancelNext =
        this.#bufferedBytes(0) > 0
          ? this.#schedule(POLL_MS, closeIfSent)
          : this.#schedule(SETTLE_MS, () => this.#control.close());
    };
    closeIfSent();
  }

  #cut(): void {
    if (this.#cutAlready) return;
    this.#cutAlready = true;
    const told = () => this.#options.onReleased?.();
    // werift closes in steps; one that fails leaves nothing behind that could be closed otherwise.
    Promise.resolve(this.#connection.close()).then(told, told);
  }
}

/** The bytes of a message event, the receiver's to keep; `undefined` for text. */
function frameOf(event: unknown): Uint8Array | undefined {
  if (typeof event !== 'object' || event === null || !('data' in event)) return undefined;
  const { data } = event;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return undefined;
}

/**
 * The same bytes as a bare `Uint8Array` on unshared memory: channels refuse shared memory, and werift keeps
 * a reference to a `Buffer` where it copies any other view.
 */
function plainView(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  if (isPlain(frame)) return frame;
  const { buffer, byteOffset, byteLength } = frame;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(frame);
}

function isPlain(frame: Uint8Array): frame is Uint8Array<ArrayBuffer> {
  return frame.constructor === Uint8Array && frame.buffer instanceof ArrayBuffer;
}

/** What the other end's description says it takes in one message; 0 there means any size. */
function remoteMaxMessageBytes(connection: RtcPeerConnection): number {
  const stated = /^a=max-message-size:(\d{1,15})\s*$/m.exec(connection.remoteDescription?.sdp ?? '')?.[1];
  if (stated === undefined) return DEFAULT_MAX_MESSAGE_BYTES;
  return Number(stated) || Number.POSITIVE_INFINITY;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
