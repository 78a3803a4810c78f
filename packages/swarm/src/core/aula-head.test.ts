import { parseTrackId, type TrackId } from '@sonantica/wire';
import { expect, it } from 'vitest';
import { AulaHead } from './aula-head.ts';

const [A, B] = [parseTrackId('a'), parseTrackId('b')];

/** An Aula whose members play what the test says. */
function aula() {
  let nowMs = 0;
  const known = new Set<TrackId>();
  const room: { plays: (TrackId | undefined)[]; mayAsk: boolean; gives: boolean } = {
    plays: [],
    mayAsk: true,
    gives: true,
  };
  const head = new AulaHead();
  const pass = (seconds: number) => {
    const said: string[] = [];
    for (let i = 0; i < seconds; i++) {
      nowMs += 1_000;
      const { drop, ask } = head.tick(
        {
          latestTracks: room.plays,
          mayAsk: () => room.mayAsk,
          isKnown: (trackId) => known.has(trackId),
        },
        nowMs,
      );
      if (drop !== undefined) said.push(`drop ${drop}`);
      if (ask === undefined) continue;
      said.push(`ask ${ask}`);
      if (room.gives) head.asked(ask, nowMs);
    }
    return said;
  };
  return { head, room, known, pass };
}

it('is asked for once what is played is the same twice, and then not again', () => {
  const { room, pass } = aula();
  expect(pass(3)).toEqual([]);
  room.plays = [A];
  expect(pass(1)).toEqual([]);
  expect(pass(1)).toEqual([`ask ${A}`]);
  expect(pass(8)).toEqual([]);
});

it('changes with the track, no sooner than after ten seconds', () => {
  const { room, pass } = aula();
  room.plays = [A];
  expect(pass(3)).toEqual([`ask ${A}`]);
  room.plays = [B];
  expect(pass(2)).toEqual([`drop ${A}`]);
  expect(pass(6)).toEqual([]);
  expect(pass(1)).toEqual([`ask ${B}`]);
});

it('is none of a track whose manifest is here, or while something is wanted', () => {
  const { room, known, pass } = aula();
  room.plays = [A];
  room.mayAsk = false;
  expect(pass(5)).toEqual([]);
  room.mayAsk = true;
  known.add(A);
  expect(pass(5)).toEqual([]);
  known.clear();
  expect(pass(1)).toEqual([`ask ${A}`]);
});

it('is asked for again each second as long as there is nobody who gives it', () => {
  const { room, pass } = aula();
  room.plays = [A];
  room.gives = false;
  expect(pass(4)).toEqual([`ask ${A}`, `ask ${A}`, `ask ${A}`]);
});

it('stays for who opens the track, and goes when the members do', () => {
  const { head, room, pass } = aula();
  room.plays = [A];
  pass(2);
  expect([head.take(B), head.take(A), head.take(A)]).toEqual([false, true, false]);
  room.plays = [];
  expect(pass(3)).toEqual([]);
  room.plays = [B];
  expect(pass(20)).toContain(`ask ${B}`);
  room.plays = [];
  expect(pass(2)).toEqual([`drop ${B}`]);
  expect(head.drop()).toBeUndefined();
});

it('is asked for less and less often while nobody takes it, and as at first once somebody did', () => {
  const { head, room, pass } = aula();
  const askedAfter = () => {
    room.plays = [room.plays[0] === A ? B : A];
    let seconds = 0;
    while (!pass(1).some((said) => said.startsWith('ask'))) seconds++;
    return seconds + 1;
  };
  const pauses = Array.from({ length: 8 }, askedAfter);
  expect(pauses).toEqual([2, 10, 20, 40, 80, 160, 320, 320]);
  expect(head.take(room.plays[0] ?? A)).toBe(true);
  askedAfter();
  expect(askedAfter()).toBe(10);
});
