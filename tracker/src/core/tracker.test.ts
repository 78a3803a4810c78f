import { describe, expect, it } from 'vitest';
import { LIMITS, parsePeerId, parseTrackId } from '@sonantica/wire';
import { CHUNKS, namesIn, OTHER_ROOT, ROOT, SONG, VirtualTracker } from '../testing/virtual-tracker.ts';

describe('hello', () => {
  it('is answered with a name that the tracker chose, the intervals and the limits', () => {
    const client = new VirtualTracker().connect();
    client.sayAnything({ type: 'hello', peerId: 'x'.repeat(22), token: 'any' });
    const welcome = client.take('welcome');
    expect(welcome).toMatchObject({
      announceIntervalMs: 25_000,
      serverTimeMs: 1_700_000_001_000,
      iceServers: [],
    });
    expect(welcome.peerId).not.toBe('x'.repeat(22));
    expect(welcome.limits).toMatchObject({ maxClaims: 8, maxSignalBytes: 16_384, maxWantedPeers: 50 });
  });

  it('gives every socket another name, so that none takes what another has', () => {
    const net = new VirtualTracker();
    const names = new Set(Array.from({ length: 50 }, () => net.client().id));
    expect(names.size).toBe(50);
  });

  it('said twice is a mistake that keeps the socket and the name', () => {
    const net = new VirtualTracker();
    const client = net.client();
    client.say({ type: 'hello' });
    expect(client.take('error')).toMatchObject({ code: 'already-welcome', re: 'hello' });
    expect(client.closedWith).toBeUndefined();
    expect(net.tracker.stats().peers).toBe(1);
  });

  it('must come first', () => {
    const client = new VirtualTracker().connect();
    client.say({ type: 'part' });
    expect(client.closedWith).toBe(4401);
  });

  it.each([
    [4_999, undefined],
    [5_000, 4408],
  ])('after %i ms of silence the socket is closed with %s', (ms, code) => {
    const net = new VirtualTracker();
    const client = net.connect();
    net.nowMs += ms;
    net.tracker.tick();
    expect(client.closedWith).toBe(code);
  });
});

describe('what is due by the clock', () => {
  it('is done one connection at each step, and all of it by one tick', () => {
    const net = new VirtualTracker();
    const late = Array.from({ length: 5 }, () => net.connect());
    const closed = () => late.filter(({ closedWith }) => closedWith === 4408).length;
    net.nowMs += 5_000;
    const duties = net.tracker.duties();
    duties.next();
    expect(closed()).toBe(1);
    duties.next();
    expect(closed()).toBe(2);
    net.tracker.tick();
    expect(closed()).toBe(5);
    expect(duties.next().done).toBe(true);
  });
});

describe('rubbish', () => {
  it.each([
    '',
    '{',
    'null',
    '[]',
    '7',
    '"hello"',
    '{}',
    '{"type":null}',
    '{"type":["hello"]}',
    '['.repeat(20_000),
  ])('that is no message closes the socket with 4400: %.20s', (text) => {
    const net = new VirtualTracker();
    const client = net.client();
    client.session.receive(text);
    expect(client.closedWith).toBe(4400);
    expect(net.tracker.stats()).toMatchObject({ peers: 0, pending: 0 });
  });

  it.each([
    { type: 'whisper' },
    { type: '__proto__' },
    { type: 'constructor' },
    { type: 'welcome' },
    { type: 'offer', offers: [null] },
  ])('of an unknown type is answered and keeps the socket: %j', (message) => {
    const client = new VirtualTracker().client();
    client.sayAnything(message);
    expect(client.take('error').code).toBe('unknown-type');
    expect(client.closedWith).toBeUndefined();
  });

  it.each([
    { type: 'announce', offers: [null] },
    { type: 'announce', trackId: 'song', root: ROOT, chunkCount: 1e9, have: 'all' },
    { type: 'announce', trackId: 'song', root: ROOT, chunkCount: 20, have: 'AAAA' + 'AAAA' },
    { type: 'have', trackId: 'song', root: ROOT, chunks: [null] },
    { type: 'have', trackId: 'song', root: ROOT, chunks: [CHUNKS] },
    { type: 'have', trackId: 'song', root: ROOT, chunks: [], lost: [CHUNKS] },
    { type: 'claim', trackId: 'song', root: ROOT, chunks: [CHUNKS] },
    { type: 'claim', trackId: 'song', root: ROOT, chunks: [0], have: [CHUNKS] },
    { type: 'claim', trackId: 'song', root: ROOT, chunks: [0, 1, 2, 3, 4, 5, 6, 7, 8] },
    { type: 'find', trackId: 'song', root: ROOT, want: 51 },
    { type: 'find', trackId: 'song', root: ROOT, needs: 'AAAAAAAA' },
    { type: 'find', trackId: 'song', root: ROOT, needs: 'AAAB' },
    { type: 'join', aulaId: '' },
    { type: 'signal', to: 'me', data: 1 },
  ])('in the fields is answered, keeps the socket and changes nothing: %j', (message) => {
    const net = new VirtualTracker();
    const client = net.client();
    client.announce([1]);
    const { refused: _, refusedBy: __, ...before } = net.tracker.stats();
    client.sayAnything(message);
    expect(client.take('error')).toMatchObject({ code: 'bad-message', re: message.type });
    expect(client.closedWith).toBeUndefined();
    expect(net.tracker.stats()).toMatchObject(before);
  });

  it('over 64 KiB closes the socket with 4413', () => {
    const client = new VirtualTracker().client();
    client.session.receive(JSON.stringify({ type: 'part', x: 'x'.repeat(65_536) }));
    expect(client.closedWith).toBe(4413);
  });

  it('after the close is not looked at', () => {
    const net = new VirtualTracker();
    const client = net.client();
    client.session.receive('{');
    client.say({ type: 'hello' });
    client.session.closed();
    expect(client.inbox).toEqual([]);
    expect(net.tracker.stats()).toMatchObject({ peers: 0, pending: 0 });
  });
});

describe('an Aula', () => {
  it('introduces its members to the one who joins, scoped and idle ones too', () => {
    const net = new VirtualTracker();
    const first = net.client();
    expect(first.join('room')).toMatchObject({ aulaId: 'room', peers: [], complete: 0, incomplete: 1 });
    net.member('elsewhere');
    const answer = net.client().join('room');
    expect(answer).toMatchObject({ aulaId: 'room', incomplete: 2 });
    expect(answer.peers).toEqual([
      { peerId: first.id, tier: 'aula', have: 'none', uploadKbps: null, rttMs: null },
    ]);
  });

  it('answers a repeated join again', () => {
    const net = new VirtualTracker();
    const first = net.member('room');
    const second = net.member('room');
    expect(namesIn(first.join('room'))).toEqual([second.id]);
    expect(net.tracker.stats().aulas).toBe(1);
  });

  it('is left by joining another, and the tiers follow', () => {
    const net = new VirtualTracker();
    const mover = net.member('one');
    mover.announce('all');
    const stayer = net.member('one');
    expect(stayer.announce('none').peers[0]).toMatchObject({ peerId: mover.id, tier: 'aula' });
    mover.join('two');
    expect(stayer.find().peers[0]).toMatchObject({ peerId: mover.id, tier: 'global' });
    expect(stayer.join('one').incomplete).toBe(1);
    expect(net.member('two').announce('none').peers[0]).toMatchObject({ peerId: mover.id, tier: 'aula' });
  });

  it('is left by part, and freed with its last member', () => {
    const net = new VirtualTracker();
    const client = net.member('room');
    client.say({ type: 'part' });
    client.say({ type: 'part' });
    expect(client.inbox).toEqual([]);
    expect(net.tracker.stats().aulas).toBe(0);
  });

  it('names at most the members wanted', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 60; i++) net.member('room');
    const client = net.client();
    expect(client.join('room', 0).peers).toHaveLength(0);
    expect(client.join('room', 7).peers).toHaveLength(7);
    expect(client.join('room').peers).toHaveLength(LIMITS.defaultWantedPeers);
    expect(new Set(namesIn(client.join('room', 50))).size).toBe(50);
  });
});

describe('a swarm', () => {
  it('names who holds what, and counts the asker', () => {
    const net = new VirtualTracker();
    const seeder = net.client();
    seeder.announce('all', { uploadKbps: 5_000 });
    const partial = net.client();
    partial.announce([0, 9]);
    const answer = net.client().announce('none');
    expect(answer).toMatchObject({ trackId: SONG, root: ROOT, complete: 1, incomplete: 2 });
    expect(answer.peers).toContainEqual({
      peerId: seeder.id,
      tier: 'global',
      have: 'all',
      uploadKbps: 5_000,
      rttMs: null,
    });
    expect(answer.peers.find(({ peerId }) => peerId === partial.id)?.have).toBe('gEAA');
  });

  it('does not mix two versions of a track', () => {
    const net = new VirtualTracker();
    net.client().announce('all', { root: OTHER_ROOT });
    expect(net.client().announce('none')).toMatchObject({ peers: [], complete: 0, incomplete: 1 });
  });

  it('does not mix two chunk counts', () => {
    const net = new VirtualTracker();
    net.client().announce('all', { chunkCount: CHUNKS + 1 });
    expect(net.client().announce('none')).toMatchObject({ peers: [], complete: 0, incomplete: 1 });
    expect(net.tracker.stats().swarms).toBe(2);
  });

  it('is left when the same version is announced with another chunk count', () => {
    const net = new VirtualTracker();
    const client = net.client();
    client.announce('all');
    client.announce('all', { chunkCount: CHUNKS + 1 });
    expect(net.tracker.stats()).toMatchObject({ swarms: 1, members: 1 });
    expect(net.client().announce('none').peers).toEqual([]);
  });

  it('is told anew by a second announce', () => {
    const net = new VirtualTracker();
    const client = net.client();
    const asker = net.client();
    asker.announce('none');
    client.announce('all');
    client.announce([3]);
    expect(asker.find()).toMatchObject({ complete: 0, incomplete: 2, peers: [{ have: 'EAAA' }] });
    client.announce('none', { scope: 'aula' });
    expect(asker.find()).toMatchObject({ complete: 0, incomplete: 1, peers: [] });
  });

  it('follows have and lost up to the whole track and back', () => {
    const net = new VirtualTracker();
    const client = net.client();
    const asker = net.client();
    asker.announce('none');
    client.announce('none');
    const haveOf = () => asker.find().peers[0]?.have;
    client.have([0, 1]);
    expect(haveOf()).toBe('wAAA');
    client.have(Array.from({ length: CHUNKS }, (_, i) => i));
    expect(haveOf()).toBe('all');
    client.have([], [19]);
    expect(haveOf()).toBe('///g');
    client.have(
      [],
      Array.from({ length: CHUNKS }, (_, i) => i),
    );
    expect(haveOf()).toBe('none');
  });

  it('must be announced before find, have, claim and leave', () => {
    const client = new VirtualTracker().client();
    client.announce('none', { root: OTHER_ROOT });
    for (const type of ['find', 'have', 'claim', 'leave']) {
      client.sayAnything({ type, trackId: SONG, root: ROOT, chunks: [0] });
      expect(client.take('error')).toMatchObject({
        code: 'not-announced',
        re: type,
        trackId: SONG,
        root: ROOT,
      });
    }
  });

  it('and Aula are freed with their last member, however it goes', () => {
    const net = new VirtualTracker();
    const clients = Array.from({ length: 30 }, (_, i) => {
      const client = net.member(`room-${i % 3}`);
      for (let track = 0; track < 5; track++) {
        client.announce(i % 2 ? [track] : 'all', { trackId: parseTrackId(`song-${(track + i) % 10}`) });
      }
      return client;
    });
    expect(net.tracker.stats()).toMatchObject({ peers: 30, swarms: 10, members: 150, aulas: 3 });
    for (const client of clients) client.session.closed();
    expect(net.tracker.stats()).toMatchObject({ peers: 0, swarms: 0, members: 0, aulas: 0, leases: 0 });
    const last = net.client();
    last.announce('none');
    last.leave();
    expect(net.tracker.stats()).toMatchObject({ peers: 1, swarms: 0 });
  });

  it('takes no more tracks of one socket than the limit', () => {
    const net = new VirtualTracker();
    const client = net.client();
    for (let i = 0; i < LIMITS.maxAnnouncedTracks; i++)
      client.announce('all', { trackId: parseTrackId(`t${i}`) });
    expect(() => client.announce('all')).toThrow('too-many-tracks');
    expect(client.announce('none', { trackId: parseTrackId('t0') }).incomplete).toBe(1);
  });

  it('answers within the size of a message even where bitmaps are large', () => {
    const net = new VirtualTracker();
    const chunkCount = LIMITS.maxChunks;
    for (let i = 0; i < 60; i++) net.client().announce([i], { chunkCount });
    const { peers } = net.client().announce('none', { chunkCount, want: 50 });
    expect(peers.length).toBeGreaterThan(5);
    expect(JSON.stringify(peers).length).toBeLessThan(LIMITS.maxTrackerMessageBytes);
  });
});

describe('silence', () => {
  it('of 60 s takes a peer out of every answer and count, until it is heard again', () => {
    const net = new VirtualTracker();
    const silent = net.member('room');
    silent.announce('all');
    const asker = net.member('room');
    net.pass(59_000);
    expect(namesIn(asker.announce('none'))).toEqual([silent.id]);
    net.pass(1_000);
    expect(asker.find().peers).toEqual([]);
    net.pass(2_500);
    expect(asker.find()).toMatchObject({ peers: [], complete: 0, incomplete: 1 });
    expect(asker.join('room')).toMatchObject({ peers: [], incomplete: 1 });
    expect(asker.claim([0]).granted).toEqual([0]);
    silent.sayAnything({ type: 'whisper' });
    expect(asker.find()).toMatchObject({ peers: [{ peerId: silent.id, tier: 'aula' }], complete: 1 });
    expect(namesIn(asker.join('room'))).toEqual([silent.id]);
  });

  it('of 60 s counts between two sweeps too', () => {
    const net = new VirtualTracker();
    const silent = net.member('room');
    silent.announce('all');
    const asker = net.client();
    asker.announce('none');
    net.nowMs += 59_999;
    expect(namesIn(asker.find())).toEqual([silent.id]);
    net.nowMs += 1;
    expect(namesIn(asker.find())).toEqual([]);
    expect(asker.claim([0]).granted).toEqual([0]);
    expect(namesIn(net.client().join('room'))).toEqual([]);
  });

  it('ends with any message, understood or not', () => {
    const net = new VirtualTracker();
    const [first, second] = [net.client(), net.client()];
    first.announce('all');
    second.announce('all');
    net.pass(70_000);
    first.find();
    expect(namesIn(second.announce('all'))).toEqual([first.id]);
    net.pass(70_000);
    first.sayAnything({ type: 'find' });
    expect(namesIn(second.find())).toEqual([first.id]);
  });

  it('of less than five minutes disconnects and forgets', () => {
    const net = new VirtualTracker();
    const silent = net.member('room');
    silent.announce([1]);
    net.pass(239_000);
    expect(silent.closedWith).toBeUndefined();
    net.pass(5_000);
    expect(silent.closedWith).toBe(4408);
    expect(net.tracker.stats()).toMatchObject({ peers: 0, swarms: 0, aulas: 0 });
  });

  it('does not keep a parked peer from switching Aulas or leaving', () => {
    const net = new VirtualTracker();
    const silent = net.member('one');
    silent.announce('all');
    net.pass(70_000);
    silent.session.closed();
    expect(net.tracker.stats()).toMatchObject({ peers: 0, swarms: 0, aulas: 0 });
  });
});

describe('going too fast', () => {
  it('is told, with the time to wait', () => {
    const net = new VirtualTracker();
    const client = net.client();
    for (let i = 0; i < 20; i++) client.announce('none');
    client.sayAnything({ type: 'announce', trackId: SONG, root: ROOT, chunkCount: CHUNKS, have: 'all' });
    expect(client.take('error')).toMatchObject({
      code: 'too-fast',
      re: 'announce',
      trackId: SONG,
      retryAfterMs: 3_000,
    });
    expect(client.find()).toMatchObject({ complete: 0 });
    net.pass(3_000);
    expect(client.announce('all')).toMatchObject({ complete: 1 });
  });

  it('of 600 signals and 200 other messages a minute is refused, each in a bucket of its own', () => {
    const net = new VirtualTracker();
    const client = net.client();
    const other = net.client();
    client.announce('none');
    other.announce('none');
    for (let i = 0; i < 601; i++) client.signal(other.id);
    expect(other.inbox).toHaveLength(600);
    expect(client.take('error')).toMatchObject({ code: 'too-fast', re: 'signal', to: other.id });
    for (let i = 0; i < 200; i++) client.find();
    expect(() => client.find()).toThrow('too-fast');
    expect(client.closedWith).toBeUndefined();
  });

  it('and on closes the socket with 4429', () => {
    const client = new VirtualTracker().client();
    for (let i = 0; i < 200 + 120; i++) client.say({ type: 'part' });
    expect(client.closedWith).toBeUndefined();
    client.say({ type: 'part' });
    expect(client.closedWith).toBe(4429);
  });

  it('is not what eight listeners do who fetch an album as fast as loopback allows', () => {
    const net = new VirtualTracker();
    const listeners = Array.from({ length: 8 }, (_, i) => net.member(`room-${i % 2}`));
    for (let song = 0; song < 10; song++) {
      const track = { trackId: parseTrackId(`song-${song}`), root: ROOT };
      for (const listener of listeners) listener.announce('none', { ...track, chunkCount: 120 });
      for (let chunk = 0; chunk < 120; chunk += 4) {
        net.nowMs += 25;
        for (const listener of listeners) {
          const have = chunk > 0 ? [chunk - 4, chunk - 3, chunk - 2, chunk - 1] : [];
          listener.say({ type: 'claim', ...track, chunks: [chunk, chunk + 1, chunk + 2, chunk + 3], have });
          listener.take('claimed');
        }
      }
      for (const listener of listeners) {
        listener.say({ type: 'find', ...track });
        listener.take('peers');
        listener.say({ type: 'have', ...track, chunks: [116, 117, 118, 119] });
      }
    }
    for (const listener of listeners) expect(listener.inbox).toEqual([]);
  });
});

describe('signals', () => {
  it('carry the sender and the tier as the tracker sees them, and any JSON untouched', () => {
    const net = new VirtualTracker();
    const sender = net.member('room');
    const receiver = net.member('room');
    const data = [null, { __proto__: null, candidate: 'é\u2028"\\', n: [[]], from: 'forged' }];
    sender.sayAnything({ type: 'signal', to: receiver.id, from: receiver.id, tier: 'global', data });
    const signal = receiver.take('signal');
    expect(signal).toMatchObject({ from: sender.id, tier: 'aula' });
    expect(JSON.stringify(signal.data)).toBe(JSON.stringify(data));
  });

  it('pass between peers that share a swarm', () => {
    const net = new VirtualTracker();
    const [a, b] = [net.client(), net.client()];
    a.announce('all');
    b.announce('none');
    a.signal(b.id);
    b.signal(a.id);
    expect(b.take('signal').from).toBe(a.id);
    expect(a.take('signal')).toMatchObject({ from: b.id, tier: 'global' });
  });

  it('do not pass to a stranger, to nobody, or to oneself', () => {
    const net = new VirtualTracker();
    const [a, b] = [net.member('one'), net.member('two')];
    b.announce('all');
    for (const to of [b.id, a.id, parsePeerId('x'.repeat(22))]) {
      a.signal(to);
      expect(a.take('error')).toMatchObject({ code: 'not-visible', re: 'signal', to });
    }
    expect(b.inbox).toEqual([]);
  });

  it('do not pass between versions or chunk counts of one track', () => {
    const net = new VirtualTracker();
    const [a, b, c] = [net.client(), net.client(), net.client()];
    a.announce('all');
    b.announce('all', { root: OTHER_ROOT });
    c.announce('all', { chunkCount: CHUNKS + 1 });
    a.signal(b.id);
    a.signal(c.id);
    expect([a.take('error').code, a.take('error').code]).toEqual(['not-visible', 'not-visible']);
  });

  it('may be answered for five minutes by one who has no other right to', () => {
    const net = new VirtualTracker();
    const [a, b] = [net.client(), net.client()];
    a.announce('all');
    b.announce('none');
    a.signal(b.id);
    b.take('signal');
    a.leave();
    net.nowMs += 299_999;
    b.signal(a.id);
    expect(a.take('signal').from).toBe(b.id);
    net.nowMs += 1;
    b.signal(a.id);
    expect(b.take('error').code).toBe('not-visible');
  });

  it.each([
    [16_384, undefined],
    [16_385, 'too-large'],
  ])('of %i bytes are answered with %s', (bytes, code) => {
    const net = new VirtualTracker();
    const [a, b] = [net.member('room'), net.member('room')];
    a.signal(b.id, 'x'.repeat(bytes - 2));
    if (code === undefined) expect(b.take('signal').from).toBe(a.id);
    else expect(a.take('error')).toMatchObject({ code, re: 'signal' });
    expect(a.closedWith).toBeUndefined();
  });
});

describe('one seed', () => {
  it('gives the same answers again', () => {
    const answers = (seed: number) => {
      const net = new VirtualTracker({}, seed);
      const clients = Array.from({ length: 100 }, () => net.client());
      return clients.map((client, i) => namesIn(client.announce(i % 3 ? [i % CHUNKS] : 'all', { want: 5 })));
    };
    expect(answers(7)).toEqual(answers(7));
    expect(answers(7)).not.toEqual(answers(8));
  });
});
