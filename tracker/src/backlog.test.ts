import { describe, expect, it } from 'vitest';
import { Backlog, type Waiter } from './backlog.ts';

interface Reader extends Waiter {
  name: string;
  waitingBytes: number;
}

function place(mostBytes: number) {
  const dropped: string[] = [];
  const due: (() => void)[] = [];
  const clock = { nowMs: 0, stepMs: 0 };
  const backlog = new Backlog<Reader>({
    mostBytes,
    drop: (reader) => void dropped.push(reader.name),
    nextTurn: (run) => void due.push(run),
    nowMs: () => (clock.nowMs += clock.stepMs),
  });
  const reader = (name: string, waitingBytes: number) => {
    const made: Reader = { name, waitingBytes };
    backlog.waits(made);
    return made;
  };
  return { backlog, dropped, due, clock, reader };
}

describe('what waits for all readers', () => {
  it('may be as much as all may keep, and not a byte more', () => {
    const { dropped, reader } = place(1_000);
    reader('a', 300);
    reader('b', 700);
    expect(dropped).toEqual([]);
    reader('c', 1);
    expect(dropped).toEqual(['b']);
  });

  it('is freed of those first for whom the most waits', () => {
    const { dropped, reader } = place(1_000);
    for (const [name, bytes] of [
      ['little', 60],
      ['some', 200],
      ['more', 390],
      ['most', 350],
    ] as const)
      reader(name, bytes);
    expect(dropped).toEqual([]);
    reader('last', 600);
    expect(dropped).toEqual(['more', 'most']);
  });

  it('is freed of many for whom as little waits', () => {
    const { dropped, reader } = place(1_000);
    for (let i = 0; i < 1_200; i++) reader(String(i), 1);
    expect(dropped).toHaveLength(200);
  });

  it('does not count what was read meanwhile', () => {
    const { dropped, reader } = place(1_000);
    const read = reader('a', 900);
    read.waitingBytes = 0;
    reader('b', 900);
    expect(dropped).toEqual([]);
  });

  it('counts anew what grew', () => {
    const { backlog, dropped, reader } = place(1_000);
    const grows = reader('a', 400);
    grows.waitingBytes = 900;
    backlog.waits(grows);
    expect(dropped).toEqual([]);
    grows.waitingBytes = 1_001;
    backlog.waits(grows);
    expect(dropped).toEqual(['a']);
  });

  it('does not count who is gone', () => {
    const { backlog, dropped, reader } = place(1_000);
    backlog.forget(reader('a', 900));
    reader('b', 900);
    expect(dropped).toEqual([]);
  });

  it('is freed a little in each turn', () => {
    const { dropped, due, clock, reader } = place(100);
    clock.stepMs = 0.1;
    for (let i = 0; i < 200; i++) reader(String(i), 10);
    expect(dropped.length).toBeLessThan(5);
    for (let turn = 0; due.length > 0; turn++) {
      const before = dropped.length;
      for (const run of due.splice(0)) run();
      expect(dropped.length - before).toBeLessThan(5);
    }
    expect(dropped).toHaveLength(190);
  });

  it('has no limit where none is set', () => {
    const { dropped, reader } = place(Number.POSITIVE_INFINITY);
    for (let i = 0; i < 100; i++) reader(String(i), 1e9);
    expect(dropped).toEqual([]);
  });
});
