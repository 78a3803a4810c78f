import { describe, expect, it } from 'vitest';
import { Turns, type TurnTaker } from './turns.ts';

interface Sender extends TurnTaker<string> {
  isPaused: boolean;
}

function place(mayWait = 0) {
  const handled: string[] = [];
  const due: (() => void)[] = [];
  const turns = new Turns<string, Sender>(2, mayWait, {
    handle: (_sender, item) => void handled.push(item),
    pause: (sender) => void (sender.isPaused = true),
    resume: (sender) => void (sender.isPaused = false),
    nextTurn: (run) => void due.push(run),
  });
  const next = () => {
    for (const run of due.splice(0)) run();
  };
  const sender = (): Sender => ({ turn: -1, heardInTurn: 0, waiting: undefined, isPaused: false });
  return { handled, turns, next, sender };
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

  it('forget who is gone', () => {
    const { handled, turns, next, sender } = place();
    const gone = sender();
    for (let i = 0; i < 8; i++) turns.take(gone, 'x');
    turns.forget(gone);
    next();
    expect(handled).toHaveLength(2);
  });
});
