import { describe, expect, it } from 'vitest';
import { programmeOf } from './programme.ts';
import { DEFAULT_SCENARIO, type Scenario } from './scenario.ts';

const MIXED: Scenario = { ...DEFAULT_SCENARIO, tracks: 50, plays: 200 };
const everybody = (scenario: Scenario) =>
  Array.from({ length: 50 }, (_, listener) => programmeOf(scenario, listener));

describe('what listeners play', () => {
  it('is one track where there is one', () => {
    expect(programmeOf(DEFAULT_SCENARIO, 3)).toEqual([{ track: 0, isForeseen: false }]);
  });

  it('is the same for the same seed and listener, and not for another', () => {
    expect(programmeOf(MIXED, 3)).toEqual(programmeOf(MIXED, 3));
    expect(programmeOf(MIXED, 4)).not.toEqual(programmeOf(MIXED, 3));
    expect(programmeOf({ ...MIXED, seed: 2 }, 3)).not.toEqual(programmeOf(MIXED, 3));
  });

  it('follows from the track before as often as was asked for', () => {
    const following = everybody(MIXED).flatMap((plays) => plays.slice(1));
    const foreseen = following.filter(({ isForeseen }) => isForeseen).length / following.length;
    expect(foreseen).toBeCloseTo(0.61, 1);
    for (const plays of everybody(MIXED)) {
      for (const [i, { track, isForeseen }] of plays.entries()) {
        if (isForeseen) expect(track).toBe(((plays[i - 1]?.track ?? 0) + 1) % 50);
      }
    }
  });

  it('is drawn by Zipf’s law else: the first place twice as often as the second', () => {
    const counts = Array.from({ length: 50 }, () => 0);
    for (const plays of everybody({ ...MIXED, predictable: 0 })) {
      for (const { track } of plays) counts[track] = (counts[track] ?? 0) + 1;
    }
    const [first = 0, second = 0, , fourth = 0] = counts;
    expect(first / second).toBeGreaterThan(1.8);
    expect(first / second).toBeLessThan(2.2);
    expect(first / fourth).toBeGreaterThan(3.4);
    expect(first / fourth).toBeLessThan(4.6);
  });
});
