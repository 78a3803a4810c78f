import { LIMITS } from '@sonantica/wire';
import type { Lane, PeerLink, PeerLinkHandler } from '../links/peer-link.ts';

/** The part of a clock that a memory link runs on; `VirtualClock` fits. */
export interface MemoryLinkClock {
  schedule(delayMs: number, run: () => void): () => void;
}

/** How a memory link behaves. Without a clock it is as fast as promises settle. */
export interface MemoryLinkOptions {
  /** Drives latency and bandwidth. Needed for either. */
  readonly clock?: MemoryLinkClock;
  /** One way. */
  readonly latencyMs?: number;
  /** What each end can send; a simulator may change `bytesPerSecond` of the ends later. */
  readonly bytesPerSecond?: number;
  /** At most 65,536, the default. */
  readonly maxFrameBytes?: number;
  /** Bytes waiting to leave at which an end is no longer sendable. */
  readonly ceilingBytes?: number;
}

/** One end of a {@link memoryLinkPair}. */
export interface MemoryLink extends PeerLink {
  /** What this end can send from now on. */
  bytesPerSecond: number;
  /** Bytes that wait to leave. */
  readonly bufferedBytes: number;
}

/** Two ends in one process. */
export interface MemoryLinkPair {
  readonly a: MemoryLink;
  readonly b: MemoryLink;
  /**
   * Loses the link as a pulled cable does: nothing more arrives and neither end is told. Liveness is the
   * owner's business.
   */
  cut(): void;
  /** Ends the link at both ends, as when the network gives up. */
  fail(reason: string): void;
}

const CEILING_BYTES = 1024 * 1024;

/**
 * A link inside one process, for tests and simulations. It copies what is sent, as a kernel would, delivers
 * later and never from within `send`, and keeps the order on each lane; `control` frames overtake waiting
 * `blocks`.
 */
export function memoryLinkPair(options: MemoryLinkOptions = {}): MemoryLinkPair {
  if (options.clock === undefined && (options.latencyMs ?? options.bytesPerSecond) !== undefined) {
    throw new TypeError('latency and bandwidth need a clock');
  }
  const a = new MemoryEnd(options);
  const b = new MemoryEnd(options);
  a.other = b;
  b.other = a;
  return {
    a,
    b,
    cut: () => {
      a.other = undefined;
      b.other = undefined;
    },
    fail: (reason) => {
      a.end(reason);
      b.end(reason);
    },
  };
}

class MemoryEnd implements MemoryLink {
  readonly maxFrameBytes: number;
  other: MemoryEnd | undefined;
  bytesPerSecond: number;
  readonly #clock: MemoryLinkClock | undefined;
  readonly #latencyMs: number;
  readonly #ceilingBytes: number;
  readonly #waiting: Record<Lane, Uint8Array[]> = { control: [], blocks: [] };
  #bufferedBytes = 0;
  #leaving = false;
  #full = false;
  #handler: PeerLinkHandler | undefined;
  #early: Uint8Array[] = [];
  #closing: string | undefined;
  #ended: string | undefined;
  #told = false;

  constructor(options: MemoryLinkOptions) {
    this.maxFrameBytes = Math.min(options.maxFrameBytes ?? LIMITS.maxFrameBytes, LIMITS.maxFrameBytes);
    this.bytesPerSecond = options.bytesPerSecond ?? Number.POSITIVE_INFINITY;
    this.#clock = options.clock;
    this.#latencyMs = options.latencyMs ?? 0;
    this.#ceilingBytes = options.ceilingBytes ?? CEILING_BYTES;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  start(handler: PeerLinkHandler): void {
    this.#handler = handler;
    this.#later(0, () => {
      for (let frame = this.#early.shift(); frame !== undefined; frame = this.#early.shift()) {
        handler.frame(frame);
      }
      if (this.#ended !== undefined) this.#tellClosed();
    });
  }

  sendable(): boolean {
    if (this.#ended !== undefined || this.#closing !== undefined) return false;
    this.#full ||= this.#bufferedBytes >= this.#ceilingBytes;
    return !this.#full;
  }

  send(frame: Uint8Array, lane: Lane): void {
    if (this.#ended !== undefined || this.#closing !== undefined) return;
    if (frame.byteLength === 0 || frame.byteLength > this.maxFrameBytes) {
      this.close(`a frame of ${frame.byteLength} bytes cannot be sent`);
      return;
    }
    this.#waiting[lane].push(frame.slice());
    this.#bufferedBytes += frame.byteLength;
    this.#leave();
  }

  close(reason: string): void {
    if (this.#ended !== undefined || this.#closing !== undefined) return;
    this.#early = [];
    this.#closing = reason;
    this.#later(0, () => this.#tellClosed());
    this.#leave();
  }

  /** Ends this end at once, whatever waits. */
  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = this.#closing ?? reason;
    this.#waiting.control = [];
    this.#waiting.blocks = [];
    this.#bufferedBytes = 0;
    if (this.#early.length === 0) this.#later(0, () => this.#tellClosed());
  }

  /** Puts one frame after the other on the way; then, when the end was closed, the news of it. */
  #leave(): void {
    if (this.#leaving || this.#ended !== undefined) return;
    const frame = this.#waiting.control.shift() ?? this.#waiting.blocks.shift();
    if (frame === undefined) {
      if (this.#closing === undefined) return;
      this.#travel((other) => other.end('the other end closed the link'));
      this.end(this.#closing);
      return;
    }
    this.#leaving = true;
    this.#later((frame.byteLength / this.bytesPerSecond) * 1000, () => {
      this.#leaving = false;
      if (this.#ended !== undefined) return;
      this.#bufferedBytes -= frame.byteLength;
      this.#travel((other) => other.#arrive(frame));
      this.#leave();
      if (this.#full && this.#bufferedBytes < this.#ceilingBytes && this.#closing === undefined) {
        this.#full = false;
        this.#handler?.drain();
      }
    });
  }

  #travel(arrive: (other: MemoryEnd) => void): void {
    this.#later(this.#latencyMs, () => {
      if (this.other !== undefined) arrive(this.other);
    });
  }

  #arrive(frame: Uint8Array): void {
    if (this.#ended !== undefined || this.#closing !== undefined) return;
    if (this.#handler !== undefined && this.#early.length === 0) this.#handler.frame(frame);
    else this.#early.push(frame);
  }

  #tellClosed(): void {
    const reason = this.#ended ?? this.#closing;
    if (reason === undefined || this.#handler === undefined || this.#told) return;
    this.#told = true;
    this.#handler.closed(reason);
  }

  #later(delayMs: number, run: () => void): void {
    if (this.#clock === undefined) queueMicrotask(run);
    else this.#clock.schedule(delayMs, run);
  }
}
