import { describe, expect, it } from 'vitest';
import { namesIn, VirtualTracker } from '../testing/virtual-tracker.ts';

describe('the peers an asker is offered', () => {
  it('are of its Aula first, even if they hold less', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 40; i++) net.client().announce('all');
    const friends = [net.member('room'), net.member('room')];
    for (const friend of friends) friend.announce('none');
    const { peers } = net.member('room').announce('none', { want: 5 });
    expect(peers.map(({ tier }) => tier)).toEqual(['aula', 'aula', 'global', 'global', 'global']);
    expect(new Set(peers.slice(0, 2).map(({ peerId }) => peerId))).toEqual(
      new Set(friends.map(({ id }) => id)),
    );
  });

  it('are ordered by round trip, a few milliseconds more being the same', () => {
    const net = new VirtualTracker();
    const at = (ms: number) => {
      const client = net.client();
      client.announce('all');
      client.session.roundTrip(ms);
      return client.id;
    };
    const far = at(900);
    const near = [at(12), at(31)];
    const middle = at(120);
    const names = namesIn(net.client().announce('none'));
    expect(new Set(names.slice(0, 2))).toEqual(new Set(near));
    expect(names.slice(2)).toEqual([middle, far]);
  });

  it('are, where all fit, ordered by round trip before use', () => {
    const net = new VirtualTracker();
    const far = net.client();
    far.announce('all');
    far.session.roundTrip(400);
    const near = net.client();
    near.announce('none');
    near.session.roundTrip(4);
    expect(namesIn(net.client().announce('none'))).toEqual([near.id, far.id]);
  });

  it('are holders of what it lacks before others', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 30; i++) net.client().announce([0, 1]);
    const useful = net.client();
    useful.announce([2]);
    expect(namesIn(net.client().announce([0, 1]))[0]).toBe(useful.id);
  });

  it('are chosen for what they hold before they are chosen for being near', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 20; i++) {
      const empty = net.client();
      empty.announce('none');
      empty.session.roundTrip(1);
    }
    const seeder = net.client();
    seeder.announce('all');
    seeder.session.roundTrip(400);
    expect(namesIn(net.client().announce('none', { want: 3 }))).toContain(seeder.id);
  });

  it('are holders of what it needs first, when it says what', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 25; i++) net.client().announce([3]);
    const holder = net.client();
    holder.announce([9]);
    const asker = net.client();
    asker.announce('none');
    expect(namesIn(asker.find({ needs: [9], want: 1 }))).toEqual([holder.id]);
  });

  it('are those who lack something, when it lacks nothing', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 25; i++) net.client().announce('all');
    const listener = net.client();
    listener.announce([3]);
    expect(namesIn(net.client().announce('all', { want: 1 }))).toEqual([listener.id]);
  });

  it('include the one seeder of a large swarm', () => {
    const net = new VirtualTracker();
    const seeder = net.client();
    seeder.announce('all');
    for (let i = 0; i < 2_000; i++) {
      expect(namesIn(net.client().announce('none', { want: 5 }))).toContain(seeder.id);
    }
  });

  it('never include the asker, never one twice, and are as many as wanted', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 200; i++) {
      const client = i % 4 ? net.member(`room-${i % 3}`) : net.client();
      const want = i % 51;
      const names = namesIn(client.announce(i % 5 ? [i % 20] : 'all', { want }));
      expect(names).not.toContain(client.id);
      expect(new Set(names).size).toBe(names.length);
      expect(names.length).toBe(Math.min(want, i));
    }
  });

  it('share the load evenly', () => {
    const net = new VirtualTracker();
    const offered = new Map<string, number>();
    for (let i = 0; i < 100; i++) {
      const client = net.client();
      client.announce('all');
      offered.set(client.id, 0);
    }
    for (let i = 0; i < 1_000; i++) {
      const asker = net.client();
      for (const name of namesIn(asker.announce('none', { want: 5 }))) {
        offered.set(name, (offered.get(name) ?? 0) + 1);
      }
      asker.session.closed();
    }
    expect(Math.min(...offered.values())).toBeGreaterThan(20);
    expect(Math.max(...offered.values())).toBeLessThan(90);
  });
});

describe('the members of a large room', () => {
  it('are all named in time, be there enough that are nearer', () => {
    const net = new VirtualTracker();
    const memberAt = (ms: number) => {
      const member = net.member('room');
      member.session.roundTrip(ms);
      return member;
    };
    const near = Array.from({ length: 120 }, () => memberAt(20));
    const far = Array.from({ length: 30 }, () => memberAt(100));
    const [asker] = near;
    const named = new Map<string, number>();
    for (let i = 0; i < 100; i++)
      for (const { peerId } of asker?.join('room', 50).peers ?? [])
        named.set(peerId, (named.get(peerId) ?? 0) + 1);
    for (const { id } of far) expect(named.get(id) ?? 0).toBeGreaterThan(0);
    const timesOf = (members: typeof far) => members.reduce((sum, { id }) => sum + (named.get(id) ?? 0), 0);
    expect(timesOf(near) / near.length).toBeGreaterThan((2 * timesOf(far)) / far.length);
  });
});
