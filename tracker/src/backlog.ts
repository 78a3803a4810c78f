import { InPieces, type DutyRules } from './in-pieces.ts';

/** One for whom bytes wait that it does not read. */
export interface Waiter {
  /** How many wait now. */
  readonly waitingBytes: number;
}

/** How much may wait, and what becomes of whom too much waits for. */
export interface BacklogRules<Reader> extends DutyRules {
  /** Bytes that may wait for all together. */
  readonly mostBytes: number;
  /** Ends a reader, for whom nothing waits then. */
  drop(reader: Reader): void;
}

/**
 * What waits for all slow readers together. Each may keep its own share, but there are thousands: beyond what all may, those
 * are dropped for whom the most waits, each time down to half of it, a little in each turn of the event loop.
 */
export class Backlog<Reader extends Waiter> {
  readonly #rules: BacklogRules<Reader>;
  /** What waited for each when it was last looked at: of who reads meanwhile, too much. */
  readonly #waiting = new Map<Reader, number>();
  readonly #dropping: InPieces;
  #bytes = 0;

  constructor(rules: BacklogRules<Reader>) {
    this.#rules = rules;
    this.#dropping = new InPieces(() => this.#drop(), rules);
  }

  /** Takes note that something waits for a reader. To be called whenever more does. */
  waits(reader: Reader): void {
    this.#look(reader);
    if (this.#bytes > this.#rules.mostBytes) this.#dropping.begin();
  }

  /** Nothing waits for a reader any more. */
  forget(reader: Reader): void {
    const bytes = this.#waiting.get(reader);
    if (bytes === undefined) return;
    this.#bytes -= bytes;
    this.#waiting.delete(reader);
  }

  #look(reader: Reader): number {
    const bytes = reader.waitingBytes;
    if (bytes === 0) {
      this.forget(reader);
      return 0;
    }
    this.#bytes += bytes - (this.#waiting.get(reader) ?? 0);
    this.#waiting.set(reader, bytes);
    return bytes;
  }

  *#drop(): Generator<undefined> {
    let most = 0;
    for (const reader of this.#all()) {
      most = Math.max(most, this.#look(reader));
      yield;
    }
    for (let over = most / 2; over >= 0.5; over /= 2) {
      for (const reader of this.#all()) {
        if (this.#bytes <= this.#rules.mostBytes) return;
        if (this.#look(reader) > over) {
          this.#rules.drop(reader);
          this.forget(reader);
        }
        yield;
      }
    }
  }

  /** Those there are when it begins, as far as they are there still: who comes meanwhile is not waited for. */
  *#all(): Generator<Reader> {
    let left = this.#waiting.size;
    for (const reader of this.#waiting.keys()) {
      if (--left < 0) return;
      yield reader;
    }
  }
}
