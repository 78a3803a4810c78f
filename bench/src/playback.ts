/** The time a player lives in: virtual, or the machine's. */
export interface PlayClock {
  /** Milliseconds since the run began. */
  nowMs(): number;
  /** Runs `run` once, `delayMs` from now; the answer takes it back. */
  schedule(delayMs: number, run: () => void): () => void;
}

/** Bytes a player wants before it begins, and before it goes on after a stall. */
export const HEAD_BYTES = 98_304;

/** A player's ear: begins when the head is there, plays at the bitrate, stalls where bytes are missing. */
export class Playback {
  readonly #clock: PlayClock;
  readonly #sizeBytes: number;
  readonly #bytesPerMs: number;
  readonly #openedMs: number;
  /** Bytes there without a gap from the beginning. */
  #frontier = 0;
  #position = 0;
  #positionMs = 0;
  #cancelStarve: (() => void) | undefined;
  #state: 'waiting' | 'playing' | 'stalled' | 'over' = 'waiting';
  #stalledSinceMs = 0;
  startMs: number | undefined;
  stalls = 0;
  stalledMs = 0;
  /** Called once, when the last byte was heard. */
  whenHeard: (() => void) | undefined;

  constructor(clock: PlayClock, sizeBytes: number, bytesPerMs: number) {
    this.#clock = clock;
    this.#sizeBytes = sizeBytes;
    this.#bytesPerMs = bytesPerMs;
    this.#openedMs = clock.nowMs();
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  get isPlaying(): boolean {
    return this.#state === 'playing';
  }

  /** Whether the player waits for bytes in the middle of the track. */
  get isStalled(): boolean {
    return this.#state === 'stalled';
  }

  /** Where the player is, in bytes. */
  get position(): number {
    if (this.#state !== 'playing') return this.#position;
    const played = (this.#clock.nowMs() - this.#positionMs) * this.#bytesPerMs;
    return Math.min(this.#frontier, this.#position + played);
  }

  /** Milliseconds from now until the player reaches a byte, if nothing stops it. */
  dueInMs(byte: number): number {
    return Math.max(0, (byte - this.position) / this.#bytesPerMs);
  }

  /** Bytes are there without a gap up to `frontier`. */
  reached(frontier: number): void {
    if (frontier <= this.#frontier || this.#state === 'over') return;
    const position = this.position;
    this.#frontier = frontier;
    const enough = frontier >= Math.min(this.#sizeBytes, position + HEAD_BYTES);
    if (this.#state === 'waiting') {
      if (!enough) return;
      this.startMs = this.#clock.nowMs() - this.#openedMs;
    } else if (this.#state === 'stalled') {
      if (!enough) return;
      this.stalledMs += this.#clock.nowMs() - this.#stalledSinceMs;
    }
    this.#play(position);
  }

  /** The listener goes, or the run ends: a stall that lasts counts until now. */
  end(): void {
    if (this.#state === 'stalled') this.stalledMs += this.#clock.nowMs() - this.#stalledSinceMs;
    this.#state = 'over';
    this.#cancelStarve?.();
  }

  #play(position: number): void {
    this.#state = 'playing';
    this.#position = position;
    this.#positionMs = this.#clock.nowMs();
    this.#cancelStarve?.();
    this.#cancelStarve = this.#clock.schedule((this.#frontier - position) / this.#bytesPerMs, () => {
      this.#position = this.#frontier;
      if (this.#frontier >= this.#sizeBytes) {
        this.#state = 'over';
        this.whenHeard?.();
        return;
      }
      this.#state = 'stalled';
      this.#stalledSinceMs = this.#clock.nowMs();
      this.stalls++;
    });
  }
}
