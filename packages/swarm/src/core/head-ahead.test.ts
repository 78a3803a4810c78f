import { parseTrackId } from '@sonantica/wire';
import { expect, it } from 'vitest';
import { ExpectedPlayer, headShares, playedBy } from './head-ahead.ts';

const [A, B] = [parseTrackId('a'), parseTrackId('b')];
const shares = (names: string) =>
  headShares([...names], (name) => name.toLowerCase(), 6).map(({ peer, first, count }) => [
    peer,
    first,
    count,
  ]);

it('parts a head among three at most, who propose the same version', () => {
  expect(shares('')).toEqual([]);
  expect(shares('a')).toEqual([['a', 0, 6]]);
  expect(shares('aA')).toEqual([
    ['a', 0, 3],
    ['A', 3, 3],
  ]);
  expect(shares('abAaA')).toEqual([
    ['a', 0, 2],
    ['A', 2, 2],
    ['a', 4, 2],
  ]);
});

it('takes for played what most members came to last', () => {
  expect(playedBy([], A)).toBeUndefined();
  expect(playedBy([undefined, undefined], A)).toBeUndefined();
  expect(playedBy([undefined, B], undefined)).toBe(B);
  expect(playedBy([A, B, B], A)).toBe(B);
});

it('stays with what was played where as many play something else', () => {
  expect(playedBy([A, B], undefined)).toBe(A);
  expect(playedBy([A, B], B)).toBe(B);
  expect(playedBy([A, A, B], B)).toBe(A);
});

it('expects a player of one URL, not of each of a list', () => {
  const player = new ExpectedPlayer();
  expect(player.urlGiven(A, 0)).toBe(true);
  expect(player.urlGiven(A, 10)).toBe(true);
  expect(player.urlGiven(B, 20)).toBe(false);
  expect(player.urlGiven(A, 1_019)).toBe(false);
  expect(player.urlGiven(B, 2_019)).toBe(true);
});

it('expects one again once the last URL was played', () => {
  const player = new ExpectedPlayer();
  player.urlGiven(A, 0);
  player.asks(B);
  expect(player.urlGiven(B, 1)).toBe(false);
  player.asks(B);
  expect(player.urlGiven(A, 2)).toBe(true);
});
