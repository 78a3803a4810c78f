/** What has something to send. */
export interface Outbox {
  flush(): void;
}

/**
 * Empties outboxes once in a turn of the event loop, when all that came in meanwhile was heard: a write to a
 * socket costs more than most messages do, and what several say to one then leaves together. Where many wait,
 * they are emptied at once, so that nobody waits for a long turn to end.
 */
export class Outboxes {
  readonly #most: number;
  readonly #nextTurn: (run: () => void) => void;
  #waiting: Outbox[] = [];
  #isDue = false;

  /** `most`: outboxes that may wait. `nextTurn` runs something once, when all that came in was heard. */
  constructor(most: number, nextTurn: (run: () => void) => void) {
    this.#most = most;
    this.#nextTurn = nextTurn;
  }

  /** Has an outbox emptied soon; to be called once for each time. */
  add(outbox: Outbox): void {
    this.#waiting.push(outbox);
    if (this.#waiting.length >= this.#most) return this.#flush();
    if (this.#isDue) return;
    this.#isDue = true;
    this.#nextTurn(() => {
      this.#isDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const outbox of waiting) outbox.flush();
  }
}
