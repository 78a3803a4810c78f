import { expect, it } from 'vitest';
import { openMemoryStore } from './store/memory-store.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { StoredBudget } from './stored-budget.ts';

const clock = { nowMs: () => 0, wallMs: () => Date.UTC(2026, 0, 1, 12) };
const MB = 1_000_000;

/** A memory store as several pages see it: one of them at a time under a lock. */
function sharedStore(): ChunkStore {
  const store = openMemoryStore();
  let last: Promise<unknown> = Promise.resolve();
  return {
    tracks: () => store.tracks(),
    putManifest: (key, manifest) => store.putManifest(key, manifest),
    putChunk: (key, chunk, bytes) => store.putChunk(key, chunk, bytes),
    getChunk: (key, chunk) => store.getChunk(key, chunk),
    deleteChunks: (key, chunks) => store.deleteChunks(key, chunks),
    deleteTrack: (key) => store.deleteTrack(key),
    getDocument: (name) => store.getDocument(name),
    putDocument: (name, value) => store.putDocument(name, value),
    close: () => store.close(),
    exclusively: (_name, act) => {
      const next = last.then(act);
      last = next.catch(() => undefined);
      return next;
    },
  };
}

async function openBudget(store: ChunkStore, limitBytes: number): Promise<StoredBudget> {
  const budget = new StoredBudget(store, clock);
  await budget.load();
  budget.setLimit(limitBytes);
  return budget;
}

/** Spends until nothing is granted; answers the bytes. */
async function spend(budget: StoredBudget, atMost = Number.POSITIVE_INFINITY): Promise<number> {
  let bytes = 0;
  while (bytes < atMost && (await budget.reserve(16_384))) bytes += 16_384;
  return bytes;
}

it('lets two pages together spend a day once', async () => {
  const store = sharedStore();
  const pages = await Promise.all([openBudget(store, 10 * MB), openBudget(store, 10 * MB)]);
  const spent = await Promise.all(pages.map((page) => spend(page)));
  expect(spent.every((bytes) => bytes > 0)).toBe(true);
  const total = spent.reduce((sum, bytes) => sum + bytes, 0);
  expect(total).toBeLessThanOrEqual(10 * MB);
  // What is left is the rest of the lots, at most one a page.
  expect(total).toBeGreaterThan(8 * MB);
});

it('lets a page spend what another gave back when it was closed', async () => {
  const store = sharedStore();
  const [first, second] = await Promise.all([openBudget(store, 3 * MB), openBudget(store, 3 * MB)]);
  const early = await spend(first, 100_000);
  await spend(second, 100_000);
  await second.close();
  const third = await openBudget(store, 3 * MB);
  const total = early + 114_688 + (await spend(first)) + (await spend(third));
  expect(total).toBeLessThanOrEqual(3 * MB);
  expect(total).toBeGreaterThan(3 * MB - 2 * 16_384 - 1_048_576);
});

it('grants nothing that cannot be written down', async () => {
  const store = { ...sharedStore(), putDocument: () => Promise.reject(new Error('full')) };
  const budget = await openBudget(store, MB);
  expect(await budget.reserve(1)).toBe(false);
});
