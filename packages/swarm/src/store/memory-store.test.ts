import { expect, it } from 'vitest';
import { parseRootHash, parseTrackId, type ManifestJson } from '@sonantica/wire';
import { chunkStoreSuite } from '../testing/chunk-store-suite.ts';
import { openMemoryStore } from './memory-store.ts';

for (const { name, run } of chunkStoreSuite(async () => openMemoryStore())) it(name, run);

const key = { trackId: parseTrackId('song'), root: parseRootHash('a'.repeat(64)) };
const manifest: ManifestJson = {
  version: 1,
  ...key,
  size: 131_072 * 3,
  chunkSize: 131_072,
  mime: 'audio/flac',
  chunks: '',
  sha256: '',
};
const bytes = new Uint8Array(131_072);

it('takes chunks up to its bound, answers store-full beyond, and takes more once some were deleted', async () => {
  const store = openMemoryStore({ maxBytes: 131_072 * 2 });
  await store.putManifest(key, manifest);
  await store.putChunk(key, 0, bytes);
  await store.putChunk(key, 1, bytes);
  await store.putChunk(key, 1, bytes);
  await expect(store.putChunk(key, 2, bytes)).rejects.toMatchObject({ code: 'store-full' });
  await store.deleteChunks(key, [0]);
  await store.putChunk(key, 2, bytes);
  expect([...((await store.tracks())[0]?.held ?? [])]).toEqual([1, 2]);
});

it('is full one byte below the size of a chunk', async () => {
  const store = openMemoryStore({ maxBytes: 131_071 });
  await store.putManifest(key, manifest);
  await expect(store.putChunk(key, 0, bytes)).rejects.toMatchObject({ code: 'store-full' });
  expect((await store.tracks())[0]?.held.size).toBe(0);
});

it('notes when a track was last read or written', async () => {
  let wallMs = 1000;
  const store = openMemoryStore({ wallMs: () => wallMs });
  await store.putManifest(key, manifest);
  await store.putChunk(key, 0, bytes);
  wallMs = 2000;
  await store.getChunk(key, 1);
  expect((await store.tracks())[0]?.usedAtMs).toBe(1000);
  await store.getChunk(key, 0);
  expect((await store.tracks())[0]?.usedAtMs).toBe(2000);
});
