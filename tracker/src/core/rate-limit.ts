/** How often something may be done. */
export interface Rate {
  /** Times a minute, in the long run; 0 means no limit. */
  readonly perMinute: number;
  /** Times at once, after a quiet while. */
  readonly burst: number;
}

/** The rates a socket is held to. */
export interface TrackerRates {
  /** Announcements of one track. */
  readonly announcesPerTrack: Rate;
  /** Announcements of all tracks: every one of the most a socket may have, in each announce interval. */
  readonly announces: Rate;
  readonly signals: Rate;
  /** Signals to peers with whom none went either way of late. */
  readonly freshTargets: Rate;
  /** Claims have their own: a lone listener on a fast line asks for every eight chunks. */
  readonly claims: Rate;
  /** Everything else. */
  readonly others: Rate;
  /** Refusals for being too fast; beyond them the socket is closed. */
  readonly refusals: Rate;
}

/** The same number a minute and at once. */
export function perMinute(times: number): Rate {
  return { perMinute: times, burst: times };
}

export const DEFAULT_RATES: TrackerRates = {
  announcesPerTrack: perMinute(20),
  announces: perMinute(3_000),
  signals: perMinute(600),
  freshTargets: perMinute(50),
  claims: perMinute(1_200),
  others: perMinute(200),
  refusals: perMinute(120),
};

/**
 * The generic cell rate algorithm (ITU-T I.371): a token bucket whose whole state is one time, `untilMs`, up
 * to which the allowance is used. Answers the next state, or how long to wait as a negative number of
 * milliseconds when it is too early.
 */
export function spend(rate: Rate, untilMs: number, nowMs: number): number {
  if (rate.perMinute <= 0) return nowMs;
  const intervalMs = 60_000 / rate.perMinute;
  const fromMs = Math.max(untilMs, nowMs);
  const earlyMs = fromMs - nowMs - (rate.burst - 1) * intervalMs;
  return earlyMs > 0 ? -Math.ceil(earlyMs) : fromMs + intervalMs;
}

/** The kinds of message that are counted together. */
export type MeteredKind = 'announces' | 'signals' | 'freshTargets' | 'claims' | 'others' | 'refusals';

/** What one socket has used of its rates. */
export class PeerMeter {
  #announces = 0;
  #signals = 0;
  #freshTargets = 0;
  #claims = 0;
  #others = 0;
  #refusals = 0;

  /** Counts one message. Answers 0 when it is allowed, else in how many milliseconds it would be. */
  wait(kind: MeteredKind, rates: TrackerRates, nowMs: number): number {
    const next = spend(rates[kind], this.#untilMs(kind), nowMs);
    if (next < 0) return -next;
    switch (kind) {
      case 'announces':
        this.#announces = next;
        break;
      case 'signals':
        this.#signals = next;
        break;
      case 'freshTargets':
        this.#freshTargets = next;
        break;
      case 'claims':
        this.#claims = next;
        break;
      case 'others':
        this.#others = next;
        break;
      case 'refusals':
        this.#refusals = next;
    }
    return 0;
  }

  #untilMs(kind: MeteredKind): number {
    switch (kind) {
      case 'announces':
        return this.#announces;
      case 'signals':
        return this.#signals;
      case 'freshTargets':
        return this.#freshTargets;
      case 'claims':
        return this.#claims;
      case 'others':
        return this.#others;
      case 'refusals':
        return this.#refusals;
    }
  }
}
