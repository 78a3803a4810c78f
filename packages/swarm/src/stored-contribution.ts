import { readContribution, type Contribution } from './contribution.ts';
import type { ChunkStore } from './store/chunk-store.ts';

/** The document that keeps the listener's choice over restarts. */
export const CONTRIBUTION_DOCUMENT = 'contribution';

/**
 * The listener's choice as a store keeps it. Instances that share a store share it: of what is chosen in two of them at the
 * same moment nothing is lost, and of one field the later choice holds.
 */
export class StoredContribution {
  readonly #store: ChunkStore;
  /** What was chosen here and is not written yet, in order. */
  readonly #wishes = new Set<Partial<Contribution>>();
  /** Writes go one after another. */
  #writes: Promise<unknown> = Promise.resolve();

  constructor(store: ChunkStore) {
    this.#store = store;
  }

  /** A choice that is kept, and over it what was chosen here and is not written yet. */
  withWishes(kept: Contribution): Contribution {
    let chosen = kept;
    for (const wish of this.#wishes) chosen = readContribution(wish, chosen);
    return chosen;
  }

  /**
   * Writes a choice over what is kept, or over `base` where nothing is or it cannot be known. Resolves with all that is
   * kept then, once it outlasts a restart. Rejects with `store-failed`, `store-full`, `store-locked`.
   */
  async put(choice: Partial<Contribution>, base: Contribution): Promise<Contribution> {
    // An object of its own, whoever passes the same one twice.
    const wish = { ...choice };
    this.#wishes.add(wish);
    const written = this.#writes.then(() => this.#alone(() => this.#write(base)));
    this.#writes = written.catch(() => undefined);
    try {
      return await written;
    } finally {
      this.#wishes.delete(wish);
    }
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writes;
  }

  async #write(base: Contribution): Promise<Contribution> {
    const document = await this.#store.getDocument(CONTRIBUTION_DOCUMENT);
    let kept = base;
    try {
      if (document !== undefined) kept = readContribution(document, base);
    } catch {
      // What cannot be known is replaced.
    }
    const chosen = this.withWishes(kept);
    await this.#store.putDocument(CONTRIBUTION_DOCUMENT, chosen);
    return chosen;
  }

  #alone<T>(act: () => Promise<T>): Promise<T> {
    return this.#store.exclusively === undefined
      ? act()
      : this.#store.exclusively(CONTRIBUTION_DOCUMENT, act);
  }
}
