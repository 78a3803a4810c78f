/** What is due by the clock, begun anew each time: each step of it does one piece. */
export type Duty = () => Iterable<unknown>;

/** When {@link Duties} may go on. */
export interface DutyRules {
  /** Runs something once, when all that came in meanwhile was heard. */
  nextTurn(run: () => void): void;
  nowMs(): number;
}

/** Time that duties have of one turn, in milliseconds: as much as all who wait to be heard have together. */
const A_TURN_MS = 0.25;

/**
 * Does what is due a little in each turn of the event loop. Who came together is due together: thousands are pinged, or
 * dropped for saying nothing, in one row, and those who speak meanwhile are heard in between.
 */
export class Duties {
  readonly #duties: readonly Duty[];
  readonly #rules: DutyRules;
  #underWay: Iterator<unknown> | undefined;

  constructor(duties: readonly Duty[], rules: DutyRules) {
    this.#duties = duties;
    this.#rules = rules;
  }

  /** Begins what is due, unless what was due before is not done yet. */
  begin(): void {
    if (this.#underWay !== undefined) return;
    this.#underWay = this.#all();
    this.#goOn(this.#underWay);
  }

  #goOn(underWay: Iterator<unknown>): void {
    const untilMs = this.#rules.nowMs() + A_TURN_MS;
    while (underWay.next().done !== true) {
      if (this.#rules.nowMs() >= untilMs) return this.#rules.nextTurn(() => this.#goOn(underWay));
    }
    this.#underWay = undefined;
  }

  *#all(): Generator<unknown> {
    for (const duty of this.#duties) yield* duty();
  }
}
