import { ChunkSet, parsePeerId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { OTHER_ROOT, ROOT, SONG, VirtualTracker, type VirtualClient } from '../testing/virtual-tracker.ts';
import { Claims } from './claims.ts';
import { PeerRegistry } from './peer-registry.ts';

function swarmOf(count: number) {
  const net = new VirtualTracker();
  const clients = Array.from({ length: count }, () => {
    const client = net.client();
    client.announce('none');
    return client;
  });
  const [first, second = first, third = second] = clients;
  if (first === undefined || second === undefined || third === undefined) throw new Error('count');
  return { net, clients, first, second, third };
}

describe('a claim', () => {
  it('is granted to the first who asks; the others learn who fetches', () => {
    const { first, second } = swarmOf(2);
    expect(first.claim([4, 5])).toEqual({ granted: [4, 5], heldBy: {} });
    expect(second.claim([4, 5, 6])).toEqual({ granted: [6], heldBy: { 4: first.id, 5: first.id } });
  });

  it('is granted to exactly one of a crowd', () => {
    const { clients } = swarmOf(50);
    const grants = clients.map((client) => client.claim([0]).granted.length);
    expect(grants.reduce((sum, n) => sum + n)).toBe(1);
  });

  it('for one of several is granted the first that is free', () => {
    const { first, second, third } = swarmOf(3);
    third.have([3]);
    expect(first.claim([3, 4, 5, 6], [], 1)).toEqual({ granted: [4], heldBy: { 3: third.id } });
    expect(second.claim([3, 4, 5, 6], [], 1)).toEqual({ granted: [5], heldBy: { 3: third.id, 4: first.id } });
    expect(first.claim([4, 6], [], 1)).toEqual({ granted: [4], heldBy: {} });
  });

  it('is granted to nobody while somebody holds the chunk', () => {
    const { first, second } = swarmOf(2);
    first.have([4]);
    expect(second.claim([4, 5])).toEqual({ granted: [5], heldBy: { 4: first.id } });
  });

  it('names a holder of the same Aula before others', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 20; i++) net.client().announce('all');
    const near = net.member('room');
    near.announce([7]);
    const asker = net.member('room');
    asker.announce('none');
    expect(asker.claim([7]).heldBy).toEqual({ 7: near.id });
  });

  it('is told the lease time', () => {
    const { first } = swarmOf(1);
    first.say({ type: 'claim', trackId: SONG, root: ROOT, chunks: [0] });
    expect(first.take('claimed').ttlMs).toBe(10_000);
  });

  it('for what the claimer holds is neither granted nor named', () => {
    const { first } = swarmOf(1);
    first.have([4]);
    expect(first.claim([4])).toEqual({ granted: [], heldBy: {} });
  });

  it('naming a chunk twice takes one lease', () => {
    const { net, first } = swarmOf(1);
    expect(first.claim([4, 4, 4]).granted).toEqual([4]);
    expect(net.tracker.stats().leases).toBe(1);
  });

  it('of another version does not count', () => {
    const { net, first } = swarmOf(1);
    first.claim([4]);
    const other = net.client();
    other.announce('none', { root: OTHER_ROOT });
    other.say({ type: 'claim', trackId: SONG, root: OTHER_ROOT, chunks: [4] });
    expect(other.take('claimed').granted).toEqual([4]);
  });
});

describe('a lease', () => {
  it.each([
    [9_999, []],
    [10_000, [4]],
  ])('after %i ms leaves %j to another', (ms, granted) => {
    const { net, first, second } = swarmOf(2);
    first.claim([4]);
    net.nowMs += ms;
    expect(second.claim([4]).granted).toEqual(granted);
  });

  it('is not made longer by claiming again', () => {
    const { net, first, second } = swarmOf(2);
    first.claim([4]);
    net.pass(9_000);
    expect(first.claim([4]).granted).toEqual([4]);
    net.pass(1_000);
    expect(second.claim([4]).granted).toEqual([4]);
  });

  it('ends with the socket', () => {
    const { net, first, second } = swarmOf(2);
    first.claim([4]);
    first.session.closed();
    expect(net.tracker.stats().leases).toBe(0);
    expect(second.claim([4]).granted).toEqual([4]);
  });

  it('ends with leave', () => {
    const { first, second } = swarmOf(2);
    first.claim([4]);
    first.leave();
    expect(second.claim([4]).granted).toEqual([4]);
  });

  it('ends with have, whose sender is then the holder', () => {
    const { net, first, second } = swarmOf(2);
    first.claim([4]);
    first.have([4]);
    expect(net.tracker.stats().leases).toBe(0);
    expect(second.claim([4]).heldBy).toEqual({ 4: first.id });
  });

  it('ends when its owner gives it back, and nobody else can', () => {
    const { first, second } = swarmOf(2);
    first.claim([4, 5]);
    second.say({ type: 'have', trackId: SONG, root: ROOT, chunks: [], released: [4, 5] });
    expect(second.claim([4]).heldBy).toEqual({ 4: first.id });
    first.say({ type: 'have', trackId: SONG, root: ROOT, chunks: [], released: [4] });
    expect(second.claim([4, 5])).toEqual({ granted: [4], heldBy: { 5: first.id } });
  });

  it('given back late, again and again, is as one that lapses: nobody keeps a chunk from others so', () => {
    const { net, first } = swarmOf(2);
    const granted: number[] = [];
    for (let round = 0; round < 3; round++) {
      granted.push(first.claim([0, 1, 2, 3, 4, 5, 6, 7]).granted.length);
      net.nowMs += 9_000;
      first.say({ type: 'have', trackId: SONG, root: ROOT, chunks: [], released: [0, 1, 2, 3, 4, 5, 6, 7] });
    }
    expect(granted).toEqual([8, 8, 0]);
  });

  it('ends with an announce of the chunk', () => {
    const { net, first } = swarmOf(1);
    first.claim([4, 5]);
    first.announce([4]);
    expect(net.tracker.stats().leases).toBe(1);
  });

  it('ends with an announce of another chunk count', () => {
    const { net, first } = swarmOf(1);
    first.claim([4]);
    first.announce('none', { chunkCount: 21 });
    expect(net.tracker.stats().leases).toBe(0);
  });

  it('leaves nothing behind in its swarm', () => {
    const registry = new PeerRegistry();
    const peer = registry.add(parsePeerId('p'.repeat(22)), { send: () => {}, close: () => {} }, 0);
    const track = { trackId: SONG, root: ROOT, chunkCount: 20 };
    const member = registry.announce(peer, track, ChunkSet.none(20), 'global');
    const claims = new Claims(10_000, 8);
    claims.claim(member, [1, 2, 3], 8, () => undefined, 0);
    expect(member.swarm.leases.size).toBe(3);
    claims.sweep(10_000);
    expect(member.swarm.leases.size).toBe(0);
    expect(peer.leases).toEqual([]);
  });

  it('is swept away when it expires, so that nothing is kept', () => {
    const { net, first } = swarmOf(1);
    first.claim([4]);
    net.pass(10_000);
    expect(net.tracker.stats().leases).toBe(0);
  });
});

const ALL_EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];

describe('a chunk that is given back', () => {
  const release = (client: VirtualClient, chunks: readonly number[]) =>
    client.say({ type: 'have', trackId: SONG, root: ROOT, chunks: [], released: chunks });

  it.each([
    ['give it back', (client: VirtualClient) => release(client, ALL_EIGHT)],
    [
      'leave and come back',
      (client: VirtualClient) => {
        client.leave();
        client.announce('none');
      },
    ],
    [
      'go by another chunk count and come back',
      (client: VirtualClient) => {
        client.announce('none', { chunkCount: 21 });
        client.announce('none');
      },
    ],
  ])('goes to who waited for it: nobody keeps it who claims again after they %s', (_, giveBack) => {
    const { net, first, second } = swarmOf(2);
    first.claim(ALL_EIGHT);
    let denied = 0;
    for (let ms = 0; ms < 60_000; ms += 4_900) {
      if (second.claim([3]).granted.length > 0) break;
      denied++;
      net.nowMs += 4_900;
      giveBack(first);
      expect(first.claim(ALL_EIGHT).granted).not.toContain(3);
    }
    expect(denied).toBe(1);
  });

  it.each([
    [9_999, []],
    [10_000, [4]],
  ])(
    'while another waited for it is granted to others alone: after %i ms to its former owner %j',
    (ms, granted) => {
      const { net, first, second } = swarmOf(2);
      first.claim([4, 5]);
      second.claim([4]);
      release(first, [4, 5]);
      net.nowMs += ms;
      // The other has gone meanwhile, and 5 was nobody else's wish.
      expect(first.claim([4, 5])).toEqual({ granted: [...granted, 5], heldBy: {} });
    },
  );

  it('and that nobody waited for is granted again at once, as often as the listener jumps', () => {
    const { net, first, second } = swarmOf(2);
    for (let jump = 0; jump < 50; jump++) {
      const chunks = jump % 2 === 0 ? [0, 1, 2, 3] : [12, 13, 14, 15];
      expect(first.claim(chunks).granted).toEqual(chunks);
      expect(second.claim([8 + (jump % 2)]).granted).toHaveLength(1);
      net.pass(500);
      release(first, chunks);
      release(second, [8 + (jump % 2)]);
    }
  });

  it('keeps its former owner from no other chunk, nor from the same one of another version', () => {
    const { first, second } = swarmOf(2);
    first.announce('none', { root: OTHER_ROOT });
    first.claim([4]);
    second.claim([4]);
    release(first, [4]);
    expect(first.claim([4, 5]).granted).toEqual([5]);
    first.say({ type: 'claim', trackId: SONG, root: OTHER_ROOT, chunks: [4] });
    expect(first.take('claimed').granted).toEqual([4]);
  });

  it('is not given back by who has it', () => {
    const { first, second } = swarmOf(2);
    first.claim([4]);
    second.claim([4]);
    first.have([4]);
    first.have([], [4]);
    expect(first.claim([4]).granted).toEqual([4]);
  });

  it('is not waited for by who may not see its owner', () => {
    const net = new VirtualTracker();
    const inside = net.member('room');
    inside.announce('none', { scope: 'aula' });
    const outside = net.client();
    outside.announce('none');
    inside.claim([4]);
    expect(outside.claim([4]).granted).toEqual([4]);
    release(inside, [4]);
    release(outside, [4]);
    expect(inside.claim([4]).granted).toEqual([4]);
  });

  it('late by leaving is as one that lapses', () => {
    const { net, first } = swarmOf(2);
    const granted: number[] = [];
    for (let round = 0; round < 3; round++) {
      granted.push(first.claim(ALL_EIGHT).granted.length);
      net.nowMs += 9_000;
      first.leave();
      first.announce('none');
    }
    expect(granted).toEqual([8, 8, 0]);
  });

  it('is forgotten as such in time, so that nothing is kept', () => {
    const registry = new PeerRegistry();
    const [owner, other] = ['p', 'q'].map((letter) => {
      const peer = registry.add(parsePeerId(letter.repeat(22)), { send: () => {}, close: () => {} }, 0);
      return registry.announce(
        peer,
        { trackId: SONG, root: ROOT, chunkCount: 20 },
        ChunkSet.none(20),
        'global',
      );
    });
    if (owner === undefined || other === undefined) throw new Error('two were made');
    const claims = new Claims(10_000, 8);
    claims.claim(owner, [1, 2], 8, () => undefined, 0);
    claims.claim(other, [1, 2], 8, () => undefined, 0);
    claims.release(owner, [1, 2], 100);
    expect(owner.peer.givenBack).toHaveLength(2);
    claims.sweep(10_099);
    expect(owner.peer.givenBack).toHaveLength(2);
    claims.sweep(10_100);
    expect(owner.peer.givenBack).toEqual([]);
  });
});

describe('the eight leases of a socket', () => {
  it('are counted over all its swarms', () => {
    const { first } = swarmOf(1);
    first.announce('none', { root: OTHER_ROOT });
    expect(first.claim([0, 1, 2, 3, 4, 5]).granted).toHaveLength(6);
    first.say({ type: 'claim', trackId: SONG, root: OTHER_ROOT, chunks: [0, 1, 2, 3] });
    expect(first.take('claimed').granted).toEqual([0, 1]);
    expect(first.claim([6])).toEqual({ granted: [], heldBy: {} });
  });

  it('are free again with the chunks a claim says it has', () => {
    const { net, first, second } = swarmOf(2);
    first.claim([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(first.claim([8, 9], [0, 1]).granted).toEqual([8, 9]);
    expect(second.claim([0, 8]).heldBy).toEqual({ 0: first.id, 8: first.id });
    expect(net.tracker.stats().leases).toBe(8);
  });

  it('let a lone listener fetch a whole track without waiting', () => {
    const { first } = swarmOf(1);
    let had: number[] = [];
    for (let chunk = 0; chunk < 20; chunk += 4) {
      const chunks = [chunk, chunk + 1, chunk + 2, chunk + 3];
      expect(first.claim(chunks, had).granted).toEqual(chunks);
      had = chunks;
    }
  });

  it('are free again when they expire', () => {
    const { net, first } = swarmOf(1);
    first.claim([0, 1, 2, 3, 4, 5, 6, 7]);
    net.nowMs += 10_000;
    expect(first.claim([8, 9]).granted).toEqual([8, 9]);
  });
});

describe('in a large swarm of partial holders', () => {
  it('a chunk nobody held is found as soon as somebody holds it, and lost with its last holder', () => {
    const net = new VirtualTracker();
    const listeners = Array.from({ length: 200 }, () => {
      const client = net.client();
      client.announce([0, 1, 2], { want: 0 });
      return client;
    });
    const [first, second, third] = listeners;
    if (first === undefined || second === undefined || third === undefined) throw new Error('no listeners');
    expect(first.claim([5, 6])).toEqual({ granted: [5, 6], heldBy: {} });
    net.pass(10_000);
    expect(first.claim([5]).granted).toEqual([5]);
    second.have([5]);
    net.pass(10_000);
    expect(third.claim([5, 6])).toEqual({ granted: [6], heldBy: { 5: second.id } });
    second.have([], [5]);
    expect(third.claim([5, 6]).granted).toEqual([5, 6]);
    const newcomer = net.client();
    newcomer.announce([6], { want: 0 });
    expect(first.claim([6]).heldBy).toEqual({ 6: newcomer.id });
    newcomer.session.closed();
    expect(first.claim([6]).heldBy).toEqual({ 6: third.id });
  });

  it('a silent holder is not forgotten as one', () => {
    const net = new VirtualTracker();
    const silent = net.client();
    silent.announce([5]);
    net.nowMs += 60_000;
    for (let i = 0; i < 100; i++) net.client().announce([0], { want: 0 });
    const asker = net.client();
    asker.announce('none', { want: 0 });
    expect(asker.claim([5]).granted).toEqual([5]);
    silent.have([]);
    net.nowMs += 10_000;
    expect(asker.claim([5]).heldBy).toEqual({ 5: silent.id });
  });
});
