import type { DeliveredBytes } from '@sonantica/wire';

/** The tracker takes no larger number; what is over it goes with the next report. */
const MOST_BYTES = 1_000_000_000;

/** What the listener was given since the tracker was last told, by where it came from: sums that name nobody. Pure. */
export class DeliveredReport {
  #told: DeliveredBytes = { cache: 0, aula: 0, global: 0, origin: 0 };

  /** The difference between `totals` and what was told; it counts as told. `undefined` when there is none. */
  take(totals: DeliveredBytes): DeliveredBytes | undefined {
    const told = this.#told;
    const since = (tier: keyof DeliveredBytes) => Math.min(MOST_BYTES, totals[tier] - told[tier]);
    const news = {
      cache: since('cache'),
      aula: since('aula'),
      global: since('global'),
      origin: since('origin'),
    };
    if (news.cache + news.aula + news.global + news.origin === 0) return undefined;
    this.#told = {
      cache: told.cache + news.cache,
      aula: told.aula + news.aula,
      global: told.global + news.global,
      origin: told.origin + news.origin,
    };
    return news;
  }
}
