import { VirtualClock } from '@sonantica/swarm/testing';
import { expect, it } from 'vitest';
import { HEAD_BYTES, Playback } from './playback.ts';

const SIZE = 400_000;
const BYTES_PER_MS = 100;

function playback(): { clock: VirtualClock; playing: Playback } {
  const clock = new VirtualClock();
  return { clock, playing: new Playback(clock, SIZE, BYTES_PER_MS) };
}

it('starts when the head is there', () => {
  const { clock, playing } = playback();
  clock.advance(50);
  playing.reached(HEAD_BYTES - 1);
  expect(playing.startMs).toBeUndefined();
  clock.advance(20);
  playing.reached(HEAD_BYTES);
  expect(playing.startMs).toBe(70);
});

it('stalls where bytes are missing, for as long as they are', () => {
  const { clock, playing } = playback();
  playing.reached(100_000);
  clock.advance(1_500);
  expect(playing.stalls).toBe(1);
  playing.reached(SIZE);
  expect(playing.stalledMs).toBe(500);
  clock.advance(3_000);
  expect(playing.isOver).toBe(true);
  expect(playing.stalls).toBe(1);
});

it('does not stall when bytes come in time', () => {
  const { clock, playing } = playback();
  playing.reached(100_000);
  clock.advance(900);
  playing.reached(SIZE);
  clock.advance(3_100);
  expect(playing.isOver).toBe(true);
  expect(playing.stalls).toBe(0);
});

it('tells how soon a byte is due', () => {
  const { clock, playing } = playback();
  playing.reached(100_000);
  clock.advance(100);
  expect(playing.dueInMs(30_000)).toBe(200);
  expect(playing.dueInMs(5_000)).toBe(0);
});
