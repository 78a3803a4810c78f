import { expect, it } from 'vitest';
import { PlaybackDemand } from './playback-demand.ts';
import { bytesPerSecond, dueAtPlayhead, Playhead } from './playhead.ts';

/** 100 kB a second, a hundred seconds. */
/** What a player wants before it begins, in bytes. */
const HEAD = 98_304;
const FACTS = { size: 10_000_000, chunkSize: 262_144, audio: { durationSeconds: 100 } };

function setUp() {
  let now = 1_000;
  const playhead = new Playhead({ nowMs: () => now, wallMs: () => now });
  return { playhead, demand: new PlaybackDemand(playhead), pass: (ms: number) => (now += ms) };
}

it('estimates the pace from size and duration, or takes that of 24/96 where there is none', () => {
  expect(bytesPerSecond(FACTS)).toBe(100_000);
  expect(bytesPerSecond({ size: 10 })).toBe(375_000);
  expect(bytesPerSecond({ size: 10, audio: { durationSeconds: 0 } })).toBe(375_000);
});

it('wants what is heard first at once, and the rest as it is heard', () => {
  const { demand } = setUp();
  const pull = demand.begin(0, FACTS);
  expect(pull.dueInMs(0)).toBe(0);
  expect(pull.dueInMs(HEAD - 1)).toBe(0);
  expect(pull.dueInMs(HEAD)).toBe(500);
  expect(pull.dueInMs(HEAD + 1_000_000)).toBe(10_500);
});

it('leaves a player that got its head fast alone for a moment, once', () => {
  const { demand, pass } = setUp();
  const pull = demand.begin(0, FACTS);
  expect(pull.waitMs).toBe(0);
  pass(79);
  pull.taken(HEAD);
  expect(pull.waitMs).toBe(60);
  pass(59);
  pull.taken(HEAD + 1);
  expect(pull.waitMs).toBe(1);
  pass(1);
  expect(pull.waitMs).toBe(0);
  expect(demand.begin(HEAD, FACTS).waitMs).toBe(0);
});

it('does not let a slow line stand idle meanwhile', () => {
  const { demand, pass } = setUp();
  const pull = demand.begin(0, FACTS);
  pass(80);
  pull.taken(HEAD);
  expect(pull.waitMs).toBe(0);
});

it('keeps the lead of a player that took much and then as fast as it plays', () => {
  const { demand, pass } = setUp();
  const pull = demand.begin(0, FACTS);
  pull.taken(1_000_000);
  for (let second = 1; second <= 20; second++) {
    pass(1_000);
    expect(pull.dueInMs(1_000_000 + (second - 1) * 100_000)).toBeGreaterThanOrEqual(8_500);
    pull.taken(1_000_000 + second * 100_000);
  }
});

it('counts no more as played than was taken: who waits for bytes does not hear', () => {
  const { demand, pass } = setUp();
  const pull = demand.begin(0, FACTS);
  pull.taken(100_000);
  pass(60_000);
  expect(pull.dueInMs(HEAD + 100_000)).toBe(500);
  expect(pull.dueInMs(HEAD + 1_100_000)).toBe(10_500);
});

it('keeps the lead over a rest in which the player takes nothing, for it plays meanwhile', () => {
  const { demand, pass } = setUp();
  const pull = demand.begin(0, FACTS);
  pull.taken(2_000_000);
  pass(15_000);
  expect(pull.dueInMs(HEAD + 2_000_000)).toBe(5_500);
});

it('takes a request that goes on where another stopped for the same listening', () => {
  const { demand, pass } = setUp();
  demand.begin(0, FACTS).taken(2_000_000);
  pass(5_000);
  expect(demand.begin(1_900_000, FACTS).dueInMs(HEAD + 2_000_000)).toBe(15_500);
  expect(demand.begin(5_000_000, FACTS).dueInMs(5_000_000)).toBe(0);
});

it('does not mistake what was read elsewhere for the listening it goes on with', () => {
  const { demand } = setUp();
  demand.begin(0, FACTS).taken(500_000);
  demand.begin(9_000_000, FACTS).taken(9_100_000);
  expect(demand.begin(500_000, FACTS).dueInMs(HEAD + 1_000_000)).toBe(10_500);
});

it('knows of a listener that tells where it is: all before is wanted now, all after as it is heard, a little sooner', () => {
  const { demand, playhead } = setUp();
  const pull = demand.begin(4_000_000, FACTS);
  playhead.set(48);
  expect(pull.dueInMs(4_000_000)).toBe(0);
  expect(pull.dueInMs(4_200_000)).toBe(500);
  expect(pull.dueInMs(4_800_000)).toBe(500);
  expect(pull.dueInMs(5_800_000)).toBe(8_000);
});

it('lets the playhead go on between two words, stand where it is told twice, and not run away', () => {
  const { demand, playhead, pass } = setUp();
  const pull = demand.begin(0, FACTS);
  playhead.set(0);
  playhead.set(1);
  expect(pull.dueInMs(2_100_000)).toBe(16_000);
  pass(1_000);
  expect(pull.dueInMs(2_100_000)).toBe(15_200);
  pass(60_000);
  expect(pull.dueInMs(2_100_000)).toBe(14_400);
  playhead.set(1);
  pass(60_000);
  expect(pull.dueInMs(2_100_000)).toBe(16_000);
});

it('does not believe a playhead told before the player jumped', () => {
  const { demand, playhead, pass } = setUp();
  playhead.set(90);
  pass(1);
  expect(demand.begin(0, FACTS).dueInMs(HEAD)).toBe(500);
  expect(demand.begin(0, FACTS).dueInMs(HEAD + 500_000)).toBe(5_500);
});

it('wants a seek table far from the playhead as soon as it is asked for', () => {
  const { demand, playhead } = setUp();
  const main = demand.begin(0, FACTS);
  const probe = demand.begin(9_900_000, FACTS);
  playhead.set(3);
  expect(probe.dueInMs(9_900_000)).toBe(0);
  expect(main.dueInMs(1_300_000)).toBe(8_000);
});

it('is due at the playhead a little before it is heard, and never before a player could begin', () => {
  expect(dueAtPlayhead(2_000, 1_200_000, 100)).toBe(8_000);
  expect(dueAtPlayhead(2_000, 0, 100)).toBe(500);
});

it('wants nothing beyond what a player needs to begin until it has that, then a little, and more as more is taken', () => {
  const { demand } = setUp();
  const pull = demand.begin(0, FACTS);
  expect(pull.aheadBytes).toBe(HEAD);
  pull.taken(HEAD - 1);
  expect(pull.aheadBytes).toBe(1);
  pull.taken(HEAD);
  expect(pull.aheadBytes).toBe(98_304);
  pull.taken(HEAD + 100_000);
  expect(pull.aheadBytes).toBe(298_304);
  pull.taken(5_000_000);
  expect(pull.aheadBytes).toBe(1_048_576);
});

it('wants what is behind the head of a jump while the last of it comes, so that nothing is broken off', () => {
  const pull = setUp().demand.begin(500_000, FACTS);
  expect(pull.aheadBytes).toBe(HEAD);
  pull.taken(500_000 + 65_535);
  expect(pull.aheadBytes).toBe(32_769);
  pull.taken(500_000 + 65_536);
  expect(pull.aheadBytes).toBe(65_536);
  pull.taken(500_000 + HEAD);
  expect(pull.aheadBytes).toBe(98_304);
});

it('wants the last two chunks, once, as soon as a player reads on and on', () => {
  const { demand } = setUp();
  const pull = demand.begin(0, FACTS);
  pull.taken(1_048_575);
  expect(demand.takeAsides(pull, FACTS)).toEqual([]);
  pull.taken(1_048_576);
  expect(demand.takeAsides(pull, FACTS)).toEqual([
    { range: { start: 37 * 262_144, end: 10_000_000 }, deadlineMs: 15_000 },
  ]);
  expect(demand.takeAsides(pull, FACTS)).toEqual([]);
});

it('wants the rest of the chunk that a player jumped into', () => {
  const { demand } = setUp();
  const pull = demand.begin(3 * 262_144 + 5, FACTS);
  pull.taken(2_000_000);
  expect(demand.takeAsides(pull, FACTS).map(({ range }) => range)).toEqual([
    { start: 3 * 262_144, end: 3 * 262_144 + 5 },
    { start: 37 * 262_144, end: 10_000_000 },
  ]);
  expect(demand.takeAsides(pull, FACTS)).toEqual([]);
});

it('wants them again when they did not come', () => {
  const { demand } = setUp();
  const pull = demand.begin(5, FACTS);
  pull.taken(2_000_000);
  demand.takeAsides(pull, FACTS);
  demand.missed(pull);
  expect(demand.takeAsides(pull, FACTS)).toHaveLength(2);
});

it('wants the whole of a track that is no more than its end', () => {
  const { demand } = setUp();
  const facts = { size: 20_000, chunkSize: 262_144 };
  const pull = demand.begin(10, facts);
  pull.taken(20_000);
  expect(demand.takeAsides(pull, facts).map(({ range }) => range)).toEqual([
    { start: 0, end: 10 },
    { start: 0, end: 20_000 },
  ]);
});
