import { describe, expect, it } from 'vitest';
import { namesIn, SONG, VirtualTracker } from '../testing/virtual-tracker.ts';

/** A peer that shares with its Aula alone, a friend in that Aula, and an outsider in another; all in one swarm. */
function scopedSwarm() {
  const net = new VirtualTracker();
  const scoped = net.member('room');
  scoped.announce('all', { scope: 'aula' });
  const friend = net.member('room');
  friend.announce('none');
  const outsider = net.member('elsewhere');
  outsider.announce('none');
  return { net, scoped, friend, outsider };
}

describe('a peer that shares with its Aula alone', () => {
  it('is offered to members of its Aula', () => {
    const { friend, scoped } = scopedSwarm();
    const answer = friend.find();
    expect(answer.peers[0]).toMatchObject({ peerId: scoped.id, tier: 'aula', have: 'all' });
    expect(answer).toMatchObject({ complete: 1, incomplete: 2 });
  });

  it('is neither offered to nor counted for anyone else', () => {
    const { friend, outsider } = scopedSwarm();
    const answer = outsider.find();
    expect(namesIn(answer)).toEqual([friend.id]);
    expect(answer).toMatchObject({ complete: 0, incomplete: 2 });
  });

  it('is not counted for strangers to the swarm', () => {
    const { net } = scopedSwarm();
    expect(net.tracker.trackCounts(SONG)).toEqual({ complete: 0, incomplete: 2 });
  });

  it('cannot be signalled by anyone else, even by its name', () => {
    const { scoped, outsider, friend } = scopedSwarm();
    outsider.signal(scoped.id);
    expect(outsider.take('error')).toMatchObject({ code: 'not-visible', to: scoped.id });
    friend.signal(scoped.id);
    expect(scoped.take('signal')).toMatchObject({ from: friend.id, tier: 'aula' });
    expect(scoped.inbox).toEqual([]);
  });

  it('may itself signal whoever it sees, who may then answer', () => {
    const { scoped, outsider } = scopedSwarm();
    expect(namesIn(scoped.find())).toContain(outsider.id);
    scoped.signal(outsider.id);
    expect(outsider.take('signal')).toMatchObject({ from: scoped.id, tier: 'global' });
    outsider.signal(scoped.id);
    expect(scoped.take('signal')).toMatchObject({ from: outsider.id, tier: 'global' });
  });

  it('is not named to anyone else as a holder', () => {
    const { scoped, friend, outsider } = scopedSwarm();
    expect(outsider.claim([3])).toEqual({ granted: [3], heldBy: {} });
    expect(friend.claim([3])).toEqual({ granted: [], heldBy: { 3: scoped.id } });
  });

  it('has leases that count within its Aula only', () => {
    const { net, outsider } = scopedSwarm();
    const scoped = net.member('third');
    const friend = net.member('third');
    scoped.announce('none', { scope: 'aula' });
    friend.announce('none');
    expect(scoped.claim([5]).granted).toEqual([5]);
    expect(outsider.claim([5])).toEqual({ granted: [5], heldBy: {} });
    expect(friend.claim([5])).toEqual({ granted: [], heldBy: { 5: expect.any(String) } });
  });

  it('disappears from its old Aula when it moves', () => {
    const { scoped, friend, outsider } = scopedSwarm();
    scoped.join('elsewhere');
    expect(namesIn(friend.find())).toEqual([outsider.id]);
    expect(friend.find()).toMatchObject({ complete: 0, incomplete: 2 });
    expect(namesIn(outsider.find())[0]).toBe(scoped.id);
    expect(outsider.find()).toMatchObject({ complete: 1, incomplete: 2 });
  });

  it('is shown to nobody when it has no Aula, and still counts itself', () => {
    const { scoped, friend, outsider } = scopedSwarm();
    scoped.say({ type: 'part' });
    for (const other of [friend, outsider]) {
      expect(namesIn(other.find())).not.toContain(scoped.id);
      other.signal(scoped.id);
      expect(other.take('error').code).toBe('not-visible');
    }
    expect(scoped.find()).toMatchObject({ complete: 1, incomplete: 2 });
  });

  it('is shown to all once it says so', () => {
    const { scoped, outsider } = scopedSwarm();
    scoped.announce('all');
    expect(namesIn(outsider.find())).toContain(scoped.id);
  });

  it('stays hidden through have, claim, silence and return', () => {
    const { net, scoped, outsider } = scopedSwarm();
    scoped.have([], [2]);
    scoped.claim([2], [2]);
    net.pass(70_000);
    scoped.have([]);
    expect(namesIn(outsider.find())).not.toContain(scoped.id);
    expect(outsider.find()).toMatchObject({ complete: 0, incomplete: 1 });
  });
});
