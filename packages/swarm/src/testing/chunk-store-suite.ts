import {
  chunkCount,
  chunkLength,
  equalBytes,
  parseRootHash,
  parseTrackId,
  type Geometry,
  type ManifestJson,
} from '@sonantica/wire';
import { SwarmError, type SwarmErrorCode } from '../errors.ts';
import type { ChunkStore, StoredTrack, StoredTrackKey } from '../store/chunk-store.ts';

/** One promise of an interface. `run` rejects with an `Error` that says what was not kept. */
export interface AcceptanceCase {
  readonly name: string;
  run(): Promise<void>;
}

/** What a suite may ask of a store beyond opening. */
export interface ChunkStoreSuiteOptions {
  /** Opens again, after it was closed, what `open` gave last. Without it nothing is expected to outlive `close`. */
  readonly reopen?: () => Promise<ChunkStore>;
  /**
   * Cuts the text of a document, as a crash of the machine may, in the store that `open` gave last: open or closed, as it
   * stands. `keptBytes`: how much of it is left. Without it no document is expected to outlive damage.
   */
  readonly truncate?: (document: string, keptBytes: number) => Promise<void>;
}

const CHUNK_BYTES = 131_072;
const TRACK: Geometry = { size: CHUNK_BYTES * 2 + 1000, chunkSize: CHUNK_BYTES };

/**
 * What every {@link ChunkStore} promises. `open` gives an empty store each time; the suite closes it. For any test
 * runner: `for (const { name, run } of chunkStoreSuite(open)) it(name, run)`.
 */
export function chunkStoreSuite(
  open: () => Promise<ChunkStore>,
  { reopen, truncate }: ChunkStoreSuiteOptions = {},
): AcceptanceCase[] {
  const cases: AcceptanceCase[] = [];
  const it = (name: string, run: (store: ChunkStore) => Promise<void>) => {
    cases.push({
      name,
      run: async () => {
        const store = await open();
        try {
          await run(store);
        } finally {
          await store.close();
        }
      },
    });
  };

  it('holds nothing when it is new', async (store) => {
    expectSame((await store.tracks()).length, 0, 'tracks');
    expectSame(await store.getChunk(keyOf('song'), 0), undefined, 'chunk');
    expectSame(await store.getDocument('budget'), undefined, 'document');
  });

  it('gives back the chunks that were put', async (store) => {
    const key = await putTrack(store, 'song', [0, 2]);
    await expectChunk(store, key, 0, bytesOf(0));
    await expectChunk(store, key, 2, bytesOf(2));
    expectSame(await store.getChunk(key, 1), undefined, 'a chunk never put');
    expectSame(await store.getChunk(key, 3), undefined, 'a chunk outside the track');
  });

  it('describes what it holds', async (store) => {
    const key = await putTrack(store, 'song', [0, 2]);
    const track = onlyTrack(await store.tracks());
    expectSame(track.trackId, key.trackId, 'track id');
    expectSame(track.root, key.root, 'root');
    expectSame([...track.held].join(), '0,2', 'held chunks');
    expectSame(track.held.capacity, 3, 'chunks of the track');
    expectSame(track.sizeBytes, CHUNK_BYTES + 1000, 'bytes');
    expectSame(JSON.stringify(track.manifest), JSON.stringify(manifestOf(key)), 'manifest');
    expect(Number.isFinite(track.usedAtMs) && track.usedAtMs > 0, 'the last use is a time');
  });

  it('lists a track of which no chunk was put', async (store) => {
    await putTrack(store, 'song', []);
    const track = onlyTrack(await store.tracks());
    expectSame(track.held.size, 0, 'held chunks');
    expectSame(track.sizeBytes, 0, 'bytes');
  });

  it('keeps the bytes of a view, not of the buffer behind it', async (store) => {
    const key = await putTrack(store, 'song', []);
    const buffer = new Uint8Array(CHUNK_BYTES * 2).fill(0xee);
    buffer.set(bytesOf(0), 77);
    await store.putChunk(key, 0, buffer.subarray(77, 77 + CHUNK_BYTES));
    await expectChunk(store, key, 0, bytesOf(0));
  });

  it('hands out chunks that fill their buffers, and a copy of what it holds', async (store) => {
    const key = await putTrack(store, 'song', [0]);
    const first = await store.getChunk(key, 0);
    expect(first !== undefined && first.byteLength === first.buffer.byteLength, 'a chunk fills its buffer');
    const held = onlyTrack(await store.tracks()).held;
    held.delete(0);
    expectSame(onlyTrack(await store.tracks()).held.size, 1, 'held chunks');
  });

  it('puts a chunk in place of an earlier one', async (store) => {
    const key = await putTrack(store, 'song', [0]);
    await store.putChunk(key, 0, bytesOf(9));
    await expectChunk(store, key, 0, bytesOf(9));
    expectSame(onlyTrack(await store.tracks()).sizeBytes, CHUNK_BYTES, 'bytes');
  });

  it('takes one chunk from several at once, and keeps one of them whole', async (store) => {
    const key = await putTrack(store, 'song', []);
    await Promise.all([0, 7, 8, 9].map((seed) => store.putChunk(key, 0, bytesOf(seed, CHUNK_BYTES))));
    const bytes = await store.getChunk(key, 0);
    const whole = [0, 7, 8, 9].some(
      (seed) => bytes !== undefined && equalBytes(bytes, bytesOf(seed, CHUNK_BYTES)),
    );
    expect(whole, 'one of the chunks is kept');
    expectSame(onlyTrack(await store.tracks()).sizeBytes, CHUNK_BYTES, 'bytes');
  });

  it('puts and reads many chunks at once', async (store) => {
    const names = ['a', 'b', 'c', 'd'];
    const keys = await Promise.all(names.map((name) => putTrack(store, name, [0, 1, 2])));
    await Promise.all(
      keys.flatMap((key) => [0, 1, 2].map((chunk) => expectChunk(store, key, chunk, bytesOf(chunk)))),
    );
    expectSame((await store.tracks()).length, names.length, 'tracks');
  });

  it('takes a chunk while its manifest is being put', async (store) => {
    const key = keyOf('song');
    await Promise.all([store.putManifest(key, manifestOf(key)), store.putChunk(key, 0, bytesOf(0))]);
    await expectChunk(store, key, 0, bytesOf(0));
  });

  it('refuses a chunk before the manifest', async (store) => {
    await expectRejection(store.putChunk(keyOf('song'), 0, bytesOf(0)), 'invalid-argument');
    expectSame((await store.tracks()).length, 0, 'tracks');
  });

  it('refuses a chunk that is too short, too long or outside the track', async (store) => {
    const key = await putTrack(store, 'song', []);
    await expectRejection(store.putChunk(key, 0, bytesOf(0).subarray(1)), 'invalid-argument');
    await expectRejection(store.putChunk(key, 2, bytesOf(0)), 'invalid-argument');
    await expectRejection(store.putChunk(key, 3, bytesOf(0)), 'invalid-argument');
    await expectRejection(store.putChunk(key, -1, bytesOf(0)), 'invalid-argument');
    expectSame(onlyTrack(await store.tracks()).held.size, 0, 'held chunks');
  });

  it('refuses the manifest of another track', async (store) => {
    await expectRejection(store.putManifest(keyOf('song'), manifestOf(keyOf('other'))), 'invalid-argument');
    await expectRejection(
      store.putManifest(keyOf('song'), manifestOf(keyOf('song', 'b'))),
      'invalid-argument',
    );
    expectSame((await store.tracks()).length, 0, 'tracks');
  });

  it('replaces a manifest and keeps the chunks', async (store) => {
    const key = await putTrack(store, 'song', [0]);
    await store.putManifest(key, { ...manifestOf(key), mime: 'audio/wav' });
    expectSame(onlyTrack(await store.tracks()).manifest.mime, 'audio/wav', 'media type');
    await expectChunk(store, key, 0, bytesOf(0));
  });

  it('forgets the chunks when a manifest cuts the track otherwise', async (store) => {
    const key = await putTrack(store, 'song', [0, 1, 2]);
    await store.putManifest(key, { ...manifestOf(key), chunkSize: CHUNK_BYTES * 2 });
    const track = onlyTrack(await store.tracks());
    expectSame(track.held.size, 0, 'held chunks');
    expectSame(track.held.capacity, 2, 'chunks of the track');
    expectSame(await store.getChunk(key, 0), undefined, 'a chunk of the old size');
  });

  it('forgets the chunks it is told to, and ignores those it does not hold', async (store) => {
    const key = await putTrack(store, 'song', [0, 1]);
    await store.deleteChunks(key, [0, 2, 99, -1]);
    expectSame(await store.getChunk(key, 0), undefined, 'the deleted chunk');
    await expectChunk(store, key, 1, bytesOf(1));
    expectSame(onlyTrack(await store.tracks()).sizeBytes, CHUNK_BYTES, 'bytes');
    await store.deleteChunks(keyOf('unknown'), [0]);
    expectSame((await store.tracks()).length, 1, 'tracks');
  });

  it('takes a deleted chunk again', async (store) => {
    const key = await putTrack(store, 'song', [0]);
    await store.deleteChunks(key, new Set([0]));
    await store.putChunk(key, 0, bytesOf(0));
    await expectChunk(store, key, 0, bytesOf(0));
  });

  it('forgets a track, and takes it again', async (store) => {
    const key = await putTrack(store, 'song', [0, 1, 2]);
    await store.deleteTrack(key);
    await store.deleteTrack(key);
    expectSame((await store.tracks()).length, 0, 'tracks');
    expectSame(await store.getChunk(key, 0), undefined, 'a chunk of it');
    await expectRejection(store.putChunk(key, 0, bytesOf(0)), 'invalid-argument');
    await putTrack(store, 'song', [1]);
    expectSame([...onlyTrack(await store.tracks()).held].join(), '1', 'held chunks');
  });

  it('counts what all who share it hold, where it is shared', async (store) => {
    if (store.capacity === undefined) return;
    const used = async () => (await store.capacity?.())?.usedBytes;
    expectSame(await used(), 0, 'bytes of an empty store');
    const key = await putTrack(store, 'song', [0, 2]);
    expectSame(await used(), CHUNK_BYTES + 1000, 'bytes');
    await store.putChunk(key, 0, bytesOf(4));
    expectSame(await used(), CHUNK_BYTES + 1000, 'bytes, a chunk put twice');
    await putTrack(store, 'other', [1]);
    await store.deleteChunks(key, [0, 0, 1]);
    expectSame(await used(), CHUNK_BYTES + 1000, 'bytes, some deleted');
    await store.deleteChunks(keyOf('unknown'), [0]);
    await store.deleteTrack(keyOf('other'));
    expectSame(await used(), 1000, 'bytes, a track deleted');
    await store.putManifest(key, { ...manifestOf(key), chunkSize: CHUNK_BYTES * 2 });
    expectSame(await used(), 0, 'bytes, the track cut otherwise');
  });

  it('keeps two versions of a track apart', async (store) => {
    const old = await putTrack(store, keyOf('song', 'a'), [0]);
    const young = await putTrack(store, keyOf('song', 'b'), []);
    await store.putChunk(young, 0, bytesOf(9));
    await expectChunk(store, old, 0, bytesOf(0));
    await store.deleteTrack(old);
    await expectChunk(store, young, 0, bytesOf(9));
  });

  it('keeps tracks apart whose ids a file system might confuse', async (store) => {
    const ids = [
      'Song',
      'song',
      'SONG',
      'song.',
      'song..',
      '.song',
      'so~ng',
      'SO~1',
      'CON',
      'con',
      'nul.txt',
      '~',
    ];
    ids.push('...', '-', '_', 'manifest.json', 'x'.repeat(128), `${'x'.repeat(127)}y`, 'X'.repeat(128));
    for (const [i, id] of ids.entries()) {
      const key = await putTrack(store, id, []);
      await store.putChunk(key, 0, bytesOf(i, CHUNK_BYTES));
    }
    for (const [i, id] of ids.entries()) await expectChunk(store, keyOf(id), 0, bytesOf(i, CHUNK_BYTES));
    expectSame((await store.tracks()).length, ids.length, 'tracks');
  });

  it('keeps documents, each as it was last put', async (store) => {
    const values: unknown[] = [{ a: [1, 'ä', null] }, 0, '', false, null, []];
    for (const value of values) {
      await store.putDocument('contribution', value);
      expectSame(JSON.stringify(await store.getDocument('contribution')), JSON.stringify(value), 'document');
    }
    expectSame(await store.getDocument('budget'), undefined, 'another document');
  });

  it('keeps the last of several documents put at once', async (store) => {
    await Promise.all([1, 2, 3, 4, 5].map((n) => store.putDocument('budget', n)));
    expectSame(await store.getDocument('budget'), 5, 'document');
  });

  it('never hands out its own documents', async (store) => {
    const value = { bytes: 1 };
    const put = store.putDocument('budget', value);
    value.bytes = 2;
    await put;
    Object.assign(Object(await store.getDocument('budget')), { bytes: 3 });
    expectSame(JSON.stringify(await store.getDocument('budget')), '{"bytes":1}', 'document');
  });

  for (const name of ['', '.', '..', '../x', 'a/b', 'A', 'a.json', 'x'.repeat(65), 'ä']) {
    it(`refuses a document called ${JSON.stringify(name.slice(0, 10))}`, async (store) => {
      await expectRejection(store.putDocument(name, 1), 'invalid-argument');
      await expectRejection(store.getDocument(name), 'invalid-argument');
    });
  }

  it('refuses a document that is not JSON', async (store) => {
    await store.putDocument('budget', 1);
    await expectRejection(store.putDocument('budget', undefined), 'invalid-argument');
    expectSame(await store.getDocument('budget'), 1, 'document');
  });

  if (truncate !== undefined) {
    for (const keptBytes of [0, 1, 12]) {
      it(`answers null for a document of which ${keptBytes} bytes are left, and takes it anew`, async (store) => {
        await store.putDocument('contribution', { p2pEnabled: false });
        await store.putDocument('budget', 1);
        await truncate('contribution', keptBytes);
        expectSame(await store.getDocument('contribution'), null, 'a damaged document');
        expectSame(await store.getDocument('budget'), 1, 'another document');
        expectSame(await store.getDocument('pinned'), undefined, 'a document never put');
        await store.putDocument('contribution', false);
        expectSame(await store.getDocument('contribution'), false, 'the document put anew');
      });
    }
  }

  it('closes twice without harm, and answers nothing afterwards', async (store) => {
    const key = await putTrack(store, 'song', [0]);
    await Promise.all([store.close(), store.close()]);
    await store.close();
    await expectRejection(store.tracks(), 'closed');
    await expectRejection(store.getChunk(key, 0), 'closed');
    await expectRejection(store.putChunk(key, 1, bytesOf(1)), 'closed');
    await expectRejection(store.putDocument('budget', 1), 'closed');
  });

  if (reopen !== undefined) {
    it('keeps tracks, chunks and documents when it is closed and opened again', async (store) => {
      const key = await putTrack(store, 'song', [0, 2]);
      await putTrack(store, 'Song', []);
      await store.putDocument('budget', { day: 1 });
      const before = (await store.tracks()).find((track) => track.trackId === key.trackId);
      await store.close();
      const again = await reopen();
      try {
        const after = (await again.tracks()).find((track) => track.trackId === key.trackId);
        expectSame((await again.tracks()).length, 2, 'tracks');
        expectSame([...(after?.held ?? [])].join(), '0,2', 'held chunks');
        expectSame(after?.sizeBytes, before?.sizeBytes, 'bytes');
        expectSame(after?.usedAtMs, before?.usedAtMs, 'last use');
        expectSame(JSON.stringify(after?.manifest), JSON.stringify(before?.manifest), 'manifest');
        await expectChunk(again, key, 2, bytesOf(2));
        await again.putChunk(key, 1, bytesOf(1));
        await expectChunk(again, key, 1, bytesOf(1));
        expectSame(JSON.stringify(await again.getDocument('budget')), '{"day":1}', 'document');
      } finally {
        await again.close();
      }
    });

    it('does not bring back what was deleted when it is opened again', async (store) => {
      const key = await putTrack(store, 'song', [0, 1]);
      await putTrack(store, 'gone', [0]);
      await store.deleteChunks(key, [0]);
      await store.deleteTrack(keyOf('gone'));
      await store.close();
      const again = await reopen();
      try {
        expectSame([...onlyTrack(await again.tracks()).held].join(), '1', 'held chunks');
      } finally {
        await again.close();
      }
    });

    it('finishes what is under way before it closes', async (store) => {
      const key = keyOf('song');
      const puts = [store.putManifest(key, manifestOf(key)), store.putChunk(key, 0, bytesOf(0))];
      puts.push(store.putDocument('budget', 1));
      await store.close();
      await Promise.all(puts);
      const again = await reopen();
      try {
        await expectChunk(again, key, 0, bytesOf(0));
        expectSame(await again.getDocument('budget'), 1, 'document');
      } finally {
        await again.close();
      }
    });
  }

  return cases;
}

/** A key whose root is made of one hexadecimal digit. */
function keyOf(trackId: string, rootDigit = 'a'): StoredTrackKey {
  return { trackId: parseTrackId(trackId), root: parseRootHash(rootDigit.repeat(64)) };
}

/** A manifest with the right shape; its hashes prove nothing, since a store proves nothing. */
function manifestOf({ trackId, root }: StoredTrackKey): ManifestJson {
  const chunks = btoa('\0'.repeat(chunkCount(TRACK) * 32));
  return {
    version: 1,
    trackId,
    ...TRACK,
    mime: 'audio/flac',
    root,
    chunks,
    sha256: '0'.repeat(64),
    'x-own': ['kept'],
  };
}

/** The bytes of a chunk, or, with a number beyond the track's chunks, others that fit its first chunks. */
function bytesOf(seed: number, length = chunkLength(TRACK, seed === 2 ? 2 : 0)): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) + seed * 101) & 0xff;
  return bytes;
}

async function putTrack(
  store: ChunkStore,
  named: string | StoredTrackKey,
  chunks: number[],
): Promise<StoredTrackKey> {
  const key = typeof named === 'string' ? keyOf(named) : named;
  await store.putManifest(key, manifestOf(key));
  await Promise.all(chunks.map((chunk) => store.putChunk(key, chunk, bytesOf(chunk))));
  return key;
}

function onlyTrack(tracks: StoredTrack[]): StoredTrack {
  const [track] = tracks;
  if (track === undefined || tracks.length !== 1) throw new Error(`expected one track, not ${tracks.length}`);
  return track;
}

async function expectChunk(
  store: ChunkStore,
  key: StoredTrackKey,
  chunk: number,
  bytes: Uint8Array,
): Promise<void> {
  const got = await store.getChunk(key, chunk);
  if (got === undefined) throw new Error(`chunk ${chunk} of ${key.trackId} is not held`);
  expectSame(got.length, bytes.length, `bytes of chunk ${chunk}`);
  expect(equalBytes(got, bytes), `chunk ${chunk} of ${key.trackId} is as it was put`);
}

async function expectRejection(promise: Promise<unknown>, code: SwarmErrorCode): Promise<void> {
  let rejection: unknown;
  try {
    await promise;
  } catch (error) {
    rejection = error;
  }
  if (!(rejection instanceof SwarmError))
    throw new Error(`expected SwarmError ${code}, not ${String(rejection)}`);
  expectSame(rejection.code, code, 'error code');
}

function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (Object.is(actual, expected)) return;
  throw new Error(`${what}: expected ${String(expected)}, not ${String(actual)}`);
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it does not hold that ${what}`);
}
