/** What is due by the clock, begun anew each time: each step of it does one piece. */
export type Duty = () => Iterator<unknown>;

/** When {@link InPieces} goes on. */
export interface DutyRules {
  /** Runs something once, when all that came in meanwhile was heard. */
  nextTurn(run: () => void): void;
  nowMs(): number;
}

/** Time that a duty has of one turn, in milliseconds: as much as all who wait to be heard have together. */
const A_TURN_MS = 0.25;

/**
 * Does what is due a little in each turn of the event loop. Who came together is due together: thousands are pinged, or
 * dropped for saying nothing, in one row, and those who speak meanwhile are heard in between. Each duty has its own time,
 * so that none waits for a longer one.
 */
export class InPieces {
  readonly #duty: Duty;
  readonly #rules: DutyRules;
  #underWay: Iterator<unknown> | undefined;

  constructor(duty: Duty, rules: DutyRules) {
    this.#duty = duty;
    this.#rules = rules;
  }

  /** Begins what is due, unless what was due before is not done yet. */
  begin(): void {
    if (this.#underWay !== undefined) return;
    this.#underWay = this.#duty();
    this.#goOn(this.#underWay);
  }

  #goOn(underWay: Iterator<unknown>): void {
    const untilMs = this.#rules.nowMs() + A_TURN_MS;
    // One that fails is begun again all the same.
    this.#underWay = undefined;
    while (underWay.next().done !== true) {
      if (this.#rules.nowMs() < untilMs) continue;
      this.#underWay = underWay;
      return this.#rules.nextTurn(() => this.#goOn(underWay));
    }
  }
}
