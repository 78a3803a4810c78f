import { describe, expect, it } from 'vitest';
import { newTurnTaker, Turns, type TurnLimits, type TurnTaker } from './turns.ts';
import { TURN_LIMITS } from './ws-adapter.ts';

interface Sender extends TurnTaker<string> {
  isPaused: boolean;
}

/** `eachMs`: what an item takes. */
function place(mayWait = 0, eachMs = 0, limits: Partial<TurnLimits> = {}) {
  const handled: string[] = [];
  const due: (() => void)[] = [];
  const later: { atMs: number; run: () => void }[] = [];
  const time = { nowMs: 0 };
  const turns = new Turns<string, Sender>(
    { perTurn: 2, mayWait, waitingMs: 5, resumed: 4, restMs: 20, ...limits },
    {
      handle: (_sender, item) => {
        handled.push(item);
        time.nowMs += eachMs;
      },
      isLong: (item) => item.startsWith('long'),
      pause: (sender) => void (sender.isPaused = true),
      resume: (sender) => void (sender.isPaused = false),
      nextTurn: (run) => void due.push(run),
      later: (run, ms) => void later.push({ atMs: time.nowMs + ms, run }),
      nowMs: () => time.nowMs,
    },
  );
  const next = () => {
    for (const run of due.splice(0)) run();
  };
  const pass = (ms: number) => {
    time.nowMs += ms;
    for (const [i, { atMs, run }] of later.entries()) {
      if (atMs <= time.nowMs) {
        later.splice(i, 1);
        run();
        return;
      }
    }
  };
  const sender = (): Sender => ({ ...newTurnTaker(), isPaused: false });
  return { handled, turns, next, pass, sender };
}

describe('turns', () => {
  it('let a short word pass a flood', () => {
    const { handled, turns, next, sender } = place();
    const loud = sender();
    for (let i = 0; i < 6; i++) turns.take(loud, `loud ${i}`);
    turns.take(sender(), 'quiet');
    expect(handled).toEqual(['loud 0', 'loud 1', 'quiet']);
    next();
    expect(handled.slice(3)).toEqual(['loud 2', 'loud 3']);
  });

  it('stop reading from who has messages waiting, until all were handled in order', () => {
    const { handled, turns, next, sender } = place();
    const loud = sender();
    for (let i = 0; i < 5; i++) turns.take(loud, `${i}`);
    expect(loud.isPaused).toBe(true);
    next();
    turns.take(loud, '5');
    expect(loud.isPaused).toBe(true);
    next();
    expect(loud.isPaused).toBe(false);
    expect(handled).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('go on reading from who has only a few messages waiting', () => {
    const { handled, turns, next, sender } = place(3);
    const burst = sender();
    for (let i = 0; i < 5; i++) turns.take(burst, `${i}`);
    expect(burst.isPaused).toBe(false);
    turns.take(burst, '5');
    expect(burst.isPaused).toBe(true);
    for (let i = 0; i < 2; i++) next();
    expect(burst.isPaused).toBe(false);
    expect(handled).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('give every loud one its share of each turn', () => {
    const { handled, turns, next, sender } = place();
    const [a, b] = [sender(), sender()];
    for (let i = 0; i < 8; i++) turns.take(a, 'a');
    for (let i = 0; i < 8; i++) turns.take(b, 'b');
    for (let i = 0; i < 3; i++) next();
    expect(handled.join('')).toBe('aabbaabbaabbaabb');
  });

  it('hear no more of the loud ones than there is time for, each of them once before any again', () => {
    const { handled, turns, next, sender } = place(0, 2);
    for (const name of ['a', 'b', 'c']) {
      const loud = sender();
      for (let i = 0; i < 6; i++) turns.take(loud, name);
    }
    handled.length = 0;
    next();
    expect(handled.splice(0).join('')).toBe('aabb');
    turns.take(sender(), 'quiet');
    next();
    expect(handled.splice(0).join('')).toBe('quietccaa');
    next();
    expect(handled.join('')).toBe('bbcc');
  });

  it('let who was loud wait at once when it goes on, behind others', () => {
    const { handled, turns, next, sender } = place();
    const loud = sender();
    for (let i = 0; i < 4; i++) turns.take(loud, 'loud');
    next();
    expect(loud.isPaused).toBe(false);
    turns.take(loud, 'again');
    turns.take(sender(), 'quiet');
    expect(handled.slice(4)).toEqual(['quiet']);
    next();
    expect(handled.slice(4)).toEqual(['quiet', 'again']);
  });

  it('let one rest: what it said and says is heard afterwards, in order', () => {
    const { handled, turns, next, pass, sender } = place();
    const one = sender();
    for (let i = 0; i < 3; i++) turns.take(one, `${i}`);
    turns.rest(one);
    turns.rest(one);
    turns.take(one, '3');
    expect(one.isPaused).toBe(true);
    next();
    pass(19);
    next();
    expect(handled).toEqual(['0', '1']);
    pass(1);
    next();
    expect(handled).toEqual(['0', '1', '2', '3']);
    expect(one.isPaused).toBe(false);
  });

  it('let one rest of whom nothing waits, and hear it again', () => {
    const { handled, turns, next, pass, sender } = place();
    const one = sender();
    turns.take(one, '0');
    turns.rest(one);
    turns.take(one, '1');
    expect(handled).toEqual(['0']);
    pass(20);
    next();
    expect(handled).toEqual(['0', '1']);
    expect(one.isPaused).toBe(false);
    next();
    turns.take(one, '2');
    next();
    expect(handled).toEqual(['0', '1', '2']);
  });

  it('let one rest several times as long', () => {
    const { turns, next, pass, sender } = place();
    const one = sender();
    turns.rest(one, 3);
    for (let i = 0; i < 2; i++) pass(20);
    pass(19);
    next();
    expect(one.isPaused).toBe(true);
    pass(1);
    next();
    expect(one.isPaused).toBe(false);
  });

  it('let one rest no longer for who rests longer', () => {
    const { turns, next, pass, sender } = place();
    const [long, short] = [sender(), sender()];
    turns.rest(long, 3);
    turns.rest(short);
    pass(20);
    next();
    expect([long.isPaused, short.isPaused]).toEqual([true, false]);
  });

  it('let what is long wait for its turn, be it the first word, and read no more until then', () => {
    const { handled, turns, next, sender } = place(3);
    const one = sender();
    turns.take(one, 'long');
    turns.take(sender(), 'quiet');
    expect(one.isPaused).toBe(true);
    expect(handled).toEqual(['quiet']);
    next();
    expect(handled).toEqual(['quiet', 'long']);
    expect(one.isPaused).toBe(false);
  });

  it('read again from a few in a turn, however little they said', () => {
    const { turns, next, pass, sender } = place();
    const many = Array.from({ length: 10 }, () => sender());
    for (const one of many) turns.rest(one);
    const paused = () => many.filter(({ isPaused }) => isPaused).length;
    pass(20);
    next();
    expect(paused()).toBe(6);
    next();
    expect(paused()).toBe(2);
    next();
    expect(paused()).toBe(0);
  });

  it('of messages read again from one in a turn, for each may have sent 64 KiB meanwhile', () => {
    const { turns, next, pass, sender } = place(0, 0, TURN_LIMITS);
    const many = Array.from({ length: 3 }, () => sender());
    for (const one of many) turns.rest(one);
    pass(TURN_LIMITS.restMs);
    const paused = Array.from({ length: 3 }, () => {
      next();
      return many.filter(({ isPaused }) => isPaused).length;
    });
    expect(paused).toEqual([2, 1, 0]);
  });

  it('forget who is gone', () => {
    const { handled, turns, next, sender } = place();
    const gone = sender();
    for (let i = 0; i < 8; i++) turns.take(gone, 'x');
    turns.forget(gone);
    next();
    expect(handled).toHaveLength(2);
  });
});
