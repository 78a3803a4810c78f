import type { ChunkStore } from './chunk-store.ts';
import { openMemoryStore } from './memory-store.ts';

/**
 * A store that is still being opened: what is asked of it waits. Where it cannot be opened (storage is forbidden, the
 * code cannot be loaded) chunks are kept in memory, and `trouble` says why.
 */
export function openLateStore(open: () => Promise<ChunkStore>): ChunkStore {
  let trouble: Error | undefined;
  const opened = open().catch((error: unknown) => {
    trouble = error instanceof Error ? error : new Error(String(error));
    return openMemoryStore();
  });
  return {
    trouble: async () => {
      await opened;
      return trouble;
    },
    tracks: async () => (await opened).tracks(),
    putManifest: async (key, manifest) => (await opened).putManifest(key, manifest),
    putChunk: async (key, chunk, bytes) => (await opened).putChunk(key, chunk, bytes),
    getChunk: async (key, chunk) => (await opened).getChunk(key, chunk),
    deleteChunks: async (key, chunks) => (await opened).deleteChunks(key, chunks),
    deleteTrack: async (key) => (await opened).deleteTrack(key),
    getDocument: async (name) => (await opened).getDocument(name),
    putDocument: async (name, value) => (await opened).putDocument(name, value),
    close: async () => (await opened).close(),
    exclusively: async (name, act) => {
      const store = await opened;
      return store.exclusively === undefined ? act() : store.exclusively(name, act);
    },
    capacity: async () => (await opened).capacity?.(),
    onDocument: (listener) => {
      let closed = false;
      let stop: (() => void) | undefined;
      void opened.then((store) => {
        if (!closed) stop = store.onDocument?.(listener);
      });
      return () => {
        closed = true;
        stop?.();
      };
    },
  };
}
