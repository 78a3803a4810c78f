/** Nothing refused yet, for every reason: an error's code, or why a connection was ended or not taken. */
const NONE = {
  'unknown-type': 0,
  'bad-message': 0,
  'too-large': 0,
  'too-fast': 0,
  'too-many-tracks': 0,
  'already-welcome': 0,
  'not-announced': 0,
  'not-visible': 0,
  forbidden: 0,
  busy: 0,
  malformed: 0,
  'not-authorised': 0,
  'token-expired': 0,
  'timed-out': 0,
  'unknown-version': 0,
  origin: 0,
  'too-many-connections': 0,
  memory: 0,
  'slow-reader': 0,
  'too-many-requests': 0,
  stopping: 0,
};

/** Why something was refused. */
export type RefusalReason = keyof typeof NONE;

/** How often something was refused, by reason. */
export type RefusalCounts = { readonly [Reason in RefusalReason]: number };

/** Counts refusals. */
export class Refusals {
  readonly #counts = { ...NONE };
  #total = 0;

  /** Over all reasons. */
  get total(): number {
    return this.#total;
  }

  add(reason: RefusalReason): void {
    this.#counts[reason]++;
    this.#total++;
  }

  /** A copy. */
  get counts(): RefusalCounts {
    return { ...this.#counts };
  }
}
