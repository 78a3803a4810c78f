import { describe, expect, it } from 'vitest';
import {
  buildManifest,
  checkManifest,
  chunkLength,
  ChunkSet,
  equalBytes,
  type TrackId,
} from '@sonantica/wire';
import { ChunkKeeper, type ChunkReader } from './chunk-keeper.ts';
import { SwarmError } from './errors.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import { TrackVersion } from './track-version.ts';
import { nodeHasher } from './verify/sha256-node.ts';

const CHUNK = 131_072;
const GB = 1e9;

describe('a kept chunk', () => {
  it('is in memory at once and in the store soon', async () => {
    const room = await Room.open();
    const song = await track('song', 3);
    room.keep(song, 1);
    expectChunk(await room.keeper.load(song, 1), song, 1);
    expect(room.keeper.storedBytes).toBe(0);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(CHUNK);
    expectChunk(await room.store.getChunk(song.manifest, 1), song, 1);
    expect((await room.store.tracks())[0]?.manifest).toEqual(song.manifest.json);
  });

  it('counts once when it is kept again', async () => {
    const room = await Room.open();
    const song = await track('song', 3);
    room.keep(song, 1);
    room.keep(song, 1);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(CHUNK);
  });

  it('counts its own length, also when the track ends in it', async () => {
    const room = await Room.open();
    const song = await track('song', 2, 1_000);
    room.keep(song, 2);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(1_000);
    room.keeper.setLimit(0);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(0);
  });
});

describe('after a restart', () => {
  it('is there again, proven before anybody gets it, and counted once as coming from the cache', async () => {
    const before = await Room.open();
    const song = await track('song', 3);
    before.keep(song, 0);
    before.keep(song, 2);
    await before.keeper.settled();

    const room = await Room.open({ store: before.store });
    expect(room.keeper.storedBytes).toBe(2 * CHUNK);
    expect(room.keeper.stored.map(({ trackId, held }) => [trackId, [...held]])).toEqual([['song', [0, 2]]]);
    expectChunk(await room.keeper.load(song, 2), song, 2);
    expect(room.proofs).toBe(1);
    expect(room.cachedBytes).toBe(CHUNK);
    await room.keeper.load(song, 2);
    expect(room.proofs).toBe(1);
    expect(room.cachedBytes).toBe(CHUNK);
  });

  it('is loaded once for all who ask at a time', async () => {
    const before = await Room.open();
    const song = await track('song', 3);
    before.keep(song, 0);
    await before.keeper.settled();
    const room = await Room.open({ store: before.store });
    const loads = await Promise.all([room.keeper.load(song, 0), room.keeper.load(song, 0)]);
    expect(loads[0]).toBe(loads[1]);
    expect(room.proofs).toBe(1);
  });

  it('is dropped, told as lost and not given when it is damaged', async () => {
    const before = await Room.open();
    const song = await track('song', 3);
    before.keep(song, 0);
    before.keep(song, 1);
    await before.keeper.settled();
    await before.store.putChunk(song.manifest, 0, new Uint8Array(CHUNK).fill(0xee));

    const room = await Room.open({ store: before.store });
    expect(await room.keeper.load(song, 0)).toBeUndefined();
    expect(room.lost).toEqual([0]);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(CHUNK);
    expect(await room.store.getChunk(song.manifest, 0)).toBeUndefined();
    expectChunk(await room.keeper.load(song, 1), song, 1);
    room.keep(song, 0);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(2 * CHUNK);
  });

  it.each(['read', 'hashed'])(
    'is told as lost when it cannot be %s, with the trouble, and is there again after the next restart',
    async (what) => {
      const before = await Room.open();
      const song = await track('song', 3);
      before.keep(song, 0);
      await before.keeper.settled();
      const failing = () => Promise.reject(new SwarmError('store-failed', 'the disk is busy'));
      const store = what === 'read' ? changed(before.store, { getChunk: failing }) : before.store;
      const version = what === 'read' ? song : await track('song', 3, 0, failing);

      const room = await Room.open({ store });
      expect(await room.keeper.load(version, 0)).toBeUndefined();
      expect(room.lost).toEqual([0]);
      expect(room.troubles).toEqual(['store-failed: the disk is busy']);
      await room.keeper.settled();
      const after = await Room.open({ store: before.store });
      expect(after.keeper.stored.map(({ held }) => [...held])).toEqual([[0]]);
      expectChunk(await after.keeper.load(song, 0), song, 0);
    },
  );

  it('is dropped when the store does not have it after all', async () => {
    const before = await Room.open();
    const song = await track('song', 3);
    before.keep(song, 0);
    await before.keeper.settled();
    const room = await Room.open({ store: before.store });
    await before.store.deleteChunks(song.manifest, [0]);
    expect(await room.keeper.load(song, 0)).toBeUndefined();
    await room.keeper.settled();
    expect([room.lost, room.troubles, room.keeper.storedBytes]).toEqual([[0], [], 0]);
  });

  it('that could not be read and is kept again is counted once', async () => {
    const before = await Room.open();
    const song = await track('song', 3);
    before.keep(song, 0);
    await before.keeper.settled();
    let fails = true;
    const room = await Room.open({
      store: changed(before.store, {
        getChunk: (...get) =>
          fails ? Promise.reject(new SwarmError('store-failed', 'busy')) : before.store.getChunk(...get),
      }),
    });
    await room.keeper.load(song, 0);
    fails = false;
    room.keep(song, 0);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(CHUNK);
    expectChunk(await room.keeper.load(song, 0), song, 0);
    expect(room.lost).toEqual([0]);
  });
});

describe('the listener’s limit', () => {
  it('of nothing keeps chunks in memory alone', async () => {
    const room = await Room.open({ limit: 0 });
    const song = await track('song', 3);
    room.keep(song, 0);
    await room.keeper.settled();
    expect(await room.store.tracks()).toEqual([]);
    expectChunk(await room.keeper.load(song, 0), song, 0);
    expect(room.lost).toEqual([]);
    expect(room.troubles).toEqual([]);
  });

  it.each([
    [3 * CHUNK, 3],
    [3 * CHUNK - 1, 2],
    [CHUNK - 1, 0],
  ])('of %i bytes is never exceeded: %i chunks stay', async (limit, chunks) => {
    let mostBytes = 0;
    const store = openMemoryStore();
    const watched = changed(store, {
      putChunk: async (key, chunk, bytes) => {
        await store.putChunk(key, chunk, bytes);
        const [held] = await store.tracks();
        mostBytes = Math.max(mostBytes, held?.sizeBytes ?? 0);
      },
    });
    const room = await Room.open({ store: watched, limit });
    const song = await track('song', 6);
    for (let chunk = 0; chunk < 6; chunk++) room.keep(song, chunk);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(chunks * CHUNK);
    expect(mostBytes).toBeLessThanOrEqual(limit);
  });

  it('lets the track go that was used longest ago', async () => {
    const room = await Room.open({ limit: 3 * CHUNK });
    const [old, young] = [await track('old', 2), await track('young', 2)];
    room.keep(old, 0);
    room.keep(old, 1);
    await room.keeper.settled();
    room.clock.advance(3_600_000);
    room.keep(young, 0);
    room.keep(young, 1);
    await room.keeper.settled();
    const held = (await room.store.tracks()).map(({ trackId, held: set }) => [trackId, [...set]]);
    expect(held).toEqual([
      ['old', [0]],
      ['young', [0, 1]],
    ]);
  });

  it('that shrinks is obeyed at once; what memory still has is not lost', async () => {
    const room = await Room.open();
    const song = await track('song', 4);
    for (let chunk = 0; chunk < 4; chunk++) room.keep(song, chunk);
    await room.keeper.settled();
    room.keeper.setLimit(CHUNK);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(CHUNK);
    expect(room.lost).toEqual([]);
    expectChunk(await room.keeper.load(song, 3), song, 3);
  });

  it('that shrinks is told for what memory does not have', async () => {
    const before = await Room.open();
    const song = await track('song', 3);
    for (let chunk = 0; chunk < 3; chunk++) before.keep(song, chunk);
    await before.keeper.settled();
    const room = await Room.open({ store: before.store });
    await room.keeper.load(song, 2);
    room.keeper.setLimit(0);
    await room.keeper.settled();
    expect(room.lost.toSorted()).toEqual([0, 1]);
    expect(await room.store.tracks()).toEqual([]);
  });

  it('does not take chunks that a player is about to need', async () => {
    const room = await Room.open({ limit: 2 * CHUNK });
    const song = await track('song', 4);
    room.inUse = new Set([0, 1]);
    for (let chunk = 0; chunk < 4; chunk++) room.keep(song, chunk);
    await room.keeper.settled();
    expect([...((await room.store.tracks())[0]?.held ?? [])]).toEqual([0, 1]);
  });
});

describe('a pinned track', () => {
  it('stays, whatever else has to go', async () => {
    const room = await Room.open({ limit: 3 * CHUNK });
    const [kept, other] = [await track('kept', 2), await track('other', 3)];
    room.pinned.add('kept');
    for (const chunk of [0, 1]) room.keep(kept, chunk);
    await room.keeper.settled();
    room.clock.advance(3_600_000);
    for (const chunk of [0, 1, 2]) room.keep(other, chunk);
    await room.keeper.settled();
    expect(await room.held()).toEqual({ kept: [0, 1], other: [2] });
    expect(room.keeper.roomBytes(new Set())).toBe(CHUNK);
    expect(room.keeper.roomBytes(new Set([kept.manifest.trackId]))).toBe(3 * CHUNK);
  });

  it('goes last when the listener’s limit leaves no room for it, before what is being played', async () => {
    const room = await Room.open();
    const [kept, other] = [await track('kept', 2), await track('other', 2)];
    room.pinned.add('kept');
    for (const song of [kept, other]) for (const chunk of [0, 1]) room.keep(song, chunk);
    await room.keeper.settled();
    room.keeper.setLimit(2 * CHUNK);
    await room.keeper.settled();
    expect(await room.held()).toEqual({ kept: [0, 1] });
    room.inUse = new Set([1]);
    room.keeper.setLimit(CHUNK);
    await room.keeper.settled();
    expect(await room.held()).toEqual({ kept: [1] });
    room.keeper.setLimit(0);
    await room.keeper.settled();
    expect(await room.held()).toEqual({});
  });
});

describe('what goes first', () => {
  it.each([
    ['priority', ['unheard']],
    ['lru', ['heard']],
  ] as const)('by %s is %s', async (eviction, gone) => {
    const room = await Room.open({ limit: 3 * CHUNK, eviction });
    const [heard, unheard, next] = [
      await track('heard', 1),
      await track('unheard', 1),
      await track('next', 2),
    ];
    room.demand.set(heard.key, { listeners: 4, aulas: 1 });
    room.keep(heard, 0);
    await room.keeper.settled();
    room.clock.advance(60_000);
    room.keep(unheard, 0);
    await room.keeper.settled();
    room.clock.advance(60_000);
    for (const chunk of [0, 1]) room.keep(next, chunk);
    await room.keeper.settled();
    const held = await room.held();
    expect(['heard', 'unheard'].filter((id) => held[id] === undefined)).toEqual(gone);
  });

  it('is not what is read again and again, though memory has it', async () => {
    const room = await Room.open({ limit: 2 * CHUNK, eviction: 'lru' });
    const [read, unread, next] = [await track('read', 1), await track('unread', 1), await track('next', 1)];
    room.keep(read, 0);
    room.clock.advance(1_000);
    room.keep(unread, 0);
    await room.keeper.settled();
    room.clock.advance(1_000);
    await room.keeper.load(read, 0);
    room.keep(next, 0);
    await room.keeper.settled();
    expect(Object.keys(await room.held())).toEqual(['read', 'next']);
  });
});

describe('a store that is full', () => {
  it('gets room by eviction, and nobody is troubled', async () => {
    const room = await Room.open({ store: openMemoryStore({ maxBytes: 6 * CHUNK }) });
    const [old, young] = [await track('old', 6), await track('young', 2)];
    for (let chunk = 0; chunk < 6; chunk++) room.keep(old, chunk);
    await room.keeper.settled();
    room.clock.advance(3_600_000);
    room.keep(young, 0);
    await room.keeper.settled();
    expectChunk(await room.store.getChunk(young.manifest, 0), young, 0);
    expect(room.troubles).toEqual([]);
    expect(room.keeper.storedBytes).toBe((await sizeOf(room.store)) ?? -1);
  });

  it('keeps a chunk of a track whose last chunks had to go for it', async () => {
    const room = await Room.open({ store: openMemoryStore({ maxBytes: CHUNK }) });
    const song = await track('song', 3);
    room.keep(song, 0);
    await room.keeper.settled();
    room.keep(song, 1);
    await room.keeper.settled();
    expect(room.troubles).toEqual([]);
    expectChunk(await room.store.getChunk(song.manifest, 1), song, 1);
    expect(room.keeper.storedBytes).toBe(CHUNK);
  });

  it.each([
    ['that says nothing of its room', undefined],
    ['whose room seems to be far below the listener’s limit', 60 * CHUNK],
  ])('%s lets four chunks go for one it does not take', async (_which, roomBytes) => {
    let full = false;
    const store = openMemoryStore();
    const room = await Room.open({
      store: changed(store, {
        capacity: async () => ({ usedBytes: await sizeOf(store), roomBytes }),
        putChunk: async (...put) => {
          if (full) {
            full = false;
            throw new SwarmError('store-full', 'the quota is exceeded');
          }
          await store.putChunk(...put);
        },
      }),
    });
    const song = await track('song', 21, 1_000);
    for (let chunk = 0; chunk < 20; chunk++) room.keep(song, chunk);
    await room.keeper.settled();
    full = true;
    room.keep(song, 21);
    await room.keeper.settled();
    expect((await room.held())['song']).toHaveLength(20 - 4 + 1);
    expect(room.keeper.storedBytes).toBe(16 * CHUNK + 1_000);
    expect([room.troubles, room.unstored]).toEqual([[], []]);
  });

  it('and stays full leaves chunks in memory alone, which is told once until it works again', async () => {
    let full = true;
    const store = openMemoryStore();
    const moody = changed(store, {
      putChunk: (key, chunk, bytes) =>
        full
          ? Promise.reject(new SwarmError('store-full', 'no space left'))
          : store.putChunk(key, chunk, bytes),
    });
    const room = await Room.open({ store: moody });
    const song = await track('song', 6);
    for (const chunk of [0, 1, 2]) room.keep(song, chunk);
    await room.keeper.settled();
    expect(room.troubles).toEqual(['store-full: no space left']);
    expect(room.unstored).toEqual(Array(3).fill('song: store-full'));
    expect(room.keeper.storedBytes).toBe(0);
    for (const chunk of [0, 1, 2]) expectChunk(await room.keeper.load(song, chunk), song, chunk);
    expect(room.lost).toEqual([]);
    full = false;
    room.keep(song, 3);
    await room.keeper.settled();
    expect(room.keeper.storedBytes).toBe(CHUNK);
    full = true;
    room.keep(song, 4);
    await room.keeper.settled();
    expect(room.troubles).toHaveLength(2);
  });

  it('is told apart from one that fails', async () => {
    const store = changed(openMemoryStore(), {
      putManifest: () => Promise.reject(new Error('read-only file system')),
    });
    const room = await Room.open({ store });
    room.keep(await track('song', 1), 0);
    await room.keeper.settled();
    expect(room.troubles).toEqual(['store-failed: read-only file system']);
    expect(room.unstored).toEqual(['song: store-failed']);
  });
});

describe('a store that is slower than what comes', () => {
  it.each([['writes'], ['fails']])('is told as behind, and as caught up once it %s', async (outcome) => {
    let go = () => {};
    const gone = new Promise<void>((resolve) => (go = resolve));
    const store = openMemoryStore();
    const slow = changed(store, {
      putChunk: async (key, chunk, bytes) => {
        await gone;
        if (outcome === 'fails') throw new Error('no such device');
        await store.putChunk(key, chunk, bytes);
      },
    });
    const room = await Room.open({ store: slow });
    const song = await track('song', 300);
    const behindAfter = 33_554_432 / CHUNK + 1;
    for (let chunk = 0; chunk < behindAfter - 1; chunk++) room.keep(song, chunk);
    expect(room.behind).toEqual([]);
    room.keep(song, behindAfter - 1);
    room.keep(song, behindAfter);
    expect(room.behind).toEqual([true]);
    go();
    await room.keeper.settled();
    expect(room.behind).toEqual([true, false]);
  });
});

describe('a store that gives no turn to write', () => {
  it('keeps nothing, and nothing is awaited of it', async () => {
    let hasTurns = false;
    const store = changed(openMemoryStore(), {
      exclusively: (_what, act) => (hasTurns ? act() : Promise.reject(new Error('no locks'))),
    });
    const room = await Room.open({ store });
    const song = await track('song', 300);
    for (let chunk = 0; chunk < 300; chunk++) room.keep(song, chunk);
    await room.keeper.settled();
    expect(room.behind).toEqual([true, false]);
    expect(room.unstored).toHaveLength(300);
    expect(room.troubles).toEqual(['store-failed: no locks']);
    hasTurns = true;
    room.keep(song, 299);
    await room.keeper.settled();
    expect(await room.held()).toEqual({ song: [299] });
  });
});

describe('a store whose contents were deleted under us', () => {
  it('is written to again, manifest first', async () => {
    const room = await Room.open();
    const song = await track('song', 3);
    for (const chunk of [0, 1]) room.keep(song, chunk);
    await room.keeper.settled();
    await room.store.deleteTrack(song.manifest);
    room.keep(song, 2);
    await room.keeper.settled();
    expect(await room.held()).toEqual({ song: [2] });
    expect(room.keeper.storedBytes).toBe(CHUNK);
    expect(room.keeper.keepsAll(song)).toBe(false);
    expect([room.unstored, room.troubles]).toEqual([[], []]);
  });

  it('gets what memory still has, where that is to be secure', async () => {
    const room = await Room.open({ store: sharedStore() });
    const song = await track('song', 2);
    for (const chunk of [0, 1]) room.keep(song, chunk);
    await room.keeper.settled();
    expect(room.keeper.keepsAll(song)).toBe(true);
    await room.store.deleteTrack(song.manifest);
    await room.keeper.refresh();
    expect([room.keeper.keepsAll(song), room.keeper.storedBytes]).toEqual([false, 0]);
    for (const chunk of [0, 1]) await room.keeper.secure(song, chunk);
    await room.keeper.settled();
    expect(await room.held()).toEqual({ song: [0, 1] });
    expect(room.lost).toEqual([]);
  });
});

describe('a chunk for which the listener’s limit leaves no room', () => {
  it('is told as not stored', async () => {
    const room = await Room.open({ limit: 2 * CHUNK });
    const [kept, song] = [await track('kept', 2), await track('song', 1)];
    room.pinned.add('kept');
    for (const chunk of [0, 1]) room.keep(kept, chunk);
    room.keep(song, 0);
    await room.keeper.settled();
    expect(room.unstored).toEqual(['song: store-full']);
    expect(await room.held()).toEqual({ kept: [0, 1] });
    expectChunk(await room.keeper.load(song, 0), song, 0);
  });
});

describe('memory', () => {
  it('of 64 MiB lets go of chunks that no store has, and tells', async () => {
    const room = await Room.open({ limit: 0 });
    const chunks = (64 * 1024 * 1024) / CHUNK;
    const song = await track('song', chunks + 2);
    for (let chunk = 0; chunk < chunks; chunk++) room.keep(song, chunk);
    expect(room.lost).toEqual([]);
    await room.keeper.load(song, 0);
    room.keep(song, chunks);
    room.keep(song, chunks + 1);
    expect(room.lost).toEqual([1, 2]);
  });
});

describe('a reader', () => {
  it('gives chunks that lie elsewhere, proven like any other', async () => {
    const room = await Room.open();
    const song = await track('song', 2);
    const reader: ChunkReader = async (chunk) =>
      chunk === 0 ? bytesOf(song, 0) : new Uint8Array(CHUNK).fill(0xee);
    expect(room.keeper.hasReader(song.key)).toBe(false);
    room.keeper.setReader(song.key, reader);
    expect(room.keeper.hasReader(song.key)).toBe(true);
    expectChunk(await room.keeper.load(song, 0), song, 0);
    expect(await room.keeper.load(song, 1)).toBeUndefined();
    expect(room.lost).toEqual([1]);
    expect(room.keeper.storedBytes).toBe(0);
  });
});

describe('closing', () => {
  it('waits for what is being written', async () => {
    const store = openMemoryStore();
    let kept = 0;
    let closedAfter = -1;
    const watched = changed(store, {
      putChunk: async (...put) => {
        await new Promise((resolve) => setImmediate(resolve));
        await store.putChunk(...put);
        kept++;
      },
      close: async () => void (closedAfter = kept),
    });
    const room = await Room.open({ store: watched });
    const song = await track('song', 2);
    room.keep(song, 0);
    room.keep(song, 1);
    await room.keeper.close();
    expect(closedAfter).toBe(2);
  });
});

// --- A keeper and what it tells ---

interface RoomOptions {
  readonly store?: ChunkStore;
  readonly eviction?: 'priority' | 'lru';
  readonly limit?: number;
}

let proofs = 0;

describe('a store that several share', () => {
  it('keeps no more than the listener allows, all of them together', async () => {
    const store = sharedStore();
    const limit = 4 * CHUNK;
    const rooms = [await Room.open({ store, limit }), await Room.open({ store, limit })] as const;
    const songs = [await track('song', 4), await track('other', 4)] as const;
    let most = 0;
    for (let chunk = 0; chunk < 4; chunk++) {
      rooms[0].keep(songs[0], chunk);
      rooms[1].keep(songs[1], chunk);
      await Promise.all(rooms.map(({ keeper }) => keeper.settled()));
      most = Math.max(most, await sizeOf(store));
    }
    expect(most).toBe(limit);
    for (const { keeper, troubles } of rooms) {
      expect(keeper.storedBytes).toBeLessThanOrEqual(limit);
      expect(troubles).toEqual([]);
    }
  });

  it('makes room of what another put, when the listener allows less', async () => {
    const store = sharedStore();
    const first = await Room.open({ store });
    const song = await track('song', 4);
    const second = await Room.open({ store });
    for (let chunk = 0; chunk < 4; chunk++) first.keep(song, chunk);
    await first.keeper.settled();
    second.keeper.setLimit(CHUNK);
    await second.keeper.settled();
    expect(await sizeOf(store)).toBe(CHUNK);
  });

  it('learns what another deleted, when it needs room itself', async () => {
    const store = sharedStore();
    const room = await Room.open({ store, limit: 2 * CHUNK });
    const song = await track('song', 4);
    room.keep(song, 0);
    room.keep(song, 1);
    await room.keeper.settled();
    await store.deleteTrack(song.manifest);
    const other = await Room.open({ store });
    other.keep(song, 2);
    other.keep(song, 3);
    await other.keeper.settled();
    room.keep(song, 0);
    await room.keeper.settled();
    expect(await sizeOf(store)).toBe(2 * CHUNK);
    expectChunk(await room.keeper.load(song, 0), song, 0);
  });

  it('is left alone, and that is told, where the system has no room for more', async () => {
    const store = sharedStore(CHUNK - 1);
    const room = await Room.open({ store });
    const song = await track('song', 2);
    room.keep(song, 0);
    await room.keeper.settled();
    expect(room.troubles).toEqual(["store-full: the site's storage is nearly full"]);
    expect(await sizeOf(store)).toBe(0);
    expectChunk(await room.keeper.load(song, 0), song, 0);
  });
});

class Room {
  readonly store: ChunkStore;
  readonly keeper: ChunkKeeper;
  readonly clock = new VirtualClock();
  readonly lost: number[] = [];
  readonly troubles: string[] = [];
  readonly unstored: string[] = [];
  readonly behind: boolean[] = [];
  cachedBytes = 0;
  inUse: { has(chunk: number): boolean } = new Set<number>();
  readonly pinned = new Set<string>();
  readonly demand = new Map<string, { listeners: number; aulas: number }>();
  readonly #proofsBefore = proofs;

  static async open(options: RoomOptions = {}): Promise<Room> {
    const room = new Room(options);
    await room.keeper.loadAll();
    room.keeper.setLimit(options.limit ?? GB);
    await room.keeper.settled();
    return room;
  }

  private constructor({ store = openMemoryStore(), eviction = 'priority' }: RoomOptions) {
    this.store = store;
    this.keeper = new ChunkKeeper({
      store,
      clock: this.clock,
      eviction,
      isPinned: (trackId) => this.pinned.has(trackId),
      onLost: (_track, chunk) => void this.lost.push(chunk),
      onCached: (_version, bytes) => void (this.cachedBytes += bytes),
      demandFor: (key) => ({
        ...(this.demand.get(key) ?? { listeners: 0, aulas: 0 }),
        inUse: this.inUse,
        holders: () => 0,
      }),
      onUnstored: (key, { code }) => void this.unstored.push(`${key.slice(0, key.indexOf('@'))}: ${code}`),
      onBehind: (isBehind) => void this.behind.push(isBehind),
      onTrouble: (reason, message) => void this.troubles.push(`${reason}: ${message}`),
    });
  }

  /** Whole chunks proven since the room was opened. */
  get proofs(): number {
    return proofs - this.#proofsBefore;
  }

  /** Chunks in the store by track. */
  async held(): Promise<Record<string, number[]>> {
    return Object.fromEntries((await this.store.tracks()).map(({ trackId, held }) => [trackId, [...held]]));
  }

  keep(version: TrackVersion, chunk: number): void {
    this.keeper.keep(version, chunk, bytesOf(version, chunk));
  }
}

/** A track of whole chunks, and one more of `tail` bytes if any. A chunk is right when its first byte is its index. */
async function track(
  id: string,
  chunks: number,
  tail = 0,
  proveChunk = proveByFirstByte,
): Promise<TrackVersion> {
  const count = chunks + (tail > 0 ? 1 : 0);
  const chunkHashes = Array.from({ length: count }, (_, i) =>
    nodeHasher(new TextEncoder().encode(`${id}${i}`)),
  );
  const facts = { trackId: id as TrackId, size: chunks * CHUNK + tail, chunkSize: CHUNK, mime: 'audio/flac' };
  const document = await buildManifest({ ...facts, sha256: '00'.repeat(32), chunkHashes }, nodeHasher);
  const manifest = await checkManifest(document, { hasher: nodeHasher });
  const unused = () => {
    throw new Error('not expected here');
  };
  const verifier = {
    hasLeaves: unused,
    leavesOf: unused,
    acceptLeaves: unused,
    proveBlock: unused,
    forget: unused,
    proveChunk,
  };
  const handler = {
    proven: unused,
    disproved: unused,
    unhashed: unused,
    wasted: unused,
    complete: unused,
    load: unused,
  };
  return new TrackVersion(manifest, ChunkSet.all(count), verifier, handler);
}

function proveByFirstByte(
  chunk: number,
  bytes: Uint8Array,
): Uint8Array | undefined | Promise<Uint8Array | undefined> {
  proofs++;
  return bytes[0] === (chunk & 0xff) ? new Uint8Array(1) : undefined;
}

function bytesOf({ manifest }: TrackVersion, chunk: number): Uint8Array {
  return new Uint8Array(chunkLength(manifest, chunk)).fill(chunk & 0xff);
}

function expectChunk(bytes: Uint8Array | undefined, version: TrackVersion, chunk: number): void {
  expect(bytes !== undefined && equalBytes(bytes, bytesOf(version, chunk))).toBe(true);
}

async function sizeOf(store: ChunkStore): Promise<number> {
  return (await store.tracks()).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** A store that others open too; one at a time writes, and the system has `roomBytes` left. */
function sharedStore(roomBytes?: number): ChunkStore {
  const store = openMemoryStore();
  let turn: Promise<unknown> = Promise.resolve();
  return changed(store, {
    capacity: async () => {
      const usedBytes = await sizeOf(store);
      // Long enough for another to write meanwhile, unless it waits its turn.
      await new Promise((resolve) => setImmediate(resolve));
      return { usedBytes, roomBytes };
    },
    exclusively: (_name, act) => {
      const acting = turn.then(act);
      turn = acting.catch(() => undefined);
      return acting;
    },
  });
}

/** A store some of whose methods are others. */
function changed(store: ChunkStore, methods: Partial<ChunkStore>): ChunkStore {
  return {
    tracks: () => store.tracks(),
    putManifest: (...put) => store.putManifest(...put),
    putChunk: (...put) => store.putChunk(...put),
    getChunk: (...get) => store.getChunk(...get),
    deleteChunks: (...gone) => store.deleteChunks(...gone),
    deleteTrack: (key) => store.deleteTrack(key),
    getDocument: (name) => store.getDocument(name),
    putDocument: (...put) => store.putDocument(...put),
    close: () => store.close(),
    ...methods,
  };
}
