import { describe, expect, it } from 'vitest';
import { Outboxes } from './outboxes.ts';

function place(most: number) {
  const flushed: string[] = [];
  const due: (() => void)[] = [];
  const outboxes = new Outboxes(most, (run) => void due.push(run));
  return {
    flushed,
    due,
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
});
