import { describe, expect, it } from 'vitest';
import { openMemoryStore, type ChunkStore } from '@sonantica/swarm';
import { CHUNK, VirtualRoom } from './support/virtual-room.ts';

const GB = 1_000_000_000;

describe('a listener whose storage is full', () => {
  it('tells peers and the tracker what it lost, and keeps what is pinned', async () => {
    const room = await VirtualRoom.open({ tracks: { kept: 4 * CHUNK, first: 4 * CHUNK, second: 4 * CHUNK } });
    const contribution = { maxStorageGB: (8 * CHUNK) / GB };
    const disk = lasting(openMemoryStore({ wallMs: () => room.clock.wallMs() }));
    const before = room.listener('before', { contribution, store: disk });
    await room.during(before.swarm.pin('kept'));
    for (const trackId of ['kept', 'first']) await room.during(before.swarm.open(trackId).download());
    await room.during(before.swarm.close());

    // Started again, it has nothing in memory: what the store lets go is lost.
    const full = room.listener('full', { contribution, store: disk, aulaId: 'aula' });
    const other = room.listener('other', { aulaId: 'aula', contribution: { allowDownloadFromPeers: false } });
    await room.during(other.swarm.open('first').download());
    await room.pass(2_000);
    room.frames.length = room.told.length = 0;
    await room.during(full.swarm.open('second').download());
    await room.pass(6_000);

    expect(full.swarm.pinned).toEqual(['kept']);
    const held = (await disk.tracks()).map(({ trackId, held: chunks }) => [trackId, chunks.size]);
    expect(Object.fromEntries(held)).toEqual({ kept: 4, second: 4 });
    const lost = room.frames.flatMap(({ from, to, message }) =>
      from === 'full' && to === 'other' && message.type === 'have' ? [...message.lost] : [],
    );
    expect(lost.toSorted()).toEqual([0, 1, 2, 3]);
    // The other has them still: it had no reason to say so before.
    const kept = room.frames.flatMap(({ from, to, message }) =>
      from === 'other' && to === 'full' && message.type === 'have' ? [...message.chunks] : [],
    );
    expect(kept.toSorted()).toEqual([0, 1, 2, 3]);
    const toldTracker = room.told.flatMap(({ type, lost: chunks }) =>
      type === 'have' ? (chunks ?? []) : [],
    );
    expect(toldTracker.toSorted()).toEqual([0, 1, 2, 3]);
  });

  it('ends a download that no longer fits when its limit is lowered', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 40 * CHUNK }, originUpKbps: 5_000 });
    const { swarm } = room.listener('listener');
    const download = swarm.open('song').download();
    download.catch(() => undefined);
    await room.pass(3_000);
    expect(swarm.stats().storedBytes).toBeGreaterThan(CHUNK);
    const asked = room.asked.length;
    void swarm.setContribution({ maxStorageGB: CHUNK / GB });
    await expect(room.during(download)).rejects.toMatchObject({ code: 'store-full' });
    await room.pass(30_000);
    expect(swarm.stats().storedBytes).toBeLessThanOrEqual(CHUNK);
    expect(room.asked.length).toBe(asked);
  });
});

describe('a download', () => {
  it('is refused at once where what is pinned leaves no room for it', async () => {
    const room = await VirtualRoom.open({ tracks: { kept: 4 * CHUNK, song: 4 * CHUNK } });
    const { swarm } = room.listener('listener', { contribution: { maxStorageGB: (6 * CHUNK) / GB } });
    await room.during(swarm.pin('kept'));
    await room.during(swarm.open('kept').download());
    const song = swarm.open('song');
    await room.during(song.manifest());
    const asked = room.asked.length;
    await expect(room.during(song.download())).rejects.toMatchObject({ code: 'store-full' });
    expect(room.asked.length).toBe(asked);
  });

  it('is refused where another that began before needs the room; that one ends well', async () => {
    const room = await VirtualRoom.open({ tracks: { first: 4 * CHUNK, second: 4 * CHUNK } });
    const { swarm } = room.listener('listener', { contribution: { maxStorageGB: (6 * CHUNK) / GB } });
    const [first, second] = [swarm.open('first'), swarm.open('second')];
    await room.during(Promise.all([first.manifest(), second.manifest()]));
    const begun = first.download();
    await expect(room.during(second.download())).rejects.toMatchObject({ code: 'store-full' });
    await room.during(begun);
    expect(swarm.stats().storedBytes).toBe(4 * CHUNK);
  });

  it('ends when the disk is full, instead of fetching anew what memory has no room for', async () => {
    const chunks = 300;
    const room = await VirtualRoom.open({ tracks: { song: chunks * CHUNK } });
    const store = openMemoryStore({ maxBytes: 20 * CHUNK, wallMs: () => room.clock.wallMs() });
    const { swarm } = room.listener('listener', { store });
    await expect(room.during(swarm.open('song').download())).rejects.toMatchObject({ code: 'store-full' });
    await room.pass(30_000);
    expect(swarm.stats().bytes.origin).toBeLessThanOrEqual(chunks * CHUNK);
  });

  it('fetches no further ahead of a slow disk than memory is meant for, while what is played comes at once', async () => {
    const chunks = 300;
    const room = await VirtualRoom.open({ tracks: { song: chunks * CHUNK } });
    const store = openMemoryStore({ wallMs: () => room.clock.wallMs() });
    let written = () => {};
    let stands = true;
    const slow = changed(store, {
      putChunk: async (...chunk: Parameters<ChunkStore['putChunk']>) => {
        if (stands) await new Promise<void>((resolve) => (written = resolve));
        await store.putChunk(...chunk);
      },
    });
    const { swarm } = room.listener('listener', { store: slow });
    const song = swarm.open('song');
    const download = song.download();
    await room.pass(60_000);
    const aheadBytes = swarm.stats().bytes.origin;
    expect(aheadBytes).toBeGreaterThan(30_000_000);
    expect(aheadBytes).toBeLessThan(40_000_000);
    await room.during(song.read({ start: 290 * CHUNK, end: 291 * CHUNK }, { deadlineMs: 2_000 }));
    expect(swarm.stats().bytes.origin).toBeLessThanOrEqual(aheadBytes + CHUNK);
    stands = false;
    written();
    await room.during(download);
    expect((await store.tracks()).map(({ held }) => held.size)).toEqual([chunks]);
    expect(swarm.stats().bytes.origin).toBe(chunks * CHUNK);
  });

  it('stores what was read before there was room for it', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 4 * CHUNK } });
    const store = openMemoryStore({ wallMs: () => room.clock.wallMs() });
    const { swarm } = room.listener('listener', { store, contribution: { maxStorageGB: 0 } });
    const song = swarm.open('song');
    await room.during(song.read({ start: 0, end: 2 * CHUNK }));
    await room.during(swarm.setContribution({ maxStorageGB: 1 }));
    await room.during(song.download());
    expect((await store.tracks()).map(({ sizeBytes }) => sizeBytes)).toEqual([4 * CHUNK]);
    expect(swarm.stats().bytes.origin).toBe(4 * CHUNK);
  });
});

describe('a read of more than memory keeps', () => {
  it('has every byte once, though nothing is stored', async () => {
    const size = 300 * CHUNK;
    const room = await VirtualRoom.open({ tracks: { song: size } });
    const { swarm } = room.listener('listener', { contribution: { maxStorageGB: 0 } });
    const bytes = await room.during(swarm.open('song').read({ start: 0, end: size }));
    expect(bytes.length).toBe(size);
    await room.pass(10_000);
    expect(swarm.stats().bytes.origin).toBe(size);
  });
});

describe('a prefetch of what cannot be stored', () => {
  it('fails, instead of fetching it again and again', async () => {
    const chunks = 300;
    const room = await VirtualRoom.open({ tracks: { song: chunks * CHUNK } });
    const store = openMemoryStore({ maxBytes: 20 * CHUNK, wallMs: () => room.clock.wallMs() });
    const { swarm } = room.listener('listener', { store });
    const prefetch = await swarm.prefetch(['song'], { origin: true });
    const [song] = await room.during(prefetch.finished);
    expect(song).toMatchObject({ state: 'failed', error: { code: 'store-full' } });
    await room.pass(30_000);
    expect(swarm.stats().bytes.origin).toBeLessThanOrEqual(chunks * CHUNK);
  });
});

/** A store that outlasts its swarm. */
function lasting(store: ChunkStore): ChunkStore {
  return changed(store, { close: () => Promise.resolve() });
}

/** A store of which some methods are others. */
function changed(store: ChunkStore, others: Partial<ChunkStore>): ChunkStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(others, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
