import { beforeEach, describe, expect, it } from 'vitest';
import { ChunkSet, type Geometry } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { ChunkScheduler, type SchedulerCommand } from './chunk-scheduler.ts';
import { ORIGIN } from './source-state.ts';
import type { TrackKey } from './track-key.ts';

/** One chunk of eight blocks that is played, and more behind it. */
const SONG: Geometry = { size: 4 * 131_072, chunkSize: 131_072 };
const FIRST = { start: 0, end: 131_072 };
const KEY = 'song@1' as TrackKey;
const DUE_MS = 10_000;
const ROUND_TRIP_MS = 50;

let scheduler: ChunkScheduler;

beforeEach(() => {
  const policy = { allowDownloadFromPeers: true, prioritizeAulaMembers: true, preferServerOverP2P: false };
  scheduler = new ChunkScheduler('self', policy, seededRandom(1));
  scheduler.openTrack(KEY, SONG, ChunkSet.none(4));
  scheduler.setTracker('up', 0);
  scheduler.addPeer('liar', 'aula', { maxBytes: 65_536 }, -60_000);
  scheduler.peerOpened('liar', KEY, ChunkSet.none(4), 0);
});

describe('a peer that contradicts itself', () => {
  it('by taking back every have is asked no more than it says, and the origin gives in time', () => {
    const commands = scheduler.want(KEY, 1, FIRST, DUE_MS, 0);
    let asked = 0;
    const originMs = untilOriginIsAsked((nowMs) => {
      for (let i = 0; i < 10; i++) {
        commands.push(...scheduler.peerHas('liar', KEY, [0], [], nowMs));
        commands.push(...scheduler.peerHas('liar', KEY, [], [0], nowMs));
      }
      asked += blocksAsked(commands, 'liar');
      return commands.splice(0);
    });
    expect(originMs).toBeLessThan(DUE_MS);
    expect(asked).toBeLessThanOrEqual(64);
  });

  it('by having what it refuses is not asked for ever, and the origin gives in time', () => {
    const queue = scheduler.want(KEY, 1, FIRST, DUE_MS, 0);
    let asked = 0;
    const originMs = untilOriginIsAsked((nowMs) => {
      const commands = [...queue.splice(0), ...scheduler.peerHas('liar', KEY, [0], [], nowMs)];
      for (const each of commands) {
        if (each.type !== 'fetch' || each.source !== 'liar') continue;
        asked++;
        const span = { first: each.first, end: each.first + each.count };
        queue.push(...scheduler.refused('liar', KEY, each.chunk, span, 'not-held', nowMs));
      }
      return commands;
    });
    expect(originMs).toBeLessThan(DUE_MS);
    // Once or twice each round trip, as often as it says so itself.
    expect(asked).toBeLessThanOrEqual((2 * DUE_MS) / ROUND_TRIP_MS);
  });

  it('by fetching for ever is not waited for beyond the deadline', () => {
    const first = scheduler.want(KEY, 1, FIRST, DUE_MS, 0);
    const originMs = untilOriginIsAsked((nowMs) => {
      scheduler.peerFetching('liar', KEY, [{ chunk: 0, etaMs: 60_000 }], nowMs);
      return first.splice(0);
    });
    expect(originMs).toBeLessThan(DUE_MS);
  });
});

/** Lets time pass a round trip at a time; when the origin was first asked for the chunk. */
function untilOriginIsAsked(act: (nowMs: number) => SchedulerCommand[]): number {
  for (let nowMs = ROUND_TRIP_MS; nowMs < 2 * DUE_MS; nowMs += ROUND_TRIP_MS) {
    // A tracker that knows of others answers no claim for this listener.
    const commands = [...act(nowMs), ...scheduler.tick(nowMs)];
    if (blocksAsked(commands, ORIGIN) > 0) return nowMs;
  }
  return Number.POSITIVE_INFINITY;
}

function blocksAsked(commands: readonly SchedulerCommand[], source: string): number {
  return commands.reduce(
    (sum, each) => sum + (each.type === 'fetch' && each.source === source ? each.count : 0),
    0,
  );
}
