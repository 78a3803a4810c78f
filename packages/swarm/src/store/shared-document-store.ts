import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SwarmError } from '../errors.ts';
import { checkDocumentName } from './arguments.ts';
import type { ChunkStore } from './chunk-store.ts';
import { DocumentFolder } from './document-folder.ts';
import { lockFolder, type FolderLock } from './folder-lock.ts';
import { openMemoryStore } from './memory-store.ts';
import { toStoreError } from './store-error.ts';

/** How long another process is waited for, in milliseconds: a turn is one small file. */
const TURN_WITHIN_MS = 5_000;
const TRY_EVERY_MS = 10;
/** What processes take turns at: the documents that they change. Chunks are each one's own. */
const TAKEN_IN_TURNS: ReadonlySet<string> = new Set(['budget', 'contribution']);

/**
 * Keeps chunks in memory and documents in a folder, which is made when missing and shared with every other process that
 * opens it: what a listener chose and gave today is theirs, however many programs they run. Rejects with `store-failed`
 * where the folder cannot be written.
 *
 * ```
 * <folder>/lock  lock.pid  <name>.json
 * ```
 */
export async function openSharedDocumentStore(folder: string): Promise<ChunkStore> {
  const root = resolve(folder);
  try {
    await mkdir(root, { recursive: true });
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw toStoreError(error, `opening ${root}`);
  }
  const chunks = openMemoryStore();
  const documents = new DocumentFolder(root);
  const underWay = new Set<Promise<unknown>>();
  let isClosed = false;
  const run = async <T>(doing: string, act: () => Promise<T>): Promise<T> => {
    if (isClosed) throw new SwarmError('closed', 'the store is closed');
    try {
      const acting = act();
      underWay.add(acting);
      return await acting.finally(() => underWay.delete(acting));
    } catch (error) {
      throw toStoreError(error, doing);
    }
  };
  return {
    tracks: () => chunks.tracks(),
    putManifest: (key, manifest) => chunks.putManifest(key, manifest),
    putChunk: (key, chunk, bytes) => chunks.putChunk(key, chunk, bytes),
    getChunk: (key, chunk) => chunks.getChunk(key, chunk),
    deleteChunks: (key, which) => chunks.deleteChunks(key, which),
    deleteTrack: (key) => chunks.deleteTrack(key),
    getDocument: (name) => run(`reading document ${name}`, () => documents.get(name)),
    putDocument: (name, value) =>
      run(`keeping document ${name}`, async () => {
        checkDocumentName(name);
        await documents.put(name, value);
      }),
    exclusively: async (name, act) => {
      if (!TAKEN_IN_TURNS.has(name)) return act();
      const lock = await lockInTurn(root);
      try {
        return await act();
      } finally {
        await lock.release();
      }
    },
    close: async () => {
      isClosed = true;
      await Promise.allSettled(underWay);
      await chunks.close();
    },
  };
}

async function lockInTurn(folder: string): Promise<FolderLock> {
  for (const sinceMs = performance.now(); ;) {
    try {
      return await lockFolder(folder);
    } catch (error) {
      const isTaken = error instanceof SwarmError && error.code === 'store-locked';
      if (!isTaken || performance.now() - sinceMs > TURN_WITHIN_MS) throw error;
      await delay(TRY_EVERY_MS * (0.5 + Math.random()));
    }
  }
}
