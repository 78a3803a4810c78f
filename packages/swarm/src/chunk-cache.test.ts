import { describe, expect, it } from 'vitest';
import { ChunkCache } from './chunk-cache.ts';
import type { TrackKey } from './core/track-key.ts';

const SONG = 'song@1' as TrackKey;
const OTHER = 'other@1' as TrackKey;

describe('the cache', () => {
  it('lets go of what was used longest ago, once it holds more than its bound', () => {
    const { cache, dropped } = open(30);
    for (const chunk of [0, 1, 2]) cache.put(SONG, chunk, new Uint8Array(10), 'nowhere');
    expect(dropped).toEqual([]);
    cache.get(SONG, 0);
    cache.put(SONG, 3, new Uint8Array(10), 'nowhere');
    expect(dropped).toEqual(['song@1/1']);
    cache.put(SONG, 4, new Uint8Array(20), 'nowhere');
    expect(dropped).toEqual(['song@1/1', 'song@1/2', 'song@1/0']);
    expect(cache.get(SONG, 3)).toHaveLength(10);
    expect(cache.get(SONG, 2)).toBeUndefined();
  });

  it('tells only of what was nowhere else', () => {
    const { cache, dropped } = open(10);
    cache.put(SONG, 0, new Uint8Array(10), 'stored');
    cache.put(SONG, 1, new Uint8Array(10), 'nowhere');
    cache.stored(SONG, 1);
    cache.put(SONG, 2, new Uint8Array(10), 'stored');
    expect(cache.storedNowhere(SONG, 2)).toBe(true);
    cache.put(SONG, 3, new Uint8Array(10), 'nowhere');
    expect(dropped).toEqual(['song@1/2']);
    expect(cache.storedNowhere(SONG, 0)).toBe(false);
  });

  it('holds less of what a store holds too, and all else up to its bound', () => {
    const dropped: string[] = [];
    const cache = new ChunkCache(100, (track, chunk) => dropped.push(`${track}/${chunk}`), 20);
    for (const chunk of [0, 1, 2, 3, 4]) cache.put(SONG, chunk, new Uint8Array(10), 'nowhere');
    for (const chunk of [1, 2, 3]) cache.stored(SONG, chunk);
    expect([0, 1, 2, 3, 4].filter((chunk) => cache.get(SONG, chunk) !== undefined)).toEqual([0, 2, 3, 4]);
    cache.put(SONG, 5, new Uint8Array(10), 'stored');
    expect([0, 2, 3, 4, 5].filter((chunk) => cache.get(SONG, chunk) !== undefined)).toEqual([0, 3, 4, 5]);
    expect(cache.storedNowhere(SONG, 3)).toBe(true);
    cache.put(SONG, 6, new Uint8Array(10), 'stored');
    expect([3, 5, 6].filter((chunk) => cache.get(SONG, chunk) !== undefined)).toEqual([3, 5, 6]);
    expect(dropped).toEqual([]);
  });

  it('keeps what is on its way into a store, though it holds more than its bound then', () => {
    const { cache, dropped } = open(20);
    for (const chunk of [0, 1, 2, 3]) cache.put(SONG, chunk, new Uint8Array(10), 'awaited');
    expect([0, 1, 2, 3].filter((chunk) => cache.get(SONG, chunk) !== undefined)).toEqual([0, 1, 2, 3]);
    cache.stored(SONG, 0);
    expect(cache.get(SONG, 0)).toBeUndefined();
    expect(cache.storedNowhere(SONG, 2)).toBe(true);
    cache.put(SONG, 4, new Uint8Array(10), 'awaited');
    expect([1, 2, 3, 4].filter((chunk) => cache.get(SONG, chunk) !== undefined)).toEqual([1, 3, 4]);
    expect(dropped).toEqual(['song@1/2']);
  });

  it('counts a chunk that is put again once', () => {
    const { cache, dropped } = open(20);
    for (let i = 0; i < 5; i++) cache.put(SONG, 0, new Uint8Array(10), 'nowhere');
    cache.put(SONG, 1, new Uint8Array(10), 'nowhere');
    expect(dropped).toEqual([]);
  });

  it('takes a chunk larger than its bound, alone', () => {
    const { cache, dropped } = open(10);
    cache.put(SONG, 0, new Uint8Array(5), 'nowhere');
    cache.put(SONG, 1, new Uint8Array(50), 'nowhere');
    expect(dropped).toEqual(['song@1/0']);
    expect(cache.get(SONG, 1)).toHaveLength(50);
  });

  it('has room again after a chunk is deleted, quietly', () => {
    const { cache, dropped } = open(20);
    cache.put(SONG, 0, new Uint8Array(10), 'nowhere');
    cache.put(SONG, 1, new Uint8Array(10), 'nowhere');
    cache.delete(SONG, 0);
    cache.delete(SONG, 9);
    cache.put(SONG, 2, new Uint8Array(10), 'nowhere');
    expect(dropped).toEqual([]);
    expect(cache.get(SONG, 0)).toBeUndefined();
  });

  it('tells tracks apart', () => {
    const { cache } = open(100);
    cache.put(SONG, 0, Uint8Array.of(1), 'nowhere');
    cache.put(OTHER, 0, Uint8Array.of(2), 'nowhere');
    expect([cache.get(SONG, 0), cache.get(OTHER, 0)]).toEqual([Uint8Array.of(1), Uint8Array.of(2)]);
  });
});

function open(mostBytes: number): { cache: ChunkCache; dropped: string[] } {
  const dropped: string[] = [];
  return { dropped, cache: new ChunkCache(mostBytes, (track, chunk) => dropped.push(`${track}/${chunk}`)) };
}
