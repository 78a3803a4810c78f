import { LIMITS, parseTrackId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { CHUNKS, ROOT, VirtualTracker } from '../testing/virtual-tracker.ts';
import { DEFAULT_RATES, perMinute } from './rate-limit.ts';

describe('fresh targets of signals', () => {
  const crowd = (net: VirtualTracker, count: number) =>
    Array.from({ length: count }, () => {
      const client = net.client();
      client.announce('all');
      return client;
    });

  it('are fifty a minute; those signalled before are free', () => {
    const net = new VirtualTracker();
    const targets = crowd(net, 51);
    const client = net.client();
    client.announce('none', { want: 0 });
    for (const { id } of targets.slice(0, 50)) client.signal(id);
    expect(client.inbox).toEqual([]);
    const [first] = targets;
    const last = targets.at(-1);
    if (first === undefined || last === undefined) throw new Error('no crowd');
    client.signal(last.id);
    expect(client.take('error')).toMatchObject({ code: 'too-fast', re: 'signal', to: last.id });
    client.signal(first.id);
    expect(client.inbox).toEqual([]);
    net.nowMs += 1_200;
    client.signal(last.id);
    expect(client.inbox).toEqual([]);
  });

  it('do not include those who signalled first', () => {
    const net = new VirtualTracker({ rates: { ...DEFAULT_RATES, freshTargets: perMinute(1) } });
    const popular = net.client();
    popular.announce('all');
    for (const other of crowd(net, 20)) {
      other.signal(popular.id);
      popular.take('signal');
      popular.signal(other.id);
      other.take('signal');
    }
    expect(popular.inbox).toEqual([]);
  });

  it('have no limit at 0', () => {
    const net = new VirtualTracker({ rates: { ...DEFAULT_RATES, freshTargets: perMinute(0) } });
    const targets = crowd(net, 100);
    const client = net.client();
    client.announce('none', { want: 0 });
    for (const { id } of targets) client.signal(id);
    expect(client.inbox).toEqual([]);
  });
});

describe('short memory', () => {
  const crowd = (net: VirtualTracker, have: 'all' | 'none' | readonly number[] = 'all') => {
    const members = Array.from({ length: 9 }, () => net.client());
    for (const member of members) member.announce(have);
    const [member] = members;
    if (member === undefined) throw new Error('no crowd');
    return member;
  };
  const busy = (re: string) => ({ code: 'busy', re, trackId: 'song', root: ROOT, retryAfterMs: 30_000 });

  it('founds no swarm, and leaves those there are alone if they are of use', () => {
    const net = new VirtualTracker();
    const member = crowd(net);
    const newcomer = net.client();
    net.tracker.isShortOfMemory = true;
    expect(() => member.announce('all', { trackId: parseTrackId('new') })).toThrow(/"busy"/);
    expect(newcomer.announce('none').complete).toBe(9);
    expect(() => member.announce('all', { chunkCount: CHUNKS + 1 })).toThrow(/"busy"/);
    net.pass(4_000);
    expect(net.tracker.stats()).toMatchObject({ swarms: 1, members: 10 });
  });

  it('notes no new bitmap: who announces some chunks holds none until there is room', () => {
    const net = new VirtualTracker();
    const member = crowd(net, 'none');
    net.tracker.isShortOfMemory = true;
    expect(member.announce([1]).complete).toBe(0);
    const newcomer = net.client();
    newcomer.announce([2]);
    expect(newcomer.find().peers.every(({ have }) => have === 'none')).toBe(true);
    expect(member.find().peers.every(({ have }) => have === 'none')).toBe(true);
    net.tracker.isShortOfMemory = false;
    expect(member.announce([1]).complete).toBe(0);
  });

  it('refuses chunks gained that take a new bitmap, and ends the leases on them', () => {
    const net = new VirtualTracker();
    const member = crowd(net, 'none');
    const other = net.client();
    other.announce('none');
    expect(member.claim([1]).granted).toEqual([1]);
    net.tracker.isShortOfMemory = true;
    member.have([1]);
    expect(member.take('error')).toMatchObject(busy('have'));
    expect(other.claim([1]).granted).toEqual([1]);
    expect(other.claim([2], [1]).granted).toEqual([2]);
    expect(member.claim([1]).granted).toEqual([1]);
  });

  it('follows what needs no bitmap, or has one, or has no use for one any more', () => {
    const net = new VirtualTracker();
    const seeder = crowd(net);
    const [partial, empty] = [net.client(), net.client()];
    partial.announce([1]);
    empty.announce('none');
    net.tracker.isShortOfMemory = true;
    expect(partial.announce([1, 2, 3])).toMatchObject({ complete: 9, incomplete: 2 });
    partial.have([4], [1]);
    partial.have([...Array(CHUNKS).keys()]);
    empty.have([], [1]);
    empty.have([...Array(CHUNKS).keys()]);
    expect(seeder.announce('all')).toMatchObject({ complete: 11, incomplete: 0 });
    expect([...seeder.inbox, ...partial.inbox, ...empty.inbox]).toEqual([]);
  });

  it.each(['have', 'announce'])(
    'takes one that says by %s that it lost some for one that holds nothing',
    (by) => {
      const net = new VirtualTracker();
      const seeder = crowd(net);
      net.tracker.isShortOfMemory = true;
      if (by === 'have') seeder.have([], [1]);
      else seeder.announce([2]);
      expect(seeder.inbox).toEqual([]);
      const { complete, peers } = seeder.find();
      expect([complete, peers.length]).toEqual([8, 8]);
      expect(seeder.announce([2]).complete).toBe(8);
      expect(net.tracker.stats().members).toBe(9);
    },
  );

  it('gives up small swarms, tells their members, and takes them again when there is room', () => {
    const net = new VirtualTracker();
    const client = net.client();
    client.announce('all');
    net.tracker.isShortOfMemory = true;
    net.pass(2_000);
    expect(client.take('error')).toMatchObject({ code: 'busy', re: 'announce', retryAfterMs: 30_000 });
    expect(net.tracker.stats()).toMatchObject({ swarms: 0, members: 0, peers: 1 });
    expect(client.closedWith).toBeUndefined();
    net.tracker.isShortOfMemory = false;
    expect(client.announce('all').complete).toBe(1);
  });

  it('gives up swarms before it closes who is late, of whom there may be thousands', () => {
    const net = new VirtualTracker();
    const client = net.client();
    client.announce('all');
    const late = [net.connect(), net.connect()];
    net.nowMs += 5_000;
    net.tracker.isShortOfMemory = true;
    const shedding = net.tracker.shedding();
    while (shedding.next().done !== true);
    expect(client.take('error')).toMatchObject({ code: 'busy', re: 'announce' });
    expect(late.filter(({ closedWith }) => closedWith !== undefined)).toHaveLength(0);
  });

  it('gives up one membership at each step, and none once there is room', () => {
    const net = new VirtualTracker();
    const client = net.client();
    for (let i = 0; i < 10; i++) client.announce('all', { trackId: parseTrackId(`t${i}`) });
    net.tracker.isShortOfMemory = true;
    const shedding = net.tracker.shedding();
    while (client.inbox.length < 3) {
      const before = client.inbox.length;
      expect(shedding.next().done).toBe(false);
      expect(client.inbox.length - before).toBeLessThan(2);
    }
    net.tracker.isShortOfMemory = false;
    expect(shedding.next().done).toBe(true);
    expect(net.tracker.stats().members).toBe(7);
  });

  it('gives up at most a thousand memberships at once', () => {
    const net = new VirtualTracker();
    const client = net.client();
    const other = net.client();
    for (let i = 0; i < 600; i++) {
      client.announce('all', { trackId: parseTrackId(`a${i}`) });
      other.announce('all', { trackId: parseTrackId(`b${i}`) });
    }
    net.tracker.isShortOfMemory = true;
    net.pass(500);
    expect(net.tracker.stats().members).toBe(200);
  });
});

describe('claims never honoured', () => {
  it('end in a minute without leases, and others fetch', () => {
    const net = new VirtualTracker();
    const hog = net.client();
    const honest = net.client();
    hog.announce('none');
    honest.announce('none');
    const chunks = [...Array(LIMITS.maxClaims).keys()];
    for (let set = 0; set < 2; set++) {
      expect(hog.claim(chunks).granted).toEqual(chunks);
      net.pass(10_000);
    }
    expect(hog.claim(chunks)).toEqual({ granted: [], heldBy: {} });
    expect(honest.claim(chunks).granted).toEqual(chunks);
    honest.have(chunks);
    net.nowMs += 60_000;
    expect(hog.claim([CHUNKS - 1]).granted).toEqual([CHUNKS - 1]);
  });

  it('are forgotten with the first that is honoured', () => {
    const net = new VirtualTracker();
    const slow = net.client();
    slow.announce('none');
    for (let round = 0; round < 12; round++) {
      expect(slow.claim([round, round + 1]).granted).toEqual([round, round + 1]);
      slow.have([round]);
      net.pass(10_000);
    }
  });
});

describe('limits', () => {
  it('of a message and of tracks are the operator’s', () => {
    const net = new VirtualTracker({ maxMessageBytes: 1_000, maxTracksPerPeer: 2 });
    const client = net.client();
    client.announce('all', { trackId: parseTrackId('a') });
    client.announce('all', { trackId: parseTrackId('b') });
    expect(() => client.announce('all', { trackId: parseTrackId('c') })).toThrow(/too-many-tracks/);
    client.sayAnything({ type: 'part', padding: 'x'.repeat(1_000) });
    expect(client.closedWith).toBe(4413);
  });

  it('of 0 are none', () => {
    const none = perMinute(0);
    const rates = Object.fromEntries(Object.keys(DEFAULT_RATES).map((kind) => [kind, none]));
    const net = new VirtualTracker({
      maxMessageBytes: 0,
      maxTracksPerPeer: 0,
      helloTimeoutMs: 0,
      rates: { ...DEFAULT_RATES, ...rates },
    });
    const silent = net.connect();
    const client = net.client();
    for (let i = 0; i < LIMITS.maxAnnouncedTracks + 1; i++) {
      client.announce('all', { trackId: parseTrackId(`t${i}`) });
    }
    client.sayAnything({ type: 'part', padding: 'x'.repeat(100_000) });
    for (let i = 0; i < 5_000; i++) client.say({ type: 'part' });
    net.pass(10_000);
    expect([silent.closedWith, client.closedWith]).toEqual([undefined, undefined]);
    expect(client.inbox).toEqual([]);
  });
});

describe('what clients report', () => {
  it('adds up by source, and peers in Aulas are counted', () => {
    const net = new VirtualTracker();
    const client = net.client();
    client.join('aula');
    client.announce('none', { delivered: { cache: 1, aula: 2, global: 3, origin: 4 } });
    client.say({
      type: 'have',
      trackId: parseTrackId('song'),
      root: ROOT,
      chunks: [],
      delivered: { cache: 10, aula: 20, global: 30, origin: 40 },
    });
    expect(net.tracker.stats()).toMatchObject({
      aulaPeers: 1,
      delivered: { cache: 11, aula: 22, global: 33, origin: 44 },
    });
    client.session.closed();
    expect(net.tracker.stats()).toMatchObject({ aulaPeers: 0, aulas: 0 });
  });

  it.each([
    null,
    {},
    { cache: -1, aula: 0, global: 0, origin: 0 },
    { cache: 1e9 + 1, aula: 0, global: 0, origin: 0 },
  ])('is refused as %j', (delivered) => {
    const client = new VirtualTracker().client();
    client.sayAnything({ type: 'have', trackId: 'song', root: 'a0'.repeat(32), chunks: [], delivered });
    expect(client.take('error')).toMatchObject({ code: 'bad-message', re: 'have' });
  });
});
