import { describe, expect, it } from 'vitest';
import type { PeerId } from '@sonantica/wire';
import { LinkPlan, MAX_LINKS, type Candidate } from './link-plan.ts';

describe('the plan of links', () => {
  it('has at most 24', () => {
    const plan = new LinkPlan();
    expect(plan.choose(peers('aula', 40), 40, 0)).toHaveLength(24);
    expect(plan.size).toBe(MAX_LINKS);
    expect(plan.choose(peers('global', 5), 5, 0)).toEqual([]);
    expect(plan.accept(id('late', 0), 'aula')).toBe(false);
  });

  it('keeps half of them for the Aula', () => {
    const plan = new LinkPlan();
    plan.choose(peers('global', 40), 40, 0);
    for (let i = 0; i < 40; i++) plan.accept(id('guest', i), 'global');
    expect(plan.choose(peers('aula', 40), 40, 0)).toHaveLength(12);
    expect(plan.size).toBe(24);
  });

  it('takes the Aula first, then the tracker’s order, and no more than is wanted', () => {
    const plan = new LinkPlan();
    const candidates = [...peers('global', 3), ...peers('aula', 2)];
    expect(plan.choose(candidates, 4, 0)).toEqual([
      id('aula', 0),
      id('aula', 1),
      id('global', 0),
      id('global', 1),
    ]);
  });

  it('links to nobody twice', () => {
    const plan = new LinkPlan();
    plan.choose(peers('aula', 2), 5, 0);
    expect(plan.choose(peers('aula', 3), 5, 0)).toEqual([id('aula', 2)]);
    expect(plan.accept(id('aula', 0), 'aula')).toBe(true);
    expect(plan.size).toBe(3);
  });

  it('has room again when a link ended', () => {
    const plan = new LinkPlan(2);
    plan.choose(peers('aula', 2), 2, 0);
    plan.ended(id('aula', 0));
    expect(plan.has(id('aula', 0))).toBe(false);
    expect(plan.choose([{ peerId: id('aula', 9), tier: 'aula' }], 1, 0)).toEqual([id('aula', 9)]);
  });

  it('leaves a peer that could not be reached alone for twenty seconds, unless it comes by itself', () => {
    const plan = new LinkPlan();
    const [one] = peers('aula', 1);
    if (one === undefined) throw new Error('no peer');
    plan.choose([one], 1, 0);
    plan.failed(one.peerId, 1_000);
    expect(plan.size).toBe(0);
    expect(plan.choose([one], 1, 20_999)).toEqual([]);
    expect(plan.choose([one], 1, 21_000)).toEqual([one.peerId]);
    plan.failed(one.peerId, 30_000);
    expect(plan.accept(one.peerId, 'aula')).toBe(true);
  });
});

function peers(tier: 'aula' | 'global', count: number): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({ peerId: id(tier, i), tier }));
}

function id(name: string, i: number): PeerId {
  return `${name}-${i}`.padEnd(22, 'x') as PeerId;
}
