import { describe, expect, it } from 'vitest';
import { endsInMs, fitting, nextAfter } from './prefetch-plan.ts';

describe('tracks to be prefetched', () => {
  const sizes = (...each: number[]) => each.map((size) => ({ size }));

  it.each([
    [30, [10, 20, 30], [10, 20]],
    [29, [10, 20, 19], [10, 19]],
    [0, [1], []],
    [0, [0], [0]],
    [-5, [0, 1], []],
    [100, [], []],
  ])('fit into %i bytes, in their order', (room, wanted, admitted) => {
    expect(fitting(sizes(...wanted), room).map(({ size }) => size)).toEqual(admitted);
  });

  it.each([
    ['one', 'two'],
    ['two', 'three'],
    ['three', undefined],
    ['another', 'one'],
  ])('when %s plays have %s next', (playing, next) => {
    expect(nextAfter(['one', 'two', 'three'], playing)).toBe(next);
  });
});

describe('the end of a track', () => {
  const track = { size: 1_000, durationSeconds: 100 };

  it('is heard as long after a byte as the rest of the track lasts', () => {
    expect(endsInMs(track, 0, 500)).toBe(100_500);
    expect(endsInMs(track, 900, 2_000)).toBe(12_000);
    expect(endsInMs(track, 1_000, 2_000)).toBe(2_000);
  });

  it('is unknown where nobody listens, or the length is unknown', () => {
    expect(endsInMs(track, 0, Number.POSITIVE_INFINITY)).toBeUndefined();
    expect(endsInMs({ ...track, durationSeconds: undefined }, 0, 500)).toBeUndefined();
    expect(endsInMs({ ...track, durationSeconds: 0 }, 0, 500)).toBeUndefined();
  });
});
