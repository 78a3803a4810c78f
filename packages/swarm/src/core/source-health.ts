/** Silence after which requested blocks are asked for elsewhere, in milliseconds. */
const LEAST_TIMEOUT_MS = 500;
const FIRST_SNUB_MS = 1_000;
const LONGEST_SNUB_MS = 60_000;

/** How long a source may be silent while blocks are due: max(500 ms, 3 × round trip). */
export function blockTimeoutMs(roundTripMs: number): number {
  return Math.max(LEAST_TIMEOUT_MS, 3 * roundTripMs);
}

/**
 * Whether a source may be asked. Silence snubs it for one second, then twice as long each time until it
 * delivers again; a wrong block or proof bans it for good.
 */
export class SourceHealth {
  #snubbedUntilMs = 0;
  #snubMs = 0;
  #banned = false;

  get banned(): boolean {
    return this.#banned;
  }

  /** Whether it let blocks wait too long since it last gave one. */
  get wasSilent(): boolean {
    return this.#snubMs > 0;
  }

  usable(nowMs: number): boolean {
    return !this.#banned && nowMs >= this.#snubbedUntilMs;
  }

  /** Whether it is not to be asked for longer than `durationMs`. */
  isOutFor(durationMs: number, nowMs: number): boolean {
    return this.#banned || this.#snubbedUntilMs - nowMs > durationMs;
  }

  delivered(): void {
    this.#snubMs = 0;
  }

  timedOut(nowMs: number): void {
    this.#snubMs = Math.min(LONGEST_SNUB_MS, this.#snubMs === 0 ? FIRST_SNUB_MS : this.#snubMs * 2);
    this.pause(this.#snubMs, nowMs);
  }

  /** Not to be asked for a while, without blame. */
  pause(durationMs: number, nowMs: number): void {
    this.#snubbedUntilMs = Math.max(this.#snubbedUntilMs, nowMs + durationMs);
  }

  /** It sent what the manifest disproves. */
  lied(): void {
    this.#banned = true;
  }
}
