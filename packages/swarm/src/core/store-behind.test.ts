import { expect, it } from 'vitest';
import { ChunkSet, chunkRange, type Geometry } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { ChunkScheduler, type SchedulerCommand } from './chunk-scheduler.ts';
import { ORIGIN } from './source-state.ts';
import type { TrackKey } from './track-key.ts';

/** Four chunks of eight blocks. */
const SONG: Geometry = { size: 4 * 131_072, chunkSize: 131_072 };
const WHOLE = { start: 0, end: SONG.size };
const KEY = 'song@1' as TrackKey;
const SOME_DAY = Number.POSITIVE_INFINITY;

it.each([['p'], [ORIGIN]])(
  'while the store is behind, only what is due soon is asked of %s; all is once it caught up',
  (source) => {
    const policy = { allowDownloadFromPeers: true, prioritizeAulaMembers: true, preferServerOverP2P: false };
    const scheduler = new ChunkScheduler('self', policy, seededRandom(1));
    scheduler.openTrack(KEY, SONG, ChunkSet.none(4));
    if (source === 'p') {
      scheduler.addPeer('p', 'aula', { maxBytes: 1_048_576 }, -10_000);
      scheduler.peerOpened('p', KEY, ChunkSet.all(4), 0);
    }
    expect(scheduler.setStoreBehind(true, 0)).toEqual([]);
    expect(asked(scheduler.want(KEY, 1, WHOLE, SOME_DAY, 0))).toEqual([]);
    expect(asked(scheduler.want(KEY, 2, chunkRange(SONG, 2), 15_001, 0))).toEqual([]);
    expect(asked(scheduler.tick(1))).toEqual([`${source} 2`]);
    expect(asked(scheduler.blocksProven(KEY, { chunk: 2, first: 0, count: 8 }, source, 2))).toEqual([]);
    scheduler.unwant(KEY, 2, 3);
    expect(asked(scheduler.tick(19_000))).toEqual([]);
    expect(asked(scheduler.setStoreBehind(false, 20_000))).not.toEqual([]);
  },
);

/** Who is asked for which chunk, once each. */
function asked(commands: readonly SchedulerCommand[]): string[] {
  const all = commands.flatMap((each) => (each.type === 'fetch' ? [`${each.source} ${each.chunk}`] : []));
  return [...new Set(all)];
}

it('what is due soon comes, though a chunk before it is due no more', () => {
  const policy = { allowDownloadFromPeers: true, prioritizeAulaMembers: true, preferServerOverP2P: false };
  const scheduler = new ChunkScheduler('self', policy, seededRandom(1));
  scheduler.openTrack(KEY, SONG, ChunkSet.none(4));
  scheduler.addPeer('p', 'aula', { startBytes: 16_384, maxBytes: 16_384 }, -10_000);
  scheduler.peerOpened('p', KEY, ChunkSet.all(4), 0);
  scheduler.setStoreBehind(true, 0);
  scheduler.want(KEY, 1, WHOLE, SOME_DAY, 0);
  const { end } = chunkRange(SONG, 2);
  let commands = scheduler.want(KEY, 2, { start: end - 32_768, end: end + 32_768 }, 2_000, 0);
  const came: string[] = [];
  for (let ms = 10; ms < 200; ms += 10) {
    const flights = commands.flatMap((each) => (each.type === 'fetch' && each.source === 'p' ? [each] : []));
    commands = [];
    for (const { chunk, first, count } of flights) {
      for (let block = first; block < first + count; block++) came.push(`${chunk}/${block}`);
      commands.push(...scheduler.blocksProven(KEY, { chunk, first, count }, 'p', ms));
    }
    commands.push(...scheduler.tick(ms));
  }
  expect(came).toEqual(['2/6', '2/7', '3/0', '3/1']);
});
