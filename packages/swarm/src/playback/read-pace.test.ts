import { expect, it } from 'vitest';
import { ReadPace } from './read-pace.ts';

const BYTES_PER_SECOND = 100_000;

it('wants what is heard first at once, and the rest as it is heard', () => {
  const pace = new ReadPace(BYTES_PER_SECOND);
  expect(pace.dueInMs(0, 0)).toBe(500);
  expect(pace.dueInMs(1_000_000, 0)).toBe(10_500);
});

it('keeps the lead of a player that pulled far ahead and then as fast as it plays', () => {
  const pace = new ReadPace(BYTES_PER_SECOND);
  for (let i = 0; i < 10; i++) pace.taken(100_000, 0);
  for (let second = 1; second <= 20; second++) {
    expect(pace.dueInMs(1_000_000 + (second - 1) * 100_000, second * 1000)).toBeGreaterThanOrEqual(9_500);
    pace.taken(100_000, second * 1000);
  }
});

it('does not take a pause for playing', () => {
  const pace = new ReadPace(BYTES_PER_SECOND);
  for (let i = 0; i < 10; i++) pace.taken(100_000, 0);
  expect(pace.dueInMs(1_000_000, 3_600_000)).toBeGreaterThan(8_000);
});

it('is never due before a player could begin', () => {
  const pace = new ReadPace(BYTES_PER_SECOND);
  pace.taken(10, 0);
  expect(pace.dueInMs(10, 900)).toBe(500);
});
