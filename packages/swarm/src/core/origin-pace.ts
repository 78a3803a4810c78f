/** What the first answer is expected to take before one was measured, in milliseconds. */
const FIRST_GUESS_MS = 100;
/** What it is expected to give before that was measured, in bytes a millisecond: 2 Mbit/s. */
const FIRST_GUESS_BYTES_PER_MS = 250;
/** Time kept in hand for what a measurement does not show: a lost packet, a busy server. */
const MARGIN_MS = 150;
/** What is left of that at the last moment. */
const LAST_MARGIN_MS = 100;
/** Beyond this the line's being busy is no reason to ask earlier, in milliseconds: peers share it as fairly. */
const MOST_BUSY_MS = 300;
/** An answer much later than this says no more than that the origin is slow. */
const LONGEST_LEAD_MS = 3_000;
/** What has to come of a block before its deadline when a few are asked for at once, in bytes. */
const LEAD_BYTES = 32_768;
/** What has to come before its rate is measured, in bytes. */
const MEASURED_BYTES = 65_536;
/** Bounds of what is asked for ahead of the last answer, in bytes, and the answers' times it is to fill. */
const LEAST_AHEAD_BYTES = 32_768;
const MOST_AHEAD_BYTES = 1_048_576;
const ANSWERS_AHEAD = 2;
const SMOOTHING = 0.25;
/** Of how many blocks of a head but the first the median is taken: before its last comes, more is asked for. */
const HEAD_GAPS = 4;
/** How much each measurement counts against what a head showed. */
const FORGETTING = 0.02;
/** How many mean deviations of the answer's time are allowed for, as TCP's retransmission timer does (RFC 6298). */
const DEVIATIONS = 4;

/**
 * How fast the origin answers: how long the first byte takes and how fast the rest follows, over all requests under way.
 * Pure: events and the time go in.
 */
export class OriginPace {
  /** How long what was asked of peers still takes to come, on the same line; it goes before what the origin is asked for now. */
  lineBusyMs = 0;
  #firstByteMs: number | undefined;
  #deviationMs = 0;
  #bytesPerMs: number | undefined;
  /** What a head showed, and what came since counts little against it. */
  #headBytesPerMs: number | undefined;
  /** When the last block of a head came, and the times between its blocks. */
  #headMs: number | undefined;
  #headGapsMs: number[] = [];
  /** When each request without an answer was made. */
  readonly #unanswered = new Map<object, number>();
  /** When requests began that were under way before anybody asked for what they bring. */
  readonly #begun = new Map<object, number>();
  /** When the first bytes of requests came of which no block has been told yet. */
  readonly #answered = new Map<object, number>();
  #busySinceMs: number | undefined;
  #busyBytes = 0;

  /** Smoothed time from a request to its first bytes, in milliseconds; a guess before the first. */
  get firstByteMs(): number {
    return this.#firstByteMs ?? FIRST_GUESS_MS;
  }

  /** Bytes a millisecond while something is under way; `undefined` before that was measured. */
  get bytesPerMs(): number | undefined {
    return this.#bytesPerMs;
  }

  /** How long before its deadline a block has to be asked of the origin so that it comes in time, in milliseconds. */
  get leadMs(): number {
    const transferMs = this.#bytesPerMs === undefined ? 0 : LEAD_BYTES / this.#bytesPerMs;
    const answerMs = this.firstByteMs + DEVIATIONS * this.#deviationMs;
    return Math.min(
      LONGEST_LEAD_MS,
      MARGIN_MS + Math.min(MOST_BUSY_MS, this.lineBusyMs) + answerMs + transferMs,
    );
  }

  /** How long before its deadline a block can be asked of the origin at the latest, in milliseconds: nothing may go wrong then. */
  get latestMs(): number {
    return Math.min(this.leadMs, this.leadMs - MARGIN_MS + LAST_MARGIN_MS);
  }

  /** Bytes to have under way so that the line is not idle between one answer and the next. */
  get aheadBytes(): number {
    const inOneAnswer = (this.#bytesPerMs ?? FIRST_GUESS_BYTES_PER_MS) * this.firstByteMs;
    return Math.min(MOST_AHEAD_BYTES, Math.max(LEAST_AHEAD_BYTES, ANSWERS_AHEAD * inOneAnswer));
  }

  /** When a request of this size made now is expected to be answered whole, in milliseconds from now. */
  etaMs(bytes: number): number {
    return Math.ceil(MARGIN_MS + this.firstByteMs + bytes / (this.#bytesPerMs ?? FIRST_GUESS_BYTES_PER_MS));
  }

  /**
   * Whether it gives less than twice what somebody listens at: many ask it for the same. Not forgotten soon: as soon as
   * they leave it alone it is fast again.
   */
  isCongested(consumptionBytesPerMs: number): boolean {
    const slow = 2 * consumptionBytesPerMs;
    return (
      (this.#bytesPerMs !== undefined && this.#bytesPerMs < slow) ||
      (this.#headBytesPerMs !== undefined && this.#headBytesPerMs < slow)
    );
  }

  /** Something was asked for; `request` names it. */
  asked(request: object, nowMs: number): void {
    this.#unanswered.set(request, nowMs);
  }

  /**
   * A request that was just asked for has been under way since `sinceMs`, on a connection that had to be made first: its
   * answer is a first guess at others, and the times between its blocks show whether a crowd is there.
   */
  hadBegun(request: object, sinceMs: number): void {
    this.#begun.set(request, sinceMs);
  }

  /** The first bytes of a request came at `atMs`; a block of it is told later. */
  answered(request: object, atMs: number): void {
    if (this.#unanswered.has(request) && !this.#answered.has(request)) this.#answered.set(request, atMs);
  }

  /** Bytes of a request came; `idle`: nothing more is under way. */
  delivered(request: object, bytes: number, idle: boolean, nowMs: number): void {
    const begunMs = this.#begun.get(request);
    const askedMs = this.#unanswered.get(request);
    const answeredMs = this.#answered.get(request) ?? nowMs;
    this.#unanswered.delete(request);
    this.#answered.delete(request);
    if (begunMs !== undefined) {
      if (askedMs !== undefined && this.#firstByteMs === undefined) this.#measure((nowMs - begunMs) / 2);
      return this.#headCame(bytes, nowMs);
    }
    if (askedMs !== undefined) this.#measure(answeredMs - askedMs);
    // The first block after a rest begins the measurement: what it took is the answer's time, not the line's.
    if (this.#busySinceMs === undefined) this.#busySinceMs = nowMs;
    else this.#busyBytes += bytes;
    const busyMs = nowMs - this.#busySinceMs;
    if (this.#busyBytes >= MEASURED_BYTES && busyMs > 0) {
      const rate = this.#busyBytes / busyMs;
      this.#bytesPerMs =
        this.#bytesPerMs === undefined ? rate : this.#bytesPerMs + (rate - this.#bytesPerMs) * SMOOTHING;
      if (this.#headBytesPerMs !== undefined)
        this.#headBytesPerMs += (rate - this.#headBytesPerMs) * FORGETTING;
      this.#busyBytes = 0;
      this.#busySinceMs = nowMs;
    }
    if (idle) this.#rest();
  }

  /** A request ended without an answer, or was taken back. */
  ended(request: object, idle: boolean): void {
    this.#unanswered.delete(request);
    this.#answered.delete(request);
    this.#begun.delete(request);
    if (idle) this.#rest();
  }

  /**
   * A crowd at the origin shows in each of a head's blocks; where a connection is slow to start, most of them come
   * together, and only now and then one waits for a round trip.
   */
  #headCame(bytes: number, nowMs: number): void {
    if (this.#headMs !== undefined) this.#headGapsMs.push(nowMs - this.#headMs);
    this.#headMs = nowMs;
    if (this.#headGapsMs.length < HEAD_GAPS) return;
    const gaps = this.#headGapsMs.toSorted((a, b) => a - b);
    this.#headBytesPerMs = bytes / Math.max(0.001, gaps[Math.floor((gaps.length - 1) / 2)] ?? 0);
    this.#headGapsMs = [];
    this.#headMs = undefined;
  }

  #measure(tookMs: number): void {
    const before = this.#firstByteMs;
    this.#firstByteMs = before === undefined ? tookMs : before + (tookMs - before) * SMOOTHING;
    const deviationMs = before === undefined ? tookMs / 4 : Math.abs(tookMs - before);
    this.#deviationMs += (deviationMs - this.#deviationMs) * SMOOTHING;
  }

  #rest(): void {
    this.#busySinceMs = undefined;
    this.#busyBytes = 0;
  }
}
