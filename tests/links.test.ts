import { NO_DEADLINE_MS } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { seedSim } from '@sonantica/swarm/testing';
import { CHUNK, VirtualRoom } from './support/virtual-room.ts';

const BLOCK = 16_384;

describe('links', () => {
  it('to members are made when an Aula is joined, before anything is played', async () => {
    const room = await VirtualRoom.open({ tracks: { song: CHUNK } });
    for (let i = 0; i < 8; i++) room.listener(`member-${i}`, { aulaId: 'aula' });
    await room.pass(5_000);
    const { swarm } = room.listener('newcomer');
    await room.pass(2_000);
    expect(swarm.stats().links).toBe(0);
    await swarm.joinAula('aula');
    await room.pass(60_000);
    expect(swarm.stats().links).toBe(4);
  });

  it('are made to those members who have a place', async () => {
    const room = await VirtualRoom.open({ tracks: { song: CHUNK } });
    for (let i = 0; i < 12; i++) room.listener(`full-${i}`, { aulaId: 'aula', maxLinks: 1 });
    await room.pass(30_000);
    for (let i = 0; i < 4; i++) room.listener(`free-${i}`, { aulaId: 'aula' });
    await room.pass(2_000);
    const { swarm } = room.listener('newcomer', { aulaId: 'aula' });
    await room.pass(3_000);
    expect(swarm.stats().links).toBe(4);
  });

  it('are had at once by each of a crowd, though the first are asked by all', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 4 * CHUNK } });
    const crowd = Array.from({ length: 40 }, (_, i) => room.listener(`listener-${i}`, { maxLinks: 6 }).swarm);
    for (const swarm of crowd) await swarm.prefetch(['song']);
    await room.pass(4_000);
    const links = crowd.map((swarm) => swarm.stats().links);
    expect(Math.min(...links)).toBeGreaterThanOrEqual(3);
  });

  it('carry whichever tracks are wanted, though each end holds more than a link takes', async () => {
    const ids = Array.from({ length: 80 }, (_, i) => `track-${i}`);
    const room = await VirtualRoom.open({ tracks: Object.fromEntries(ids.map((id) => [id, 100_000])) });
    await room.seeder('seeder', ids, { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(30_000);
    for (const id of ids) await room.during(swarm.open(id).download(), 20_000);
    expect(swarm.stats().bytes).toMatchObject({ aula: 80 * 100_000, origin: 0 });
    expect(room.blamed).toEqual([]);
  });

  it('of others give way when the Aula has members to fill its half', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 100 * CHUNK } });
    for (let i = 0; i < 4; i++) await room.seeder(`other-${i}`, ['song'], { upKbps: 1_000 });
    for (let i = 0; i < 4; i++) await room.seeder(`member-${i}`, ['song'], { upKbps: 1_000, aulaId: 'aula' });
    const { swarm } = room.listener('listener', { maxLinks: 4 });
    await swarm.prefetch(['song']);
    await room.pass(15_000);
    expect(greeted(room)).toEqual({ member: expect.any(Number), other: expect.any(Number) });
    await swarm.joinAula('aula');
    await room.pass(20_000);
    expect(swarm.stats().links).toBe(4);
    expect(linkedNow(room).filter((name) => name.startsWith('member')).length).toBeGreaterThanOrEqual(2);
  });

  it('are sought from others where those who were named cannot be reached', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    for (let i = 0; i < 2; i++) await room.seeder(`seeder-${i}`, ['song']);
    room.links.canConnect = () => false;
    const { swarm } = room.listener('listener', {});
    await swarm.prefetch(['song']);
    await room.pass(14_000);
    const finds = () => room.told.filter(({ type }) => type === 'find').length;
    expect(finds()).toBe(0);
    await room.pass(3_000);
    expect(finds()).toBeGreaterThan(0);
  });

  it('know how long the way is before anything is asked over them', async () => {
    const room = await VirtualRoom.open({ tracks: { song: CHUNK } });
    await room.seeder('seeder', ['song']);
    const { swarm } = room.listener('listener', {});
    await room.during((await swarm.prefetch(['song'])).finished, 10_000);
    const said = room.frames.filter(({ from }) => from === 'listener').map(({ message }) => message.type);
    expect(said.indexOf('ping')).toBeGreaterThan(-1);
    expect(said.indexOf('ping')).toBeLessThan(said.indexOf('request'));
  });

  it('are asked for the head of a track before its manifest is here, each for a part', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    for (let i = 0; i < 3; i++) await room.seeder(`seeder-${i}`, ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula', aulaHead: false });
    await room.pass(10_000);
    const begunMs = room.clock.nowMs();
    const head = swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 });
    await room.pass(1);
    const asked = room.frames.flatMap(({ from, message }) =>
      from === 'listener' && message.type === 'request' ? [message] : [],
    );
    expect(asked.map(({ chunk, first, count }) => [chunk, first, count])).toEqual([
      [0, 0, 2],
      [0, 2, 2],
      [0, 4, 2],
    ]);
    await room.during(head, 10_000);
    expect(room.clock.nowMs() - begunMs).toBeLessThan(250);
    expect(swarm.stats().bytes).toMatchObject({ aula: 6 * BLOCK, origin: 0 });
    expect(room.blamed).toEqual([]);
  });

  it('are asked for it once, by the page that wants a URL and by its player right after', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    for (let i = 0; i < 5; i++) await room.seeder(`seeder-${i}`, ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula', aulaHead: false });
    await room.pass(10_000);
    const track = swarm.open('song');
    track.url().catch(() => undefined);
    const head = track.read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 });
    await room.pass(1);
    const asked = room.frames.flatMap(({ from, message }) =>
      from === 'listener' && message.type === 'request' ? [message.count] : [],
    );
    expect(asked).toEqual([2, 2, 2]);
    await room.during(head, 10_000);
    expect(swarm.stats().bytes).toMatchObject({ aula: 6 * BLOCK, origin: 0 });
  });

  it('are asked for nothing more of a version that the manifest does not say, and are not blamed for it', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const elsewhere = await VirtualRoom.open({ tracks: { song: 9 * CHUNK } });
    const seeder = room.listener('seeder', { aulaId: 'aula' });
    await room.during(seedSim(seeder, elsewhere.document('song')));
    const { swarm } = room.listener('listener', { aulaId: 'aula', aulaHead: false });
    await room.pass(10_000);
    await room.during(swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 }), 10_000);
    await room.pass(1_000);
    const said = room.frames.flatMap(({ from, to, message: { type } }) =>
      from === 'listener' && to === 'seeder' && ['open', 'request', 'shut'].includes(type) ? [type] : [],
    );
    expect(said).toEqual(['open', 'request', 'open', 'shut']);
    expect(swarm.stats().bytes).toMatchObject({ aula: 0, origin: 6 * BLOCK });
    expect(room.blamed).toEqual([]);
  });

  it('are asked ahead for one head, when a page makes a list of URLs', async () => {
    const ids = ['a', 'b', 'c'];
    const room = await VirtualRoom.open({ tracks: Object.fromEntries(ids.map((id) => [id, 8 * CHUNK])) });
    await room.seeder('seeder', ids, { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula', aulaHead: false });
    await room.pass(10_000);
    const tracks = ids.map((id) => swarm.open(id));
    // Nothing answers URLs here: what is asked for meanwhile is what counts.
    for (const track of tracks) track.url().catch(() => undefined);
    await room.pass(1);
    const requests = () =>
      room.frames.filter(({ from, message }) => from === 'listener' && message.type === 'request').length;
    expect(requests()).toBe(1);
  });

  it('carry news of chunks to those alone who are not known to have them', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    await room.seeder('seeder', ['song'], { aulaId: 'aula' });
    const first = room.listener('first', { aulaId: 'aula' }).swarm;
    const second = room.listener('second', { aulaId: 'aula' }).swarm;
    for (const swarm of [first, second]) await swarm.prefetch(['song']);
    await room.pass(15_000);
    const news = (to: string) =>
      room.frames
        .filter((frame) => frame.to === to)
        .flatMap(({ message }) => (message.type === 'have' ? message.chunks : []));
    expect(first.stats().bytes.aula + second.stats().bytes.aula).toBe(16 * CHUNK);
    expect(new Set([...news('first'), ...news('second')]).size).toBe(8);
    expect(news('seeder')).toEqual([]);
  });

  it('begin with what there is of a chunk that all wait for', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    for (let i = 0; i < 6; i++) {
      const track = room.listener(`listener-${i}`, { aulaId: 'aula' }).swarm.open('song');
      for (let at = 0; at < CHUNK; at += BLOCK)
        void track.read({ start: at, end: at + BLOCK }, { deadlineMs: at / 175 });
    }
    await room.pass(900);
    const opened = new Set<string>();
    let early = 0;
    for (const { from, to, message } of room.frames) {
      if (message.type === 'open') opened.add(`${from} to ${to}`);
      if (message.type === 'part' && !opened.has(`${to} to ${from}`)) early++;
    }
    expect(early).toBeGreaterThan(0);
  });

  it('carry news of blocks to nobody who said that it has them', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    await room.seeder('seeder', ['song'], { aulaId: 'aula', upKbps: 2_000 });
    for (let i = 0; i < 6; i++) {
      const track = room.listener(`listener-${i}`, { aulaId: 'aula' }).swarm.open('song');
      for (let at = 0; at < 2 * CHUNK; at += BLOCK)
        track.read({ start: at, end: at + BLOCK }, { deadlineMs: at / 175 }).catch(() => undefined);
    }
    await room.pass(3_000);
    // Who asks a peer for something has heard what it has.
    const asked = new Set<string>();
    const told = { seeder: 0, others: 0 };
    for (const { from, to, message } of room.frames) {
      if (message.type === 'request' && to === 'seeder') asked.add(from);
      if (message.type === 'part' && asked.has(from)) told[to === 'seeder' ? 'seeder' : 'others']++;
    }
    expect(told).toEqual({ seeder: 0, others: expect.any(Number) });
    expect(told.others).toBeGreaterThan(0);
  });

  it('say what there is with the first word, before the other end has answered', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const swarms = ['a', 'b'].map((name) => room.listener(name, { aulaId: 'aula' }).swarm);
    for (const swarm of swarms) void swarm.open('song').download();
    await room.pass(2_000);
    const { from, to } = room.frames[0] ?? {};
    const said = (one?: string, other?: string) =>
      room.frames.flatMap((frame, at) =>
        frame.from === one && frame.to === other ? [{ at, ...frame }] : [],
      );
    const opened = said(from, to).find(({ message }) => message.type === 'open');
    // The link stands for the one who was asked half a round trip later: nothing has come from there yet.
    expect(opened?.at).toBeLessThan(said(to, from)[0]?.at ?? 0);
  });

  it('carry news of what came while the other end had not yet said who it is', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 40 * CHUNK } });
    // Far away, and with nobody to have it from but who comes.
    const far = room.listener('far', { aulaId: 'aula', rttMs: 500 }).swarm;
    const { finished } = await far.prefetch(['song']);
    await room.pass(2_000);
    const track = room.listener('newcomer', { aulaId: 'aula' }).swarm.open('song');
    for (let at = 0; at < 40 * CHUNK; at += CHUNK)
      void track.read({ start: at, end: at + CHUNK }, { deadlineMs: at / 3_000 });
    await room.during(finished, 60_000);
    const told = new Set<number>();
    for (const { from, message } of room.frames) {
      if (from !== 'newcomer') continue;
      if (message.type === 'open') for (const chunk of message.held) told.add(chunk);
      if (message.type === 'have') for (const chunk of message.chunks) told.add(chunk);
    }
    expect(told.size).toBe(40);
  });

  it('without use give way to who holds what is wanted', async () => {
    const room = await VirtualRoom.open({ tracks: { old: CHUNK, wanted: 8 * CHUNK } });
    await room.seeder('idle', ['old']);
    const { swarm } = room.listener('listener', { maxLinks: 1 });
    await swarm.prefetch(['old']);
    await room.pass(70_000);
    expect(linkedNow(room)).toEqual(['idle']);
    await room.seeder('holder', ['wanted']);
    const [outcome] = await room.during((await swarm.prefetch(['wanted'])).finished, 60_000);
    expect(outcome?.state).toBe('complete');
    expect(room.asked).toEqual([]);
    expect(swarm.stats().links).toBe(1);
  });

  it('come to rest among many who have nothing for each other', async () => {
    const room = await VirtualRoom.open({ tracks: { nowhere: 8 * CHUNK } });
    for (let i = 0; i < 8; i++)
      await room.listener(`listener-${i}`, { maxLinks: 3, aulaId: 'aula' }).swarm.prefetch(['nowhere']);
    await room.pass(40 * 60_000);
    room.frames.length = 0;
    await room.pass(20 * 60_000);
    const made = room.frames.filter(({ message }) => message.type === 'hello').length / 2;
    expect(made).toBeLessThanOrEqual(8);
  });
});

/** Who told the listener `hello`, by kind. */
function greeted(room: VirtualRoom): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { from, to, message } of room.frames) {
    if (to !== 'listener' || message.type !== 'hello') continue;
    const kind = from.replace(/-.*/, '');
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Names of those the listener is linked to: who greeted it and is not gone since. */
function linkedNow(room: VirtualRoom): string[] {
  const names = new Set<string>();
  for (const { from, to, message } of room.frames) {
    if (to === 'listener' && message.type === 'hello') names.add(from);
    if (message.type !== 'close') continue;
    if (from === 'listener') names.delete(to);
    if (to === 'listener') names.delete(from);
  }
  return [...names];
}

describe('the head of what the Aula plays', () => {
  const requestsOf = (room: VirtualRoom, name: string) =>
    room.frames.flatMap(({ from, message }) =>
      from === name && message.type === 'request' ? [message] : [],
    );

  it('is here before anyone asks for it, each member giving a part, and the manifest is all that is waited for', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    for (let i = 0; i < 3; i++) await room.seeder(`seeder-${i}`, ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(10_000);
    const early = requestsOf(room, 'listener');
    expect(early.map(({ chunk, first, count }) => [chunk, first, count])).toEqual([
      [0, 0, 2],
      [0, 2, 2],
      [0, 4, 2],
    ]);
    expect(early.every(({ deadlineMs }) => deadlineMs === NO_DEADLINE_MS)).toBe(true);
    expect(swarm.stats()).toMatchObject({ tracks: 0, storedBytes: 0 });
    const timed = async (promise: Promise<unknown>) => {
      const begunMs = room.clock.nowMs();
      await room.during(promise, 10_000);
      return room.clock.nowMs() - begunMs;
    };
    const headMs = await timed(swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 }));
    const outsider = room.listener('outsider', {}).swarm;
    await room.pass(1_000);
    expect(headMs).toBeLessThan((await timed(outsider.open('song').manifest())) + 5);
    expect(requestsOf(room, 'listener')).toHaveLength(3);
    expect(swarm.stats().bytes).toEqual({ cache: 0, aula: 6 * BLOCK, global: 0, origin: 0 });
    expect(room.asked).toEqual([]);
    expect(room.blamed).toEqual([]);
  });

  it('is asked of no stranger, and not where the author, or the listener, does not want it', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK, other: 8 * CHUNK } });
    await room.seeder('member', ['song'], { aulaId: 'aula' });
    await room.seeder('stranger', ['other']);
    const without = {
      author: { aulaHead: false },
      listener: { contribution: { allowDownloadFromPeers: false } },
      origin: { contribution: { preferServerOverP2P: true } },
    };
    for (const [name, options] of Object.entries(without))
      room.listener(name, { aulaId: 'aula', ...options });
    const stranger = room.listener('outsider', {});
    await stranger.swarm.prefetch(['other']);
    await room.pass(20_000);
    for (const name of Object.keys(without)) expect(requestsOf(room, name)).toEqual([]);
    expect(room.frames.some(({ to, message }) => to === 'outsider' && message.type === 'open')).toBe(true);
  });

  it('is not believed: a liar’s is disproved, and the track is heard from others', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    await room.seeder('liar', ['song'], { aulaId: 'aula', giving: 'wrong-bytes' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(10_000);
    expect(requestsOf(room, 'listener').length).toBeGreaterThan(0);
    await room.during(swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 }), 10_000);
    expect(swarm.stats().bytes).toMatchObject({ aula: 0, origin: 6 * BLOCK });
    expect(swarm.stats().rejectedBlocks).toBeGreaterThan(0);
    expect(room.blamed).toEqual(['liar']);
  });

  it('has nothing more fetched of a track that is opened and not read', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    await room.seeder('member', ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(10_000);
    const track = swarm.open('song');
    await room.during(track.manifest());
    await room.pass(20_000);
    expect(requestsOf(room, 'listener')).toHaveLength(1);
    expect(room.asked).toEqual([]);
    await room.during(track.read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 }), 10_000);
    expect(requestsOf(room, 'listener')).toHaveLength(1);
    expect(swarm.stats().bytes).toMatchObject({ aula: 6 * BLOCK, origin: 0 });
  });

  it('is asked of others once it is wanted, where it was promised and not given', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    await room.seeder('dead', ['song'], { aulaId: 'aula', giving: 'nothing' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(5_000);
    await room.seeder('honest', ['song'], { aulaId: 'aula' });
    await room.pass(5_000);
    const asked = () =>
      room.frames.flatMap(({ from, to, message }) =>
        from === 'listener' && message.type === 'request' ? [to] : [],
      );
    expect(asked()).toEqual(['dead']);
    const head = swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 });
    await room.pass(1);
    expect(asked()).toEqual(['dead', 'honest']);
    await room.during(head, 10_000);
    expect(room.blamed).toEqual([]);
  });

  it('is asked of members alone, and once nothing else is wanted', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK, other: 16 * CHUNK } });
    await room.seeder('stranger', ['song', 'other'], { upKbps: 2_000 });
    await room.seeder('member', ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    const prefetch = await swarm.prefetch(['other']);
    const asked = () =>
      room.frames.filter(
        ({ from, to, message }) => from === 'listener' && to === 'member' && message.type === 'request',
      );
    await room.pass(8_000);
    expect(prefetch.isOver).toBe(false);
    expect(asked()).toEqual([]);
    await room.during(prefetch.finished);
    const before = requestsOf(room, 'listener').length;
    await room.pass(5_000);
    expect(asked()).toHaveLength(1);
    expect(requestsOf(room, 'listener')).toHaveLength(before + 1);
  });

  it('is asked of those who say that they play it', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK, later: 8 * CHUNK } });
    await room.seeder('other', ['song', 'later'], { aulaId: 'aula' });
    for (const name of ['first', 'second']) await room.seeder(name, ['song'], { aulaId: 'aula' });
    room.listener('listener', { aulaId: 'aula' });
    await room.pass(10_000);
    const asked = room.frames.flatMap(({ from, to, message }) =>
      from === 'listener' && message.type === 'request' ? [`${to} ${message.count}`] : [],
    );
    expect(asked.toSorted()).toEqual(['first 3', 'second 3']);
  });

  it('is forgotten when the listener takes nothing from peers any more', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    await room.seeder('member', ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(10_000);
    expect(requestsOf(room, 'listener')).toHaveLength(1);
    await room.during(swarm.setContribution({ allowDownloadFromPeers: false }));
    await room.during(swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 }), 10_000);
    expect(swarm.stats().bytes).toMatchObject({ aula: 0, origin: 6 * BLOCK });
  });

  it('is asked for anew of others when those who gave it are gone', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 8 * CHUNK } });
    const first = await room.seeder('first', ['song'], { aulaId: 'aula' });
    const { swarm } = room.listener('listener', { aulaId: 'aula' });
    await room.pass(5_000);
    await room.during(first.swarm.close());
    await room.seeder('second', ['song'], { aulaId: 'aula' });
    await room.pass(25_000);
    const asked = room.frames.flatMap(({ from, to, message }) =>
      from === 'listener' && message.type === 'request' ? [to] : [],
    );
    expect(asked).toEqual(['first', 'second']);
    await room.during(swarm.open('song').read({ start: 0, end: 6 * BLOCK }, { deadlineMs: 0 }), 10_000);
    expect(swarm.stats().bytes).toMatchObject({ aula: 6 * BLOCK, origin: 0 });
  });
});
