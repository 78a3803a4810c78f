/** How an attempt or a connection ended. */
export type TrackerEnding =
  /** It held for a while, then it was lost: the tracker died, or the line did. */
  | 'lost'
  /** The tracker restarts, and said so. */
  | 'restarting'
  /** The same, soon after it began. */
  | 'dropped'
  /** It was never of use: out of reach, mute, or it wanted to be rid of this client. */
  | 'failed'
  /** The tracker does not want this client, and would not the next time. */
  | 'refused';

/** What a rota is made of. */
export interface TrackerRotaOptions {
  /** In order of preference, at least one. */
  readonly urls: readonly string[];
  /** The pause after `n` rounds in vain (0 the first), in milliseconds, capped and jittered. */
  readonly retryDelayMs: (round: number) => number;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** Nobody is kept away for longer than this by the crowd that comes back with it, in milliseconds. */
const MOST_SPREAD_MS = 30_000;
/** Until a tracker has said how often it wants to be heard, in milliseconds. */
const USUAL_INTERVAL_MS = 25_000;

/**
 * Whom to try next, and when. Trackers are tried in order, one soon after the other; after a round in vain
 * comes a pause that grows. A connection that stands is never left for a tracker further up, since all would
 * have to be announced anew; but when it ends by itself, the order begins again with the first.
 *
 * A tracker that dies loses all its clients at once. They come back at random moments within half the interval
 * at which it hears them: about twice as many in a second as announce in quiet times, all within 13 s.
 */
export class TrackerRota {
  readonly #options: TrackerRotaOptions;
  /** Those that have not refused. */
  #urls: readonly string[];
  #at = 0;
  /** Attempts in vain since the last connection that held. */
  #failures = 0;
  #spreadMs = USUAL_INTERVAL_MS / 2;
  /** Whether this client is one of a crowd that lost its tracker. */
  #isReturning = false;

  constructor(options: TrackerRotaOptions) {
    this.#options = options;
    this.#urls = [...new Set(options.urls)];
  }

  /** The tracker whose turn it is; `undefined` when all have refused. */
  get url(): string | undefined {
    return this.#urls[this.#at];
  }

  /** Takes note of how often the tracker wants to be heard, in milliseconds. */
  admitted(announceIntervalMs: number): void {
    this.#spreadMs = Math.min(MOST_SPREAD_MS, announceIntervalMs / 2);
  }

  /** The connection has held for a while. */
  held(): void {
    this.#failures = 0;
    this.#isReturning = false;
  }

  /** Goes on to the next. Answers in how many milliseconds to try it, or `undefined` when none is left. */
  ended(how: TrackerEnding): number | undefined {
    if (how === 'refused') {
      this.#urls = this.#urls.filter((_, at) => at !== this.#at);
      if (this.#urls.length === 0) return undefined;
      this.#at %= this.#urls.length;
      return this.#options.retryDelayMs(0);
    }
    if (how === 'lost' || how === 'restarting') {
      this.#at = 0;
      this.#isReturning = true;
      if (how === 'lost') this.#failures = 0;
      return this.#spread();
    }
    if (how === 'dropped') this.#isReturning = true;
    this.#failures++;
    this.#at = (this.#at + 1) % this.#urls.length;
    const round = Math.floor(this.#failures / this.#urls.length);
    const isRoundOver = this.#at === 0 && round > 0;
    const pauseMs = this.#options.retryDelayMs(isRoundOver ? round - 1 : 0);
    const isInCrowd = how === 'dropped' || (this.#isReturning && isRoundOver);
    return isInCrowd ? Math.max(pauseMs, this.#spread()) : pauseMs;
  }

  #spread(): number {
    return this.#spreadMs * this.#options.random();
  }
}
