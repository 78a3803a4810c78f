import { describe, expect, it } from 'vitest';
import type { Track } from '@sonantica/swarm';
import { BYTES_PER_SECOND, CHUNK, VirtualRoom, type AskedOrigin } from './support/virtual-room.ts';

const GB = 1_000_000_000;
const HEAD = 98_304;

describe('a prefetch', () => {
  it('takes tracks from peers alone, in their order, and tells how far it is', async () => {
    const room = await VirtualRoom.open({
      tracks: { next: 8 * CHUNK, after: 6 * CHUNK + 9, nowhere: CHUNK },
    });
    await room.seeder('seeder', ['next', 'after']);
    const { swarm } = room.listener('listener');
    const prefetch = await swarm.prefetch(['next', 'after', 'nowhere']);
    const seen: string[] = [];
    prefetch.on('progress', ({ trackId, state, heldBytes }) => seen.push(`${trackId} ${state} ${heldBytes}`));
    await room.pass(30_000);
    expect(prefetch.tracks).toEqual([
      { trackId: 'next', state: 'complete', heldBytes: 8 * CHUNK, totalBytes: 8 * CHUNK },
      { trackId: 'after', state: 'complete', heldBytes: 6 * CHUNK + 9, totalBytes: 6 * CHUNK + 9 },
      { trackId: 'nowhere', state: 'fetching', heldBytes: 0, totalBytes: CHUNK },
    ]);
    expect(room.asked).toEqual([]);
    expect(swarm.stats()).toMatchObject({ storedBytes: 14 * CHUNK + 9, bytes: { global: 14 * CHUNK + 9 } });
    expect(seen).toContain(`next fetching ${CHUNK}`);
    expect(seen.indexOf(`next complete ${8 * CHUNK}`)).toBeLessThan(
      seen.indexOf(`after complete ${6 * CHUNK + 9}`),
    );
    expect(prefetch.isOver).toBe(false);

    prefetch.cancel();
    const outcome = await room.during(prefetch.finished);
    expect(outcome.map(({ state }) => state)).toEqual(['complete', 'complete', 'cancelled']);
  });

  it('is not held up by a peer that promises and gives nothing', async () => {
    const room = await VirtualRoom.open({ tracks: { next: 4 * CHUNK } });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    const prefetch = await swarm.prefetch(['next']);
    await room.pass(5_000);
    await room.seeder('dead', ['next'], { giving: 'nothing', aulaId: 'aula' });
    await room.pass(5_000);
    await room.seeder('honest', ['next'], { aulaId: 'aula' });
    expect((await room.during(prefetch.finished, 60_000)).map(({ state }) => state)).toEqual(['complete']);
  });

  it('takes from the origin what no peer gives, where that is allowed', async () => {
    const room = await VirtualRoom.open({ tracks: { next: 8 * CHUNK } });
    const { swarm } = room.listener('listener');
    const [{ state } = {}] = await room.during((await swarm.prefetch(['next'], { origin: true })).finished);
    expect(state).toBe('complete');
    expect(swarm.stats().bytes.origin).toBe(8 * CHUNK);
  });

  it('says why a track cannot be had', async () => {
    const room = await VirtualRoom.open({ tracks: { next: CHUNK } });
    const { swarm } = room.listener('listener');
    const [outcome] = await room.during((await swarm.prefetch(['unknown'])).finished);
    expect(outcome).toMatchObject({ state: 'failed', error: { code: 'track-not-found' } });
    await expect(swarm.prefetch(['no id'])).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('is cancelled by its signal, and what peers hold afterwards is left alone', async () => {
    const room = await VirtualRoom.open({ tracks: { next: 8 * CHUNK } });
    const { swarm } = room.listener('listener');
    const stop = new AbortController();
    const prefetch = await swarm.prefetch(['next'], { signal: stop.signal });
    await room.pass(2_000);
    stop.abort();
    const [outcome] = await room.during(prefetch.finished);
    expect(outcome?.state).toBe('cancelled');
    await room.seeder('seeder', ['next']);
    await room.pass(30_000);
    expect(swarm.stats().storedBytes).toBe(0);
    expect((await swarm.prefetch(['next'], { signal: stop.signal })).tracks[0]?.state).toBe('cancelled');
  });

  it('keeps to the listener’s storage, beside what is pinned and what plays', async () => {
    const room = await VirtualRoom.open({
      tracks: { pinned: 4 * CHUNK, playing: 4 * CHUNK, large: 9 * CHUNK, small: 4 * CHUNK },
    });
    await room.seeder('seeder', ['pinned', 'playing', 'large', 'small']);
    const { swarm } = room.listener('listener', { contribution: { maxStorageGB: (16 * CHUNK) / GB } });
    await room.during(swarm.pin('pinned'));
    await room.during(swarm.open('pinned').download());
    await room.during(swarm.open('playing').read({ start: 0, end: 10 }));
    const prefetch = await swarm.prefetch(['large', 'small']);
    const states = async () => (await room.during(prefetch.finished)).map(({ state }) => state);
    expect(await states()).toEqual(['no-room', 'complete']);
    expect(swarm.stats().storedBytes).toBeLessThanOrEqual(16 * CHUNK);
  });

  it('obeys a limit that is lowered while it runs, and one that is raised', async () => {
    const room = await VirtualRoom.open({ tracks: { next: 16 * CHUNK, after: 4 * CHUNK } });
    await room.seeder('seeder', ['next'], { upKbps: 2_000 });
    const { swarm } = room.listener('listener');
    const prefetch = await swarm.prefetch(['next', 'after']);
    await room.pass(6_000);
    expect(prefetch.tracks.map(({ state }) => state)).toEqual(['fetching', 'fetching']);
    await room.during(swarm.setContribution({ maxStorageGB: (15 * CHUNK) / GB }));
    expect(prefetch.tracks.map(({ state }) => state)).toEqual(['no-room', 'fetching']);
    const heldBytes = prefetch.tracks[0]?.heldBytes;
    await room.pass(10_000);
    expect(prefetch.tracks[0]?.heldBytes).toBe(heldBytes);
    await room.during(swarm.setContribution({ maxStorageGB: 2 }));
    await room.pass(60_000);
    expect(prefetch.tracks.map(({ state }) => state)).toEqual(['complete', 'fetching']);
  });

  it('asks peers for nothing while the listener takes nothing from them', async () => {
    const room = await VirtualRoom.open({ tracks: { next: 8 * CHUNK } });
    await room.seeder('seeder', ['next'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', {
      aulaId: 'aula',
      contribution: { allowDownloadFromPeers: false },
    });
    const prefetch = await swarm.prefetch(['next']);
    await room.pass(20_000);
    expect(swarm.stats()).toMatchObject({ links: 1, storedBytes: 0 });
    await room.during(swarm.setContribution({ allowDownloadFromPeers: true }));
    const [outcome] = await room.during(prefetch.finished);
    expect(outcome?.state).toBe('complete');
    expect(room.asked).toEqual([]);
  });
});

describe('what is being played', () => {
  it('comes as soon with a prefetch beside it as without', async () => {
    const finished = async (prefetches: boolean) => {
      const room = await VirtualRoom.open({ tracks: { playing: 20 * CHUNK, next: 40 * CHUNK } });
      await room.seeder('seeder', ['playing', 'next'], { upKbps: 8_000, aulaId: 'aula' });
      const { swarm } = room.listener('listener', { aulaId: 'aula' });
      await room.pass(2_000);
      const prefetch = prefetches ? await swarm.prefetch(['next']) : undefined;
      await room.pass(5_000);
      const begunBytes = prefetch?.tracks[0]?.heldBytes;
      const track = swarm.open('playing');
      const sinceMs = room.clock.nowMs();
      await room.during(track.read({ start: 0, end: HEAD }, { deadlineMs: 0 }));
      const headMs = room.clock.nowMs() - sinceMs;
      await room.during(track.download());
      return { begunBytes, headMs, wholeMs: room.clock.nowMs() - sinceMs, prefetch };
    };
    const alone = await finished(false);
    const beside = await finished(true);
    expect(beside.begunBytes).toBeGreaterThan(0);
    // What was under way when it began: at most a round trip's worth, and one piece already handed to the line.
    expect(beside.headMs).toBeLessThan(alone.headMs + 150);
    expect(beside.wholeMs).toBeLessThan(alone.wholeMs + 300);
    const [progress] = beside.prefetch?.tracks ?? [];
    expect(progress?.heldBytes).toBeLessThanOrEqual((beside.begunBytes ?? 0) + CHUNK);
  });
});

describe('the head of the next track', () => {
  it('is fetched from the origin when 30 seconds are left, and only it', async () => {
    const seconds = 60;
    const room = await VirtualRoom.open({
      tracks: { playing: seconds * BYTES_PER_SECOND, next: 20 * CHUNK, after: 20 * CHUNK },
    });
    const { swarm } = room.listener('listener');
    await swarm.prefetch(['playing', 'next', 'after']);
    const startedMs = room.clock.nowMs();
    await play(room, swarm.open('playing'), seconds);
    const asked = room.asked.filter(({ trackId }) => trackId !== 'playing');
    expect(new Set(asked.map(({ trackId }) => trackId))).toEqual(new Set(['next']));
    const atS = asked.map(({ atMs }) => (atMs - startedMs) / 1000);
    expect(Math.min(...atS)).toBeGreaterThan(29);
    expect(Math.max(...atS)).toBeLessThan(62);
    const before = room.asked.length;
    await room.during(swarm.open('next').read({ start: 0, end: HEAD }, { deadlineMs: 0 }));
    expect(room.asked.slice(before)).toEqual<AskedOrigin[]>([]);
  });

  it('is not fetched when the prefetch was cancelled', async () => {
    const room = await VirtualRoom.open({ tracks: { playing: 40 * BYTES_PER_SECOND, next: 20 * CHUNK } });
    const { swarm } = room.listener('listener');
    (await swarm.prefetch(['next'])).cancel();
    await play(room, swarm.open('playing'), 40);
    expect(room.asked.filter(({ trackId }) => trackId === 'next')).toEqual([]);
  });
});

/** Reads a track as a player does: five seconds at a time, ten ahead. */
async function play(room: VirtualRoom, track: Track, seconds: number): Promise<void> {
  const bytes = 5 * BYTES_PER_SECOND;
  for (let at = 0; at < seconds; at += 5) {
    const start = at * BYTES_PER_SECOND;
    const dueInMs = at === 0 ? 0 : 10_000;
    await room.during(track.read({ start, end: start + bytes }, { deadlineMs: dueInMs }));
    if (at > 0) await room.pass(5_000);
  }
  await room.pass(10_000);
}
