/** Who sends what; `Item` is one message. */
export interface TurnTaker<Item> {
  /** The last turn in which it was heard, and how often. */
  turn: number;
  heardInTurn: number;
  /** What has to wait for a later turn; `undefined` when nothing does. */
  waiting: Item[] | undefined;
}

/** Who has said nothing yet. */
export function newTurnTaker(): TurnTaker<never> {
  return { turn: -1, heardInTurn: 0, waiting: undefined };
}

/** What {@link Turns} does with its takers. */
export interface TurnRules<Taker, Item> {
  handle(taker: Taker, item: Item): void;
  /** Whether an item takes so long that it waits for its sender's turn, be it the first. */
  isLong(item: Item): boolean;
  /** Reads nothing more from it. */
  pause(taker: Taker): void;
  resume(taker: Taker): void;
  /** Runs something once, when all that came in meanwhile was heard. */
  nextTurn(run: () => void): void;
  /** Runs something once, after a time. */
  later(run: () => void, ms: number): void;
  nowMs(): number;
}

/** How much is heard at a time. */
export interface TurnLimits {
  /** Items of one sender handled in one turn. */
  readonly perTurn: number;
  /**
   * Items of one that wait while it is still read from; to stop reading and begin again costs as much as a message.
   */
  readonly mayWait: number;
  /** Time in one turn for all together who wait; who has had no turn then is first in the next. */
  readonly waitingMs: number;
  /** Senders that are read from again in one turn: each may have sent heaps meanwhile. */
  readonly resumed: number;
  /** How long a sender is not heard that has to {@link Turns.rest} once. */
  readonly restMs: number;
}

/**
 * Hears everybody in turn. A sender whose messages come in heaps has a few of them handled in each turn of the
 * event loop, as far as there is time for those who wait, and where many wait, is not read from until all are; those
 * of others pass in between. So a flood costs its sender time, and others nearly none.
 */
export class Turns<Item, Taker extends TurnTaker<Item>> {
  readonly #rules: TurnRules<Taker, Item>;
  readonly #limits: TurnLimits;
  readonly #paused = new Set<Taker>();
  /** Who has something waiting, in the order in which they are heard. */
  readonly #waiting = new Set<Taker>();
  /** Who rests, and until when. */
  readonly #resting = new Map<Taker, number>();
  #turn = 0;
  #isDue = false;
  #isWakeDue = false;

  constructor(limits: TurnLimits, rules: TurnRules<Taker, Item>) {
    this.#limits = limits;
    this.#rules = rules;
  }

  /** Handles a message now, or when its sender's turn comes. */
  take(taker: Taker, item: Item): void {
    if (taker.waiting !== undefined) {
      taker.waiting.push(item);
      return this.#pauseIfLoud(taker, taker.waiting.length);
    }
    if (taker.turn < this.#turn) {
      taker.turn = this.#turn;
      taker.heardInTurn = 0;
      this.#plan();
    }
    const { perTurn } = this.#limits;
    const isLong = this.#rules.isLong(item);
    if (++taker.heardInTurn <= perTurn && !isLong && !this.#isResting(taker))
      return this.#rules.handle(taker, item);
    taker.waiting = [item];
    if (this.#isResting(taker)) return;
    this.#waiting.add(taker);
    this.#plan();
    if (isLong) this.#pause(taker);
    else this.#pauseIfLoud(taker, 1);
  }

  /** Whether more came of a sender than may wait. */
  isLoud(taker: Taker): boolean {
    return this.#paused.has(taker);
  }

  /**
   * Hears nothing of a sender for a while, neither what waits nor what comes: what it sends is work without being items,
   * or is refused. `times` as long as usual.
   */
  rest(taker: Taker, times = 1): void {
    const ms = times * this.#limits.restMs;
    if (ms <= 0 || this.#resting.has(taker)) return;
    this.#waiting.delete(taker);
    this.#resting.set(taker, this.#rules.nowMs() + ms);
    this.#pause(taker);
    this.#planWaking();
  }

  /** Drops what waits of a sender that is gone, or of whom nothing more counts. */
  forget(taker: Taker): void {
    taker.waiting = undefined;
    this.#waiting.delete(taker);
    this.#resting.delete(taker);
    this.#paused.delete(taker);
  }

  #isResting(taker: Taker): boolean {
    return this.#resting.size > 0 && this.#resting.has(taker);
  }

  #pauseIfLoud(taker: Taker, waiting: number): void {
    if (waiting > this.#limits.mayWait) this.#pause(taker);
  }

  #pause(taker: Taker): void {
    if (this.#paused.has(taker)) return;
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
    const { perTurn, waitingMs, resumed } = this.#limits;
    let left = this.#waiting.size;
    let mayResume = resumed;
    const untilMs = left === 0 ? 0 : this.#rules.nowMs() + waitingMs;
    for (const taker of this.#waiting) {
      if (--left < 0) break;
      // Last in the next turn.
      this.#waiting.delete(taker);
      this.#waiting.add(taker);
      for (let heard = 0; heard < perTurn && this.#waiting.has(taker); heard++) {
        const item = taker.waiting?.shift();
        if (item !== undefined) this.#rules.handle(taker, item);
      }
      if (this.#waiting.has(taker) && taker.waiting?.length === 0) {
        if (this.#paused.has(taker)) mayResume--;
        this.#letOn(taker);
      }
      if (mayResume === 0 || this.#rules.nowMs() >= untilMs) break;
    }
    if (this.#waiting.size > 0) this.#plan();
  }

  /** Nothing of it waits any more. It had its share of this turn, and who is loud has it of the next. */
  #letOn(taker: Taker): void {
    const wasPaused = this.#paused.has(taker);
    this.forget(taker);
    taker.turn = wasPaused ? this.#turn + 1 : this.#turn;
    taker.heardInTurn = this.#limits.perTurn;
    if (wasPaused) this.#rules.resume(taker);
  }

  #planWaking(): void {
    if (this.#isWakeDue) return;
    this.#isWakeDue = true;
    this.#rules.later(() => this.#wake(), this.#limits.restMs);
  }

  #wake(): void {
    this.#isWakeDue = false;
    const nowMs = this.#rules.nowMs();
    for (const [taker, untilMs] of this.#resting) {
      if (untilMs > nowMs) continue;
      this.#resting.delete(taker);
      // What it says next waits for its turn, as what waits already.
      taker.waiting ??= [];
      this.#waiting.add(taker);
      this.#plan();
    }
    if (this.#resting.size > 0) this.#planWaking();
  }
}
