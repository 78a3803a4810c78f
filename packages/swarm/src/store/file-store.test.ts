import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes, parseRootHash, parseTrackId, type ManifestJson } from '@sonantica/wire';
import { chunkStoreSuite } from '../testing/chunk-store-suite.ts';
import type { ChunkStore, StoredTrackKey } from './chunk-store.ts';
import { openFileStore } from './file-store.ts';
import { folderName } from './track-folder.ts';

const CHUNK_BYTES = 131_072;
const key = keyOf('song');

let folder: string;
let trackPath: string;
const open: ChunkStore[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sonantica-store-'));
  trackPath = join(folder, 'tracks', folderName(key));
});

afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  await rm(folder, { recursive: true });
});

describe('as a store', () => {
  const suite = chunkStoreSuite(() => openFileStore(folder), {
    reopen: () => openFileStore(folder),
    truncate: (document, keptBytes) => truncate(join(folder, 'documents', `${document}.json`), keptBytes),
  });
  for (const { name, run } of suite) it(name, run);
});

describe('after damage', () => {
  it('leaves out a track whose manifest is not JSON, and clears it away', async () => {
    await keepTrack([0]);
    await writeFile(join(trackPath, 'manifest.json'), '{"version":1,');
    expect(await (await openStore()).tracks()).toEqual([]);
    expect(await readdir(join(folder, 'tracks'))).toEqual([]);
  });

  it.each([
    ['null', 'null'],
    ['a list', '[]'],
    ['a manifest without sizes', JSON.stringify({ ...manifestOf(key), size: undefined })],
    ['a chunk size of 1', JSON.stringify({ ...manifestOf(key), chunkSize: 1 })],
    ['an absurd size', JSON.stringify({ ...manifestOf(key), size: 1e300 })],
    ['an id that climbs', JSON.stringify({ ...manifestOf(key), trackId: '../..' })],
    ['the manifest of another track', JSON.stringify(manifestOf(keyOf('other')))],
  ])('leaves out a track whose manifest is %s', async (_what, text) => {
    await keepTrack([0]);
    await writeFile(join(trackPath, 'manifest.json'), text);
    expect(await (await openStore()).tracks()).toEqual([]);
  });

  it('leaves out chunk files of a wrong size, unfinished files and impossible numbers, and clears them away', async () => {
    await keepTrack([0, 1]);
    await truncate(join(trackPath, '0.chunk'), CHUNK_BYTES - 1);
    await writeFile(join(trackPath, '2.chunk'), '');
    await writeFile(join(trackPath, '3.chunk'), new Uint8Array(CHUNK_BYTES));
    await writeFile(join(trackPath, '2.chunk.part'), 'torn');
    await writeFile(join(trackPath, 'manifest.json.part'), 'torn');
    await writeFile(join(folder, 'documents', 'budget.json.part'), 'torn');
    const [track] = await (await openStore()).tracks();
    expect([...(track?.held ?? [])]).toEqual([1]);
    expect((await readdir(trackPath)).toSorted()).toEqual(['1.chunk', 'manifest.json']);
    expect(await readdir(join(folder, 'documents'))).toEqual([]);
  });

  it.each([
    ['cut short', () => truncate(join(trackPath, '0.chunk'), 5)],
    ['grown', () => writeFile(join(trackPath, '0.chunk'), new Uint8Array(CHUNK_BYTES + 1))],
    ['gone', () => rm(join(trackPath, '0.chunk'))],
  ])('holds a chunk no longer whose file is %s while it is open', async (_how, damage) => {
    const store = await keepTrack([0, 1]);
    await damage();
    expect(await store.getChunk(key, 0)).toBeUndefined();
    expect([...((await store.tracks())[0]?.held ?? [])]).toEqual([1]);
    await store.putChunk(key, 0, bytesOf(0));
    expect(isChunk(0, await store.getChunk(key, 0))).toBe(true);
  });

  it('lets files be that are not its own', async () => {
    await keepTrack([0]);
    const foreign = join(folder, 'tracks', 'My Music');
    await mkdir(foreign);
    await writeFile(join(foreign, 'manifest.json'), '{}');
    await writeFile(join(folder, 'tracks', 'song.flac'), 'music');
    await rm(join(trackPath, 'manifest.json'));
    await writeFile(join(trackPath, 'notes.txt'), 'mine');
    await (await openStore()).close();
    expect(await readFile(join(foreign, 'manifest.json'), 'utf8')).toBe('{}');
    expect(await readFile(join(folder, 'tracks', 'song.flac'), 'utf8')).toBe('music');
    expect(await readdir(trackPath)).toEqual(['notes.txt']);
  });
});

it('gives the disk space back', async () => {
  const store = await keepTrack([0, 1]);
  await store.deleteChunks(key, [0]);
  expect((await readdir(trackPath)).toSorted()).toEqual(['1.chunk', 'manifest.json']);
  await store.deleteTrack(key);
  expect(await readdir(join(folder, 'tracks'))).toEqual([]);
});

it('remembers the last use of a track, to the millisecond when it is closed', async () => {
  let wallMs = Date.UTC(2026, 0, 1);
  const store = await openStore({ wallMs: () => wallMs });
  await store.putManifest(key, manifestOf(key));
  await store.putChunk(key, 0, bytesOf(0));
  wallMs += 1234;
  await store.getChunk(key, 0);
  await store.close();
  const [track] = await (await openStore()).tracks();
  expect(track?.usedAtMs).toBe(wallMs);
});

it('remembers the last use within a minute when it crashes', async () => {
  const startMs = Date.UTC(2026, 0, 1);
  let wallMs = startMs;
  const store = await openStore({ wallMs: () => wallMs });
  await store.putManifest(key, manifestOf(key));
  await store.putChunk(key, 0, bytesOf(0));
  const manifest = join(trackPath, 'manifest.json');
  await utimes(manifest, 0, 0);
  wallMs = startMs + 59_999;
  await store.getChunk(key, 0);
  expect(await mtimeMs(manifest)).toBe(0);
  wallMs = startMs + 60_000;
  await store.getChunk(key, 0);
  expect(await mtimeMs(manifest)).toBe(wallMs);
});

it('reads beside changes without losing what is put', async () => {
  const store = await keepTrack([0]);
  for (let round = 0; round < 50; round++) {
    const gone = store.deleteChunks(key, [0]);
    const reads = [store.getChunk(key, 0), store.getChunk(key, 0)];
    const put = store.putChunk(key, 0, bytesOf(0));
    const [read] = await Promise.all([...reads, gone, put]);
    expect(read === undefined || isChunk(0, read)).toBe(true);
    expect(isChunk(0, await store.getChunk(key, 0))).toBe(true);
  }
});

it('does not take a chunk for damaged that is put while it is read', async () => {
  const store = await keepTrack([0]);
  await rm(join(trackPath, '0.chunk'));
  const [read] = await Promise.all([store.getChunk(key, 0), store.putChunk(key, 0, bytesOf(0))]);
  expect(isChunk(0, read)).toBe(true);
  expect(isChunk(0, await store.getChunk(key, 0))).toBe(true);
});

it('says which folder cannot be made', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(openFileStore(join(folder, 'file'))).rejects.toMatchObject({ code: 'store-failed' });
});

async function openStore(options = {}): Promise<ChunkStore> {
  for (const store of open.splice(0)) await store.close();
  const store = await openFileStore(folder, options);
  open.push(store);
  return store;
}

async function keepTrack(chunks: number[]): Promise<ChunkStore> {
  const store = await openStore();
  await store.putManifest(key, manifestOf(key));
  for (const chunk of chunks) await store.putChunk(key, chunk, bytesOf(chunk));
  return store;
}

function keyOf(trackId: string): StoredTrackKey {
  return { trackId: parseTrackId(trackId), root: parseRootHash('a'.repeat(64)) };
}

function manifestOf({ trackId, root }: StoredTrackKey): ManifestJson {
  const size = CHUNK_BYTES * 3;
  return {
    version: 1,
    trackId,
    root,
    size,
    chunkSize: CHUNK_BYTES,
    mime: 'audio/flac',
    chunks: '',
    sha256: '',
  };
}

function bytesOf(chunk: number): Uint8Array {
  return new Uint8Array(CHUNK_BYTES).fill(chunk + 1);
}

function isChunk(chunk: number, bytes: Uint8Array | undefined): boolean {
  return bytes !== undefined && equalBytes(bytes, bytesOf(chunk));
}

async function mtimeMs(path: string): Promise<number> {
  return Math.round((await stat(path)).mtimeMs);
}
