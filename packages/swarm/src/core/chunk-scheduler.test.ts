import { describe, expect, it } from 'vitest';
import { ChunkSet, LIMITS, blockCount, chunkCount, chunkRange, type Geometry } from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { ChunkScheduler, type SchedulerCommand, type SourcePolicy } from './chunk-scheduler.ts';
import type { TrackerState } from './origin-choice.ts';
import { ORIGIN, type SourceId, type Tier } from './source-state.ts';
import type { TrackKey } from './track-key.ts';

const BLOCK = LIMITS.blockBytes;
/** Sixteen chunks of eight blocks. */
const SONG: Geometry = { size: 16 * 131_072, chunkSize: 131_072 };
const KEY = 'song@1' as TrackKey;
const OTHER = 'other@1' as TrackKey;
const WINDOW = 65_536;
const NEVER = Number.POSITIVE_INFINITY;
const PEERS_FIRST: SourcePolicy = {
  allowDownloadFromPeers: true,
  prioritizeAulaMembers: true,
  preferServerOverP2P: false,
};

describe('the order of what is asked', () => {
  it('follows the deadlines, and what nobody waits for comes last', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    rig.wantChunk(0, NEVER);
    rig.wantChunk(9, NEVER);
    rig.wantChunk(5, 9_000);
    rig.wantChunk(2, 4_000);
    rig.forgetLog();
    rig.deliverAll('p');
    expect(unique(rig.askedChunks('p'))).toEqual([2, 5, 0, 9]);
  });

  it('follows the deadlines across tracks', () => {
    const rig = new Rig();
    rig.openTrack(OTHER);
    rig.peer('p', 'aula', 'all');
    rig.scheduler.peerOpened('p', OTHER, ChunkSet.all(16), rig.now);
    rig.want({ start: 0, end: SONG.size }, NEVER);
    rig.run(rig.scheduler.want(OTHER, 99, chunkRange(SONG, 3), rig.now + 2_000, rig.now));
    rig.forgetLog();
    rig.deliver('p', 2);
    expect(rig.fetches('p').every(({ track, chunk }) => track === OTHER && chunk === 3)).toBe(true);
  });

  it('takes chunks that nobody waits for in an order of its own', () => {
    const orders = [1, 2].map((seed) => {
      const rig = new Rig({ seed });
      rig.peer('p', 'aula', 'all');
      rig.want({ start: 0, end: SONG.size }, NEVER);
      rig.deliverAll('p');
      return unique(rig.askedChunks('p'));
    });
    expect(new Set(orders[0])).toEqual(new Set(orders[1]));
    expect(orders[0]).not.toEqual(orders[1]);
  });

  it('never asks for more than the window, and asks again as it empties', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    rig.wantChunk(0, 9_000);
    expect(rig.inFlight('p')).toBe(4);
    rig.deliver('p', 1);
    expect(rig.inFlight('p')).toBe(4);
  });
});

describe('the choice of source', () => {
  it('asks the Aula before others and others before the origin', () => {
    const rig = new Rig();
    rig.peer('far', 'global', 'all');
    rig.peer('near', 'aula', 'all');
    rig.wantChunk(0, 9_000);
    expect(rig.askedSources()).toEqual(['near']);
    rig.run(rig.scheduler.removePeer('near', rig.now));
    expect(rig.inFlight('far')).toBe(4);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.run(rig.scheduler.removePeer('far', rig.now));
    expect(rig.inFlight(ORIGIN)).toBe(8);
  });

  it('asks anybody alike where the Aula is not preferred', () => {
    const rig = new Rig({ policy: { ...PEERS_FIRST, prioritizeAulaMembers: false } });
    rig.peer('far', 'global', 'all');
    rig.peer('near', 'aula', 'all');
    rig.wantChunk(0, 2_000);
    expect(rig.askedSources().sort()).toEqual(['far', 'near']);
  });

  it('takes a peer’s tier as it changes', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', 'all');
    rig.peer('b', 'global', 'all');
    rig.scheduler.setTier('a', 'global');
    rig.scheduler.setTier('b', 'aula');
    rig.wantChunk(0, 9_000);
    expect(rig.askedSources()).toEqual(['b']);
  });

  it('asks an untried peer before one that is known, and a fast one before a slow one', () => {
    const rig = new Rig();
    const serve = (id: SourceId, chunk: number, blockMs: number) => {
      rig.peer(id, 'aula', 'all');
      rig.wantChunk(chunk, NEVER);
      while (rig.inFlight(id) > 0) {
        rig.pass(blockMs);
        rig.deliver(id, 1);
      }
    };
    serve('slow', 0, 400);
    rig.forgetLog();
    serve('fast', 1, 100);
    expect(rig.askedSources()[0]).toBe('fast');
    rig.forgetLog();
    rig.wantChunk(2, NEVER);
    expect(rig.askedSources()[0]).toBe('fast');
  });

  it('takes the blocks of one urgent chunk from several peers', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', 'all');
    rig.peer('b', 'aula', 'all');
    rig.wantChunk(0, 2_000);
    expect(rig.inFlight('a')).toBe(4);
    expect(rig.inFlight('b')).toBe(4);
  });

  it('asks a peer only for what it holds, and learns what it gains and loses', () => {
    const rig = new Rig({ tracker: 'awaited' });
    rig.peer('p', 'aula', [1]);
    rig.wantChunk(0, NEVER);
    expect(rig.inFlight('p')).toBe(0);
    rig.run(rig.scheduler.peerHas('p', KEY, [0], [], rig.now));
    expect(rig.inFlight('p')).toBe(4);
    expect(rig.scheduler.holders(KEY, 0)).toBe(1);
    rig.run(rig.scheduler.peerHas('p', KEY, [], [0], rig.now));
    expect(rig.scheduler.holders(KEY, 0)).toBe(0);
  });

  it.each<['not-held' | 'busy' | 'not-giving', number, boolean]>([
    ['not-held', 120_000, false],
    ['busy', 200, false],
    ['busy', 300, true],
    ['not-giving', 59_900, false],
    ['not-giving', 60_000, true],
  ])('a peer that answers %s is asked again %i ms later: %s', (reason, afterMs, again) => {
    const rig = new Rig({ tracker: 'awaited' });
    rig.peer('p', 'aula', 'all');
    rig.wantChunk(0, NEVER);
    rig.refuse('p', reason);
    expect(rig.inFlight('p')).toBe(0);
    rig.forgetLog();
    rig.pass(afterMs);
    expect(rig.fetches('p').length > 0).toBe(again);
  });

  it('asks elsewhere at once when a peer leaves or shuts the track in mid-chunk', () => {
    for (const leave of [
      (rig: Rig) => rig.scheduler.removePeer('a', rig.now),
      (rig: Rig) => rig.scheduler.peerShut('a', KEY, rig.now),
    ]) {
      const rig = new Rig();
      rig.peer('a', 'aula', 'all');
      rig.wantChunk(0, 9_000);
      rig.deliver('a', 3);
      rig.peer('b', 'aula', 'all');
      rig.lose('a');
      rig.run(leave(rig));
      rig.deliverAll('b');
      expect(rig.proven.has('0/7')).toBe(true);
      expect(rig.fetches('b').reduce((sum, { count }) => sum + count, 0)).toBe(5);
    }
  });
});

describe('demands', () => {
  it('for the same bytes are one fetch', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all', 4 * WINDOW);
    rig.wantChunk(0, 9_000);
    rig.forgetLog();
    rig.wantChunk(0, 5_000);
    rig.want({ start: 10, end: 20_000 }, NEVER);
    expect(rig.log).toEqual([]);
  });

  it('keep what another still wants, and cancel the rest at once', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all', 4 * WINDOW);
    const first = rig.wantChunk(0, 9_000);
    const second = rig.wantChunk(0, 9_000);
    rig.wantChunk(1, 9_000);
    rig.unwant(first);
    expect(rig.log.some((command) => command.type === 'cancel')).toBe(false);
    rig.unwant(second);
    expect(rig.log.at(-1)).toMatchObject({ type: 'cancel', source: 'p', chunk: 0, first: 0, count: 8 });
    expect(rig.inFlight('p')).toBe(8);
  });

  it('that were met fetch nothing again, until the chunk is lost', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    rig.wantChunk(0, 9_000);
    rig.deliverAll('p');
    rig.forgetLog();
    rig.wantChunk(0, 9_000);
    expect(rig.log).toEqual([]);
    rig.proven.clear();
    rig.run(rig.scheduler.chunkLost(KEY, 0, rig.now));
    expect(rig.fetches('p')).toMatchObject([{ chunk: 0, first: 0 }]);
  });

  it('resume a chunk that was given up half-way', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    const id = rig.wantChunk(0, 9_000);
    rig.deliver('p', 3);
    rig.unwant(id);
    rig.forgetLog();
    rig.wantChunk(0, 9_000);
    expect(rig.fetches('p')).toMatchObject([{ chunk: 0, first: 3 }]);
  });

  it('keep the scheduler busy until they are met or given up', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    expect(rig.scheduler.isBusy).toBe(false);
    rig.wantChunk(0, 9_000);
    expect(rig.scheduler.isBusy).toBe(true);
    rig.deliverAll('p');
    expect(rig.scheduler.isBusy).toBe(false);
    const id = rig.wantChunk(1, 9_000);
    rig.unwant(id);
    expect(rig.scheduler.isBusy).toBe(false);
  });

  it('ask a peer for nothing of a chunk that nobody wants, which would come in between', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all', 2 * WINDOW);
    const first = rig.want({ start: 0, end: 3 * BLOCK }, 9_000);
    rig.deliverAll('p');
    rig.unwant(first);
    expect(rig.fetches('p')).toMatchObject([{ chunk: 0, first: 0, count: 3 }]);
    rig.want({ start: 5 * BLOCK, end: 7 * BLOCK }, NEVER);
    expect(rig.fetches('p').at(-1)).toMatchObject({ chunk: 0, first: 5, count: 2 });
  });

  it('ask for nothing again that was asked for before the track was opened', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all', 2 * WINDOW);
    rig.scheduler.askedAhead('p', KEY, { chunk: 0, first: 0, count: 6 }, rig.now);
    rig.run(rig.scheduler.blocksProven(KEY, { chunk: 0, first: 0, count: 1 }, 'p', rig.now));
    rig.wantChunk(0, 0);
    expect(rig.fetches('p')).toMatchObject([{ chunk: 0, first: 6, count: 2 }]);
    rig.forgetLog();
    rig.run(rig.scheduler.removePeer('p', rig.now));
    expect(rig.fetches(ORIGIN)).toMatchObject([{ chunk: 0, first: 1, count: 7 }]);
  });

  it('of a closed track are cancelled', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    rig.wantChunk(0, 9_000);
    rig.run(rig.scheduler.closeTrack(KEY, rig.now));
    expect(rig.inFlight('p')).toBe(0);
    expect(rig.scheduler.isBusy).toBe(false);
  });
});

describe('a chunk of which a part is here', () => {
  it('is let go only where nobody wants it and nothing of it is under way', () => {
    const ahead = new Rig();
    ahead.peer('p', 'aula', 'all');
    ahead.scheduler.askedAhead('p', KEY, { chunk: 0, first: 0, count: 1 }, ahead.now);
    expect(ahead.scheduler.abandon(KEY, 0)).toBe(false);
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    const id = rig.wantChunk(0, 9_000);
    rig.deliver('p', 2);
    expect(rig.scheduler.abandon(KEY, 0)).toBe(false);
    rig.unwant(id);
    expect(rig.scheduler.abandon(KEY, 0)).toBe(true);
  });

  it('is asked for from the beginning when it was let go', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all', 2 * WINDOW);
    const id = rig.wantChunk(0, 9_000);
    rig.deliver('p', 2);
    rig.unwant(id);
    rig.scheduler.abandon(KEY, 0);
    rig.proven.clear();
    rig.forgetLog();
    rig.wantChunk(0, 9_000);
    expect(rig.fetches('p')).toMatchObject([{ chunk: 0, first: 0, count: 8 }]);
  });

  it('is given back to the tracker though it was let go', () => {
    const rig = tracked();
    const id = rig.wantChunk(3, NEVER);
    rig.claimed([3]);
    rig.unwant(id);
    rig.scheduler.abandon(KEY, 3);
    rig.pass(300);
    expect(releasedIn(rig.log)).toEqual([3]);
  });
});

describe('silence', () => {
  it('of half a second moves the blocks elsewhere', () => {
    const rig = new Rig();
    rig.peer('mute', 'aula', 'all');
    rig.wantChunk(0, 60_000);
    rig.peer('b', 'global', 'all');
    expect(rig.inFlight('b')).toBe(0);
    rig.pass(500);
    expect(rig.inFlight('mute')).toBe(4);
    rig.pass(100);
    expect(rig.inFlight('mute')).toBe(0);
    expect(rig.inFlight('b')).toBe(4);
  });

  it('is three round trips on a long path', () => {
    const rig = new Rig();
    rig.peer('far', 'aula', 'all');
    rig.roundTripMs = 400;
    rig.scheduler.pinged('far', 400, rig.now);
    rig.wantChunk(0, 60_000);
    rig.pass(1_200);
    expect(rig.inFlight('far')).toBe(4);
    rig.pass(100);
    expect(rig.inFlight('far')).toBe(0);
  });

  it('of a peer that answers pings is borne for five seconds where nobody waits, of one that does not for half that', () => {
    const silentAfter = (pings: boolean) => {
      const rig = new Rig({ tracker: 'awaited' });
      rig.peer('mute', 'aula', 'all');
      rig.answersPings = pings;
      rig.wantChunk(0, NEVER);
      const begun = rig.now;
      rig.passUntil(() => rig.inFlight('mute') === 0);
      return rig.now - begun;
    };
    expect(silentAfter(true)).toBe(5_100);
    expect(silentAfter(false)).toBe(2_600);
  });

  it('is forgiven after a second, then two, then four, and a block clears it', () => {
    const rig = new Rig({ tracker: 'awaited' });
    rig.peer('mute', 'aula', 'all');
    rig.wantChunk(0, NEVER);
    const pauses: number[] = [];
    for (let round = 0; round < 4; round++) {
      if (round === 3) {
        rig.deliver('mute', 1);
      }
      rig.passUntil(() => rig.inFlight('mute') === 0);
      const silentAt = rig.now;
      rig.passUntil(() => rig.inFlight('mute') > 0);
      pauses.push(rig.now - silentAt);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 1_000]);
  });

  it('is not silence while blocks come', () => {
    const rig = new Rig();
    rig.peer('slow', 'aula', 'all');
    rig.wantChunk(0, 60_000);
    for (let i = 0; i < 8; i++) {
      rig.pass(400);
      rig.deliver('slow', 1);
    }
    expect(rig.log.some((command) => command.type === 'cancel')).toBe(false);
  });
});

describe('a liar', () => {
  it('is recalled, and never asked again', () => {
    const rig = new Rig();
    rig.peer('liar', 'aula', 'all');
    rig.wantChunk(0, 60_000);
    rig.lie('liar');
    expect(rig.inFlight('liar')).toBe(0);
    rig.forgetLog();
    rig.run(rig.scheduler.peerHas('liar', KEY, [1, 2], [], rig.now));
    rig.wantChunk(1, 2_000);
    rig.pass(120_000);
    expect(rig.fetches('liar')).toEqual([]);
    expect(rig.scheduler.isBusy).toBe(true);
    expect(rig.inFlight(ORIGIN)).toBe(16);
  });
});

describe('a source whose blocks cannot be hashed here', () => {
  it.each(['peer', ORIGIN])(
    'is asked again for them, after pauses that grow until one is proven: %s',
    (id) => {
      const rig = new Rig({ tracker: id === ORIGIN ? 'absent' : 'awaited' });
      if (id !== ORIGIN) rig.peer(id, 'aula', 'all');
      const firstMs = id === ORIGIN ? 500 : 1_000;
      rig.wantChunk(0, NEVER);
      const pauses: number[] = [];
      for (let round = 0; round < 4; round++) {
        const asked = rig.inFlight(id);
        if (round === 3) rig.deliver(id, 1);
        // Several at a time are one failure.
        for (let i = 0; i < 2; i++) rig.run(rig.scheduler.unhashed(KEY, 0, id, rig.now));
        expect(rig.inFlight(id)).toBe(0);
        const failedAt = rig.now;
        rig.passUntil(() => rig.inFlight(id) > 0);
        pauses.push(rig.now - failedAt);
        if (round < 3) expect(rig.inFlight(id)).toBe(asked);
      }
      expect(pauses).toEqual([firstMs, 2 * firstMs, 4 * firstMs, firstMs]);
    },
  );

  it('may be another at once', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', 'all');
    rig.peer('b', 'global', 'all');
    rig.wantChunk(0, 60_000);
    const asked = rig.inFlight('a');
    rig.run(rig.scheduler.unhashed(KEY, 0, 'a', rig.now));
    expect([rig.inFlight('a'), rig.inFlight('b')]).toEqual([0, asked]);
  });

  it('is left as it is where nothing is under way from it', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', [1]);
    rig.run(rig.scheduler.unhashed(KEY, 0, 'p', rig.now));
    rig.wantChunk(1, 60_000);
    expect(rig.inFlight('p')).toBe(4);
  });
});

describe('claims', () => {
  it('come before the origin; what is granted is fetched whole and told to peers', () => {
    const rig = tracked();
    rig.wantChunk(3, NEVER);
    expect(rig.log).toEqual([{ type: 'claim', track: KEY, chunks: [3], most: 1 }]);
    rig.forgetLog();
    rig.claimed([3]);
    expect(rig.fetches(ORIGIN)).toMatchObject([{ chunk: 3, first: 0, count: 8 }]);
    expect(rig.log.at(-1)).toMatchObject({ type: 'fetching', track: KEY, chunk: 3 });
  });

  it('are not made for what a peer in reach holds', () => {
    const rig = tracked();
    rig.run(rig.scheduler.peerHas('p', KEY, [3], [], rig.now));
    rig.forgetLog();
    rig.wantChunk(3, NEVER);
    expect(rig.log.map(({ type }) => type)).toEqual(['fetch']);
  });

  it('that are refused link to who has it, and are made again after a while', () => {
    const rig = tracked();
    rig.wantChunk(3, NEVER);
    rig.forgetLog();
    rig.claimed([], [[3, 'somebody']]);
    expect(rig.log).toEqual([{ type: 'connect', peerId: 'somebody' }]);
    rig.pass(1_400);
    expect(rig.log).toHaveLength(1);
    rig.pass(100);
    expect(rig.log.at(-1)).toEqual({ type: 'claim', track: KEY, chunks: [3], most: 1 });
  });

  it('that nobody answers for three seconds count as granted', () => {
    const rig = tracked();
    rig.wantChunk(3, NEVER);
    rig.pass(2_900);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.pass(100);
    expect(rig.inFlight(ORIGIN)).toBeGreaterThan(0);
  });

  it('are made again when the lease ran out', () => {
    const rig = tracked();
    rig.wantChunk(3, NEVER);
    rig.claimed([3], [], 300);
    rig.failOrigin();
    rig.forgetLog();
    rig.pass(600);
    expect(rig.log).toEqual([{ type: 'claim', track: KEY, chunks: [3], most: 1 }]);
  });

  it('are at most eight at a time', () => {
    const rig = tracked();
    rig.want({ start: 0, end: SONG.size }, NEVER);
    expect(rig.log.flatMap((command) => (command.type === 'claim' ? command.chunks : []))).toHaveLength(8);
  });

  it('are made again when all eight leases ran out', () => {
    const rig = tracked();
    rig.want({ start: 0, end: SONG.size }, NEVER);
    rig.claimed(claimedIn(rig.log), [], 300);
    rig.failOrigin();
    rig.forgetLog();
    rig.pass(1_000);
    expect(claimedIn(rig.log)).toHaveLength(8);
  });

  it('for what is wanted no longer do not stand in the way for ever', () => {
    const rig = tracked();
    const ids = Array.from({ length: 8 }, (_, chunk) => rig.wantChunk(chunk, NEVER));
    rig.claimed(claimedIn(rig.log), [], 1_000);
    for (const id of ids) rig.unwant(id);
    rig.pass(1_100);
    rig.forgetLog();
    rig.wantChunk(12, NEVER);
    expect(claimedIn(rig.log)).toEqual([12]);
  });

  it('of all tracks together are at most eight', () => {
    const rig = tracked();
    rig.openTrack(OTHER);
    rig.scheduler.peerOpened('p', OTHER, ChunkSet.none(16), rig.now);
    rig.want({ start: 0, end: 5 * SONG.chunkSize }, NEVER);
    rig.run(rig.scheduler.want(OTHER, 99, { start: 0, end: SONG.size }, NEVER, rig.now));
    expect(leasesIn(rig.log)).toBe(8);
  });

  it('go to the track that somebody waits for first', () => {
    const rig = new Rig({ tracker: 'awaited' });
    rig.openTrack(OTHER);
    rig.want({ start: 0, end: SONG.size }, NEVER);
    rig.run(rig.scheduler.want(OTHER, 99, chunkRange(SONG, 3), rig.now + 6_000, rig.now));
    expect(claimedIn(rig.log)).toEqual([]);
    rig.run(rig.scheduler.setTracker('up', rig.now));
    expect(rig.log.find(({ type }) => type === 'claim')).toMatchObject({ track: OTHER, chunks: [3] });
  });

  it('for what is wanted no longer leave their places to others', () => {
    const rig = tracked();
    const ids = Array.from({ length: 8 }, (_, chunk) => rig.wantChunk(chunk, NEVER));
    rig.claimed(claimedIn(rig.log), [], 60_000);
    for (const id of ids) rig.unwant(id);
    rig.forgetLog();
    rig.wantChunk(12, NEVER);
    expect(claimedIn(rig.log)).toEqual([12]);
  });

  it('are one at a time while peers give, so that what all want next comes by many lines', () => {
    const rig = tracked();
    rig.run(rig.scheduler.peerHas('p', KEY, [0], [], rig.now));
    rig.wantChunk(0, 9_000);
    rig.deliver('p', 1);
    rig.forgetLog();
    rig.want({ start: 4 * SONG.chunkSize, end: SONG.size }, NEVER);
    expect(leasesIn(rig.log)).toBe(1);
    expect(claimedIn(rig.log)).toHaveLength(LIMITS.maxClaims);
    rig.forgetLog();
    rig.claimed([7], [[5, 'somebody']], 60_000);
    rig.pass(100);
    expect(claimedIn(rig.log)).toEqual([]);
  });

  it('are made by a listener who is alone, but not waited for', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.run(rig.scheduler.setAlone(KEY, true, rig.now));
    rig.wantChunk(3, NEVER);
    expect(rig.log.map(({ type }) => type)).toEqual(['fetch', 'fetching', 'claim']);
  });

  it('of a listener who is alone come at most every 150 ms, for as many chunks as may be claimed', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.run(rig.scheduler.setAlone(KEY, true, rig.now));
    rig.want({ start: 0, end: SONG.size }, NEVER);
    expect(leasesIn(rig.log)).toBe(4);
    rig.claimed(claimedIn(rig.log).slice(0, 4), [], 60_000);
    rig.forgetLog();
    rig.deliver(ORIGIN, 64);
    expect(rig.fetches(ORIGIN)).not.toEqual([]);
    rig.pass(100);
    expect(claimedIn(rig.log)).toEqual([]);
    rig.pass(100);
    expect(claimedIn(rig.log)).not.toEqual([]);
  });

  it('are not made for what a linked peer holds, though the tracker knows of nobody', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.peer('p', 'global', 'all');
    rig.run(rig.scheduler.setAlone(KEY, true, rig.now));
    rig.wantChunk(0, NEVER);
    rig.pass(1_000);
    expect(claimedIn(rig.log)).toEqual([]);
    expect(rig.inFlight(ORIGIN)).toBe(0);
  });

  it('granted for what nobody wants any more are given back, unless it is wanted again at once', () => {
    const rig = tracked();
    const id = rig.wantChunk(3, NEVER);
    rig.claimed([3]);
    rig.unwant(id);
    rig.pass(200);
    const again = rig.wantChunk(3, NEVER);
    rig.pass(500);
    expect(releasedIn(rig.log)).toEqual([]);
    rig.unwant(again);
    expect(rig.scheduler.isBusy).toBe(true);
    rig.pass(300);
    expect(releasedIn(rig.log)).toEqual([3]);
    expect(rig.scheduler.isBusy).toBe(false);
  });

  it('answered only after nobody wants it any more are given back', () => {
    const rig = tracked();
    rig.unwant(rig.wantChunk(3, NEVER));
    rig.pass(500);
    expect(releasedIn(rig.log)).toEqual([]);
    rig.claimed([3]);
    rig.pass(100);
    expect(releasedIn(rig.log)).toEqual([3]);
    expect(rig.inFlight(ORIGIN)).toBe(0);
  });

  it('show a listener who thought itself alone what somebody else fetches', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.run(rig.scheduler.setAlone(KEY, true, rig.now));
    rig.want({ start: 0, end: SONG.size }, NEVER);
    const [first = -1, ...others] = claimedIn(rig.log);
    rig.claimed(others, [[first, 'somebody']], 60_000);
    rig.forgetLog();
    rig.deliver(ORIGIN, 400);
    expect(rig.fetches(ORIGIN).map(({ chunk }) => chunk)).not.toContain(first);
  });

  it('wait for the word of a peer that is fetching the chunk, as long as it said and a little longer', () => {
    const rig = tracked();
    rig.scheduler.peerFetching('p', KEY, [{ chunk: 3, etaMs: 2_000 }], rig.now);
    rig.wantChunk(3, NEVER);
    rig.pass(3_400);
    expect(rig.log).toEqual([]);
    rig.pass(200);
    expect(claimedIn(rig.log)).toEqual([3]);
  });

  it('are waited for until only the origin could give the chunk in time', () => {
    const rig = tracked();
    rig.wantChunk(3, 5_000);
    rig.claimed([], [[3, 'somebody']]);
    rig.pass(4_400);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.pass(200);
    expect(rig.inFlight(ORIGIN)).toBe(8);
  });
});

describe('a listener whom the origin alone feeds', () => {
  it('is given the bytes in order: what is due later takes nothing from the line until its turn', () => {
    const rig = new Rig();
    for (const chunk of [0, 1, 2]) rig.wantChunk(chunk, 2_000 + chunk * 1_000);
    expect(rig.inFlight(ORIGIN)).toBe(8);
    rig.deliver(ORIGIN, 4);
    expect(rig.inFlight(ORIGIN)).toBe(4);
    rig.deliver(ORIGIN, 2);
    expect(rig.inFlight(ORIGIN)).toBe(2 + 8);
  });

  it('has two answers’ worth under way, over the end of a chunk too: the line is not idle until the next is asked for', () => {
    const rig = new Rig({ tracker: 'absent' });
    for (const chunk of [0, 1]) rig.wantChunk(chunk, 300);
    rig.pass(60);
    for (let block = 0; block < 6; block++) {
      rig.deliver(ORIGIN, 1);
      rig.pass(13);
    }
    expect(rig.inFlight(ORIGIN)).toBe(2 + 8);
  });

  it('waits for nothing that nobody listens to while it listens, and takes it afterwards', () => {
    const rig = new Rig();
    const chunk = chunkRange(SONG, 3);
    rig.want({ start: chunk.start + 4 * BLOCK, end: chunk.end }, 2_000);
    rig.want({ start: chunk.start, end: chunk.end }, NEVER);
    expect(rig.inFlight(ORIGIN)).toBe(4);
    rig.deliver(ORIGIN, 4);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.pass(1_100);
    expect(rig.inFlight(ORIGIN)).toBe(4);
  });

  it('is one that a tracker says nothing of: what is due is asked for by whole chunks, not block by block', () => {
    const rig = new Rig({ tracker: 'absent' });
    rig.wantChunk(0, 300);
    expect(rig.log.filter(({ type }) => type === 'fetch')).toHaveLength(1);
    expect(rig.inFlight(ORIGIN)).toBe(8);
  });
});

describe('a tracker not heard of yet', () => {
  it('is waited for by who is in no hurry', () => {
    const rig = new Rig({ tracker: 'awaited' });
    rig.wantChunk(0, NEVER);
    rig.wantChunk(1, NEVER);
    expect(rig.log).toEqual([]);
    rig.run(rig.scheduler.setTracker('absent', rig.now));
    expect(rig.inFlight(ORIGIN)).toBe(16);
  });

  it('is not waited for when somebody needs bytes soon', () => {
    const rig = new Rig({ tracker: 'awaited' });
    rig.wantChunk(0, 200);
    expect(rig.fetches(ORIGIN)).toMatchObject([{ chunk: 0 }]);
  });
});

describe('an urgent head', () => {
  it('takes from the origin only the blocks that are needed', () => {
    const rig = tracked();
    rig.want({ start: 0, end: 6 * BLOCK }, 200);
    expect(rig.fetches(ORIGIN)).toMatchObject([{ chunk: 0, first: 0, count: 6 }]);
  });

  it('takes the whole chunk where the origin cannot prove blocks', () => {
    const rig = tracked();
    rig.scheduler.setOriginProvesBlocks(KEY, false);
    rig.want({ start: 0, end: 6 * BLOCK }, 200);
    expect(rig.fetches(ORIGIN)).toMatchObject([{ chunk: 0, first: 0, count: 8 }]);
  });

  it('takes the rest of the chunk when the origin turns out not to prove blocks', () => {
    const rig = tracked();
    rig.want({ start: 0, end: 6 * BLOCK }, 200);
    rig.scheduler.setOriginProvesBlocks(KEY, false);
    rig.pass(100);
    expect(rig.fetches(ORIGIN)).toMatchObject([
      { first: 0, count: 6 },
      { first: 6, count: 2 },
    ]);
  });

  it('comes before chunks under way that nobody waits for', () => {
    const rig = new Rig({ tracker: 'absent' });
    rig.want({ start: 4 * SONG.chunkSize, end: SONG.size }, NEVER);
    expect(rig.inFlight(ORIGIN)).toBe(4 * 8);
    rig.wantChunk(0, 200);
    expect(rig.fetches(ORIGIN).at(-1)).toMatchObject({ chunk: 0, first: 0, count: 8 });
  });

  it('is asked of the origin at once by who downloads from no peer, whatever peers hold', () => {
    const rig = new Rig({ tracker: 'up', policy: { ...PEERS_FIRST, allowDownloadFromPeers: false } });
    rig.peer('p', 'aula', 'all');
    rig.want({ start: 4 * SONG.chunkSize, end: SONG.size }, NEVER);
    rig.wantChunk(0, 0);
    expect(rig.fetches(ORIGIN).at(-1)).toMatchObject({ chunk: 0, first: 0, count: 8 });
  });

  it('does not wait for a peer that could not give it in time', () => {
    const rig = tracked();
    rig.run(rig.scheduler.peerHas('p', KEY, [0, 1, 2], [], rig.now));
    rig.wantChunk(0, 60_000);
    for (let i = 0; i < 8; i++) {
      rig.pass(450);
      rig.deliver('p', 1);
    }
    rig.forgetLog();
    rig.wantChunk(1, 240);
    expect(rig.inFlight('p')).toBe(4);
    expect(rig.inFlight(ORIGIN)).toBe(4);
  });
});

describe('parts of a chunk', () => {
  const RUN = { chunk: 0, first: 2, count: 2 };

  it('are asked of who holds them, and nothing else of that chunk', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', []);
    rig.run(rig.scheduler.peerHasPart('p', KEY, RUN, rig.now));
    rig.wantChunk(0, 9_000);
    const blocks = rig.fetches('p').flatMap(({ first, count }) => [first, first + count - 1]);
    expect(new Set(blocks)).toEqual(new Set([2, 3]));
    rig.run(rig.scheduler.peerHasPart('p', KEY, { chunk: 0, first: 6, count: 1 }, rig.now));
    expect(rig.fetches('p').at(-1)).toMatchObject({ chunk: 0, first: 6, count: 1 });
  });

  it('are lacked by who takes part and has not said that it holds all of them', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', [1]);
    rig.run(rig.scheduler.peerHasPart('p', KEY, RUN, rig.now));
    const lacks = (chunk: number, first: number, count: number) =>
      rig.scheduler.lacksRun('p', KEY, { chunk, first, count });
    expect([lacks(0, 2, 2), lacks(0, 3, 1), lacks(1, 0, 16)]).toEqual([false, false, false]);
    expect([lacks(0, 1, 2), lacks(0, 3, 2), lacks(2, 0, 1)]).toEqual([true, true, true]);
    expect(rig.scheduler.lacksRun('stranger', KEY, RUN)).toBe(false);
  });

  it('alone are asked at the last of who holds them, whatever else is late', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', [0]);
    rig.wantChunk(0, 900);
    rig.pass(200);
    rig.peer('p', 'aula', []);
    rig.run(rig.scheduler.peerHasPart('p', KEY, RUN, rig.now));
    rig.pass(100);
    const blocks = rig.fetches('p').flatMap(({ first, count }) => [first, first + count - 1]);
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect([2, 3]).toContain(block);
  });

  it('are asked no more of who refuses them, or lost the chunk', () => {
    for (const end of ['refusal', 'loss']) {
      const rig = new Rig();
      rig.peer('p', 'aula', []);
      rig.run(rig.scheduler.peerHasPart('p', KEY, RUN, rig.now));
      if (end === 'refusal')
        rig.run(rig.scheduler.refused('p', KEY, 0, { first: 2, end: 4 }, 'not-held', rig.now));
      else rig.run(rig.scheduler.peerHas('p', KEY, [], [0], rig.now));
      rig.wantChunk(0, 9_000);
      expect(rig.fetches('p')).toEqual([]);
    }
  });

  it('are worth telling while somebody listens to the chunk soon and few hold it', () => {
    const rig = new Rig();
    for (const id of ['a', 'b', 'c', 'd']) rig.peer(id, 'aula', []);
    expect(rig.scheduler.isScarce(KEY, 0)).toBe(false);
    rig.wantChunk(0, 9_000);
    rig.wantChunk(1, NEVER);
    expect(rig.scheduler.isScarce(KEY, 0)).toBe(true);
    expect(rig.scheduler.isScarce(KEY, 1)).toBe(false);
    for (const id of ['a', 'b']) rig.run(rig.scheduler.peerHas(id, KEY, [0], [], rig.now));
    expect(rig.scheduler.isScarce(KEY, 0)).toBe(false);
  });

  it('are begun by each listener elsewhere, while few hold the chunk', () => {
    const firsts = new Set<number | undefined>();
    for (let seed = 1; seed <= 12; seed++) {
      const rig = new Rig({ seed });
      for (const id of ['b', 'c', 'd', 'e']) rig.peer(id, 'aula', []);
      rig.peer('a', 'aula', [0]);
      rig.wantChunk(0, 9_000);
      firsts.add(rig.fetches('a')[0]?.first);
    }
    expect(firsts.size).toBeGreaterThan(3);
  });
});

it('who is told that it is alone waits for the answer to what it claimed before, and not for long', () => {
  for (const answered of [true, false]) {
    const rig = new Rig({ tracker: 'up' });
    rig.want({ start: 0, end: SONG.size }, NEVER);
    rig.run(rig.scheduler.setAlone(KEY, true, rig.now));
    expect(rig.inFlight(ORIGIN)).toBe(0);
    if (answered) rig.claimed([]);
    else rig.pass(300);
    expect(rig.inFlight(ORIGIN)).toBeGreaterThan(0);
  }
});

describe('what only somebody holds who gives nothing', () => {
  function heldInVain(dueInMs: number, sinceMs: number): Rig {
    const rig = new Rig({ tracker: 'up' });
    rig.pass(sinceMs);
    rig.forgetLog();
    rig.wantChunk(3, dueInMs);
    rig.claimed([], [], 30_000, [3]);
    return rig;
  }

  it('is left to others while they give, until it is due', () => {
    const rig = heldInVain(20_000, 0);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.forgetLog();
    rig.pass(2_000);
    expect(claimedIn(rig.log)).toContain(3);
    expect(heldInVain(2_900, 0).inFlight(ORIGIN)).toBe(8);
  });

  it('is fetched after a minute, though others give something else', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.peer('p', 'aula', [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], BLOCK);
    rig.want({ start: 3 * SONG.chunkSize, end: 15 * SONG.chunkSize }, NEVER);
    const goOn = (seconds: number) => {
      for (const end = rig.now + seconds * 1_000; rig.now < end;) {
        rig.deliver('p', 1);
        rig.claimed([], [], 30_000, [3]);
        rig.pass(2_000);
      }
    };
    goOn(58);
    expect(rig.askedChunks(ORIGIN)).toEqual([]);
    goOn(4);
    expect(rig.askedChunks(ORIGIN)).toEqual([3]);
  });

  it('is left to others though it is due, where the origin is slow', () => {
    const isFetched = (blockMs: number) => {
      const rig = new Rig({ tracker: 'up' });
      rig.wantChunk(0, NEVER);
      rig.claimed([0]);
      for (let block = 0; block < 8; block++) {
        rig.pass(blockMs);
        rig.deliver(ORIGIN, 1);
      }
      rig.wantChunk(3, 2_900);
      rig.wantChunk(4, 3_700);
      rig.claimed([], [], 30_000, [3]);
      return rig.askedChunks(ORIGIN).includes(3);
    };
    expect(isFetched(10)).toBe(true);
    expect(isFetched(200)).toBe(false);
  });

  it('is fetched where nobody gives', () => {
    for (const dueInMs of [20_000, NEVER]) expect(heldInVain(dueInMs, 4_000).inFlight(ORIGIN)).toBe(8);
  });
});

describe('where a crowd waits for what one of them fetches', () => {
  /** The tracker named four who hold `held`, and said that one of them fetches chunk 0. */
  function waiting({ seed = 1, held = [] as number[], dueInMs = 800, named = 4, listeners = 5 } = {}): Rig {
    const rig = new Rig({ tracker: 'up', seed });
    const each = Array.from({ length: named }, () => ChunkSet.of(16, held));
    rig.scheduler.setOffered(KEY, each, listeners);
    rig.wantChunk(0, dueInMs);
    rig.claimed([], [[0, 'x']]);
    return rig;
  }

  it('each takes one block of its own choice from the origin, once', () => {
    const firsts = new Set<number | undefined>();
    for (let seed = 1; seed <= 12; seed++) {
      const rig = waiting({ seed, listeners: 20 });
      rig.pass(100);
      expect(rig.fetches(ORIGIN)).toMatchObject([{ chunk: 0, count: 1 }]);
      firsts.add(rig.fetches(ORIGIN)[0]?.first);
    }
    expect(firsts.size).toBeGreaterThan(3);
  });

  it('what it takes is left until a read that is late has come: the rest is then due later', () => {
    const rig = waiting({ listeners: 20, dueInMs: 9_000 });
    const late = rig.want({ start: 0, end: BLOCK }, -1);
    rig.wantChunk(0, 800);
    const shares = () => rig.fetches(ORIGIN).filter(({ first }) => first > 0);
    rig.pass(50);
    expect(shares()).toEqual([]);
    rig.deliver(ORIGIN, 1);
    expect(shares()).toEqual([]);
    rig.unwant(late);
    expect(shares()).toMatchObject([{ chunk: 0, count: 1 }]);
  });

  it('nobody does who has time, or company that holds it', () => {
    for (const how of [{ dueInMs: 4_000 }, { held: [0] }, { named: 1 }])
      expect(waiting(how).fetches(ORIGIN)).toEqual([]);
    const linked = new Rig({ tracker: 'up' });
    linked.peer('p', 'aula', [0]);
    linked.scheduler.setOffered(
      KEY,
      Array.from({ length: 4 }, () => ChunkSet.none(16)),
      5,
    );
    linked.wantChunk(0, 800);
    linked.claimed([], [[0, 'x']]);
    expect(linked.fetches(ORIGIN)).toEqual([]);
  });

  it('who holds a scarce chunk and gave before is asked also for what is due at once', () => {
    for (const linked of [['b', 'c', 'd', 'e'], []]) {
      const rig = new Rig({ tracker: 'up' });
      rig.peer('a', 'aula', [0, 1]);
      rig.wantChunk(1, 9_000);
      rig.deliverAll('a');
      for (const id of linked) rig.peer(id, 'aula', []);
      const others = Array.from({ length: 3 }, () => ChunkSet.none(16));
      if (linked.length === 0) rig.scheduler.setOffered(KEY, others, 4);
      rig.wantChunk(0, 200);
      rig.pass(1_000);
      expect(rig.allInFlight).toBeGreaterThan(0);
    }
  });

  it('the more time there is to pass it on, the fewer do, and nobody where one is enough', () => {
    const takers = (dueInMs: number, listeners: number) => {
      let count = 0;
      for (let seed = 1; seed <= 60; seed++)
        count += waiting({ seed, dueInMs, listeners }).fetches(ORIGIN).length;
      return count;
    };
    expect(takers(800, 200)).toBeGreaterThan(55);
    expect(takers(1_500, 200)).toBeLessThan(30);
    expect(takers(1_500, 200)).toBeGreaterThan(2);
    expect(takers(1_500, 20)).toBe(0);
  });

  it('who told of a part is asked until the origin has to be, and has less time to begin', () => {
    const fellow = (dueInMs: number, isFellow = true) => {
      const rig = new Rig({ tracker: 'up' });
      for (const id of ['b', 'c', 'd', 'e']) rig.peer(id, 'aula', [], WINDOW, 0);
      rig.peer('a', 'aula', isFellow ? [] : [0], WINDOW, 0);
      if (isFellow) rig.run(rig.scheduler.peerHasPart('a', KEY, { chunk: 0, first: 0, count: 1 }, rig.now));
      rig.want({ start: 0, end: BLOCK }, dueInMs);
      return rig;
    };
    const asksFor = (rig: Rig, source: SourceId) => rig.fetches(source).some(({ first }) => first === 0);
    expect(asksFor(fellow(290), 'a')).toBe(true);
    expect(asksFor(fellow(290, false), 'a')).toBe(false);
    const rig = fellow(320);
    rig.pass(90);
    expect(asksFor(rig, ORIGIN)).toBe(false);
    rig.pass(10);
    expect(asksFor(rig, ORIGIN)).toBe(true);
  });

  it('what does not come of one is asked of another that has it too, while it is due soon', () => {
    const late = (dueInMs: number) => {
      const rig = new Rig({ tracker: 'up' });
      for (const id of ['b', 'c', 'd', 'e']) rig.peer(id, 'aula', [], WINDOW, 0);
      for (const id of ['b', 'c'])
        rig.run(rig.scheduler.peerHasPart(id, KEY, { chunk: 0, first: 3, count: 1 }, rig.now));
      rig.want({ start: 3 * BLOCK, end: 4 * BLOCK }, dueInMs);
      return rig;
    };
    const rig = late(600);
    const asked = () => rig.inFlight('b') + rig.inFlight('c');
    expect(asked()).toBe(1);
    rig.pass(110);
    expect(asked()).toBe(1);
    rig.pass(10);
    expect(asked()).toBe(2);
    const patient = late(1_500);
    patient.pass(300);
    expect(patient.inFlight('b') + patient.inFlight('c')).toBe(1);
  });

  it('who has it whole is asked for what the others do not offer', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const rig = new Rig({ tracker: 'up', seed });
      for (const id of ['b', 'c', 'd', 'e']) rig.peer(id, 'aula', []);
      for (const first of [0, 5])
        rig.run(
          rig.scheduler.peerHasPart('b', KEY, { chunk: 0, first, count: first === 0 ? 4 : 3 }, rig.now),
        );
      rig.peer('a', 'aula', [0]);
      rig.wantChunk(0, 9_000);
      expect(rig.fetches('a')[0]?.first).toBe(4);
    }
  });

  it('who has it whole is asked for one block, and for two once it gave', () => {
    const rig = waiting();
    for (const id of ['b', 'c', 'd', 'e', 'a']) rig.peer(id, 'aula', id === 'a' ? [0] : [], WINDOW, 0);
    expect(rig.inFlight('a')).toBe(1);
    rig.deliver('a', 1);
    expect(rig.inFlight('a')).toBe(2);
  });
});

it('what a peer has under way and should have given is asked of the origin at the last moment', () => {
  const rig = new Rig({ tracker: 'up' });
  rig.peer('p', 'aula', [0, 1], 8 * BLOCK);
  rig.wantChunk(1, 9_000);
  rig.deliverAll('p');
  rig.wantChunk(0, 700);
  expect(rig.inFlight('p')).toBe(8);
  rig.pass(400);
  rig.deliver('p', 1);
  rig.pass(100);
  expect(rig.inFlight(ORIGIN)).toBe(0);
  rig.pass(50);
  expect(rig.inFlight(ORIGIN)).toBe(2);
});

it('what a peer has under way that gave and then stands still is asked of the origin while that is in time', () => {
  const rig = new Rig({ tracker: 'up' });
  rig.peer('p', 'aula', [0, 1], 8 * BLOCK);
  rig.wantChunk(1, 9_000);
  rig.deliverAll('p');
  rig.wantChunk(0, 700);
  expect(rig.inFlight('p')).toBe(8);
  rig.pass(400);
  expect(rig.inFlight(ORIGIN)).toBe(0);
  rig.pass(100);
  expect(rig.inFlight(ORIGIN)).toBe(8);
});

it('a peer that owes blocks and says nothing is made to say something, and one that gives is not', () => {
  const rig = new Rig();
  rig.peer('silent', 'aula', [0, 1, 2, 3]);
  rig.peer('giving', 'aula', [8, 9, 10, 11]);
  rig.want({ start: 0, end: SONG.size }, NEVER);
  const nudged = () => rig.log.flatMap((command) => (command.type === 'nudge' ? [command.source] : []));
  for (let step = 0; step < 3; step++) {
    rig.deliver('giving', 1);
    rig.pass(50);
  }
  expect(nudged()).toEqual(['silent', 'silent']);
});

it('blocks may come several at a time from a peer that turned out to be fast, from no other', () => {
  const rig = new Rig();
  rig.peer('p', 'aula', 'all', 16 * BLOCK);
  rig.want({ start: 0, end: SONG.size }, NEVER);
  rig.deliver('p', 40);
  expect(rig.fetches('p').map(({ together }) => together)).not.toContain(true);
  rig.pass(50);
  rig.deliver('p', 1);
  rig.forgetLog();
  rig.deliver('p', 16);
  const fetches = rig.fetches('p');
  expect(fetches.length).toBeGreaterThan(0);
  expect(fetches.every(({ together }) => together)).toBe(true);
});

describe('a line', () => {
  it('is kept free for what is due soon: little else is asked for meanwhile', () => {
    const rig = new Rig();
    for (const id of ['a', 'b', 'c', 'd']) rig.peer(id, 'aula', [4, 5, 6, 7, 8, 9, 10]);
    rig.wantChunk(0, 1_000);
    rig.want({ start: 4 * SONG.chunkSize, end: 11 * SONG.chunkSize }, NEVER);
    const asked = () => ['a', 'b', 'c', 'd'].reduce((sum, id) => sum + rig.inFlight(id), 0);
    expect(asked()).toBe(8);
    rig.pass(800);
    rig.deliver(ORIGIN, 8);
    expect(asked()).toBe(16);
  });
});

describe('a peer not yet tried', () => {
  function asked(dueInMs: number) {
    const rig = new Rig({ tracker: 'up' });
    rig.peer('p', 'aula', [0], WINDOW, 0);
    rig.wantChunk(0, dueInMs);
    return rig;
  }

  it('is asked for what is due soon while the origin could still step in, and the origin then is', () => {
    const rig = asked(500);
    expect(rig.inFlight('p')).toBe(4);
    rig.pass(200);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.pass(100);
    expect(rig.fetches(ORIGIN)[0]).toMatchObject({ chunk: 0, first: 0 });
  });

  it('is not asked for what the origin could not give in time any more', () => {
    const rig = asked(270);
    rig.pass(100);
    expect(rig.inFlight('p')).toBe(0);
    expect(rig.inFlight(ORIGIN)).toBe(8);
  });

  it('is waited for once, and not for long, however long it has been linked', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.peer('p', 'aula', [0]);
    rig.peer('q', 'aula', [0]);
    rig.wantChunk(0, 250);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.pass(100);
    expect(rig.inFlight(ORIGIN)).toBe(0);
    rig.pass(100);
    expect(rig.inFlight(ORIGIN)).toBeGreaterThan(0);
  });

  it('that begins to give is left to go on', () => {
    const rig = asked(500);
    rig.pass(100);
    rig.deliver('p', 1);
    rig.pass(200);
    expect(rig.inFlight('p')).toBeGreaterThan(0);
    expect(rig.fetches(ORIGIN).filter(({ first }) => first < 4)).toEqual([]);
  });
});

it('the next moment of decision is when the origin would have to be asked', () => {
  const rig = tracked();
  rig.wantChunk(3, 5_000);
  expect(rig.scheduler.nextDecisionMs(rig.now, rig.now + 100)).toBeUndefined();
  expect(rig.scheduler.nextDecisionMs(rig.now, rig.now + 5_000)).toBe(rig.now + 4_750);
});

describe('the endgame', () => {
  it('asks a second peer for late blocks when the deadline is near, and cancels the loser at once', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', [0]);
    rig.want({ start: 0, end: 2 * BLOCK }, 900);
    rig.peer('b', 'aula', [0], 16 * WINDOW);
    rig.pass(200);
    expect(rig.fetches('b').some(({ first }) => first < 4)).toBe(false);
    rig.pass(100);
    expect(rig.fetches('b').slice(-2)).toMatchObject([
      { chunk: 0, first: 0, count: 1 },
      { chunk: 0, first: 1, count: 1 },
    ]);
    rig.forgetLog();
    rig.prove('b', 0, 1);
    expect(rig.log).toContainEqual({ type: 'cancel', source: 'a', track: KEY, chunk: 0, first: 1, count: 1 });
    rig.prove('a', 0, 0);
    expect(rig.log).toContainEqual({ type: 'cancel', source: 'b', track: KEY, chunk: 0, first: 0, count: 1 });
  });

  it('does not begin while more than a second is left', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', [0]);
    rig.want({ start: 0, end: 2 * BLOCK }, 1_450);
    rig.peer('b', 'aula', [0], 16 * WINDOW);
    rig.pass(400);
    expect(rig.fetches('b').some(({ first }) => first < 4)).toBe(false);
  });

  it('asks for nothing twice that nobody waits for', () => {
    const rig = new Rig();
    rig.peer('a', 'aula', 'all', 16 * WINDOW);
    rig.wantChunk(0, NEVER);
    rig.peer('b', 'aula', 'all', 16 * WINDOW);
    rig.pass(400);
    expect(rig.fetches('b')).toEqual([]);
  });
});

describe('a failing origin', () => {
  it('is asked again after half a second, then twice as long each time up to thirty', () => {
    const rig = new Rig();
    rig.wantChunk(0, NEVER);
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      rig.failOrigin();
      const failedAt = rig.now;
      rig.passUntil(() => rig.inFlight(ORIGIN) > 0);
      pauses.push(rig.now - failedAt);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('is trusted again as soon as it gives a block', () => {
    const rig = new Rig();
    rig.wantChunk(0, NEVER);
    for (let i = 0; i < 3; i++) {
      rig.failOrigin();
      rig.passUntil(() => rig.inFlight(ORIGIN) > 0);
    }
    rig.deliver(ORIGIN, 1);
    rig.failOrigin();
    rig.pass(500);
    expect(rig.inFlight(ORIGIN)).toBe(7);
  });

  it('leaves those who wait uninformed for three seconds, then tells them', () => {
    const rig = new Rig();
    const id = rig.wantChunk(0, 1_000);
    const told = () => rig.log.filter((command) => command.type === 'unavailable');
    while (rig.now < 3_000) {
      if (rig.inFlight(ORIGIN) > 0) rig.failOrigin();
      expect(told()).toEqual([]);
      rig.pass(100);
    }
    rig.passUntil(() => {
      if (rig.inFlight(ORIGIN) > 0) rig.failOrigin();
      return told().length > 0;
    });
    expect(rig.now).toBeLessThanOrEqual(5_000);
    expect(told()[0]).toEqual({ type: 'unavailable', track: KEY, demands: [id] });
  });

  it('tells nobody while a peer holds what is wanted', () => {
    const rig = new Rig();
    rig.wantChunk(0, 1_000);
    rig.peer('p', 'aula', [0]);
    for (let i = 0; i < 100; i++) {
      if (rig.inFlight(ORIGIN) > 0) rig.failOrigin();
      rig.pass(100);
    }
    expect(rig.log.some((command) => command.type === 'unavailable')).toBe(false);
  });

  it.each<[string, (rig: Rig) => void]>([
    ['holds it and gives nothing today', (rig) => void rig.peer('p', 'aula', [0])],
    [
      'said once that it was fetching it',
      (rig) => {
        rig.peer('p', 'aula', []);
        rig.scheduler.peerFetching('p', KEY, [{ chunk: 0, etaMs: 500 }], rig.now);
      },
    ],
  ])('tells who waits where all there is besides is a peer that %s', (_what, meet) => {
    const rig = new Rig();
    meet(rig);
    const id = rig.wantChunk(0, 1_000);
    rig.passUntil(() => {
      if (rig.inFlight(ORIGIN) > 0) rig.failOrigin();
      if (rig.inFlight('p') > 0)
        rig.run(rig.scheduler.refused('p', KEY, 0, { first: 0, end: 8 }, 'not-giving', rig.now));
      return rig.log.some((command) => command.type === 'unavailable');
    });
    expect(rig.log.findLast((command) => command.type === 'unavailable')).toMatchObject({ demands: [id] });
    expect(rig.now).toBeLessThanOrEqual(6_000);
  });

  it('is not held against later demands when it has not been asked since', () => {
    const rig = tracked();
    rig.wantChunk(0, 500);
    rig.failOrigin();
    rig.run(rig.scheduler.peerHas('p', KEY, [0], [], rig.now));
    rig.deliverAll('p');
    rig.pass(60_000);
    rig.forgetLog();
    rig.wantChunk(1, NEVER);
    rig.pass(200);
    expect(rig.log).toEqual([{ type: 'claim', track: KEY, chunks: [1], most: 1 }]);
  });
});

describe('the listener’s choices', () => {
  it('to prefer the server is obeyed at once', () => {
    const rig = new Rig();
    rig.peer('p', 'aula', 'all');
    rig.run(rig.scheduler.setPolicy({ ...PEERS_FIRST, preferServerOverP2P: true }, rig.now));
    rig.wantChunk(0, 9_000);
    expect(rig.askedSources()).toEqual([ORIGIN]);
  });

  it('to download from no peer takes back what was asked of them, and asks the origin', () => {
    const rig = new Rig({ tracker: 'up' });
    rig.peer('p', 'aula', 'all');
    rig.wantChunk(0, 9_000);
    expect(rig.inFlight('p')).toBe(4);
    rig.run(rig.scheduler.setPolicy({ ...PEERS_FIRST, allowDownloadFromPeers: false }, rig.now));
    expect(rig.inFlight('p')).toBe(0);
    expect(rig.inFlight(ORIGIN)).toBe(8);
    rig.forgetLog();
    rig.wantChunk(1, NEVER);
    expect(rig.askedSources()).toEqual([ORIGIN]);
    expect(claimedIn(rig.log)).toEqual([]);
  });

  it('to download from peers again is obeyed at once', () => {
    const rig = new Rig({ tracker: 'awaited', policy: { ...PEERS_FIRST, allowDownloadFromPeers: false } });
    rig.peer('p', 'aula', 'all');
    rig.want({ start: 0, end: SONG.size }, NEVER);
    expect(rig.inFlight('p')).toBe(0);
    rig.run(rig.scheduler.setPolicy(PEERS_FIRST, rig.now));
    expect(rig.inFlight('p')).toBe(4);
  });
});

describe('without a tracker', () => {
  it.each([2, 3, 8, 20])('exactly one of %i connected listeners fetches each chunk at once', (count) => {
    const ids = Array.from({ length: count }, (_, i) => `nonce-${i}`);
    for (let chunk = 0; chunk < chunkCount(SONG); chunk++) {
      const fetchers = ids.filter((own) => {
        const rig = new Rig({ own });
        for (const id of ids) if (id !== own) rig.peer(id, 'aula', []);
        rig.wantChunk(chunk, NEVER);
        return rig.inFlight(ORIGIN) > 0;
      });
      expect(fetchers).toHaveLength(1);
    }
  });

  it('substitutes step in one after another, a second apart', () => {
    const ids = ['a', 'b', 'c', 'd'];
    const startedMs = ids.map((own) => {
      const rig = new Rig({ own });
      for (const id of ids) if (id !== own) rig.peer(id, 'aula', []);
      rig.wantChunk(0, NEVER);
      rig.passUntil(() => rig.inFlight(ORIGIN) > 0);
      return rig.now;
    });
    expect(startedMs.sort((a, b) => a - b)).toEqual([0, 1_000, 2_000, 3_000]);
  });
});

describe('whatever happens', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'every wanted block is proven while an honest source exists, and the books are right (seed %i)',
    (seed) => {
      weather(seed);
    },
  );
});

/** Peers of every kind come, go, stall and lie; the origin fails now and then. */
function weather(seed: number): void {
  const { next } = seededRandom(seed);
  const rig = new Rig({ tracker: pick(['absent', 'up', 'awaited'], next), seed });
  const kinds = ['honest', 'honest', 'slow', 'mute', 'liar', 'moody', 'forgetful'] as const;
  const kindOf = new Map<SourceId, (typeof kinds)[number]>();
  const ids: number[] = [];
  for (let step = 0; step < 2_400; step++) {
    const dice = next();
    if (dice < 0.02 && kindOf.size < 8) {
      const id = `p${step}`;
      kindOf.set(id, pick(kinds, next));
      const held = Array.from({ length: 16 }, (_, i) => i).filter(() => next() < 0.5);
      rig.peer(id, next() < 0.5 ? 'aula' : 'global', held);
    } else if (dice < 0.03 && kindOf.size > 0) {
      const id = pick([...kindOf.keys()], next);
      kindOf.delete(id);
      rig.lose(id);
      rig.run(rig.scheduler.removePeer(id, rig.now));
    } else if (dice < 0.05) {
      ids.push(rig.wantChunk(Math.floor(next() * 16), next() < 0.5 ? next() * 9_000 : NEVER));
    } else if (dice < 0.06) {
      const id = ids.shift();
      if (id !== undefined) rig.unwant(id);
    } else if (dice < 0.07) {
      const allowDownloadFromPeers = next() < 0.8;
      rig.run(
        rig.scheduler.setPolicy(
          { allowDownloadFromPeers, prioritizeAulaMembers: next() < 0.5, preferServerOverP2P: next() < 0.2 },
          rig.now,
        ),
      );
    } else if (dice < 0.08) {
      rig.run(rig.scheduler.setTracker(pick(['absent', 'up'], next), rig.now));
    } else if (dice < 0.1) {
      rig.claimed(
        claimedIn(rig.log).filter(() => next() < 0.5),
        [],
        2_000,
      );
      rig.forgetLog();
    } else if (dice < 0.12) {
      rig.failOrigin();
    } else if (dice < 0.2) {
      rig.deliver(ORIGIN, 3);
    }
    for (const [id, kind] of [...kindOf]) {
      if (rig.inFlight(id) === 0) continue;
      if (kind === 'honest') rig.deliver(id, 2);
      else if (kind === 'slow' && next() < 0.05) rig.deliver(id, 1);
      else if (kind === 'liar') rig.lie(id);
      else if (kind === 'moody' && next() < 0.3) rig.refuse(id, 'busy');
      else if (kind === 'forgetful' && next() < 0.3) rig.refuse(id, 'not-held');
    }
    rig.pass(50);
  }
  rig.want({ start: 0, end: SONG.size }, NEVER);
  rig.run(rig.scheduler.setTracker('absent', rig.now));
  for (let step = 0; step < 4_000 && rig.scheduler.isBusy; step++) {
    rig.deliver(ORIGIN, 1);
    rig.pass(100);
  }
  expect(rig.scheduler.isBusy).toBe(false);
  expect(rig.allInFlight).toBe(0);

  rig.openTrack(OTHER);
  rig.run(rig.scheduler.setPolicy(PEERS_FIRST, rig.now));
  rig.pass(120_000);
  for (const [id, kind] of kindOf) {
    if (kind === 'liar') continue;
    rig.run(rig.scheduler.peerOpened(id, OTHER, ChunkSet.all(16), rig.now));
    rig.run(rig.scheduler.want(OTHER, 5_000, { start: 0, end: SONG.size }, NEVER, rig.now));
    expect(rig.inFlight(id), `${id}, ${kind}`).toBe(4);
    rig.run(rig.scheduler.unwant(OTHER, 5_000, rig.now));
    rig.run(rig.scheduler.peerShut(id, OTHER, rig.now));
  }
}

// --- A scheduler whose commands are checked and kept ---

interface RigOptions {
  readonly own?: string;
  readonly policy?: SourcePolicy;
  readonly tracker?: TrackerState;
  readonly seed?: number;
}

type Fetch = Extract<SchedulerCommand, { type: 'fetch' }>;

/** A block under way. */
interface Flight {
  readonly track: TrackKey;
  readonly chunk: number;
  readonly block: number;
}

class Rig {
  readonly scheduler: ChunkScheduler;
  now = 0;
  log: SchedulerCommand[] = [];
  /** `chunk/block` of the song. */
  readonly proven = new Set<string>();
  readonly #flights = new Map<SourceId, Flight[]>();
  readonly #windows = new Map<SourceId, number>();
  /** Whether peers answer pings, each second. */
  answersPings = true;
  roundTripMs = 10;
  #nextDemand = 1;

  constructor({ own = 'me', policy = PEERS_FIRST, tracker = 'absent', seed = 1 }: RigOptions = {}) {
    this.scheduler = new ChunkScheduler(own, policy, seededRandom(seed));
    this.openTrack(KEY);
    this.run(this.scheduler.setTracker(tracker, 0));
  }

  openTrack(key: TrackKey): void {
    this.scheduler.openTrack(key, SONG, ChunkSet.none(chunkCount(SONG)));
  }

  /** A peer whose window stays as it is. */
  peer(id: SourceId, tier: Tier, held: 'all' | readonly number[], window = WINDOW, sinceMs = 10_000): void {
    this.#windows.set(id, window);
    this.#flights.set(id, []);
    this.scheduler.addPeer(id, tier, { startBytes: window, maxBytes: window }, this.now - sinceMs);
    const set = held === 'all' ? ChunkSet.all(16) : ChunkSet.of(16, held);
    this.run(this.scheduler.peerOpened(id, KEY, set, this.now));
  }

  want(range: { start: number; end: number }, dueInMs: number): number {
    const id = this.#nextDemand++;
    this.run(this.scheduler.want(KEY, id, range, this.now + dueInMs, this.now));
    return id;
  }

  wantChunk(chunk: number, dueInMs: number): number {
    return this.want(chunkRange(SONG, chunk), dueInMs);
  }

  unwant(id: number): void {
    this.run(this.scheduler.unwant(KEY, id, this.now));
  }

  claimed(
    granted: readonly number[],
    heldBy: [number, string][] = [],
    ttlMs = 30_000,
    heldInVain: readonly number[] = [],
  ): void {
    const answer = { granted, heldBy: new Map(heldBy), heldInVain, ttlMs };
    this.run(this.scheduler.claimed(KEY, answer, this.now));
  }

  /** Checks commands against what is under way, and keeps them. */
  run(commands: readonly SchedulerCommand[]): void {
    for (const command of commands) {
      this.log.push(command);
      if (command.type !== 'fetch' && command.type !== 'cancel') continue;
      const { source, track, chunk, first, count } = command;
      const flights = this.#of(source);
      for (let block = first; block < first + count; block++) {
        const at = flights.findIndex((f) => f.track === track && f.chunk === chunk && f.block === block);
        if (command.type === 'fetch') {
          expect(at, `block ${chunk}/${block} is asked of ${source} twice`).toBe(-1);
          expect(block).toBeLessThan(blockCount(SONG, chunk));
          if (track === KEY) expect(this.proven.has(`${chunk}/${block}`)).toBe(false);
          flights.push({ track, chunk, block });
        } else {
          expect(at, `block ${chunk}/${block} is cancelled at ${source} but not asked of it`).not.toBe(-1);
          flights.splice(at, 1);
        }
      }
      const window = this.#windows.get(source);
      if (window !== undefined) expect(flights.length * BLOCK).toBeLessThanOrEqual(window);
    }
  }

  /** The oldest `blocks` under way from a source arrive and are proven. */
  deliver(source: SourceId, blocks: number): void {
    for (let i = 0; i < blocks; i++) {
      const flight = this.#of(source)[0];
      if (flight === undefined) return;
      this.prove(source, flight.chunk, flight.block, flight.track);
    }
  }

  deliverAll(source: SourceId): void {
    while (this.inFlight(source) > 0) this.deliver(source, 1);
  }

  prove(source: SourceId, chunk: number, block: number, track: TrackKey = KEY): void {
    this.#land(source, chunk, block, track);
    if (track === KEY) this.proven.add(`${chunk}/${block}`);
    this.run(this.scheduler.blocksProven(track, { chunk, first: block, count: 1 }, source, this.now));
  }

  /** The oldest block under way from a peer is wrong. */
  lie(source: SourceId): void {
    const flight = this.#of(source)[0];
    if (flight === undefined) return;
    this.#land(source, flight.chunk, flight.block, flight.track);
    this.run(this.scheduler.lied(flight.track, flight.chunk, flight.block, source, this.now));
  }

  /** A peer refuses all that was asked of it of one chunk. */
  refuse(source: SourceId, reason: 'not-held' | 'busy' | 'not-giving'): void {
    const flight = this.#of(source)[0];
    if (flight === undefined) return;
    const { track, chunk } = flight;
    const span = this.#landChunk(source, track, chunk);
    this.run(this.scheduler.refused(source, track, chunk, span, reason, this.now));
  }

  /** Every request at the origin fails. */
  failOrigin(): void {
    const before = [...this.#of(ORIGIN)];
    for (const { track, chunk } of before) {
      if (!this.#of(ORIGIN).some((f) => f.track === track && f.chunk === chunk)) continue;
      const span = this.#landChunk(ORIGIN, track, chunk);
      this.run(this.scheduler.originFailed(track, chunk, span, this.now));
    }
  }

  /** A source's link is gone: nothing is under way from it. */
  lose(source: SourceId): void {
    this.#flights.set(source, []);
  }

  /** Time passes in tenths of a second. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += Math.min(100, end - this.now);
      if (this.answersPings && this.now % 1_000 === 0)
        for (const id of this.#windows.keys()) this.scheduler.pinged(id, this.roundTripMs, this.now);
      this.run(this.scheduler.tick(this.now));
    }
  }

  passUntil(done: () => boolean): void {
    for (let i = 0; i < 2_000 && !done(); i++) this.pass(100);
    expect(done()).toBe(true);
  }

  inFlight(source: SourceId): number {
    return this.#of(source).length;
  }

  get allInFlight(): number {
    let sum = 0;
    for (const flights of this.#flights.values()) sum += flights.length;
    return sum;
  }

  fetches(source: SourceId): Fetch[] {
    return this.log.flatMap((command) =>
      command.type === 'fetch' && command.source === source ? [command] : [],
    );
  }

  askedChunks(source: SourceId): number[] {
    return this.fetches(source).map(({ chunk }) => chunk);
  }

  askedSources(): SourceId[] {
    return unique(this.log.flatMap((command) => (command.type === 'fetch' ? [command.source] : [])));
  }

  forgetLog(): void {
    this.log = [];
  }

  #of(source: SourceId): Flight[] {
    const flights = this.#flights.get(source) ?? [];
    expect(source === ORIGIN || this.#windows.has(source), `${source} is a source`).toBe(true);
    this.#flights.set(source, flights);
    return flights;
  }

  #land(source: SourceId, chunk: number, block: number, track: TrackKey): void {
    const flights = this.#of(source);
    const at = flights.findIndex((f) => f.track === track && f.chunk === chunk && f.block === block);
    expect(at, `block ${chunk}/${block} was asked of ${source}`).not.toBe(-1);
    flights.splice(at, 1);
  }

  #landChunk(source: SourceId, track: TrackKey, chunk: number): { first: number; end: number } {
    const flights = this.#of(source);
    const gone = flights.filter((f) => f.track === track && f.chunk === chunk).map(({ block }) => block);
    this.#flights.set(
      source,
      flights.filter((f) => f.track !== track || f.chunk !== chunk),
    );
    return { first: Math.min(...gone), end: Math.max(...gone) + 1 };
  }
}

/** A tracker answers, and one peer is linked that holds nothing. */
function tracked(): Rig {
  const rig = new Rig({ tracker: 'up' });
  rig.peer('p', 'aula', []);
  return rig;
}

function leasesIn(log: readonly SchedulerCommand[]): number {
  return log.reduce((sum, command) => sum + (command.type === 'claim' ? command.most : 0), 0);
}

function releasedIn(log: readonly SchedulerCommand[]): number[] {
  return log.flatMap((command) => (command.type === 'release' ? command.chunks : []));
}

function claimedIn(log: readonly SchedulerCommand[]): number[] {
  return log.flatMap((command) => (command.type === 'claim' ? command.chunks : []));
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function pick<T>(values: readonly T[], next: () => number): T {
  const value = values[Math.floor(next() * values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}
