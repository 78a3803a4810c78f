/** What has something to send. */
export interface Outbox {
  flush(): void;
}

/** How long outboxes wait. */
export interface OutboxLimits {
  /** Outboxes that may wait. */
  readonly most: number;
  /** What an outbox may wait while others are still heard, in milliseconds. */
  readonly withinMs: number;
}

/**
 * Empties outboxes once in a turn of the event loop, when all that came in meanwhile was heard: a write to a
 * socket costs more than most messages do, and what several say to one then leaves together. Where many wait, or
 * one has waited for long, they are emptied at once, so that nobody waits for a long turn to end.
 */
export class Outboxes {
  readonly #limits: OutboxLimits;
  readonly #nextTurn: (run: () => void) => void;
  readonly #nowMs: () => number;
  #waiting: Outbox[] = [];
  #sinceMs = 0;
  #isDue = false;

  /** `nextTurn` runs something once, when all that came in was heard. */
  constructor(limits: OutboxLimits, nextTurn: (run: () => void) => void, nowMs: () => number) {
    this.#limits = limits;
    this.#nextTurn = nextTurn;
    this.#nowMs = nowMs;
  }

  /** Has an outbox emptied soon; to be called once for each time. */
  add(outbox: Outbox): void {
    if (this.#waiting.length === 0) this.#sinceMs = this.#nowMs();
    this.#waiting.push(outbox);
    if (this.#waiting.length >= this.#limits.most) return this.flush();
    if (this.#isDue) return;
    this.#isDue = true;
    this.#nextTurn(() => {
      this.#isDue = false;
      this.flush();
    });
  }

  /** Empties all when the first of them has waited for long; to be called before somebody else is heard. */
  flushLate(): void {
    if (this.#waiting.length > 0 && this.#nowMs() - this.#sinceMs >= this.#limits.withinMs) this.flush();
  }

  /** Empties all now. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outbox of waiting) outbox.flush();
  }
}
