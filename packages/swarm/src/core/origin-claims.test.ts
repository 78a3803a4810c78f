import { describe, expect, it } from 'vitest';
import { claimsLeft, elsewhere, fetcherRank, granted, isLease, originStep } from './origin-claims.ts';
import type { ClaimState } from './wanted-chunk.ts';

describe('the next step towards the origin', () => {
  it.each<[ClaimState, number, string]>([
    [{ state: 'none' }, 0, 'ask'],
    [{ state: 'asked', sinceMs: 0 }, 2_999, 'wait'],
    [{ state: 'asked', sinceMs: 0 }, 3_000, 'fetch'],
    [granted(30_000, 0), 29_999, 'fetch'],
    [granted(30_000, 0), 30_000, 'ask'],
    [elsewhere(0), 1_499, 'wait'],
    [elsewhere(0), 1_500, 'ask'],
  ])('with %j at %i ms is to %s', (claim, nowMs, step) => {
    expect(originStep(claim, nowMs)).toBe(step);
  });
});

describe('the places for claims', () => {
  it.each([
    ['alone', 0, 4],
    ['alone', 5, 0],
    ['shared', 0, 1],
    ['shared', 1, 0],
    ['unshared', 0, 8],
    ['unshared', 7, 1],
    ['unshared', 9, 0],
  ] as const)('of who is %s are with %i taken %i', (company, active, left) => {
    expect(claimsLeft(active, company)).toBe(left);
  });

  it.each<[ClaimState, number, boolean]>([
    [{ state: 'none' }, 0, false],
    [{ state: 'asked', sinceMs: 0 }, 2_999, true],
    [{ state: 'asked', sinceMs: 0 }, 3_000, false],
    [granted(1_000, 0), 999, true],
    [granted(1_000, 0), 1_000, false],
    [elsewhere(0), 0, false],
  ])('are taken by %j at %i ms: %s', (claim, nowMs, taken) => {
    expect(isLease(claim, nowMs)).toBe(taken);
  });
});

describe('rendezvous hashing', () => {
  const ids = Array.from({ length: 20 }, (_, i) => `nonce-${i}`);

  it('gives every listener another rank, whatever the order in which it knows the others', () => {
    for (let chunk = 0; chunk < 50; chunk++) {
      const ranks = ids.map((own) =>
        fetcherRank(own, ids.filter((id) => id !== own).toReversed(), `song@1/${chunk}`),
      );
      expect([...ranks].sort((a, b) => a - b)).toEqual(ids.map((_, i) => i));
    }
  });

  it('spreads the chunks of a track over the listeners', () => {
    const chunks = 400;
    for (const own of ids) {
      let first = 0;
      for (let chunk = 0; chunk < chunks; chunk++) {
        const others = ids.filter((id) => id !== own);
        if (fetcherRank(own, others, `song@1/${chunk}`) === 0) first++;
      }
      expect(first).toBeGreaterThan(chunks / ids.length / 3);
      expect(first).toBeLessThan((chunks / ids.length) * 3);
    }
  });

  it('lets the next rank step up when the first leaves', () => {
    const key = 'song@1/3';
    const rankOf = (own: string, among: readonly string[]) =>
      fetcherRank(
        own,
        among.filter((id) => id !== own),
        key,
      );
    const leaver = ids.find((id) => rankOf(id, ids) === 0);
    const next = ids.find((id) => rankOf(id, ids) === 1);
    const left = ids.filter((id) => id !== leaver);
    expect(rankOf(next ?? '', left)).toBe(0);
  });
});
