/**
 * Keeps what is given within the rate the listener allows. What is let go waits until the line would be done with all
 * before it, so that nothing is sent in bursts. Pure: bytes and the time go in, a time to wait comes out.
 */
export class UploadPace {
  #bytesPerMs = Number.POSITIVE_INFINITY;
  #freeMs = Number.NEGATIVE_INFINITY;

  /** Kilobits a second from now on; missing: no limit. */
  setLimit(kbps: number | undefined): void {
    this.#bytesPerMs = kbps === undefined ? Number.POSITIVE_INFINITY : kbps / 8;
    this.#freeMs = Number.NEGATIVE_INFINITY;
  }

  /** Takes the time that these bytes need; answers how long to wait before they are sent, in milliseconds. */
  reserve(bytes: number, nowMs: number): number {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return 0;
    const startMs = Math.max(nowMs, this.#freeMs);
    this.#freeMs = startMs + bytes / this.#bytesPerMs;
    return startMs - nowMs;
  }
}
