import type { Clock } from './core/env.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import type { UploadBudget } from './uploads.ts';

export class StoredBudget implements UploadBudget {
  #left = 0;
  constructor(_store: ChunkStore, _clock: Clock) {}
  get remainingBytes(): number {
    return this.#left;
  }
  async load(): Promise<void> {}
  setLimit(bytes: number): void {
    this.#left = bytes;
  }
  reserve(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
  async close(): Promise<void> {}
}
