import { describe, expect, it } from 'vitest';
import { InPieces } from './in-pieces.ts';

/** A clock that goes on by `stepMs` whenever it is looked at, and turns that come when they are let. */
function turns(stepMs: number) {
  let nowMs = 0;
  const due: (() => void)[] = [];
  return {
    nowMs: () => (nowMs += stepMs),
    nextTurn: (run: () => void) => void due.push(run),
    next: () => due.shift()?.(),
    get isDue() {
      return due.length > 0;
    },
  };
}

function* pieces(done: string[], name: string, count: number) {
  for (let i = 0; i < count; i++) {
    done.push(`${name}${i}`);
    yield;
  }
}

describe('what is due by the clock', () => {
  it('is done at once where it takes no time', () => {
    const done: string[] = [];
    const clock = turns(0);
    new InPieces(() => pieces(done, 'a', 100), clock).begin();
    expect(done).toHaveLength(100);
    expect(clock.isDue).toBe(false);
  });

  it('is done a quarter of a millisecond in each turn, all of it', () => {
    const done: string[] = [];
    const clock = turns(0.1);
    new InPieces(() => pieces(done, 'a', 7), clock).begin();
    expect(done).toEqual(['a0', 'a1', 'a2']);
    clock.next();
    expect(done).toEqual(['a0', 'a1', 'a2', 'a3', 'a4', 'a5']);
    clock.next();
    expect(done).toHaveLength(7);
    expect(clock.isDue).toBe(false);
  });

  it('is not begun anew before it is done, and is then', () => {
    const done: string[] = [];
    const clock = turns(0.1);
    const duty = new InPieces(() => pieces(done, 'a', 4), clock);
    duty.begin();
    duty.begin();
    expect(done).toEqual(['a0', 'a1', 'a2']);
    clock.next();
    expect(done).toHaveLength(4);
    duty.begin();
    expect(done).toHaveLength(7);
  });

  it('is begun again after it failed', () => {
    let begun = 0;
    const duty = new InPieces(function* () {
      if (++begun === 1) throw new RangeError('in the first step');
      yield;
    }, turns(0));
    expect(() => duty.begin()).toThrow('in the first step');
    duty.begin();
    expect(begun).toBe(2);
  });
});
