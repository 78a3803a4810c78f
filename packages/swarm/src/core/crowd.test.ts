import { describe, expect, it } from 'vitest';
import { ChunkSet } from '@sonantica/wire';
import { isScarceAmong, scarceWindow } from './crowd.ts';

const holding = (...chunks: number[]) => ChunkSet.of(4, chunks);

describe('a scarce chunk', () => {
  it('is held by fewer than one in three of those linked', () => {
    expect(isScarceAmong([true, false, false], [], 0)).toBe(false);
    expect(isScarceAmong([true, false, false, false, false], [], 0)).toBe(true);
    expect(isScarceAmong([true], [], 0)).toBe(false);
    expect(isScarceAmong([], [], 0)).toBe(false);
  });

  it('is what the tracker says of those named, while few of them are linked', () => {
    const named = [holding(1), holding(1), holding(1), holding(1)];
    expect(isScarceAmong([], named, 0)).toBe(true);
    expect(isScarceAmong([], named, 1)).toBe(false);
    expect(isScarceAmong([true], named, 0)).toBe(true);
    expect(isScarceAmong([true, true], named, 0)).toBe(false);
  });

  it('is asked of each in small parts: one of who gave nothing yet, then two', () => {
    expect(scarceWindow(false, 300)).toBe(1);
    expect(scarceWindow(true, 50)).toBe(2);
    expect(scarceWindow(true, 300)).toBe(6);
  });
});
