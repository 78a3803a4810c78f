import { describe, expect, it } from 'vitest';
import { HAVE_EVERY_MS, HaveNotices } from './have-notices.ts';
import { trackKey } from './track-key.ts';
import { LIMITS, parseRootHash, parseTrackId } from '@sonantica/wire';

const track = trackKey(parseTrackId('song'), parseRootHash('0'.repeat(64)));

describe('HaveNotices', () => {
  it('tells of the first chunk at once', () => {
    const notices = new HaveNotices();
    notices.gained(track, 3);
    expect(notices.due(0)).toEqual([{ track, chunks: [3], lost: [], parts: [] }]);
    expect(notices.due(HAVE_EVERY_MS)).toEqual([]);
  });

  it('gathers what follows within the pause into one notice', () => {
    expect(HAVE_EVERY_MS).toBe(50);
    const notices = new HaveNotices();
    notices.gained(track, 3);
    notices.due(0);
    notices.gained(track, 4);
    notices.gained(track, 5);
    notices.lost(track, 1);
    expect(notices.due(HAVE_EVERY_MS - 1)).toEqual([]);
    expect(notices.waitMs(HAVE_EVERY_MS - 1)).toBe(1);
    expect(notices.due(HAVE_EVERY_MS)).toEqual([{ track, chunks: [4, 5], lost: [1], parts: [] }]);
  });

  it('tells of blocks of a chunk as runs, and of none once it is whole', () => {
    const notices = new HaveNotices();
    for (const block of [5, 2, 3, 7]) notices.proved(track, 4, block);
    const runs = [
      { chunk: 4, first: 2, count: 2 },
      { chunk: 4, first: 5, count: 1 },
      { chunk: 4, first: 7, count: 1 },
    ];
    expect(notices.due(0)).toEqual([{ track, chunks: [], lost: [], parts: runs }]);
    notices.proved(track, 4, 6);
    notices.gained(track, 4);
    expect(notices.due(HAVE_EVERY_MS)).toEqual([{ track, chunks: [4], lost: [], parts: [] }]);
    expect(notices.waitMs(HAVE_EVERY_MS)).toBeUndefined();
  });

  it('says of a chunk gained and lost again only that it is lost', () => {
    const notices = new HaveNotices();
    notices.gained(track, 3);
    notices.lost(track, 3);
    expect(notices.due(0)).toEqual([{ track, chunks: [], lost: [3], parts: [] }]);
  });

  it('splits what is more than one frame may carry', () => {
    const notices = new HaveNotices();
    for (let chunk = 0; chunk <= LIMITS.maxHaveChunks; chunk++) notices.lost(track, chunk);
    expect(notices.due(0).map(({ lost }) => lost.length)).toEqual([LIMITS.maxHaveChunks, 1]);
  });

  it('says nothing of a track that was left', () => {
    const notices = new HaveNotices();
    notices.gained(track, 3);
    notices.remove(track);
    expect(notices.waitMs(0)).toBeUndefined();
  });
});
