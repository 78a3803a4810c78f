import { beforeEach, describe, expect, it } from 'vitest';
import { ChunkSet, blockCount, chunkRange, type Geometry } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { ChunkScheduler, type SchedulerCommand } from './chunk-scheduler.ts';
import { ORIGIN } from './source-state.ts';
import type { TrackKey } from './track-key.ts';

/** Four chunks of eight blocks. */
const SONG: Geometry = { size: 4 * 131_072, chunkSize: 131_072 };
const WHOLE = { start: 0, end: SONG.size };
const PLAYING = 'playing@1' as TrackKey;
const NEXT = 'next@1' as TrackKey;
const SOME_DAY = Number.POSITIVE_INFINITY;

let scheduler: ChunkScheduler;

beforeEach(() => {
  const policy = { allowDownloadFromPeers: true, prioritizeAulaMembers: true, preferServerOverP2P: false };
  scheduler = new ChunkScheduler('self', policy, seededRandom(1));
  for (const key of [PLAYING, NEXT]) scheduler.openTrack(key, SONG, ChunkSet.none(4));
});

describe('what is prefetched', () => {
  it('comes from the beginning of the track on', () => {
    link([], [0, 1, 2, 3]);
    expect(unique(asked(prefetch(0)))).toEqual([`p ${NEXT}/0`]);
    expect(unique(asked(proveAll(NEXT, 0, 'p', 10)))).toEqual([`p ${NEXT}/1`]);
  });

  it('is asked for while nothing else is wanted, and a quarter of a second of quiet after', () => {
    link([0], [0, 1]);
    const wanted = scheduler.want(PLAYING, 1, chunkRange(SONG, 0), SOME_DAY, 0);
    expect(unique(asked(wanted))).toEqual([`p ${PLAYING}/0`]);
    expect(asked(prefetch(0))).toEqual([]);
    expect(unique(asked(proveAll(PLAYING, 0, 'p', 100)))).toEqual([]);
    expect(asked(scheduler.unwant(PLAYING, 1, 100))).toEqual([]);
    expect(asked(scheduler.tick(349))).toEqual([]);
    expect(unique(asked(scheduler.tick(360)))).toEqual([`p ${NEXT}/0`]);
  });

  it('waits for what is wanted of another source too', () => {
    link([], [0]);
    scheduler.want(PLAYING, 1, chunkRange(SONG, 3), SOME_DAY, 0);
    expect(asked(prefetch(0))).toEqual([]);
    expect(asked(scheduler.tick(5_000)).filter((each) => each.startsWith('p '))).toEqual([]);
  });

  it('is taken back when somebody is about to wait, and left alone when there is time', () => {
    link([0], [0]);
    prefetch(0);
    const calm = scheduler.want(PLAYING, 1, chunkRange(SONG, 0), 10_000, 0);
    expect(calm.filter(({ type }) => type === 'cancel')).toEqual([]);
    const hurried = scheduler.want(PLAYING, 2, { start: 0, end: 10 }, 2_900, 0);
    expect(hurried.flatMap((each) => (each.type === 'cancel' ? [each.track] : []))).toEqual([NEXT]);
  });

  it('is fetched as anything else once somebody wants it', () => {
    link([], [0]);
    scheduler.want(PLAYING, 1, chunkRange(SONG, 3), SOME_DAY, 0);
    prefetch(0);
    expect(unique(asked(scheduler.want(NEXT, 3, chunkRange(SONG, 0), SOME_DAY, 0)))).toEqual([`p ${NEXT}/0`]);
  });
});

describe('where it comes from', () => {
  it('is peers alone, however long it takes, and nobody is told that it cannot be had', () => {
    prefetch(0);
    expect(scheduler.isBusy).toBe(false);
    for (let ms = 0; ms < 60_000; ms += 1_000) expect(scheduler.tick(ms)).toEqual([]);
    expect(unique(asked(link([], [2])))).toEqual([`p ${NEXT}/2`]);
    expect(scheduler.isBusy).toBe(true);
  });

  it('is the origin too where that is allowed, one chunk at a time', () => {
    const commands = prefetch(0, 'any');
    for (let ms = 100; ms < 20_000; ms += 100) commands.push(...scheduler.tick(ms));
    expect(unique(asked(commands))).toEqual([`${ORIGIN} ${NEXT}/0`]);
    expect(unique(asked(proveAll(NEXT, 0, ORIGIN, 20_000)))).toEqual([`${ORIGIN} ${NEXT}/1`]);
  });

  it('is the origin when one of two who prefetch it allows that', () => {
    prefetch(0);
    expect(unique(asked(prefetch(0, 'any', 3)))).toEqual([`${ORIGIN} ${NEXT}/0`]);
    expect(scheduler.unwant(NEXT, 3, 10).some(({ type }) => type === 'fetch')).toBe(false);
  });
});

/** A peer that holds these chunks. */
function link(ofPlaying: number[], ofNext: number[]): SchedulerCommand[] {
  scheduler.addPeer('p', 'aula', { maxBytes: 65_536 }, -10_000);
  return [
    ...scheduler.peerOpened('p', PLAYING, ChunkSet.of(4, ofPlaying), 0),
    ...scheduler.peerOpened('p', NEXT, ChunkSet.of(4, ofNext), 0),
  ];
}

function prefetch(nowMs: number, sources: 'peers' | 'any' = 'peers', id = 2): SchedulerCommand[] {
  return scheduler.want(NEXT, id, WHOLE, SOME_DAY, nowMs, sources);
}

/** Proves a whole chunk; what is asked for once it is complete. */
function proveAll(key: TrackKey, chunk: number, from: string, nowMs: number): SchedulerCommand[] {
  const commands: SchedulerCommand[] = [];
  for (let block = 0; block < blockCount(SONG, chunk); block++)
    commands.push(...scheduler.blocksProven(key, { chunk, first: block, count: 1 }, from, nowMs));
  return commands.filter((each) => !('chunk' in each) || each.track !== key || each.chunk !== chunk);
}

/** Who is asked for which chunk. */
function asked(commands: readonly SchedulerCommand[]): string[] {
  return commands.flatMap((each) =>
    each.type === 'fetch' ? [`${each.source} ${each.track}/${each.chunk}`] : [],
  );
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
