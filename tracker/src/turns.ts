/** Who sends what; `Item` is one message. */
export interface TurnTaker<Item> {
  /** The last turn in which it was heard, and how often. */
  turn: number;
  heardInTurn: number;
  /** What has to wait for a later turn; `undefined` when nothing does. */
  waiting: Item[] | undefined;
}

/** What {@link Turns} does with its takers. */
export interface TurnRules<Taker, Item> {
  handle(taker: Taker, item: Item): void;
  /** Reads nothing more from it. */
  pause(taker: Taker): void;
  resume(taker: Taker): void;
  /** Runs something once, when all that came in meanwhile was heard. */
  nextTurn(run: () => void): void;
}

/**
 * Hears everybody in turn. A sender whose messages come in heaps has a few of them handled in each turn of the
 * event loop, and where many wait, is not read from until all are; those of others pass in between. So a flood
 * costs its sender time, and others nearly none.
 */
export class Turns<Item, Taker extends TurnTaker<Item>> {
  readonly #rules: TurnRules<Taker, Item>;
  readonly #perTurn: number;
  readonly #mayWait: number;
  readonly #paused = new Set<Taker>();
  readonly #waiting = new Set<Taker>();
  #turn = 0;
  #isDue = false;

  /**
   * `perTurn`: items of one sender handled in one turn. `mayWait`: items of one that wait while it is still read
   * from; to stop reading and begin again costs as much as a message.
   */
  constructor(perTurn: number, mayWait: number, rules: TurnRules<Taker, Item>) {
    this.#rules = rules;
    this.#perTurn = perTurn;
    this.#mayWait = mayWait;
  }

  /** Handles a message now, or when its sender's turn comes. */
  take(taker: Taker, item: Item): void {
    if (taker.waiting !== undefined) {
      taker.waiting.push(item);
      return this.#pauseIfLoud(taker, taker.waiting.length);
    }
    if (taker.turn !== this.#turn) {
      taker.turn = this.#turn;
      taker.heardInTurn = 0;
      this.#plan();
    }
    if (++taker.heardInTurn <= this.#perTurn) return this.#rules.handle(taker, item);
    taker.waiting = [item];
    this.#waiting.add(taker);
    this.#pauseIfLoud(taker, 1);
  }

  /** Drops what waits of a sender that is gone. */
  forget(taker: Taker): void {
    taker.waiting = undefined;
    this.#waiting.delete(taker);
    this.#paused.delete(taker);
  }

  #pauseIfLoud(taker: Taker, waiting: number): void {
    if (waiting <= this.#mayWait || this.#paused.has(taker)) return;
    this.#paused.add(taker);
    this.#rules.pause(taker);
  }

  #plan(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#rules.nextTurn(() => this.#next());
  }

  #next(): void {
    this.#isDue = false;
    this.#turn++;
    for (const taker of this.#waiting) {
      for (let heard = 0; heard < this.#perTurn; heard++) {
        const item = taker.waiting?.shift();
        if (item !== undefined) this.#rules.handle(taker, item);
      }
      if (taker.waiting !== undefined && taker.waiting.length > 0) continue;
      const wasPaused = this.#paused.has(taker);
      this.forget(taker);
      if (wasPaused) this.#rules.resume(taker);
    }
    if (this.#waiting.size > 0) this.#plan();
  }
}
