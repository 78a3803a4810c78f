const DAY_MS = 86_400_000;

/** How much is set aside at a time: at most this much of a day is lost by a crash. */
const LOT_BYTES = 1_048_576;

/** What outlives the process. */
export interface BudgetDocument {
  readonly version: 1;
  /** Days since 1970 in UTC. */
  readonly day: number;
  /** Bytes of that day that are sent or set aside. */
  readonly takenBytes: number;
}

/** Whether bytes may be sent. */
export type Reservation =
  /** They are taken off the day's budget: send them. */
  | { readonly answer: 'granted' }
  /** They do not fit today: send nothing. Fewer bytes may fit. */
  | { readonly answer: 'refused' }
  /** Keep this document first; then call `persisted` with it and ask again. */
  | { readonly answer: 'persist'; readonly document: BudgetDocument };

const GRANTED: Reservation = { answer: 'granted' };
const REFUSED: Reservation = { answer: 'refused' };

/**
 * How much may be uploaded in a day (UTC), to the byte, over restarts, crashes and changes of the clock.
 *
 * Bytes are set aside in lots, and a lot is on disk before the first byte of it is sent. A process that is
 * killed has therefore never sent more than its document says; the unspent rest of the lot is lost. One that
 * closes gives it back by `settle`. The day is the latest one ever seen, also over restarts: a clock that goes
 * back refills nothing, and the count begins anew only when a later day comes. A clock that was far ahead for a
 * while therefore leaves the listener with one day's budget until the date is reached.
 */
export class Budget {
  #maxBytesPerDay = 0;
  #day: number;
  #spentBytes: number;
  /** What the document on disk says for `#day`; nothing beyond it is granted. */
  #keptBytes: number;
  /** The document handed out last. Only that one can become the kept one. */
  #issued: BudgetDocument | undefined;

  private constructor(day: number, takenBytes: number) {
    this.#day = day;
    this.#spentBytes = takenBytes;
    this.#keptBytes = takenBytes;
  }

  /**
   * Goes on from the document that was kept last, `undefined` for a new listener. The limit is 0 until
   * `setLimit`. From a document that makes no sense nothing can be known: that day counts as used up.
   */
  static fromDocument(document: unknown, wallMs: number): Budget {
    if (document === undefined) return new Budget(dayOf(wallMs), 0);
    if (!isBudgetDocument(document)) return new Budget(dayOf(wallMs), Number.MAX_SAFE_INTEGER);
    return new Budget(document.day, document.takenBytes);
  }

  /** What may be sent in a day, from now on and counting what was sent today. 0 means nothing. */
  setLimit(maxBytesPerDay: number): void {
    if (!(maxBytesPerDay >= 0)) throw new RangeError(`a budget of ${maxBytesPerDay} bytes`);
    this.#maxBytesPerDay = Math.floor(maxBytesPerDay);
  }

  /** Bytes that may still be sent today. */
  remaining(wallMs: number): number {
    this.#seeDay(wallMs);
    return Math.max(0, this.#maxBytesPerDay - this.#spentBytes);
  }

  /**
   * Asks to send `bytes` now. While a document that suffices is being kept, the same one is answered: it needs to
   * be written once only.
   */
  reserve(bytes: number, wallMs: number): Reservation {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new RangeError(`a reservation of ${bytes} bytes`);
    this.#seeDay(wallMs);
    const spentBytes = this.#spentBytes + bytes;
    if (spentBytes > this.#maxBytesPerDay) return REFUSED;
    if (spentBytes > this.#keptBytes) return { answer: 'persist', document: this.#lotFor(spentBytes) };
    this.#spentBytes = spentBytes;
    return GRANTED;
  }

  /** A document answered by `reserve` is on disk. Documents are written in the order in which they were answered. */
  persisted(document: BudgetDocument): void {
    if (document !== this.#issued || document.day !== this.#day) return;
    this.#keptBytes = document.takenBytes;
    this.#issued = undefined;
  }

  /**
   * What is kept now, where other instances spend from the same document. To be told before a document is asked for
   * or settled, while no other instance may write: what they took or gave back moves this one's count.
   */
  sync(document: unknown, wallMs: number): void {
    this.#seeDay(wallMs);
    if (document === undefined) return;
    const takenBytes = isBudgetDocument(document) ? takenOn(document, this.#day) : Number.MAX_SAFE_INTEGER;
    const isLater = isBudgetDocument(document) && document.day > this.#day;
    if (isLater) this.#day = document.day;
    this.#spentBytes = isLater ? takenBytes : Math.max(0, takenBytes - (this.#keptBytes - this.#spentBytes));
    this.#keptBytes = takenBytes;
    this.#issued = undefined;
  }

  /**
   * Gives back what was set aside and not spent: the document to keep last, on closing. A reservation made
   * afterwards asks for a document again.
   */
  settle(): BudgetDocument {
    this.#keptBytes = this.#spentBytes;
    this.#issued = undefined;
    return { version: 1, day: this.#day, takenBytes: this.#spentBytes };
  }

  #seeDay(wallMs: number): void {
    const day = dayOf(wallMs);
    if (!(day > this.#day)) return;
    this.#day = day;
    this.#spentBytes = 0;
    this.#keptBytes = 0;
    this.#issued = undefined;
  }

  #lotFor(spentBytes: number): BudgetDocument {
    const issued = this.#issued;
    if (issued !== undefined && issued.takenBytes >= spentBytes) return issued;
    const lotEnd = Math.max(spentBytes, this.#spentBytes + LOT_BYTES);
    const document: BudgetDocument = {
      version: 1,
      day: this.#day,
      takenBytes: Math.min(lotEnd, this.#maxBytesPerDay),
    };
    this.#issued = document;
    return document;
  }
}

function takenOn(document: BudgetDocument, day: number): number {
  return document.day >= day ? document.takenBytes : 0;
}

function dayOf(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS);
}

function isBudgetDocument(value: unknown): value is BudgetDocument {
  if (typeof value !== 'object' || value === null) return false;
  if (!('version' in value && 'day' in value && 'takenBytes' in value)) return false;
  const { version, day, takenBytes } = value;
  return version === 1 && Number.isSafeInteger(day) && isCount(takenBytes);
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
