import { describe, expect, it } from 'vitest';
import { SourceState } from './source-state.ts';

const BOUNDS = {};

function peer() {
  return new SourceState('p', 'aula', BOUNDS, 0);
}

describe('what is due soon', () => {
  it('is staked on a peer that gave, or has been linked for two seconds', () => {
    expect(peer().isTried(1_900)).toBe(false);
    expect(peer().isTried(2_000)).toBe(true);
    const giver = peer();
    giver.gaveBytes = 1;
    expect(giver.isTried(0)).toBe(true);
  });

  it('is not staked on a peer that was asked and never gave, however long it is linked', () => {
    const silent = peer();
    silent.health.timedOut(500);
    expect(silent.isTried(60_000)).toBe(false);
    silent.health.delivered();
    expect(silent.isTried(60_000)).toBe(true);
  });
});

describe('a peer is waited for', () => {
  it('until it says that it gives nothing, for as long as it says', () => {
    const spent = peer();
    spent.gave(16_384, 1_000);
    spent.declined(60_000, 1_100);
    expect(spent.outlook(1_200)).toBe('none');
    expect(spent.outlook(61_200)).toBe('gives');
  });

  it('while it gives, though it was silent twice', () => {
    const busy = peer();
    busy.gave(16_384, 4_000);
    busy.ponged(10, 6_000);
    busy.health.timedOut(5_000);
    busy.health.timedOut(6_000);
    expect(busy.outlook(6_100)).toBe('gives');
    busy.health.timedOut(7_000);
    expect(busy.outlook(13_900)).toBe('gives');
    busy.health.timedOut(13_950);
    expect(busy.outlook(14_050)).not.toBe('gives');
  });

  it('until it lied', () => {
    const liar = peer();
    liar.lastGaveMs = 10_000;
    liar.health.lied();
    expect(liar.outlook(10_000)).not.toBe('gives');
  });
});

it('a peer that gives now and then has twice the pause it is used to make', () => {
  const [steady, pausing] = [peer(), peer()];
  for (let atMs = 0; atMs <= 10_000; atMs += 1_000) {
    pausing.outstandingBytes = 16_384;
    pausing.gave(16_384, atMs);
    for (let n = 0; n < 10; n++) steady.gave(1_638, atMs + n * 100);
  }
  steady.outstandingBytes = 16_384;
  expect(steady.isSilent(steady.lastProgressMs + 900, true)).toBe(true);
  expect(pausing.isSilent(pausing.lastProgressMs + 900, true)).toBe(false);
  expect(pausing.isSilent(pausing.lastProgressMs + 2_100, true)).toBe(true);
});

describe('a peer that owes blocks and is silent', () => {
  function owing(pingMs: number) {
    const silent = peer();
    silent.ponged(pingMs, 0);
    silent.gave(16_384, 0);
    silent.outstandingBytes = 16_384;
    return silent;
  }

  it('is nudged after 60 ms, or three round trips on a long path', () => {
    expect([59, 60].map((ms) => owing(1).isToBeNudged(ms))).toEqual([false, true]);
    expect([299, 300].map((ms) => owing(100).isToBeNudged(ms))).toEqual([false, true]);
  });

  it('is nudged again after twice as long, five times, and anew once it gave', () => {
    const silent = owing(1);
    const nudgedAt: number[] = [];
    for (let ms = 0; ms <= 4_000; ms += 10) if (silent.isToBeNudged(ms)) nudgedAt.push(ms);
    expect(nudgedAt).toEqual([60, 120, 240, 480, 960]);
    silent.gave(16_384, 4_000);
    silent.gave(16_384, 4_010);
    for (let block = 0; block < 200; block++) silent.gave(16_384, 4_010);
    expect(silent.isToBeNudged(4_069)).toBe(false);
    expect(silent.isToBeNudged(4_070)).toBe(true);
  });

  it('is left alone for as long as it is used to give to others in between', () => {
    const busy = owing(1);
    busy.gave(16_384, 500);
    expect(busy.isToBeNudged(1_400)).toBe(false);
    expect(busy.isToBeNudged(1_500)).toBe(true);
  });

  it('is left alone when it owes nothing', () => {
    const idle = owing(1);
    idle.outstandingBytes = 0;
    expect(idle.isToBeNudged(10_000)).toBe(false);
  });
});
