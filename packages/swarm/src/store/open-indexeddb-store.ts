import type { ChunkStore } from './chunk-store.ts';
import type { IndexedDbStoreOptions } from './indexeddb-store.ts';

/**
 * Opens a database of this site as a store; browsers do so by themselves unless `store` is given. Its code is loaded now.
 * Rejects with `store-failed` where the browser gives no storage.
 */
export async function openIndexedDbStore(options: IndexedDbStoreOptions = {}): Promise<ChunkStore> {
  const store = await import('./indexeddb-store.ts');
  return store.openIndexedDbStore(options);
}
