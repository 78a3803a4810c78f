import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PeerId } from '@sonantica/wire';
import { LinkPlan, MAX_LINKS, type Candidate, type LinkPurpose } from './link-plan.ts';

const MINUTE = 60_000;

describe('the plan of links', () => {
  it('has at most 24', () => {
    const plan = new LinkPlan();
    expect(plan.choose(peers('aula', 40), 40, 0).connect).toHaveLength(24);
    for (const { peerId } of peers('aula', 24)) plan.opened(peerId, 0);
    expect(plan.size).toBe(MAX_LINKS);
    expect(plan.choose(peers('global', 5), 5, 0)).toEqual({ connect: [], drop: [] });
    expect(plan.accept(id('late', 0), 'aula', 0).welcome).toBe(false);
  });

  it('takes the Aula first, then the tracker’s order, and no more than is wanted', () => {
    const plan = new LinkPlan();
    const candidates = [...peers('global', 3), ...peers('aula', 2)];
    expect(plan.choose(candidates, 4, 0).connect).toEqual([
      id('aula', 0),
      id('aula', 1),
      id('global', 0),
      id('global', 1),
    ]);
  });

  it('takes who holds what is lacking before others of the same tier', () => {
    const plan = new LinkPlan();
    const [near, far] = peers('global', 2);
    if (near === undefined || far === undefined) throw new Error('no peers');
    const candidates = [
      { ...near, offers: false },
      { ...far, offers: true },
    ];
    expect(plan.choose(candidates, 1, 0).connect).toEqual([far.peerId]);
  });

  it('has a sixth of its places for members of the Aula before a track is played, those counted that came', () => {
    expect(new LinkPlan().warmSought).toBe(4);
    const few = new LinkPlan(8);
    expect(few.warmSought).toBe(2);
    few.accept(id('aula', 0), 'aula', 0);
    few.accept(id('global', 0), 'global', 0);
    expect(few.warmSought).toBe(1);
    few.accept(id('aula', 1), 'aula', 0);
    few.accept(id('aula', 2), 'aula', 0);
    expect(few.warmSought).toBe(0);
  });

  it('links to nobody twice', () => {
    const plan = new LinkPlan();
    plan.choose(peers('aula', 2), 5, 0);
    expect(plan.choose(peers('aula', 3), 5, 0).connect).toEqual([id('aula', 2)]);
    expect(plan.accept(id('aula', 0), 'aula', 0).welcome).toBe(true);
    expect(plan.size).toBe(3);
  });

  it('has room again when a link ended', () => {
    const plan = new LinkPlan(2);
    plan.choose(peers('aula', 2), 2, 0);
    plan.ended(id('aula', 0));
    expect(plan.has(id('aula', 0))).toBe(false);
    expect(plan.choose([{ peerId: id('aula', 9), tier: 'aula' }], 1, 0).connect).toEqual([id('aula', 9)]);
  });

  it('counts a peer once, whatever newer ids it has', () => {
    const plan = new LinkPlan(2);
    plan.choose(peers('global', 1), 1, 0);
    plan.choose([{ peerId: id('newer', 0), tier: 'global' }], 1, 0);
    plan.alias(id('newer', 0), id('global', 0));
    expect(plan.size).toBe(1);
    expect(plan.has(id('newer', 0))).toBe(true);
    expect(plan.choose([{ peerId: id('newer', 0), tier: 'global' }], 1, 0).connect).toEqual([]);
    plan.ended(id('global', 0));
    expect(plan.has(id('newer', 0))).toBe(false);
  });

  it('leaves a peer that could not be reached alone for twenty seconds, unless it comes by itself', () => {
    const plan = new LinkPlan();
    const [one] = peers('aula', 1);
    if (one === undefined) throw new Error('no peer');
    plan.choose([one], 1, 0);
    plan.failed(one.peerId, 1_000);
    expect(plan.size).toBe(0);
    expect(plan.isOut(one.peerId, 1_001)).toBe(true);
    expect(plan.isOut(one.peerId, 21_000)).toBe(false);
    expect(plan.choose([one], 1, 20_999).connect).toEqual([]);
    expect(plan.choose([one], 1, 21_000).connect).toEqual([one.peerId]);
    plan.failed(one.peerId, 30_000);
    expect(plan.accept(one.peerId, 'aula', 30_001).welcome).toBe(true);
    plan.opened(one.peerId, 30_100);
    expect(plan.isOut(one.peerId, 30_101)).toBe(false);
  });

  it('never links to a liar again', () => {
    const plan = new LinkPlan();
    plan.ban(id('aula', 0));
    expect(plan.choose(peers('aula', 1), 1, 0, 'needed').connect).toEqual([]);
    expect(plan.accept(id('aula', 0), 'aula', 0).welcome).toBe(false);
  });
});

describe('the half of the Aula', () => {
  it('is anybody’s while it has no members', () => {
    const plan = new LinkPlan();
    expect(plan.choose(peers('global', 40), 40, 0).connect).toHaveLength(24);
  });

  it.each([
    [5, 19],
    [11, 13],
    [12, 12],
    [40, 12],
  ])('is kept as far as %i members fill it: %i places are left to others', (members, others) => {
    const plan = new LinkPlan();
    plan.setAulaMembers(peers('aula', members).map(({ peerId }) => peerId));
    const { connect } = plan.choose(peers('global', 40), 40, 0);
    expect(connect).toHaveLength(others);
    for (const peerId of connect) plan.opened(peerId, 0);
    expect(plan.accept(id('guest', 0), 'global', 0).welcome).toBe(false);
    expect(plan.choose(peers('aula', members), members, 0).connect).toHaveLength(Math.min(members, 12));
  });

  it('is not kept for members who cannot be reached', () => {
    const plan = new LinkPlan(4);
    plan.setAulaMembers([id('aula', 0), id('aula', 1)]);
    plan.choose(peers('aula', 1), 1, 0);
    plan.failed(id('aula', 0), 0);
    expect(plan.choose(peers('global', 4), 4, 0).connect).toHaveLength(3);
  });

  it('is given back by others, the longest unused first, when members come', () => {
    const plan = linked(new LinkPlan(4), 'global', 4);
    plan.used(id('global', 0), 20_000);
    plan.used(id('global', 2), 10_000);
    plan.used(id('global', 1), 15_000);
    expect(plan.choose(peers('aula', 4), 4, 30_000)).toEqual({
      connect: [id('aula', 0), id('aula', 1)],
      drop: [id('global', 3), id('global', 2)],
    });
    for (const { peerId } of peers('aula', 2)) plan.opened(peerId, 30_000);
    expect(plan.choose(peers('aula', 4), 4, 30_000)).toEqual({ connect: [], drop: [] });
  });

  it('is given back to a member that comes by itself', () => {
    const plan = linked(new LinkPlan(2), 'global', 2);
    expect(plan.accept(id('aula', 0), 'aula', 30_000)).toEqual({ welcome: true, drop: id('global', 0) });
  });

  it('is not given back by links that have only just been made', () => {
    const plan = linked(new LinkPlan(2), 'global', 2);
    expect(plan.accept(id('aula', 0), 'aula', 9_999).welcome).toBe(false);
    expect(plan.accept(id('aula', 0), 'aula', 10_000).welcome).toBe(true);
  });
});

describe('a newcomer', () => {
  const all = () => true;

  it('finds room: a listener seeks two fifths of its links, those counted that came by themselves', () => {
    const plan = new LinkPlan();
    expect(plan.sought(0, all)).toBe(10);
    plan.choose(peers('global', 7), 7, 0);
    expect(plan.sought(0, all)).toBe(3);
    for (const { peerId } of peers('aula', 2)) plan.accept(peerId, 'aula', 0);
    expect(plan.sought(0, all)).toBe(1);
    expect(plan.sought(0, all, 'aula')).toBe(8);
    expect(new LinkPlan(1).sought(0, all)).toBe(1);
  });

  it('is not sought in vain: links count that share the track, or may yet', () => {
    const plan = linked(new LinkPlan(), 'global', 10);
    expect(plan.sought(9_999, () => false)).toBe(0);
    expect(plan.sought(10_000, () => false)).toBe(10);
    expect(plan.sought(10_000, (peerId) => peerId === id('global', 0))).toBe(9);
  });

  it('cannot keep a listener from beginning five links by itself, however many come', () => {
    const plan = new LinkPlan();
    const came = peers('global', 30).filter(({ peerId }) => plan.accept(peerId, 'global', 0).welcome);
    expect(came).toHaveLength(19);
    expect(plan.sought(0, all)).toBe(5);
    expect(plan.choose(peers('aula', 30), 5, 0).connect).toHaveLength(5);
    expect(plan.sought(0, all)).toBe(0);
  });

  it('takes the place of who came longest unused, though it is in use', () => {
    const plan = new LinkPlan(3);
    plan.choose(peers('other', 1), 1, 0);
    for (const { peerId } of peers('global', 2)) plan.accept(peerId, 'global', 0);
    for (const peerId of [id('other', 0), id('global', 0), id('global', 1)]) {
      plan.opened(peerId, 0);
      plan.setOfInterest(peerId, true);
    }
    // The one that this listener began is the longest unused, and stays.
    plan.used(id('other', 0), 20_000);
    plan.used(id('global', 0), 29_000);
    plan.used(id('global', 1), 28_000);
    expect(plan.accept(id('new', 0), 'global', 30_000)).toEqual({ welcome: true, drop: id('global', 1) });
    // One at a time, so that links last.
    expect(plan.accept(id('new', 1), 'global', 34_999).welcome).toBe(false);
    expect(plan.accept(id('new', 1), 'global', 35_000)).toEqual({ welcome: true, drop: id('global', 0) });
    plan.opened(id('new', 0), 35_000);
    plan.opened(id('new', 1), 35_000);
    expect(plan.accept(id('new', 2), 'global', 44_999).welcome).toBe(false);
  });

  it('takes nobody’s place while there are others', () => {
    const plan = linked(new LinkPlan(8), 'global', 4);
    plan.setAulaMembers(peers('aula', 4).map(({ peerId }) => peerId));
    for (const { peerId } of peers('global', 4)) plan.setOfInterest(peerId, true);
    // Four places are the Aula's.
    expect(plan.accept(id('new', 0), 'global', 30_000).welcome).toBe(false);
    expect(plan.accept(id('aula', 0), 'aula', 30_000)).toEqual({ welcome: true });
  });
});

describe('a link without use', () => {
  it.each([
    ['after a minute where no track of interest is shared', false, MINUTE],
    ['after three where one is', true, 3 * MINUTE],
  ])('makes room %s', (_, isOfInterest, idleMs) => {
    const plan = linked(new LinkPlan(2), 'global', 2);
    for (const peer of peers('global', 2)) plan.setOfInterest(peer.peerId, isOfInterest);
    plan.used(id('global', 0), 1_000);
    expect(plan.choose(peers('other', 1), 1, idleMs - 1)).toEqual({ connect: [], drop: [] });
    expect(plan.choose(peers('other', 1), 1, idleMs)).toEqual({
      connect: [id('other', 0)],
      drop: [id('global', 1)],
    });
  });

  it('makes room for none that has nothing to offer', () => {
    const plan = linked(new LinkPlan(2), 'global', 2);
    const [one] = peers('other', 1).map(({ peerId, tier }) => ({ peerId, tier }));
    if (one === undefined) throw new Error('no peer');
    expect(plan.choose([one], 1, 10 * MINUTE).drop).toEqual([]);
    expect(plan.choose([one], 1, 10 * MINUTE, 'warm').drop).toEqual([]);
    expect(plan.choose([{ ...one, offers: false }], 1, 10 * MINUTE).drop).toEqual([]);
    expect(plan.choose([one], 1, 10 * MINUTE, 'needed').drop).toHaveLength(1);
  });

  it('of the Aula’s own half makes no room for others', () => {
    const plan = linked(new LinkPlan(4), 'aula', 2);
    linked(plan, 'global', 2);
    for (const { peerId } of peers('global', 2)) plan.used(peerId, 10 * MINUTE);
    expect(plan.choose(peers('other', 1), 1, 10 * MINUTE).drop).toEqual([]);
    expect(plan.choose([{ peerId: id('aula', 9), tier: 'aula', offers: true }], 1, 10 * MINUTE).drop).toEqual(
      [id('aula', 0)],
    );
  });

  it('that made room is left alone for a minute, unless it is the very one that has what is wanted', () => {
    const plan = linked(new LinkPlan(1), 'global', 1);
    expect(plan.choose(peers('other', 1), 1, MINUTE).drop).toEqual([id('global', 0)]);
    plan.ended(id('other', 0));
    expect(plan.choose(peers('global', 1), 1, MINUTE + 100).connect).toEqual([]);
    expect(plan.choose(peers('global', 1), 1, MINUTE + 100, 'needed').connect).toEqual([id('global', 0)]);
    plan.ended(id('global', 0));
    expect(plan.choose(peers('global', 1), 1, 2 * MINUTE).connect).toEqual([id('global', 0)]);
  });

  it('is given up once in five seconds, then ever more seldom until a link is of use', () => {
    const plan = linked(new LinkPlan(24), 'global', 24);
    const dropped = (atMs: number) => plan.choose(peers('other', 24), 24, MINUTE + atMs).drop.length;
    expect([0, 4_999, 5_000, 14_999, 15_000, 34_999, 35_000].map(dropped)).toEqual([1, 0, 1, 0, 1, 0, 1]);
    plan.used(id('global', 20), MINUTE + 35_000);
    expect([74_999, 75_000, 79_999, 80_000].map(dropped)).toEqual([0, 1, 0, 1]);
  });

  it('whose other end needs the place is not asked for again for a minute', () => {
    const plan = linked(new LinkPlan(4), 'global', 1);
    plan.turnedAway(id('global', 0), 1_000);
    expect(plan.isOut(id('global', 0), 1_001)).toBe(false);
    expect(plan.choose(peers('global', 1), 1, 60_999).connect).toEqual([]);
    expect(plan.choose(peers('global', 1), 1, 61_000).connect).toEqual([id('global', 0)]);
  });
});

describe('where all come at once', () => {
  it('an attempt gives its place to who comes by itself, others’ before the Aula’s', () => {
    const plan = new LinkPlan(4);
    plan.setAulaMembers(peers('aula', 2).map(({ peerId }) => peerId));
    plan.choose([...peers('aula', 2), ...peers('global', 2)], 4, 0);
    expect(plan.accept(id('comer', 0), 'global', 0)).toEqual({ welcome: true, drop: id('global', 1) });
    expect(plan.accept(id('comer', 1), 'aula', 0)).toEqual({ welcome: true, drop: id('global', 0) });
    expect(plan.accept(id('comer', 2), 'global', 0)).toEqual({ welcome: false });
    expect(plan.accept(id('comer', 3), 'aula', 0)).toEqual({ welcome: true, drop: id('aula', 1) });
    expect(plan.size).toBe(4);
    expect(plan.isOut(id('global', 0), 1)).toBe(false);
  });

  it('who has no place for us is asked again after a quarter of a minute, and not taken for out of reach', () => {
    const plan = new LinkPlan(4);
    plan.choose(peers('global', 1), 1, 0);
    plan.declined(id('global', 0), 1_000);
    expect(plan.size).toBe(0);
    expect(plan.isOut(id('global', 0), 1_001)).toBe(false);
    expect(plan.choose(peers('global', 1), 1, 15_999, 'needed').connect).toEqual([]);
    expect(plan.choose(peers('global', 1), 1, 16_000).connect).toEqual([id('global', 0)]);
  });

  it('who declines twice is not asked for a while, though others may have a place with it', () => {
    const plan = new LinkPlan(4);
    for (const atMs of [0, 16_000]) {
      plan.choose(peers('global', 1), 1, atMs);
      plan.declined(id('global', 0), atMs);
    }
    expect(plan.isRefusing(id('global', 0), 16_001)).toBe(true);
    expect(plan.isOut(id('global', 0), 16_001)).toBe(false);
    expect(plan.choose(peers('global', 1), 1, 32_500, 'needed').connect).toEqual([]);
    expect(plan.accept(id('global', 0), 'global', 33_000).welcome).toBe(true);
    plan.opened(id('global', 0), 33_100);
    expect(plan.isRefusing(id('global', 0), 33_101)).toBe(false);
  });

  it('who declined an hour ago declines for the first time', () => {
    const plan = new LinkPlan(4);
    for (const atMs of [0, 3_600_000]) {
      plan.choose(peers('global', 1), 1, atMs);
      plan.declined(id('global', 0), atMs);
    }
    expect(plan.isRefusing(id('global', 0), 3_600_001)).toBe(false);
  });
});

describe('whatever happens', () => {
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom('choose', 'accept', 'open', 'use', 'end', 'fail', 'members'),
      who: fc.nat({ max: 39 }),
      tier: fc.constantFrom<'aula' | 'global'>('aula', 'global'),
      purpose: fc.constantFrom<LinkPurpose>('warm', 'track', 'needed'),
      afterMs: fc.constantFrom(0, 100, 3_000, 20_000, 70_000),
    }),
    { maxLength: 120 },
  );

  it('has no more links than it may, and ends none that it did not have', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 8 }), (all, most) => {
        const plan = new LinkPlan(most);
        const have = new Set<PeerId>();
        let now = 0;
        for (const { what, who, tier, purpose, afterMs } of all) {
          now += afterMs;
          const peerId = id(tier, who);
          const swap = (taken: readonly PeerId[], dropped: readonly PeerId[]) => {
            for (const each of dropped) expect(have.delete(each)).toBe(true);
            for (const each of taken) expect(have.has(each)).toBe(false);
            for (const each of taken) have.add(each);
          };
          if (what === 'choose') {
            const candidates = [...peers('aula', who), ...peers('global', who)];
            const { connect, drop } = plan.choose(candidates, who, now, purpose);
            swap(connect, drop);
          } else if (what === 'accept') {
            const { welcome, drop } = plan.accept(peerId, tier, now);
            if (welcome && !have.has(peerId)) swap([peerId], drop === undefined ? [] : [drop]);
          } else if (what === 'members') {
            plan.setAulaMembers(peers('aula', who).map((each) => each.peerId));
          } else if (what === 'open') {
            plan.opened(peerId, now);
          } else if (what === 'use') {
            plan.used(peerId, now);
          } else {
            if (what === 'end') plan.ended(peerId);
            else plan.failed(peerId, now);
            have.delete(peerId);
          }
          expect(plan.size).toBe(have.size);
          expect(have.size).toBeLessThanOrEqual(most);
        }
      }),
    );
  });
});

/** Links made at time 0. */
function linked(plan: LinkPlan, tier: 'aula' | 'global', count: number): LinkPlan {
  for (const peerId of plan.choose(peers(tier, count), count, 0).connect) plan.opened(peerId, 0);
  return plan;
}

function peers(name: 'aula' | 'global' | 'other', count: number): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({
    peerId: id(name, i),
    tier: name === 'aula' ? 'aula' : 'global',
    offers: name === 'other',
  }));
}

function id(name: string, i: number): PeerId {
  return `${name}-${i}`.padEnd(22, 'x') as PeerId;
}
