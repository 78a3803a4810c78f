import { LIMITS } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { DueBlocks } from './due-blocks.ts';

const RUN = { chunk: 3, first: 2, count: 4 };

describe('blocks that are due', () => {
  it('land once each', () => {
    const due = new DueBlocks();
    due.ask(1, RUN);
    expect(due.blocks).toBe(4);
    expect([1, 2, 5, 6].map((block) => due.land(1, 3, block))).toEqual([false, true, true, false]);
    expect(due.land(1, 3, 2)).toBe(false);
    expect(due.blocks).toBe(2);
  });

  it('count once, however often they were asked for', () => {
    const due = new DueBlocks();
    due.ask(1, RUN);
    due.ask(1, { ...RUN, first: 0 });
    expect(due.blocks).toBe(6);
  });

  it('are those of one handle and chunk', () => {
    const due = new DueBlocks();
    due.ask(1, RUN);
    expect([due.land(2, 3, 2), due.land(1, 4, 2)]).toEqual([false, false]);
    expect([due.hasBlocks(1, 3), due.hasBlocks(2, 3), due.hasBlocks(1, 4)]).toEqual([true, false, false]);
  });

  it('are told from any number a frame can carry', () => {
    const due = new DueBlocks();
    due.ask(1, { chunk: 0, first: 0, count: 1 });
    due.ask(2 ** 32 - 1, { chunk: LIMITS.maxChunks - 1, first: 63, count: 1 });
    expect(due.land(0, LIMITS.maxChunks, 0)).toBe(false);
    expect(due.land(1, 0, 65_535)).toBe(false);
    expect(due.land(2 ** 32 - 1, 2 ** 32 - 1, 63)).toBe(false);
    expect(due.land(2 ** 32 - 1, LIMITS.maxChunks - 1, 63)).toBe(true);
    expect(due.land(1, 0, 0)).toBe(true);
  });
});

describe('proofs that are due', () => {
  it('are asked for once and land once', () => {
    const due = new DueBlocks();
    expect([due.askProof(1, 3), due.askProof(1, 3), due.askProof(1, 4)]).toEqual([true, false, true]);
    expect([due.landProof(1, 3), due.landProof(1, 3), due.landProof(1, 5)]).toEqual([true, false, false]);
    expect(due.askProof(1, 3)).toBe(true);
  });

  it('stay due when the blocks of their chunk have landed, and leave blocks due when they land first', () => {
    const due = new DueBlocks();
    due.ask(1, { chunk: 0, first: 0, count: 1 });
    due.ask(1, { chunk: 1, first: 0, count: 1 });
    due.askProof(1, 0);
    due.askProof(1, 1);
    due.land(1, 0, 0);
    due.landProof(1, 1);
    expect([due.landProof(1, 0), due.land(1, 1, 0)]).toEqual([true, true]);
  });
});

it('tells what of a track was due when it is dropped, and keeps that of others', () => {
  const due = new DueBlocks();
  due.ask(1, { chunk: 3, first: 1, count: 2 });
  due.askProof(1, 3);
  due.askProof(1, 7);
  due.ask(2, RUN);
  expect(due.drop(1)).toEqual({
    blocks: [
      { chunk: 3, block: 1 },
      { chunk: 3, block: 2 },
    ],
    proofs: [3, 7],
  });
  expect(due.blocks).toBe(RUN.count);
  expect(due.drop(1)).toEqual({ blocks: [], proofs: [] });
  expect([due.land(1, 3, 1), due.landProof(1, 3), due.land(2, 3, 2)]).toEqual([false, false, true]);
});
