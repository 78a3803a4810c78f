import { Budget } from './core/budget.ts';
import type { Clock } from './core/env.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import type { UploadBudget } from './uploads.ts';

const BUDGET_DOCUMENT = 'budget';

/**
 * The day's upload budget, written down ahead of what is sent: a crash loses budget, never exceeds it. Instances that
 * share a store share the day.
 */
export class StoredBudget implements UploadBudget {
  readonly #store: ChunkStore;
  readonly #clock: Clock;
  #budget: Budget;
  #limitBytes = 0;
  #writing: Promise<boolean> | undefined;
  #loaded = false;
  #settled = false;

  constructor(store: ChunkStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#budget = Budget.fromDocument(undefined, clock.wallMs());
  }

  /** Upload left today, in bytes. */
  get remainingBytes(): number {
    return this.#budget.remaining(this.#clock.wallMs());
  }

  /** Goes on from what the store says. Rejects with `store-failed`. */
  async load(): Promise<void> {
    this.#budget = Budget.fromDocument(await this.#store.getDocument(BUDGET_DOCUMENT), this.#clock.wallMs());
    this.#budget.setLimit(this.#limitBytes);
    this.#loaded = true;
  }

  /** Bytes a UTC day, from now on. */
  setLimit(bytesPerDay: number): void {
    this.#limitBytes = bytesPerDay;
    this.#budget.setLimit(bytesPerDay);
  }

  reserve(bytes: number): boolean | Promise<boolean> {
    if (!this.#loaded || this.#settled) return false;
    const reservation = this.#budget.reserve(bytes, this.#clock.wallMs());
    return reservation.answer === 'persist' ? this.#persistThen(bytes) : reservation.answer === 'granted';
  }

  /** Gives back what was set aside and not sent. What the store says and was never read stays as it is. */
  async close(): Promise<void> {
    await this.#writing;
    this.#settled = true;
    if (!this.#loaded) return;
    const settle = async () => {
      await this.#sync();
      await this.#store.putDocument(BUDGET_DOCUMENT, this.#budget.settle());
    };
    await this.#alone(settle).catch(() => undefined);
  }

  /** A budget that cannot be written down is not spent. */
  async #persistThen(bytes: number): Promise<boolean> {
    this.#writing ??= this.#alone(() => this.#setAside(bytes))
      .catch(() => false)
      .finally(() => (this.#writing = undefined));
    return (await this.#writing) ? this.reserve(bytes) : false;
  }

  /** Writes a lot down that has room for `bytes`; answers whether there is one. */
  async #setAside(bytes: number): Promise<boolean> {
    await this.#sync();
    const reservation = this.#budget.reserve(bytes, this.#clock.wallMs());
    if (reservation.answer !== 'persist') return reservation.answer === 'granted';
    await this.#store.putDocument(BUDGET_DOCUMENT, reservation.document);
    this.#budget.persisted(reservation.document);
    return true;
  }

  /** Where the store is shared: what others took meanwhile. */
  async #sync(): Promise<void> {
    if (this.#store.exclusively === undefined) return;
    this.#budget.sync(await this.#store.getDocument(BUDGET_DOCUMENT), this.#clock.wallMs());
  }

  #alone<T>(act: () => Promise<T>): Promise<T> {
    return this.#store.exclusively === undefined ? act() : this.#store.exclusively(BUDGET_DOCUMENT, act);
  }
}
