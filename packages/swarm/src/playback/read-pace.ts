/** A player that has just begun, or jumped, hears its first bytes about this soon. */
const START_MS = 500;
/** A longer silence between two pulls than this, beyond the sound pulled, means that the player is paused. */
const PAUSE_MS = 1_000;

/**
 * When the bytes a player pulls are heard. A player pulls megabytes ahead and then as fast as it plays, so a pull
 * is not a deadline: the bytes pulled at first, faster than they are played, are its lead.
 */
export class ReadPace {
  readonly #bytesPerMs: number;
  #playedMs = 0;
  #lastPullMs: number | undefined;
  #lastBytes = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = Math.max(1, bytesPerSecond) / 1000;
  }

  /** The player pulled the next `bytes`. */
  taken(bytes: number, nowMs: number): void {
    this.#playedMs = this.#played(nowMs);
    this.#lastPullMs = nowMs;
    this.#lastBytes = bytes;
  }

  /** In how many milliseconds the byte `offset`, counted from where the player began, is heard. */
  dueInMs(offset: number, nowMs: number): number {
    return Math.max(START_MS, START_MS + offset / this.#bytesPerMs - this.#played(nowMs));
  }

  #played(nowMs: number): number {
    if (this.#lastPullMs === undefined) return 0;
    const most = this.#lastBytes / this.#bytesPerMs + PAUSE_MS;
    return this.#playedMs + Math.min(nowMs - this.#lastPullMs, most);
  }
}
