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

/**
 * Runs things later. Production's are the runtime's timers, a simulator's are virtual. The core schedules nothing;
 * this is for the shells around it.
 */
export interface Timers {
  /** Runs `run` once, `delayMs` from now. The answer takes it back and is harmless once it ran. */
  after(delayMs: number, run: () => void): () => void;
  /** Runs `run` every `periodMs` until the answer is called. */
  every(periodMs: number, run: () => void): () => void;
}

/** A source of random numbers, so that one seed replays a whole swarm. Not for secrets. */
export interface Random {
  /** The next number: at least 0, below 1. */
  next(): number;
}
