import { describe, expect, it } from 'vitest';
import { LIMITS } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { AnnouncePlan, type TrackerNotice } from './announce-plan.ts';
import type { TrackKey } from './track-key.ts';

const SONG = 'song@1' as TrackKey;
const OTHER = 'other@1' as TrackKey;
const ANNOUNCE = { type: 'announce', track: SONG };

describe('announcing', () => {
  it('happens at once, then as often as the tracker wishes', () => {
    const plan = announced(25_000);
    plan.setSearching(SONG, false);
    expect(plan.due(24_999)).toEqual([]);
    expect(plan.due(25_000)).toEqual([ANNOUNCE]);
    expect(plan.due(25_001)).toEqual([]);
  });

  it('happens every eight seconds while peers are looked for, or more often if the tracker wishes', () => {
    const plan = announced(25_000);
    expect(plan.due(7_999)).toEqual([]);
    expect(plan.due(8_000)).toEqual([ANNOUNCE]);
    const eager = announced(3_000);
    expect(eager.due(3_000)).toEqual([ANNOUNCE]);
  });

  it('is repeated when the tracker was reached anew, or something about it changed', () => {
    const plan = announced(25_000);
    plan.connected();
    expect(plan.due(10)).toEqual([ANNOUNCE]);
    plan.announceAgain();
    expect(plan.due(20)).toEqual([ANNOUNCE]);
  });

  it('of more tracks than may be said at a time goes on with the others', () => {
    const plan = new AnnouncePlan();
    const tracks = ['a@1', 'b@1', 'c@1'] as TrackKey[];
    for (const track of tracks) plan.add(track);
    expect(plan.due(0, 0)).toEqual([]);
    expect(plan.due(0, 2)).toEqual(tracks.slice(0, 2).map((track) => ({ type: 'announce', track })));
    expect(plan.due(0)).toEqual([{ type: 'announce', track: 'c@1' }]);
  });

  it('waits as long as a tracker that refused it wishes, then happens at once; news wait with it', () => {
    const plan = announced(25_000);
    plan.refused(SONG, 1_000, 30_000);
    plan.gained(SONG, 4);
    plan.announceAgain();
    expect(plan.due(30_999)).toEqual([]);
    expect(plan.due(31_000)).toEqual([ANNOUNCE]);
    expect(plan.due(36_000)).toEqual([]);
  });

  it('does not wait for a tracker that was reached anew since', () => {
    const plan = announced(25_000);
    plan.refused(SONG, 1_000, 30_000);
    plan.connected();
    expect(plan.due(1_001)).toEqual([ANNOUNCE]);
    plan.refused(OTHER, 2_000, 30_000);
    expect(plan.due(2_000)).toEqual([]);
  });

  it('ends when the track is removed, and begins once when it is added twice', () => {
    const plan = announced(25_000);
    plan.add(SONG);
    expect(plan.due(10)).toEqual([]);
    plan.remove(SONG);
    expect(plan.due(1e6)).toEqual([]);
  });
});

describe('news of chunks', () => {
  it('wait until five seconds after the last word on the track, and go together', () => {
    const plan = announced(25_000);
    plan.setSearching(SONG, false);
    plan.gained(SONG, 1);
    plan.gained(SONG, 2);
    plan.lost(SONG, 9);
    expect(plan.due(4_999)).toEqual([]);
    expect(plan.due(5_000)).toEqual([{ type: 'have', track: SONG, chunks: [1, 2], lost: [9] }]);
    plan.gained(SONG, 3);
    expect(plan.due(9_999)).toEqual([]);
    expect(plan.due(10_000)).toEqual([{ type: 'have', track: SONG, chunks: [3], lost: [] }]);
    expect(plan.due(15_000)).toEqual([]);
  });

  it('say the last word on each chunk only', () => {
    const plan = announced(25_000);
    plan.setSearching(SONG, false);
    plan.gained(SONG, 1);
    plan.lost(SONG, 1);
    plan.lost(SONG, 2);
    plan.gained(SONG, 2);
    expect(plan.due(5_000)).toEqual([{ type: 'have', track: SONG, chunks: [2], lost: [1] }]);
  });

  it('are void once an announcement said everything', () => {
    const plan = announced(25_000);
    plan.gained(SONG, 1);
    plan.announceAgain();
    expect(plan.due(6_000)).toEqual([ANNOUNCE]);
    expect(plan.due(12_000)).toEqual([]);
  });

  it('that went with a claim are not said again', () => {
    const plan = announced(25_000);
    plan.setSearching(SONG, false);
    plan.gained(SONG, 1);
    expect(plan.takeGained(SONG)).toEqual([1]);
    expect(plan.takeGained(SONG)).toEqual([]);
    expect(plan.takeGained(OTHER)).toEqual([]);
    expect(plan.due(5_000)).toEqual([]);
  });

  it('fit into one message, the rest into the next', () => {
    const plan = announced(1e9);
    plan.setSearching(SONG, false);
    for (let chunk = 0; chunk < LIMITS.maxHaveChunks + 1; chunk++) plan.gained(SONG, chunk);
    const [first] = plan.due(5_000);
    expect(first?.type === 'have' && first.chunks.length).toBe(LIMITS.maxHaveChunks);
    expect(plan.due(10_000)).toEqual([
      { type: 'have', track: SONG, chunks: [LIMITS.maxHaveChunks], lost: [] },
    ]);
  });

  it('of tracks that were not added are dropped', () => {
    const plan = announced(25_000);
    plan.gained(OTHER, 1);
    plan.lost(OTHER, 1);
    plan.setSearching(OTHER, false);
    expect(plan.due(5_000).filter((notice) => notice.type === 'have')).toEqual([]);
  });
});

describe('the Aula', () => {
  it('is joined at once, then refreshed as often as tracks are announced', () => {
    const plan = new AnnouncePlan();
    plan.connected();
    expect(plan.due(0)).toEqual([]);
    plan.setInAula(true);
    expect(plan.due(10)).toEqual([{ type: 'join' }]);
    expect(plan.due(25_009)).toEqual([]);
    expect(plan.due(25_010)).toEqual([{ type: 'join' }]);
    plan.connected();
    expect(plan.due(25_020)).toEqual([{ type: 'join' }]);
    plan.setInAula(false);
    expect(plan.due(1e6)).toEqual([]);
  });
});

describe('whatever happens', () => {
  it('there is at most one have in five seconds a track, and all news arrive', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { next } = seededRandom(seed);
      const plan = announced(25_000);
      const said = new Set<number>();
      const held = new Set<number>();
      let lastHaveMs = Number.NEGATIVE_INFINITY;
      const hear = (notices: readonly TrackerNotice[], now: number) => {
        for (const notice of notices) {
          if (notice.type === 'announce') {
            said.clear();
            for (const chunk of held) said.add(chunk);
          }
          if (notice.type !== 'have') continue;
          expect(now - lastHaveMs, `seed ${seed}`).toBeGreaterThanOrEqual(5_000);
          lastHaveMs = now;
          for (const chunk of notice.chunks) said.add(chunk);
          for (const chunk of notice.lost) said.delete(chunk);
        }
      };
      let now = 0;
      for (let step = 0; step < 500; step++) {
        now += next() * 1_000;
        const chunk = Math.floor(next() * 40);
        if (next() < 0.5) {
          held.add(chunk);
          plan.gained(SONG, chunk);
        } else if (held.delete(chunk)) plan.lost(SONG, chunk);
        if (next() < 0.05) plan.setSearching(SONG, next() < 0.5);
        if (next() < 0.02) plan.announceAgain();
        hear(plan.due(now), now);
      }
      hear(plan.due(now + 5_000), now + 5_000);
      expect([...said].sort(), `seed ${seed}`).toEqual([...held].sort());
    }
  });
});

/** A plan that has announced the song at 0. */
function announced(intervalMs: number): AnnouncePlan {
  const plan = new AnnouncePlan();
  plan.setInterval(intervalMs);
  plan.connected();
  plan.add(SONG);
  expect(plan.due(0)).toEqual([ANNOUNCE]);
  return plan;
}
