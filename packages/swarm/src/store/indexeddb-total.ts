import { chunkLength, type Geometry } from '@sonantica/wire';
import { promisifyRequest } from 'idb-keyval';

/**
 * How many bytes of chunks a database holds, kept in the transaction that changes them: pages that share it need not
 * count. Missing after what could not be counted; then it is counted anew.
 */
const TOTAL = ['total'];

/** The total, or `undefined` when it has to be counted. */
export async function readTotal(store: IDBObjectStore): Promise<number | undefined> {
  const total = await promisifyRequest<unknown>(store.get(TOTAL));
  return typeof total === 'number' ? total : undefined;
}

/** Chunks were counted. */
export function putTotal(store: IDBObjectStore, bytes: number): void {
  store.put(bytes, TOTAL);
}

/** Chunks were put, or with a negative number deleted. */
export async function addToTotal(store: IDBObjectStore, bytes: number): Promise<void> {
  const total = await readTotal(store);
  if (total !== undefined && bytes !== 0) putTotal(store, Math.max(0, total + bytes));
}

/** Chunks of one track are about to be deleted; with a damaged manifest nobody knows how long they are. */
export async function takeFromTotal(
  store: IDBObjectStore,
  geometry: Geometry | undefined,
  chunks: readonly number[],
): Promise<void> {
  if (chunks.length === 0) return;
  if (geometry === undefined) store.delete(TOTAL);
  else await addToTotal(store, -lengthOf(geometry, chunks));
}

/** Bytes of these chunks of a track. */
export function lengthOf(geometry: Geometry, chunks: readonly number[]): number {
  return chunks.reduce((bytes, chunk) => bytes + chunkLength(geometry, chunk), 0);
}
