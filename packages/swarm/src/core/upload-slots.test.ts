import { describe, expect, it } from 'vitest';
import { isUrgent, nextAsker, type Asker } from './upload-slots.ts';

const NEVER = Number.POSITIVE_INFINITY;

describe('who is given to next', () => {
  it('is who would run dry first, whatever its Aula', () => {
    const soon = asker({ dueMs: 900, tier: 'global' });
    expect(nextAsker([asker({ dueMs: 4_000 }), soon, asker({ dueMs: NEVER })], false, 0)).toBe(soon);
  });

  it('is of the own Aula among those that nobody waits for', () => {
    const ours = asker({ tier: 'aula' });
    expect(nextAsker([asker({ tier: 'global', gaveBytes: 1e9 }), ours], false, 0)).toBe(ours);
  });

  it('is who waited longer among equals, then who gave more', () => {
    const waited = asker({ servedMs: 10 });
    expect(nextAsker([asker({ servedMs: 20, gaveBytes: 5 }), waited], false, 30)).toBe(waited);
    const gave = asker({ gaveBytes: 5 });
    expect(nextAsker([asker({}), gave], false, 30)).toBe(gave);
  });

  it('is who waited longest in the optimistic slot, though it is in no hurry', () => {
    const newcomer = asker({ servedMs: Number.NEGATIVE_INFINITY });
    const urgent = asker({ dueMs: 100, servedMs: 5 });
    expect(nextAsker([urgent, newcomer], true, 10)).toBe(newcomer);
    expect(nextAsker([urgent, newcomer], false, 10)).toBe(urgent);
  });

  it('is not one that calls more urgent than anybody can listen to', () => {
    const greedy = asker({ dueMs: 10, urgentBytes: 50_000_000 });
    const honest = asker({ dueMs: 2_000, urgentBytes: 100_000 });
    expect(nextAsker([greedy, honest], false, 5_000)).toBe(honest);
  });

  it('is urgent where somebody listens within 15 s, up to what anybody can listen to', () => {
    expect(isUrgent(asker({ dueMs: 14_000 }), 0)).toBe(true);
    expect(isUrgent(asker({ dueMs: 16_000 }), 0)).toBe(false);
    expect(isUrgent(asker({ dueMs: NEVER }), 0)).toBe(false);
    expect(isUrgent(asker({ dueMs: 10, urgentBytes: 50_000_000 }), 0)).toBe(false);
  });

  it('is nobody when nobody asks', () => {
    expect(nextAsker([], false, 0)).toBeUndefined();
  });
});

function asker(facts: Partial<Asker>): Asker {
  return {
    dueMs: NEVER,
    tier: 'aula',
    gaveBytes: 0,
    servedMs: 0,
    urgentBytes: 0,
    sinceMs: 0,
    bytesPerMs: 175,
    ...facts,
  };
}
