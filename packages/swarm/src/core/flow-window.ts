import { LIMITS } from '@sonantica/wire';

const MIN_EPOCH_MS = 50;
/** What came in this time is the rate where no window was filled yet: the line is slow. */
const SLOW_AFTER_MS = 2_000;
const GROWTH = 2;
/** A rise of the delivery rate below this is noise. */
const WORTHWHILE_GAIN = 1.1;
/** Slack over the best round trip before it counts as a queue, in milliseconds. */
const PING_SLACK_MS = 20;
/** How much the best rate is forgotten per epoch, so that a changed path is probed again. */
const FORGET = 0.98;
/** Epochs after a queue was seen until the window is tried larger again, whatever the rate: the queue may have gone. */
const PROBE_AFTER_EPOCHS = 100;

/**
 * More than this is under way only as far as the path is long: beyond, a fast near link overruns the socket buffer of
 * its other end (208 KiB on Linux), and the link then stands still until its transport's timer ends. In bytes.
 */
const NEAR_BYTES = 196_608;
/** A path whose round trip is shorter than this is near, in milliseconds. */
const NEAR_PING_MS = 20;
/** A window on a near path begins with what a player needs before it begins, in bytes: it comes in one go. */
const NEAR_START_BYTES = 98_304;
/** What a path holds is exceeded so many times at most. */
const PATHS = 2;

/** A line is fast that carries so many blocks in so little time, and has room for several such frames under way. */
const FAST_FRAME_BYTES = LIMITS.maxBlocksInFrame * LIMITS.blockBytes;
const FAST_FRAME_MS = 5;
const FAST_FRAMES = 4;

/** Bounds of a window, in bytes. */
export interface FlowWindowBounds {
  /** Where it starts and what it never goes below; default 64 KiB. */
  readonly startBytes?: number;
  /** What the implementation bears; default 1 MiB. */
  readonly maxBytes?: number;
}

/**
 * How many bytes may be requested from one peer and not yet received. The receiver drives: the window
 * doubles while that raises the delivery rate and the ping does not rise, and halves when the ping shows a
 * standing queue.
 */
export class FlowWindow {
  readonly #least: number;
  readonly #most: number;
  #bytes: number;
  #bestRate = 0;
  #minPingMs = Number.POSITIVE_INFINITY;
  #pingMs = 0;
  #epochStartMs: number | undefined;
  #epochBytes = 0;
  #wasFull = false;
  #rate = 0;
  /** Epochs left until a probe; 0 when no queue was seen since the last one. */
  #epochsToProbe = 0;

  constructor({ startBytes = 65_536, maxBytes = 1_048_576 }: FlowWindowBounds = {}) {
    this.#least = Math.min(startBytes, maxBytes);
    this.#most = Math.min(maxBytes, LIMITS.maxOutstandingBytes);
    this.#bytes = this.#least;
  }

  /** The window's present size in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes per second delivered of late; 0 before the first epoch ended. */
  get bytesPerSecond(): number {
    return this.#rate;
  }

  /** Whether blocks may come several in a frame: the first of them is hardly later for it. */
  get isFast(): boolean {
    return (
      this.#bytes >= FAST_FRAMES * FAST_FRAME_BYTES && this.#rate * FAST_FRAME_MS >= FAST_FRAME_BYTES * 1000
    );
  }

  /** Smoothed round trip of pings in milliseconds; 0 before the first. */
  get pingMs(): number {
    return this.#pingMs;
  }

  /** A ping was answered. */
  pinged(roundTripMs: number): void {
    // A shorter way than was known: what longer ones waited for, as the making of other links, was no queue on this one.
    if (roundTripMs < this.#minPingMs) this.#pingMs = this.#minPingMs = roundTripMs;
    if (roundTripMs < NEAR_PING_MS && this.#rate === 0)
      this.#bytes = Math.max(this.#bytes, Math.min(this.#most, NEAR_START_BYTES));
    this.#pingMs = this.#pingMs === 0 ? roundTripMs : this.#pingMs * 0.75 + roundTripMs * 0.25;
    // The smoothed ping lags: alone it would halve once more after the queue has gone.
    if (Math.min(this.#pingMs, roundTripMs) > this.#longestPingMs) {
      this.#bytes = Math.max(this.#least, Math.floor(this.#bytes / 2));
      this.#epochsToProbe = PROBE_AFTER_EPOCHS;
    }
  }

  /** Something is about to be requested where nothing was under way: what came before, and when, says nothing of it. */
  begun(nowMs: number): void {
    this.#epochStartMs = nowMs;
    this.#epochBytes = 0;
  }

  /** Bytes were requested; `outstandingBytes` includes them. */
  requested(outstandingBytes: number, nowMs: number): void {
    this.#epochStartMs ??= nowMs;
    if (outstandingBytes + LIMITS.blockBytes > this.#bytes) this.#wasFull = true;
  }

  /** A block arrived; `outstandingBytes` no longer includes it. */
  delivered(bytes: number, outstandingBytes: number, nowMs: number): void {
    const start = (this.#epochStartMs ??= nowMs);
    this.#epochBytes += bytes;
    const elapsedMs = nowMs - start;
    if (elapsedMs >= MIN_EPOCH_MS && this.#epochBytes >= this.#bytes) {
      const rate = (this.#epochBytes * 1000) / elapsedMs;
      this.#rate = this.#rate === 0 ? rate : this.#rate * 0.5 + rate * 0.5;
      const queued = this.#pingMs > this.#longestPingMs;
      if (this.#epochsToProbe > 0 && --this.#epochsToProbe === 0) this.#bestRate = 0;
      if (this.#wasFull && !queued && rate > this.#bestRate * WORTHWHILE_GAIN) {
        this.#bytes = Math.max(this.#bytes, Math.min(this.#mostNow(rate), this.#bytes * GROWTH));
      }
      this.#bestRate = Math.max(this.#bestRate * FORGET, rate);
      this.#epochStartMs = nowMs;
      this.#epochBytes = 0;
      this.#wasFull = false;
    }
    if (this.#rate === 0 && elapsedMs >= SLOW_AFTER_MS) this.#rate = (this.#epochBytes * 1000) / elapsedMs;
    if (outstandingBytes === 0) {
      if (elapsedMs > 0 && this.#rate === 0) this.#rate = (this.#epochBytes * 1000) / elapsedMs;
      this.#epochStartMs = undefined;
      this.#epochBytes = 0;
    }
  }

  /** What the window may grow to at a rate, in bytes a second; before the first ping the path counts as short. */
  #mostNow(rate: number): number {
    const pathMs = Number.isFinite(this.#minPingMs) ? this.#minPingMs : 0;
    return Math.min(this.#most, Math.max(NEAR_BYTES, (PATHS * rate * pathMs) / 1000));
  }

  /** A ping that took longer than this waited in a queue. */
  get #longestPingMs(): number {
    return 2 * this.#minPingMs + PING_SLACK_MS;
  }
}
