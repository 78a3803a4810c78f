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

/** A store that outlasts its swarm. */
function lasting(store: ChunkStore): ChunkStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'close') return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
