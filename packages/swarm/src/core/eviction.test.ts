import { describe, expect, it } from 'vitest';
import { parseRootHash, parseTrackId } from '@sonantica/wire';
import { chooseEvictions, keepingPriority, type EvictionCandidate } from './eviction.ts';
import { trackKey } from './track-key.ts';

const CHUNK = 262_144;
const MINUTE_MS = 60_000;
const now = Date.UTC(2026, 0, 1);

describe('the priority of a track', () => {
  const idle = { listeners: 0, aulas: 0, usedAtMs: 0 };

  it('is 10 for each listener and 5 for each Aula', () => {
    expect(keepingPriority({ ...idle, listeners: 3 }, now)).toBe(30);
    expect(keepingPriority({ ...idle, aulas: 3 }, now)).toBe(15);
    expect(keepingPriority({ ...idle, listeners: 1, aulas: 1 }, now)).toBe(15);
  });

  it.each([
    [0, 100],
    [1, 99],
    [50, 50],
    [99, 1],
    [100, 0],
    [101, 0],
    [-60, 100],
  ])('counts a use %s minutes ago as %s', (minutes, points) => {
    expect(keepingPriority({ ...idle, usedAtMs: now - minutes * MINUTE_MS }, now)).toBeCloseTo(points);
  });
});

describe('by priority', () => {
  it('evicts the track that fewest need, then the next', () => {
    const tracks = [stored('heard', { listeners: 5 }), stored('aula', { aulas: 1 }), stored('old', {})];
    expect(evict(tracks, 4 * CHUNK)).toEqual({ old: [2, 1, 0], aula: [2] });
  });

  it('weighs a fresh use against listeners', () => {
    const tracks = [stored('fresh', { usedAtMs: now }), stored('nine', { listeners: 9 })];
    expect(evict(tracks, 1)).toEqual({ nine: [2] });
    expect(evict([stored('fresh', { usedAtMs: now }), stored('eleven', { listeners: 11 })], 1)).toEqual({
      fresh: [2],
    });
  });

  it('evicts of equals the chunk that most peers hold', () => {
    const rare = stored('rare', { holders: (chunk) => [0, 4, 1][chunk] ?? 0 });
    const common = stored('common', { holders: (chunk) => [3, 9, 2][chunk] ?? 0 });
    expect(evict([rare, common], 4 * CHUNK)).toEqual({ common: [1, 0, 2], rare: [1] });
  });

  it('keeps the beginning of a track longest where nothing else decides', () => {
    expect(evict([stored('song', {})], 2 * CHUNK)).toEqual({ song: [2, 1] });
  });
});

describe('by last use', () => {
  it('evicts what was used longest ago, whoever listens', () => {
    const tracks = [
      stored('yesterday', { listeners: 99, usedAtMs: now - 1440 * MINUTE_MS }),
      stored('now', { usedAtMs: now }),
    ];
    expect(evict(tracks, 4 * CHUNK, 'lru')).toEqual({ yesterday: [2, 1, 0], now: [2] });
  });

  it('evicts of equals the chunk that most peers hold', () => {
    const tracks = [stored('rare', {}), stored('common', { holders: () => 1 })];
    expect(evict(tracks, 1, 'lru')).toEqual({ common: [2] });
  });
});

describe.each(['priority', 'lru'] as const)('whichever the policy (%s)', (policy) => {
  it('keeps pinned tracks, however much is wanted', () => {
    const tracks = [stored('pinned', { pinned: true }), stored('other', { usedAtMs: now })];
    expect(evict(tracks, Number.POSITIVE_INFINITY, policy)).toEqual({ other: [2, 1, 0] });
  });

  it('keeps the chunks that a player is about to need', () => {
    const tracks = [stored('playing', { inUse: new Set([1, 2]) })];
    expect(evict(tracks, Number.POSITIVE_INFINITY, policy)).toEqual({ playing: [0] });
  });

  it('frees exactly as many chunks as the bytes need', () => {
    const tracks = [stored('song', {})];
    expect(evict(tracks, 0, policy)).toEqual({});
    expect(evict(tracks, -1, policy)).toEqual({});
    expect(evict(tracks, 1, policy)).toEqual({ song: [2] });
    expect(evict(tracks, CHUNK, policy)).toEqual({ song: [2] });
    expect(evict(tracks, CHUNK + 1, policy)).toEqual({ song: [2, 1] });
  });

  it('counts the last chunk of a track with the bytes it has', () => {
    const song = stored('song', { geometry: { size: 2 * CHUNK + 10, chunkSize: CHUNK } });
    expect(evict([song], 11, policy)).toEqual({ song: [2, 1] });
    expect(chooseEvictions(policy, [song], 11, now)[0]?.bytes).toBe(CHUNK + 10);
  });

  it('evicts only what is stored', () => {
    expect(evict([stored('song', { held: [1] })], Number.POSITIVE_INFINITY, policy)).toEqual({ song: [1] });
    expect(evict([], 1, policy)).toEqual({});
  });

  it('answers the same whatever the order of its input', () => {
    const tracks = ['a', 'b', 'c'].map((id) => stored(id, {}));
    expect(evict(tracks.toReversed(), 4 * CHUNK, policy)).toEqual(evict(tracks, 4 * CHUNK, policy));
  });
});

function stored(id: string, facts: Partial<EvictionCandidate>): EvictionCandidate {
  return {
    track: trackKey(parseTrackId(id), parseRootHash('a'.repeat(64))),
    geometry: { size: 3 * CHUNK, chunkSize: CHUNK },
    held: [0, 1, 2],
    usedAtMs: now - 1000 * MINUTE_MS,
    listeners: 0,
    aulas: 0,
    pinned: false,
    inUse: new Set(),
    holders: () => 0,
    ...facts,
  };
}

function evict(tracks: EvictionCandidate[], bytes: number, policy: 'priority' | 'lru' = 'priority') {
  const evictions = chooseEvictions(policy, tracks, bytes, now);
  return Object.fromEntries(evictions.map(({ track, chunks }) => [track.split('@')[0], chunks]));
}
