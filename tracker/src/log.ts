import { pino, type Logger } from 'pino';
import type { RefusalReason } from './core/refusal.ts';
import type { TrackerSettings } from './settings.ts';

/** A log: one JSON object a line. */
export type TrackerLog = Logger;

/** Lines about refusals in one {@link RefusalLog.flush} interval: a flood does not fill a disk. */
const MAX_LINES = 25;

/** A log that writes to `write`. Lines have a time, and no secret is ever given to it. */
export function createLog(level: TrackerSettings['logLevel'], write: (line: string) => void): TrackerLog {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}

/** Whom a line is about. */
export interface Attributed {
  /** The number of the connection, counted from the start of the process; absent before there is one. */
  readonly conn?: number;
  readonly address: string;
}

/** Writes down who was refused what, and only counts beyond a bound. */
export class RefusalLog {
  readonly #log: TrackerLog;
  #lines = 0;
  #unsaid = 0;

  constructor(log: TrackerLog) {
    this.#log = log;
  }

  /** `re` is the type of the message in question. */
  note(reason: RefusalReason, who: Attributed, re?: string): void {
    if (++this.#lines > MAX_LINES) this.#unsaid++;
    else this.#log.warn({ ...who, reason, ...(re === undefined ? {} : { re }) }, 'refused');
  }

  /** Starts a new interval; to be called about once a second. */
  flush(): void {
    if (this.#unsaid > 0) this.#log.warn({ unsaid: this.#unsaid }, 'more was refused');
    this.#lines = 0;
    this.#unsaid = 0;
  }
}
