/**
 * The time, as the core may know it. The core never reads a clock by itself: whoever calls it passes the
 * time in, or hands over one of these.
 */
export interface Clock {
  /**
   * Milliseconds since some fixed moment; never goes back and does not follow changes of the wall clock.
   * For durations, time-outs and rates.
   */
  nowMs(): number;
  /**
   * Milliseconds since 1970 in UTC, as the machine believes. May jump either way. For what outlives the
   * process: days of the budget, the last use of a track.
   */
  wallMs(): number;
}

/** A source of random numbers, so that one seed replays a whole swarm. Not for secrets. */
export interface Random {
  /** The next number: at least 0, below 1. */
  next(): number;
}
