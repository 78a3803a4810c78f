/** A measurement ends after this long, in milliseconds. */
const EPOCH_MS = 200;
const SMOOTHING = 0.5;
/** Bounds of {@link lookAgainMs}, in milliseconds. */
const SOONEST_LOOK_MS = 10;
const LATEST_LOOK_MS = 50;

/** When to look again whether a link has sent what takes it `leastMs` at least: after about half of that. In milliseconds. */
export function lookAgainMs(leastMs: number): number {
  const looks = Math.floor(leastMs / 2 / SOONEST_LOOK_MS);
  return Math.min(LATEST_LOOK_MS, Math.max(1, looks) * SOONEST_LOOK_MS);
}

/**
 * How fast the own line takes what is given, measured while more is asked for than it takes. Pure: events and the time
 * go in.
 */
export class UploadRate {
  #bytesPerMs: number | undefined;
  #mostBytesPerMs = 0;
  #sinceMs: number | undefined;
  #bytes = 0;

  /** Bytes a millisecond; `undefined` before it was measured. */
  get bytesPerMs(): number | undefined {
    return this.#bytesPerMs;
  }

  /** How long these bytes take, in milliseconds; 0 before anything was measured. */
  durationMs(bytes: number): number {
    return this.#bytesPerMs === undefined ? 0 : bytes / this.#bytesPerMs;
  }

  /** The least that these bytes take, in milliseconds: at the best rate that was measured. 0 before anything was. */
  leastMs(bytes: number): number {
    return this.#mostBytesPerMs === 0 ? 0 : bytes / this.#mostBytesPerMs;
  }

  /** Bytes left the line; `full`: others wait for it. */
  left(bytes: number, full: boolean, nowMs: number): void {
    if (!full) {
      this.#sinceMs = undefined;
      return;
    }
    if (this.#sinceMs === undefined) {
      this.#sinceMs = nowMs;
      this.#bytes = 0;
      return;
    }
    this.#bytes += bytes;
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < EPOCH_MS) return;
    const rate = this.#bytes / elapsedMs;
    this.#mostBytesPerMs = Math.max(this.#mostBytesPerMs, rate);
    this.#bytesPerMs =
      this.#bytesPerMs === undefined ? rate : this.#bytesPerMs + (rate - this.#bytesPerMs) * SMOOTHING;
    this.#sinceMs = nowMs;
    this.#bytes = 0;
  }
}
