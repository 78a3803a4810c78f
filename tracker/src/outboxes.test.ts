import { describe, expect, it } from 'vitest';
import { Outboxes } from './outboxes.ts';

function place(most: number) {
  const flushed: string[] = [];
  const due: (() => void)[] = [];
  const time = { nowMs: 0 };
  const outboxes = new Outboxes(
    { most, withinMs: 2 },
    (run) => void due.push(run),
    () => time.nowMs,
  );
  return {
    flushed,
    due,
    time,
    outboxes,
    say: (name: string) => outboxes.add({ flush: () => void flushed.push(name) }),
    next: () => {
      for (const run of due.splice(0)) run();
    },
  };
}

describe('outboxes', () => {
  it('are emptied when all that came in was heard, in their order', () => {
    const { flushed, due, say, next } = place(10);
    say('a');
    say('b');
    expect(flushed).toEqual([]);
    expect(due).toHaveLength(1);
    next();
    expect(flushed).toEqual(['a', 'b']);
    say('a');
    next();
    expect(flushed).toEqual(['a', 'b', 'a']);
  });

  it('do not wait where many do', () => {
    const { flushed, say, next } = place(2);
    for (const name of ['a', 'b', 'c']) say(name);
    expect(flushed).toEqual(['a', 'b']);
    next();
    expect(flushed).toEqual(['a', 'b', 'c']);
  });

  it('do not wait for the end of a long turn once somebody waited for a while', () => {
    const { flushed, time, outboxes, say, next } = place(10);
    say('a');
    time.nowMs = 1.9;
    say('b');
    outboxes.flushLate();
    expect(flushed).toEqual([]);
    time.nowMs = 2;
    outboxes.flushLate();
    expect(flushed).toEqual(['a', 'b']);
    say('c');
    outboxes.flushLate();
    expect(flushed).toEqual(['a', 'b']);
    next();
    expect(flushed).toEqual(['a', 'b', 'c']);
  });
});
