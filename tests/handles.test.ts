import { describe, expect, it } from 'vitest';
import { CHUNK, VirtualRoom } from './support/virtual-room.ts';

describe('two handles of one track', () => {
  it('share what is fetched: each byte comes once, and both hear of it', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const { swarm } = room.listener('listener');
    const [one, other] = [swarm.open('song'), swarm.open('song')];
    const heard = { one: 0, other: 0 };
    one.on('chunk', () => heard.one++);
    other.on('chunk', () => heard.other++);
    await room.during(Promise.all([one.download(), other.download()]));
    expect(swarm.stats()).toMatchObject({ bytes: { origin: 8 * CHUNK }, tracks: 1 });
    expect(heard).toEqual({ one: 8, other: 8 });
  });

  it('are closed one by one: the other reads on, also while both are being opened', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const { swarm } = room.listener('listener');
    const [one, other] = [swarm.open('song'), swarm.open('song')];
    const [given, read] = [one.manifest(), other.read({ start: 5, end: 9 })];
    one.close();
    await expect(room.during(given)).rejects.toMatchObject({ code: 'closed' });
    expect(await room.during(read)).toHaveLength(4);
  });
});

describe('a closed track', () => {
  it('keeps its whole chunks; parts of others go with the last handle and are fetched again', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const { swarm } = room.listener('listener', { contribution: { p2pEnabled: false } });
    const [one, other] = [swarm.open('song'), swarm.open('song')];
    const whole = { start: 0, end: CHUNK };
    const part = { start: 5 * CHUNK, end: 5 * CHUNK + 20_000 };
    const read = async (track: typeof one) => {
      const before = swarm.stats().bytes.origin;
      for (const range of [whole, part]) await room.during(track.read(range, { deadlineMs: 100 }));
      return swarm.stats().bytes.origin - before;
    };
    expect(await read(one)).toBeGreaterThan(CHUNK);
    await room.during(other.manifest());
    one.close();
    expect(await read(other)).toBe(0);
    other.close();
    const again = await read(swarm.open('song'));
    expect(again).toBeGreaterThanOrEqual(20_000);
    expect(again).toBeLessThanOrEqual(CHUNK);
  });

  it('tells peers that were told of parts of a chunk that they are gone', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const { swarm } = room.listener('listener');
    const others = ['a', 'b', 'c', 'd'].map((name) => room.listener(name).swarm.open('song'));
    const track = swarm.open('song');
    await room.during(Promise.all([track, ...others].map((each) => each.manifest())));
    await room.during(track.read({ start: 0, end: CHUNK }));
    await room.pass(3_000);
    const end = 5 * CHUNK;
    const reads = track.read({ start: end - CHUNK, end: end - CHUNK + 20_000 }, { deadlineMs: 100 });
    await room.during(reads);
    const told = room.frames.filter(({ from, message }) => from === 'listener' && message.type === 'part');
    expect(told.map(({ message }) => message)).toContainEqual(expect.objectContaining({ chunk: 4 }));
    const before = room.frames.length;
    track.close();
    await room.pass(500);
    const gone = room.frames
      .slice(before)
      .filter(({ from, message }) => from === 'listener' && message.type === 'have');
    expect(gone.map(({ to }) => to).toSorted()).toEqual(['a', 'b', 'c', 'd']);
    expect(gone[0]?.message).toMatchObject({ chunks: [], lost: [4] });
  });

  it('of which nothing is held is left, and can be opened again', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const { swarm } = room.listener('listener');
    const [track, second] = [swarm.open('song'), swarm.open('song')];
    await room.during(Promise.all([track.manifest(), second.manifest()]));
    await room.pass(2_000);
    track.close();
    expect(swarm.stats().tracks).toBe(1);
    second.close();
    expect(swarm.stats().tracks).toBe(0);
    await room.pass(1_000);
    expect(room.told.at(-1)).toMatchObject({ type: 'leave', trackId: 'song' });
    await room.during(swarm.open('song').download());
    expect(swarm.stats()).toMatchObject({ tracks: 1, storedBytes: 8 * CHUNK });
  });

  it('of which something is held is given on, as is one that is being prefetched', async () => {
    const room = await VirtualRoom.open({ tracks: { held: CHUNK, next: CHUNK } });
    const { swarm } = room.listener('listener');
    const prefetch = await swarm.prefetch(['next']);
    const [held, next] = [swarm.open('held'), swarm.open('next')];
    await room.during(Promise.all([held.download(), next.manifest()]));
    held.close();
    next.close();
    expect(swarm.stats().tracks).toBe(2);
    prefetch.cancel();
    await room.during(prefetch.finished);
    await room.seeder('seeder', ['next']);
    await room.during(swarm.open('next').download());
    expect(swarm.stats().tracks).toBe(2);
  });
});
