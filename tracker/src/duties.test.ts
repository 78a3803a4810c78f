import { describe, expect, it } from 'vitest';
import { Duties } from './duties.ts';

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
    new Duties([() => pieces(done, 'a', 100), () => pieces(done, 'b', 2)], clock).begin();
    expect(done).toHaveLength(102);
    expect(clock.isDue).toBe(false);
  });

  it('is done a quarter of a millisecond in each turn, one duty after another, all of it', () => {
    const done: string[] = [];
    const clock = turns(0.1);
    const duties = new Duties([() => pieces(done, 'a', 4), () => pieces(done, 'b', 3)], clock);
    duties.begin();
    expect(done).toEqual(['a0', 'a1', 'a2']);
    clock.next();
    expect(done).toEqual(['a0', 'a1', 'a2', 'a3', 'b0', 'b1']);
    clock.next();
    expect(done).toEqual(['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'b2']);
    expect(clock.isDue).toBe(false);
  });

  it('is not begun anew before it is done, and is then', () => {
    const done: string[] = [];
    const clock = turns(0.1);
    const duties = new Duties([() => pieces(done, 'a', 4)], clock);
    duties.begin();
    duties.begin();
    expect(done).toEqual(['a0', 'a1', 'a2']);
    clock.next();
    expect(done).toHaveLength(4);
    duties.begin();
    expect(done).toHaveLength(7);
  });
});
