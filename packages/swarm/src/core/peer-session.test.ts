import { describe, expect, it } from 'vitest';
import {
  ChunkSet,
  decodePeerFrame,
  encodePeerFrame,
  LIMITS,
  NO_DEADLINE_MS,
  PEER_PROTOCOL_VERSION,
  type BlockRun,
  type Geometry,
  type PeerFrame,
  type RootHash,
  type TrackId,
} from '@sonantica/wire';
import { seededRandom } from '../testing/seeded-random.ts';
import { PeerSession, type IncomingRequest, type SessionEffect } from './peer-session.ts';
import { trackKey } from './track-key.ts';

const OWN = 'a0'.repeat(16);
const THEIR = 'b0'.repeat(16);
const ID = 'song' as TrackId;
const ROOT = '11'.repeat(32) as RootHash;
const OTHER_ROOT = '22'.repeat(32) as RootHash;
const KEY = trackKey(ID, ROOT);
/** Four chunks of 16 blocks; the last has one short block. */
const SONG: Geometry = { size: 3 * 262_144 + 1_000, chunkSize: 262_144 };
const LEAVES = new Uint8Array(16 * LIMITS.hashBytes).fill(7);
const BLOCK = new Uint8Array(LIMITS.blockBytes).fill(9);

describe('greeting', () => {
  it('sends hello first, with the version and its nonce', () => {
    expect(sent(new PeerSession(OWN, 0).start())).toEqual([
      { type: 'hello', version: PEER_PROTOCOL_VERSION, nonce: OWN },
    ]);
  });

  it('tells the other end’s nonce', () => {
    const session = new PeerSession(OWN, 0);
    const effects = session.receive(hello(THEIR), 0);
    expect(effects).toEqual([{ type: 'greeted', nonce: THEIR }]);
    expect(session.remoteNonce).toBe(THEIR);
  });

  it.each<PeerFrame>([
    { type: 'ping', token: 1 },
    { type: 'open', handle: 1, trackId: ID, root: ROOT, held: ChunkSet.none(4) },
    {
      type: 'request',
      handle: 1,
      chunk: 0,
      first: 0,
      count: 1,
      deadlineMs: 0,
      needsProof: false,
      together: false,
    },
    { type: 'shut', handle: 1 },
  ])('ends a link whose first frame is $type', (frame) => {
    const effects = new PeerSession(OWN, 0).receive(encodePeerFrame(frame), 0);
    expect(faultOf(effects)).toBe('the first frame is hello');
    expect(sent(effects)).toEqual([{ type: 'close', reason: 'misbehaved' }]);
  });

  it('takes a goodbye before the greeting without blame', () => {
    const effects = new PeerSession(OWN, 0).receive(encodePeerFrame({ type: 'close', reason: 'no-room' }), 0);
    expect(effects).toEqual([{ type: 'close', reason: 'closed by the peer: no-room', fault: false }]);
  });

  it('ends a link that greets twice', () => {
    const session = greeted();
    expect(faultOf(session.receive(hello(THEIR), 0))).toBe('a second hello');
  });

  it('ends a link to itself without blame', () => {
    const effects = new PeerSession(OWN, 0).receive(hello(OWN), 0);
    expect(sent(effects)).toEqual([{ type: 'close', reason: 'self' }]);
    expect(effects.at(-1)).toEqual({ type: 'close', reason: 'a link to oneself', fault: false });
    expect(effects.some((effect) => effect.type === 'greeted')).toBe(false);
  });

  it('ends a link of another protocol version without blame', () => {
    const frame = encodePeerFrame({ type: 'hello', version: PEER_PROTOCOL_VERSION + 1, nonce: THEIR });
    const effects = new PeerSession(OWN, 0).receive(frame, 0);
    expect(sent(effects)).toEqual([{ type: 'close', reason: 'version' }]);
    expect(effects.at(-1)).toMatchObject({ type: 'close', fault: false });
  });

  it('hears nothing after the end', () => {
    const { a, b } = linked();
    const news = b.have(KEY, [1]);
    a.close('done');
    expect(deliver(a, news)).toEqual([]);
    expect(a.receive(hello(THEIR), 0)).toEqual([]);
    expect(a.tick(1e6)).toEqual([]);
  });
});

describe('asking ahead of a track', () => {
  const HEAD = { first: 0, count: 6 };

  function proposing(held = ChunkSet.all(4)): PeerSession {
    const session = greeted();
    session.receive(open(1, ROOT, held), 0);
    return session;
  }

  it('opens what the other end takes part in, and asks for its beginning at once', () => {
    const session = proposing();
    expect(session.proposal(ID)?.root).toBe(ROOT);
    expect(sent(session.askAhead(ID, HEAD, 0))).toMatchObject([
      { type: 'open', trackId: ID, root: ROOT, held: ChunkSet.none(4) },
      { type: 'request', handle: 1, chunk: 0, first: 0, count: 6, deadlineMs: 0, needsProof: true },
    ]);
    expect(session.sharedTracks).toEqual([]);
  });

  it.each([
    ['holds no beginning', ChunkSet.of(4, [1, 2])],
    ['is of one chunk, whose length the manifest says', ChunkSet.all(1)],
  ])('asks nothing of what %s', (_, held) => {
    const session = proposing(held);
    expect(session.proposal(ID)).toBeUndefined();
    expect(session.askAhead(ID, HEAD, 0)).toEqual([]);
  });

  it('keeps what comes until the track is opened, and then tells of it in order', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 7);
    expect(session.receive(proof(0), 8)).toEqual([]);
    expect(session.receive(block(0, 0), 9)).toEqual([]);
    session.receive(encodePeerFrame({ type: 'have', handle: 1, chunks: [], lost: [3] }), 9);
    const effects = session.open(ID, ROOT, SONG, ChunkSet.of(4, [2]), 0);
    expect(sent(effects)).toEqual([{ type: 'have', handle: 1, chunks: [2], lost: [] }]);
    expect(openedOf(effects)).toEqual([[KEY, [0, 1, 2]]]);
    expect(effects.slice(-3)).toMatchObject([
      { type: 'asked-ahead', track: KEY, run: { chunk: 0, ...HEAD }, sinceMs: 7 },
      { type: 'proof', track: KEY, chunk: 0 },
      { type: 'block', track: KEY, chunk: 0, block: 0 },
    ]);
    expect(session.receive(block(0, 1), 10)).toMatchObject([{ type: 'block', block: 1 }]);
    expect(faultOf(session.receive(block(0, 6), 10))).toBe('a block that was not asked for');
  });

  it('asks for one version of a track, whichever others the other end takes part in', () => {
    const session = proposing();
    session.receive(open(2, OTHER_ROOT, ChunkSet.all(4)), 0);
    expect(session.isAskedAhead(ID)).toBe(false);
    session.askAhead(ID, HEAD, 0);
    expect(session.isAskedAhead(ID)).toBe(true);
    expect(session.proposal(ID)).toBeUndefined();
    expect(session.askAhead(ID, HEAD, 0)).toEqual([]);
    session.dropAhead(ID);
    expect(session.isAskedAhead(ID)).toBe(false);
  });

  it('tells of a refusal once the track is opened', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 0);
    const run = { chunk: 0, ...HEAD };
    expect(
      session.receive(encodePeerFrame({ type: 'refuse', handle: 1, ...run, reason: 'busy' }), 0),
    ).toEqual([]);
    expect(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0).at(-1)).toMatchObject({
      type: 'refused',
      ...run,
    });
  });

  it('keeps no more of refusals than was asked for, however many come', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 0);
    for (let i = 0; i < 10_000; i++)
      session.receive(refuse({ chunk: (i >> 3) % 4, first: i % 8, count: 1 }), 0);
    const refused = session
      .open(ID, ROOT, SONG, ChunkSet.none(4), 0)
      .filter(({ type }) => type === 'refused');
    expect(refused).toHaveLength(HEAD.count);
  });

  it('forgets what is refused of what nobody waits for yet, so that it can be asked for again', () => {
    const session = proposing();
    expect(sent(session.askAhead(ID, HEAD, 0, 9_000)).at(-1)).toMatchObject({ deadlineMs: 9_000 });
    session.receive(block(0, 0), 0);
    const refusal = { type: 'refuse', handle: 1, chunk: 0, first: 1, count: 5, reason: 'busy' } as const;
    expect(sent(session.receive(encodePeerFrame(refusal), 0))).toEqual([{ type: 'shut', handle: 1 }]);
    expect(session.isAskedAhead(ID)).toBe(false);
    expect(session.proposal(ID)?.root).toBe(ROOT);
    expect(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0).some(({ type }) => type === 'block')).toBe(
      false,
    );
  });

  it('leaves a track once its head came early, and keeps that for who opens it', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 0, 9_000);
    for (let i = 0; i < 6; i++) expect(session.receive(block(0, i), 1)).toEqual([]);
    expect(sent(session.receive(proof(0), 2))).toEqual([{ type: 'shut', handle: 1 }]);
    expect([session.isAskedAhead(ID), session.owesAhead(ID)]).toEqual([true, false]);
    expect(session.proposal(ID)).toBeUndefined();
    session.receive(encodePeerFrame({ type: 'shut', handle: 1 }), 3);
    const effects = session.open(ID, ROOT, SONG, ChunkSet.none(4), 4);
    expect(sent(effects)).toMatchObject([{ type: 'open', handle: 2 }]);
    expect(effects.filter(({ type }) => type === 'block')).toHaveLength(6);
    expect(session.isAskedAhead(ID)).toBe(false);
    session.shut(KEY);
    expect(session.open(ID, ROOT, SONG, ChunkSet.none(4), 5).some(({ type }) => type === 'block')).toBe(
      false,
    );
  });

  it('keeps no head that came early of a track with another number of chunks, or that nobody wants', () => {
    const early = (held?: ChunkSet) => {
      const session = proposing(held);
      session.askAhead(ID, HEAD, 0, 9_000);
      session.receive(proof(0), 1);
      for (let i = 0; i < 6; i++) session.receive(block(0, i), 1);
      return session;
    };
    const blocks = (session: PeerSession) =>
      session.open(ID, ROOT, SONG, ChunkSet.none(4), 2).filter(({ type }) => type === 'block').length;
    expect(blocks(early())).toBe(6);
    expect(blocks(early(ChunkSet.all(9)))).toBe(0);
    const dropped = early();
    expect(dropped.dropAhead(ID)).toEqual([]);
    expect(dropped.isAskedAhead(ID)).toBe(false);
    expect(blocks(dropped)).toBe(0);
  });

  it('owes what was asked for early until the last of it came, the proof too', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 0, 9_000);
    for (let i = 0; i < 6; i++) session.receive(block(0, i), 1);
    expect([session.isAskedAhead(ID), session.owesAhead(ID)]).toEqual([true, true]);
    session.receive(proof(0), 1);
    expect(session.owesAhead(ID)).toBe(false);
    const urgent = proposing();
    urgent.askAhead(ID, HEAD, 0);
    expect([urgent.isAskedAhead(ID), urgent.owesAhead(ID)]).toEqual([true, false]);
  });

  it('counts the time of what was asked for early from when it is wanted', () => {
    const since = (come: number, dueInMs: number) => {
      const session = proposing();
      session.askAhead(ID, HEAD, 100, dueInMs);
      session.receive(proof(0), 105);
      for (let i = 0; i < come; i++) session.receive(block(0, i), 110 + i);
      const effects = session.open(ID, ROOT, SONG, ChunkSet.none(4), 7_000);
      return effects.flatMap((effect) => (effect.type === 'asked-ahead' ? [effect.sinceMs] : []));
    };
    expect(since(6, Number.POSITIVE_INFINITY)).toEqual([7_000]);
    expect(since(5, Number.POSITIVE_INFINITY)).toEqual([7_000]);
    expect(since(6, 0)).toEqual([100]);
  });

  it('is taken back without blame for what is under way', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 0);
    expect(sent(session.dropAhead(ID))).toEqual([{ type: 'shut', handle: 1 }]);
    expect(session.receive(block(0, 0), 0)).toEqual([]);
    expect(session.dropAhead(ID)).toEqual([]);
    expect(openedOf(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0))).toEqual([[KEY, [0, 1, 2, 3]]]);
  });

  it('ends when the other end shuts the track', () => {
    const session = proposing();
    session.askAhead(ID, HEAD, 0);
    const effects = session.receive(encodePeerFrame({ type: 'shut', handle: 1 }), 0);
    expect(sent(effects)).toEqual([{ type: 'shut', handle: 1 }]);
    expect(openedOf(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0))).toEqual([]);
  });

  it('begins anew where the track has another number of chunks than the other end says', () => {
    const session = proposing(ChunkSet.all(9));
    session.askAhead(ID, HEAD, 0);
    session.receive(block(0, 0), 0);
    const effects = session.open(ID, ROOT, SONG, ChunkSet.none(4), 0);
    expect(sent(effects).map(({ type }) => type)).toEqual(['shut', 'open']);
    expect(effects.some(({ type }) => type === 'block' || type === 'opened')).toBe(false);
  });

  it('leaves a track that is open as it is', () => {
    const { a } = linked();
    expect(a.askAhead(ID, HEAD, 0)).toEqual([]);
    expect(a.dropAhead(ID)).toEqual([]);
  });
});

describe('opening tracks', () => {
  it('tells which track the other end came to last, of those it did not leave', () => {
    const session = greeted();
    expect(session.latestTrack).toBeUndefined();
    session.receive(open(1, ROOT, ChunkSet.none(4)), 0);
    session.receive(
      encodePeerFrame({
        type: 'open',
        handle: 2,
        trackId: 'other' as TrackId,
        root: ROOT,
        held: ChunkSet.none(4),
      }),
      0,
    );
    expect(session.latestTrack).toBe('other');
    session.receive(encodePeerFrame({ type: 'shut', handle: 2 }), 0);
    expect(session.latestTrack).toBe(ID);
  });

  it('tells what the other end holds, whoever opened first', () => {
    const first = greeted();
    first.open(ID, ROOT, SONG, ChunkSet.none(4), 0);
    const late = first.receive(open(1, ROOT, ChunkSet.of(4, [2])), 0);
    expect(openedOf(late)).toEqual([[KEY, [2]]]);

    const second = greeted();
    expect(openedOf(second.receive(open(1, ROOT, ChunkSet.of(4, [2])), 0))).toEqual([]);
    expect(openedOf(second.open(ID, ROOT, SONG, ChunkSet.none(4), 0))).toEqual([[KEY, [2]]]);
    expect(second.sharedTracks).toEqual([KEY]);
  });

  it('tells of a shared track once, also when further tracks are opened', () => {
    const { a } = linked();
    const effects = a.open('other' as TrackId, OTHER_ROOT, SONG, ChunkSet.none(4), 0);
    expect(openedOf(effects)).toEqual([]);
  });

  it('counts what was announced before both had the track open', () => {
    const session = greeted();
    session.receive(open(1, ROOT, ChunkSet.none(4)), 0);
    session.receive(encodePeerFrame({ type: 'have', handle: 1, chunks: [0, 3], lost: [] }), 0);
    session.receive(encodePeerFrame({ type: 'have', handle: 1, chunks: [], lost: [0] }), 0);
    expect(openedOf(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0))).toEqual([[KEY, [3]]]);
  });

  it('hands out a set of its own: changing it changes nothing here', () => {
    const session = greeted();
    session.receive(open(1, ROOT, ChunkSet.none(4)), 0);
    for (const effect of session.open(ID, ROOT, SONG, ChunkSet.none(4), 0))
      if (effect.type === 'opened') effect.held.add(0);
    session.shut(KEY);
    expect(openedOf(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0))).toEqual([[KEY, []]]);
  });

  it('refuses another version of a track it has, without penalty', () => {
    const session = greeted();
    session.open(ID, ROOT, SONG, ChunkSet.none(4), 0);
    const effects = session.receive(open(1, OTHER_ROOT, ChunkSet.all(4)), 0);
    expect(sent(effects)).toEqual([
      { type: 'refuse', handle: 1, chunk: 0, first: 0, count: 0, reason: 'other-version' },
    ]);
    expect(effects).toHaveLength(1);
  });

  it('refuses the same root with another chunk count, and does not share it', () => {
    const session = greeted();
    session.open(ID, ROOT, SONG, ChunkSet.none(4), 0);
    const effects = session.receive(open(1, ROOT, ChunkSet.all(8)), 0);
    expect(sent(effects)).toMatchObject([{ type: 'refuse', reason: 'other-version' }]);
    expect(session.sharedTracks).toEqual([]);
    const have = session.receive(encodePeerFrame({ type: 'have', handle: 1, chunks: [7], lost: [] }), 0);
    expect(have).toEqual([]);
    expect(sent(session.receive(request(1, { chunk: 0, first: 0, count: 1 }), 0))).toMatchObject([
      { type: 'refuse', reason: 'not-held' },
    ]);
  });

  it('takes 64 tracks and refuses the next', () => {
    const session = greeted();
    for (let handle = 1; handle <= LIMITS.maxOpenTracks; handle++)
      expect(session.receive(openAs(handle, `t${handle}`), 0)).toMatchObject([{ type: 'proposed' }]);
    expect(sent(session.receive(openAs(65, 't65'), 0))).toEqual([
      { type: 'refuse', handle: 65, chunk: 0, first: 0, count: 0, reason: 'too-many-tracks' },
    ]);
    session.receive(encodePeerFrame({ type: 'shut', handle: 1 }), 0);
    expect(session.receive(openAs(66, 't66'), 0)).toMatchObject([{ type: 'proposed' }]);
  });

  it('opens 64 tracks itself and no more', () => {
    const session = greeted();
    for (let i = 0; i < LIMITS.maxOpenTracks; i++)
      expect(sent(session.open(`t${i}` as TrackId, ROOT, SONG, ChunkSet.none(4), 0))).toHaveLength(1);
    expect(session.open('one-more' as TrackId, ROOT, SONG, ChunkSet.none(4), 0)).toEqual([]);
  });

  it('never uses a handle again', () => {
    const session = greeted();
    const handles = [0, 1, 2].map(() => {
      const [frame] = sent(session.open(ID, ROOT, SONG, ChunkSet.none(4), 0));
      session.shut(KEY);
      return frame?.type === 'open' ? frame.handle : undefined;
    });
    expect(new Set(handles).size).toBe(3);
  });

  it.each([1, 2])('ends a link that uses handle %i after handle 2', (handle) => {
    const session = greeted();
    session.receive(open(2, ROOT, ChunkSet.none(4)), 0);
    session.receive(encodePeerFrame({ type: 'shut', handle: 2 }), 0);
    expect(faultOf(session.receive(open(handle, ROOT, ChunkSet.none(4)), 0))).toBe('a handle was used again');
  });

  it('ignores shut, have and fetching of handles it does not know', () => {
    const session = greeted();
    expect(session.receive(encodePeerFrame({ type: 'shut', handle: 9 }), 0)).toEqual([]);
    expect(session.receive(encodePeerFrame({ type: 'have', handle: 9, chunks: [1e6], lost: [] }), 0)).toEqual(
      [],
    );
    const fetching = encodePeerFrame({ type: 'fetching', handle: 9, chunks: [{ chunk: 1, etaMs: 1 }] });
    expect(session.receive(fetching, 0)).toEqual([]);
  });
});

describe('news of chunks', () => {
  it('passes on what was proven, lost and is being fetched', () => {
    const { a, b } = linked();
    expect(deliver(a, b.have(KEY, [1, 2], [3]))).toEqual([
      { type: 'have', track: KEY, chunks: [1, 2], lost: [3] },
    ]);
    expect(deliver(a, b.fetching(KEY, 3, 700))).toEqual([
      { type: 'fetching', track: KEY, chunks: [{ chunk: 3, etaMs: 700 }] },
    ]);
  });

  it.each([
    [3, false],
    [4, true],
    [0xffff_ffff, true],
  ])('of a track of four chunks, chunk %i ends the link: %s', (chunk, ends) => {
    for (const news of [
      { chunks: [chunk], lost: [] },
      { chunks: [], lost: [chunk] },
    ]) {
      const { a } = linked();
      const effects = a.receive(encodePeerFrame({ type: 'have', handle: 1, ...news }), 0);
      expect(faultOf(effects)).toBe(ends ? 'a chunk beyond the track' : undefined);
    }
  });
});

describe('asking', () => {
  it('asks for a proof once while it is due', () => {
    const { a } = linked();
    const asked = [
      ...a.request(KEY, { chunk: 0, first: 0, count: 4 }, 100, false),
      ...a.request(KEY, { chunk: 0, first: 4, count: 4 }, 100, false),
      ...a.request(KEY, { chunk: 1, first: 0, count: 4 }, 100, true),
    ];
    expect(sent(asked).map((frame) => frame.type === 'request' && frame.needsProof)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it.each([
    [99.6, 100],
    [-5, 0],
    [Number.POSITIVE_INFINITY, NO_DEADLINE_MS],
    [1e12, NO_DEADLINE_MS - 1],
  ])('says that blocks are due in %d ms as %d', (dueInMs, deadlineMs) => {
    const { a } = linked();
    expect(sent(a.request(KEY, { chunk: 0, first: 0, count: 1 }, dueInMs, true))).toMatchObject([
      { type: 'request', deadlineMs },
    ]);
  });

  it('asks nothing of a track it has not open', () => {
    expect(greeted().request(KEY, { chunk: 0, first: 0, count: 1 }, 0, true)).toEqual([]);
  });

  it('hands on blocks and proofs that were asked for, in any order', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 2, count: 2 }, 100, false);
    expect(a.receive(block(0, 3), 0)).toEqual([
      { type: 'block', track: KEY, chunk: 0, block: 3, bytes: BLOCK },
    ]);
    expect(a.receive(proof(0), 0)).toEqual([{ type: 'proof', track: KEY, chunk: 0, leaves: LEAVES }]);
    expect(a.receive(block(0, 2), 0)).toMatchObject([{ type: 'block', block: 2 }]);
  });

  it.each<[string, (session: PeerSession) => SessionEffect[]]>([
    ['a block never asked for', (a) => a.receive(block(0, 5), 0)],
    ['a block of another chunk', (a) => a.receive(block(1, 0), 0)],
    ['the same block twice', (a) => (a.receive(block(0, 0), 0), a.receive(block(0, 0), 0))],
    ['a block of a handle never given', (a) => a.receive(block(0, 0, 7), 0)],
    ['a block of handle 0', (a) => a.receive(block(0, 0, 0), 0)],
    ['a proof never asked for', (a) => a.receive(proof(1), 0)],
    ['the same proof twice', (a) => (a.receive(proof(0), 0), a.receive(proof(0), 0))],
    ['a proof of a handle never given', (a) => a.receive(proof(0, 7), 0)],
    ['a refusal of a handle never given', (a) => a.receive(refuse({ chunk: 0, first: 0, count: 1 }, 7), 0)],
  ])('ends a link for %s', (_what, misbehave) => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, false);
    expect(faultOf(misbehave(a))).toBeDefined();
  });

  it('drops a block that comes late after it was taken back, once and without blame', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, true);
    expect(sent(a.cancel(KEY, { chunk: 0, first: 0, count: 2 }))).toEqual([
      { type: 'cancel', handle: 1, chunk: 0, first: 0, count: 2 },
    ]);
    expect(a.receive(block(0, 0), 0)).toEqual([]);
    expect(faultOf(a.receive(block(0, 0), 0))).toBe('a block that was not asked for');
  });

  it('bears both copies of a block that was taken back while under way and asked for again', () => {
    const { a } = linked();
    const run = { chunk: 0, first: 0, count: 1 };
    for (let time = 0; time < 3; time++) {
      a.request(KEY, run, 100, true);
      if (time < 2) a.cancel(KEY, run);
    }
    expect(a.receive(block(0, 0), 0)).toMatchObject([{ type: 'block', block: 0 }]);
    expect(a.receive(block(0, 0), 0)).toEqual([]);
    expect(a.receive(block(0, 0), 0)).toEqual([]);
    expect(faultOf(a.receive(block(0, 0), 0))).toBe('a block that was not asked for');
  });

  it('asks for the proof again after everything of the chunk was taken back before it came', () => {
    const { a } = linked();
    const run = { chunk: 0, first: 0, count: 2 };
    a.request(KEY, run, 100, false);
    a.cancel(KEY, run);
    expect(sent(a.request(KEY, run, 100, false))).toMatchObject([{ needsProof: true }]);
    expect(a.receive(proof(0), 0)).toMatchObject([{ type: 'proof' }]);
    expect(a.receive(proof(0), 0)).toEqual([]);
    expect(faultOf(a.receive(proof(0), 0))).toBe('a proof that was not asked for');
  });

  it('does not ask for the proof again while other blocks of the chunk bring it', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, false);
    a.request(KEY, { chunk: 0, first: 2, count: 2 }, 100, false);
    a.cancel(KEY, { chunk: 0, first: 0, count: 2 });
    const again = a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, false);
    expect(sent(again)).toMatchObject([{ needsProof: false }]);
  });

  it('tells of a refusal, and bears blocks of it that overtook or follow it', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 4 }, 100, true);
    a.receive(block(0, 0), 0);
    expect(a.receive(refuse({ chunk: 0, first: 0, count: 4 }), 0)).toEqual([
      { type: 'refused', track: KEY, chunk: 0, first: 0, count: 4, reason: 'busy' },
    ]);
    expect(a.receive(block(0, 1), 0)).toEqual([]);
  });

  it('does not hear what is refused unasked, twice, or after it was taken back', () => {
    const { a } = linked();
    const run = { chunk: 0, first: 0, count: 2 };
    expect(a.receive(refuse(run), 0)).toEqual([]);
    a.request(KEY, run, 100, true);
    expect(a.receive(refuse({ chunk: 1, first: 0, count: 2 }), 0)).toEqual([]);
    expect(a.receive(refuse({ chunk: 0, first: 2, count: 65_535 }), 0)).toEqual([]);
    expect(a.receive(refuse(run), 0)).toHaveLength(1);
    expect(a.receive(refuse(run), 0)).toEqual([]);
    a.request(KEY, run, 100, true);
    a.cancel(KEY, run);
    expect(a.receive(refuse(run), 0)).toEqual([]);
  });

  it('bears the proof of one request after another of the same chunk was refused', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, false);
    a.request(KEY, { chunk: 0, first: 2, count: 2 }, 100, false);
    a.receive(refuse({ chunk: 0, first: 2, count: 2 }), 0);
    expect(a.receive(proof(0), 0)).toMatchObject([{ type: 'proof' }]);
  });

  it('bears answers to a track that it shut meanwhile', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, false);
    expect(sent(a.shut(KEY))).toEqual([{ type: 'shut', handle: 1 }]);
    for (const frame of [block(0, 0), proof(0), refuse({ chunk: 0, first: 1, count: 1 })])
      expect(a.receive(frame, 0)).toEqual([]);
  });

  it('bears answers to a track that the other end shut with blocks under way', () => {
    const { a, b } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 2 }, 100, false);
    expect(deliver(a, b.shut(KEY))).toEqual([{ type: 'shut', track: KEY }]);
    expect(a.receive(block(0, 0), 0)).toEqual([]);
    expect(a.receive(proof(0), 0)).toEqual([]);
    expect(a.sharedTracks).toEqual([]);
  });
});

describe('being asked', () => {
  it('tells who asks for what, by when, and how many bytes that is', () => {
    const { a } = linked();
    expect(askedOf(a.receive(request(1, { chunk: 3, first: 0, count: 1 }, 250), 1_000))).toMatchObject([
      { track: KEY, handle: 1, chunk: 3, first: 0, count: 1, bytes: 1_000, deadlineMs: 1_250 },
    ]);
    expect(askedOf(a.receive(request(1, { chunk: 0, first: 0, count: 16 }), 0))).toMatchObject([
      { bytes: 262_144, deadlineMs: Number.POSITIVE_INFINITY },
    ]);
    expect(a.incoming.size).toBe(2);
  });

  it.each<[BlockRun, boolean]>([
    [{ chunk: 0, first: 15, count: 1 }, false],
    [{ chunk: 0, first: 15, count: 2 }, true],
    [{ chunk: 0, first: 16, count: 1 }, true],
    [{ chunk: 3, first: 0, count: 1 }, false],
    [{ chunk: 3, first: 0, count: 2 }, true],
    [{ chunk: 4, first: 0, count: 1 }, true],
    [{ chunk: 0, first: 0, count: 65_535 }, true],
  ])('asked for %j ends the link: %s', (run, ends) => {
    const { a } = linked();
    expect(faultOf(a.receive(request(1, run), 0))).toBe(ends ? 'a request beyond the track' : undefined);
  });

  it('refuses requests for a track it has not open', () => {
    const session = greeted();
    session.receive(open(1, ROOT, ChunkSet.none(4)), 0);
    expect(sent(session.receive(request(1, { chunk: 0, first: 0, count: 1 }), 0))).toEqual([
      { type: 'refuse', handle: 1, chunk: 0, first: 0, count: 1, reason: 'not-held' },
    ]);
  });

  it('takes 64 requests and answers busy to the next, until one is served', () => {
    const { a } = linked();
    const asked: IncomingRequest[] = [];
    for (let i = 0; i < LIMITS.maxOutstandingRequests; i++)
      asked.push(...askedOf(a.receive(request(1, { chunk: 0, first: 0, count: 1 }), 0)));
    expect(asked).toHaveLength(64);
    const over = a.receive(request(1, { chunk: 0, first: 2, count: 1 }), 0);
    expect(over).toHaveLength(1);
    expect(sent(over)).toMatchObject([{ type: 'refuse', first: 2, reason: 'busy' }]);
    const [oldest] = asked;
    if (oldest !== undefined) a.served(oldest);
    expect(askedOf(a.receive(request(1, { chunk: 0, first: 2, count: 1 }), 0))).toHaveLength(1);
  });

  it('takes 4 MiB of requests and answers busy to one block more', () => {
    const { a } = linked();
    for (let i = 0; i < 16; i++)
      expect(askedOf(a.receive(request(1, { chunk: i % 3, first: 0, count: 16 }), 0))).toHaveLength(1);
    expect(sent(a.receive(request(1, { chunk: 3, first: 0, count: 1 }), 0))).toMatchObject([
      { type: 'refuse', reason: 'busy' },
    ]);
    a.receive(cancel(1, { chunk: 0, first: 0, count: 1 }), 0);
    expect(askedOf(a.receive(request(1, { chunk: 3, first: 0, count: 1 }), 0))).toHaveLength(1);
  });

  it('writes every block into the same memory, a short one into a part of it', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 0, count: 2 });
    const frames = [BLOCK, BLOCK.subarray(0, 10)].flatMap((bytes, at) =>
      a.sendBlocks(asked, at, bytes).map((effect) => (effect.type === 'send' ? effect.frame : undefined)),
    );
    expect(frames.map((frame) => frame?.length)).toEqual([11 + BLOCK.length, 11 + 10]);
    expect(frames[1]?.buffer).toBe(frames[0]?.buffer);
  });

  it('takes several blocks out of one frame, each by itself, and blames for one that was not asked for', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 2, count: 3 }, 100, true, true);
    a.cancel(KEY, { chunk: 0, first: 3, count: 1 });
    const three = new Uint8Array(2 * LIMITS.blockBytes + 10).fill(1);
    three.fill(2, LIMITS.blockBytes).fill(3, 2 * LIMITS.blockBytes);
    const frame = encodePeerFrame({ type: 'block', handle: 1, chunk: 0, block: 2, bytes: three });
    const blocks = a.receive(frame, 0).map((effect) => (effect.type === 'block' ? effect : undefined));
    // What was taken back meanwhile is dropped without blame.
    expect(blocks.map((each) => [each?.block, each?.bytes[0], each?.bytes.length])).toEqual([
      [2, 1, LIMITS.blockBytes],
      [4, 3, 10],
    ]);
    a.request(KEY, { chunk: 0, first: 2, count: 2 }, 100, true, true);
    expect(faultOf(a.receive(frame, 0))).toBe('a block that was not asked for');
  });

  it('sends several blocks of a request in one frame, and goes on after them', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 0, count: 4 });
    const bytes = new Uint8Array(3 * LIMITS.blockBytes).fill(7);
    expect(sent(a.sendBlocks(asked, 0, bytes))).toEqual([
      { type: 'block', handle: 1, chunk: 0, block: 0, bytes },
    ]);
    expect(asked.nextBlock).toBe(3);
  });

  it('sends proof and blocks under the asker’s handle, blocks on their own lane', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 0, count: 2 });
    expect(a.sendProof(asked, LEAVES)).toEqual([{ type: 'send', frame: proof(0, 1), lane: 'control' }]);
    expect(a.sendBlocks(asked, 0, BLOCK)).toEqual([{ type: 'send', frame: block(0, 0, 1), lane: 'blocks' }]);
  });

  it('sends nothing more of a request that was taken back', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 0, count: 4 });
    expect(a.receive(cancel(1, { chunk: 0, first: 0, count: 16 }), 0)).toEqual([]);
    expect(asked.cancelled).toBe(true);
    expect(a.incoming.size).toBe(0);
    expect([
      ...a.sendProof(asked, LEAVES),
      ...a.sendBlocks(asked, 0, BLOCK),
      ...a.refuse(asked, 'busy'),
    ]).toEqual([]);
  });

  it('says which request is due first, whatever came, was served, declined or taken back since', () => {
    const { a } = linked();
    const ask = (block: number, dueInMs: number) =>
      a.receive(request(1, { chunk: 0, first: block, count: 1 }, dueInMs), 0);
    const dueFirst = () => a.nextRequest?.first;
    const next = () => a.nextRequest ?? expect.fail('nobody asks');
    expect(dueFirst()).toBeUndefined();
    ask(0, 500);
    ask(1, 500);
    expect(dueFirst()).toBe(0);
    ask(2, 400);
    ask(3, 600);
    expect(dueFirst()).toBe(2);
    a.served(next());
    expect(dueFirst()).toBe(0);
    a.receive(cancel(1, { chunk: 0, first: 0, count: 1 }), 0);
    expect(dueFirst()).toBe(1);
    a.refuse(next(), 'busy');
    expect(dueFirst()).toBe(3);
    a.receive(encodePeerFrame({ type: 'shut', handle: 1 }), 0);
    expect(dueFirst()).toBeUndefined();
  });

  it('keeps what is left of a request when part of it is taken back', () => {
    const { a } = askedFor({ chunk: 0, first: 2, count: 8 });
    const left = askedOf(a.receive(cancel(1, { chunk: 0, first: 4, count: 2 }), 0));
    expect(left.map(({ first, count, bytes }) => ({ first, count, bytes }))).toEqual([
      { first: 2, count: 2, bytes: 2 * LIMITS.blockBytes },
      { first: 6, count: 4, bytes: 4 * LIMITS.blockBytes },
    ]);
    expect([...a.incoming]).toEqual(left);
  });

  it('does not touch requests of other chunks or blocks', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 2, count: 2 });
    for (const run of [
      { chunk: 1, first: 2, count: 2 },
      { chunk: 0, first: 0, count: 2 },
      { chunk: 0, first: 4, count: 2 },
    ])
      expect(a.receive(cancel(1, run), 0)).toEqual([]);
    expect(asked.cancelled).toBe(false);
  });

  it('sends no block twice when part of a half-served request is taken back', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 0, count: 8 });
    a.sendProof(asked, LEAVES);
    for (const at of [0, 1, 2]) a.sendBlocks(asked, at, BLOCK);
    const left = askedOf(a.receive(cancel(1, { chunk: 0, first: 5, count: 1 }), 0));
    expect(left.map(({ first, count }) => [first, count])).toEqual([
      [3, 2],
      [6, 2],
    ]);
  });

  it('sends the proof once when a request is cut in two before or after it', () => {
    const before = askedFor({ chunk: 0, first: 0, count: 8 });
    const cut = before.a.receive(cancel(1, { chunk: 0, first: 3, count: 1 }), 0);
    expect(askedOf(cut).filter(({ needsProof }) => needsProof)).toHaveLength(1);

    const after = askedFor({ chunk: 0, first: 0, count: 8 });
    after.a.sendProof(after.asked, LEAVES);
    const rest = after.a.receive(cancel(1, { chunk: 0, first: 3, count: 1 }), 0);
    expect(askedOf(rest).filter(({ needsProof }) => needsProof)).toHaveLength(0);
  });

  it('sends the proof with another request of the chunk when the one that asked for it is taken back', () => {
    const { a } = askedFor({ chunk: 0, first: 0, count: 2 });
    const [other] = askedOf(a.receive(request(1, { chunk: 0, first: 2, count: 2 }), 0));
    expect(other?.needsProof).toBe(false);
    a.receive(cancel(1, { chunk: 0, first: 0, count: 2 }), 0);
    expect(other?.needsProof).toBe(true);
  });

  it('refuses only what it has not sent', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 2, count: 4 });
    a.sendBlocks(asked, 2, BLOCK);
    expect(sent(a.refuse(asked, 'over-budget'))).toEqual([
      { type: 'refuse', handle: 1, chunk: 0, first: 3, count: 3, reason: 'over-budget' },
    ]);
    expect(a.incoming.size).toBe(0);
  });

  it('takes back everything the other end asked of a track it shuts', () => {
    const { a, asked } = askedFor({ chunk: 0, first: 0, count: 4 });
    expect(a.receive(encodePeerFrame({ type: 'shut', handle: 1 }), 0)).toEqual([
      { type: 'shut', track: KEY },
    ]);
    expect(asked.cancelled).toBe(true);
    expect(a.incoming.size).toBe(0);
  });
});

describe('an asker and a giver together', () => {
  it('stay friends through requests, cancels in mid-run, refusals and shuts in random order', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const fault = playTogether(random.next);
      expect(fault, `seed ${seed}`).toBeUndefined();
    }
  });
});

describe('liveness', () => {
  it('pings a link idle for 5 s and ends it 5 s after an unanswered ping', () => {
    const session = greeted(1_000);
    expect(session.tick(5_999)).toEqual([]);
    expect(sent(session.tick(6_000))).toMatchObject([{ type: 'ping' }]);
    expect(session.tick(10_999)).toEqual([]);
    expect(session.tick(11_000)).toEqual([{ type: 'close', reason: 'no answer to a ping', fault: false }]);
  });

  it('measures the round trip by the answer and goes on', () => {
    const session = greeted();
    const [ping] = sent(session.tick(5_000));
    if (ping?.type !== 'ping') throw new Error('no ping');
    expect(session.receive(encodePeerFrame({ type: 'pong', token: ping.token + 1 }), 5_020)).toEqual([]);
    expect(session.receive(encodePeerFrame({ type: 'pong', token: ping.token }), 5_040)).toEqual([
      { type: 'pinged', roundTripMs: 40 },
    ]);
    expect(session.tick(10_039)).toEqual([]);
    expect(sent(session.tick(10_040))).toMatchObject([{ type: 'ping' }]);
  });

  it('does not end a link over which something still comes, though its pong is late', () => {
    const session = greeted();
    const have = encodePeerFrame({ type: 'have', handle: 9, chunks: [], lost: [] });
    expect(sent(session.tick(5_000))).toMatchObject([{ type: 'ping' }]);
    session.receive(have, 9_000);
    expect(session.tick(13_999)).toEqual([]);
    expect(session.tick(14_000)).toEqual([{ type: 'close', reason: 'no answer to a ping', fault: false }]);
  });

  it('does not ping a link on which something is heard', () => {
    const session = greeted();
    for (let now = 1_000; now < 30_000; now += 4_000) {
      session.receive(encodePeerFrame({ type: 'have', handle: 9, chunks: [], lost: [] }), now);
      expect(session.tick(now + 3_999)).toEqual([]);
    }
  });

  it('pings once a second while blocks are due', () => {
    const { a } = linked();
    a.request(KEY, { chunk: 0, first: 0, count: 1 }, 100, true);
    expect(a.tick(899)).toEqual([]);
    expect(sent(a.tick(990))).toMatchObject([{ type: 'ping' }]);
    expect(a.tick(2_000)).toEqual([]);
  });

  it('nudges with three pings that measure nothing, whatever else is asked', () => {
    const { a } = linked();
    const pings = sent(a.nudge());
    expect(pings.map(({ type }) => type)).toEqual(['ping', 'ping', 'ping']);
    for (const ping of pings)
      if (ping.type === 'ping')
        expect(a.receive(encodePeerFrame({ type: 'pong', token: ping.token }), 20)).toEqual([]);
    const [own] = sent(a.ping(100));
    if (own?.type !== 'ping') throw new Error('no ping');
    expect(pings).not.toContainEqual(own);
    expect(a.receive(encodePeerFrame({ type: 'pong', token: own.token }), 140)).toMatchObject([
      { type: 'pinged', roundTripMs: 40 },
    ]);
  });

  it('answers pings', () => {
    const frame = encodePeerFrame({ type: 'ping', token: 42 });
    expect(sent(greeted().receive(frame, 0))).toEqual([{ type: 'pong', token: 42 }]);
  });

  it('says goodbye before it closes, once', () => {
    const session = greeted();
    const effects = session.close('done');
    expect(sent(effects)).toEqual([{ type: 'close', reason: 'done' }]);
    expect(effects.at(-1)).toEqual({ type: 'close', reason: 'done', fault: false });
    expect(session.close('done')).toEqual([]);
  });

  it('ends without blame when the other end says goodbye', () => {
    const effects = greeted().receive(encodePeerFrame({ type: 'close', reason: 'done' }), 0);
    expect(effects).toEqual([{ type: 'close', reason: 'closed by the peer: done', fault: false }]);
  });
});

describe('a flood of control frames', () => {
  it.each<[string, (i: number) => Uint8Array]>([
    ['pings', (token) => encodePeerFrame({ type: 'ping', token })],
    ['requests of what is not shared', () => request(9, { chunk: 0, first: 0, count: 1 })],
    ['refusals', () => refuse({ chunk: 0, first: 0, count: 1 })],
    ['chunks lost', () => encodePeerFrame({ type: 'have', handle: 1, chunks: [], lost: [0] })],
  ])('of %s ends the link', (_what, frame) => {
    const { a } = linked();
    let told = 0;
    let last: SessionEffect[] = [];
    for (let i = 0; i < 1_000_000 && faultOf(last) === undefined; i++) {
      last = a.receive(frame(i), i / 1000);
      told += last.length;
    }
    expect(faultOf(last)).toBe('too many control frames');
    expect(sent(last)).toEqual([{ type: 'close', reason: 'misbehaved' }]);
    expect(told).toBeLessThan(100_000);
  });

  it('makes an end answer little more than a thousand pings in a second', () => {
    const session = greeted();
    let pongs = 0;
    for (let token = 0; token < 1_000_000; token++)
      for (const effect of session.receive(encodePeerFrame({ type: 'ping', token }), token / 1000))
        if (effect.type === 'send') pongs++;
    expect(pongs).toBeGreaterThan(1_000);
    expect(pongs).toBeLessThan(1_300);
  });

  it('is none where all that came in ten seconds is heard at once', () => {
    const { a } = linked();
    const effects: SessionEffect[] = [];
    for (let i = 0; i < 10; i++) effects.push(...a.receive(encodePeerFrame({ type: 'ping', token: i }), 0));
    for (let i = 0; i < 36_620; i++)
      effects.push(...a.receive(encodePeerFrame({ type: 'have', handle: 1, chunks: [i % 4], lost: [] }), 0));
    expect(faultOf(effects)).toBeUndefined();
  });
});

describe('rubbish', () => {
  it.each<[string, Uint8Array]>([
    ['an empty frame', new Uint8Array()],
    ['an unknown type', Uint8Array.of(99)],
    ['an oversize frame', new Uint8Array(LIMITS.maxFrameBytes + 1).fill(8)],
    ['a short frame', Uint8Array.of(4, 0, 0)],
  ])('ends the link for %s', (_what, frame) => {
    expect(faultOf(greeted().receive(frame, 0))).toBeDefined();
  });

  it('never throws and never keeps more than its bounds, whatever comes', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const session = new PeerSession(OWN, 0);
      session.receive(hello(THEIR), 0);
      session.open(ID, ROOT, SONG, ChunkSet.of(4, [0]), 0);
      session.receive(open(1, ROOT, ChunkSet.none(4)), 0);
      for (let step = 0; step < 400; step++) {
        const frame = encodePeerFrame(randomFrame(random.next));
        if (random.next() < 0.3) mutate(frame, random.next);
        const cut = random.next() < 0.05 ? Math.floor(random.next() * frame.length) : frame.length;
        const effects = session.receive(frame.subarray(0, cut), step);
        if (random.next() < 0.3)
          session.request(KEY, { chunk: 0, first: step % 16, count: 1 }, 100, step % 2 === 0);
        if (random.next() < 0.3) session.cancel(KEY, { chunk: 0, first: step % 16, count: 1 });
        session.tick(step * 100);
        let bytes = 0;
        for (const asked of session.incoming) bytes += asked.bytes;
        expect(bytes, `seed ${seed}`).toBeLessThanOrEqual(LIMITS.maxOutstandingBytes);
        expect(session.incoming.size, `seed ${seed}`).toBeLessThanOrEqual(256);
        expect(session.sharedTracks.length, `seed ${seed}`).toBeLessThanOrEqual(LIMITS.maxOpenTracks);
        if (effects.some((effect) => effect.type === 'close')) break;
      }
    }
  });

  it('remembers a bounded number of blocks taken back', () => {
    const big: Geometry = { size: 512 * 262_144, chunkSize: 262_144 };
    const session = greeted();
    session.open(ID, ROOT, big, ChunkSet.none(512), 0);
    for (let chunk = 0; chunk < 512; chunk++) {
      session.request(KEY, { chunk, first: 0, count: 16 }, 100, true);
      session.cancel(KEY, { chunk, first: 0, count: 16 });
    }
    expect(session.receive(block(511, 0), 0)).toEqual([]);
    expect(faultOf(session.receive(block(0, 0), 0))).toBe('a block that was not asked for');
  });
});

// --- Two ends, and frames by hand ---

function greeted(nowMs = 0): PeerSession {
  const session = new PeerSession(OWN, nowMs);
  session.start();
  session.receive(hello(THEIR), nowMs);
  return session;
}

/** Two ends that have the song open; handles are 1 on both sides. */
function linked(): { a: PeerSession; b: PeerSession } {
  const a = new PeerSession(OWN, 0);
  const b = new PeerSession(THEIR, 0);
  deliver(b, a.start());
  deliver(a, b.start());
  deliver(b, a.open(ID, ROOT, SONG, ChunkSet.none(4), 0));
  deliver(a, b.open(ID, ROOT, SONG, ChunkSet.all(4), 0));
  return { a, b };
}

/** The other end asked for a run and its proof. */
function askedFor(run: BlockRun): { a: PeerSession; asked: IncomingRequest } {
  const { a } = linked();
  const [asked] = askedOf(a.receive(request(1, run, NO_DEADLINE_MS, true), 0));
  if (asked === undefined) throw new Error('not asked');
  return { a, asked };
}

/** Lets `to` hear what was sent. */
function deliver(to: PeerSession, effects: readonly SessionEffect[]): SessionEffect[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? to.receive(effect.frame, 0) : []));
}

/** Whether random traffic of two ends that keep the rules ends in blame; blocks and control frames overtake each other. */
function playTogether(random: () => number): string | undefined {
  const { a, b } = linked();
  const lanes = { toA: [[], []] as Uint8Array[][], toB: [[], []] as Uint8Array[][] };
  const due = new Set<string>();
  let fault: string | undefined;
  const post = (to: 'toA' | 'toB', effects: readonly SessionEffect[]) => {
    for (const effect of effects) {
      if (effect.type === 'send') lanes[to][effect.lane === 'blocks' ? 1 : 0]?.push(effect.frame.slice());
      if (effect.type === 'close') fault ??= effect.reason;
      if (effect.type === 'shut') due.clear();
      if (effect.type === 'block') due.delete(`${effect.chunk}/${effect.block}`);
      if (effect.type === 'refused')
        for (let at = effect.first; at < effect.first + effect.count; at++)
          due.delete(`${effect.chunk}/${at}`);
    }
  };
  for (let step = 0; step < 1_500 && fault === undefined; step++) {
    const dice = random();
    const chunk = Math.floor(random() * 3);
    const first = Math.floor(random() * 16);
    const count = 1 + Math.floor(random() * (16 - first));
    if (dice < 0.15) {
      let end = first;
      while (end < first + count && !due.has(`${chunk}/${end}`)) due.add(`${chunk}/${end++}`);
      if (end > first) post('toB', a.request(KEY, { chunk, first, count: end - first }, 100, random() < 0.3));
    } else if (dice < 0.25) {
      for (let at = first; at < first + count; at++) due.delete(`${chunk}/${at}`);
      post('toB', a.cancel(KEY, { chunk, first, count }));
    } else if (dice < 0.55) {
      const [asked] = b.incoming;
      if (asked === undefined) continue;
      if (random() < 0.05) {
        post('toA', b.refuse(asked, 'busy'));
        continue;
      }
      if (asked.needsProof) post('toA', b.sendProof(asked, LEAVES));
      post('toA', b.sendBlocks(asked, asked.nextBlock, BLOCK));
      if (asked.nextBlock === asked.first + asked.count) b.served(asked);
    } else if (dice < 0.56) {
      post('toA', b.shut(KEY));
      post('toA', b.open(ID, ROOT, SONG, ChunkSet.all(4), 0));
    } else {
      const to = random() < 0.5 ? 'toA' : 'toB';
      const lane = lanes[to][random() < 0.5 ? 0 : 1] ?? [];
      const frame = lane.shift();
      if (frame === undefined) continue;
      post(to === 'toA' ? 'toB' : 'toA', (to === 'toA' ? a : b).receive(frame, step));
    }
  }
  return fault;
}

function sent(effects: readonly SessionEffect[]): PeerFrame[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? [decodePeerFrame(effect.frame)] : []));
}

function askedOf(effects: readonly SessionEffect[]): IncomingRequest[] {
  return effects.flatMap((effect) => (effect.type === 'asked' ? [effect.request] : []));
}

function openedOf(effects: readonly SessionEffect[]): [string, number[]][] {
  return effects.flatMap((effect): [string, number[]][] =>
    effect.type === 'opened' ? [[effect.track, [...effect.held]]] : [],
  );
}

/** Why the other end was blamed, if it was. */
function faultOf(effects: readonly SessionEffect[]): string | undefined {
  for (const effect of effects) if (effect.type === 'close' && effect.fault) return effect.reason;
  return undefined;
}

function hello(nonce: string): Uint8Array {
  return encodePeerFrame({ type: 'hello', version: PEER_PROTOCOL_VERSION, nonce });
}

function open(handle: number, root: RootHash, held: ChunkSet): Uint8Array {
  return encodePeerFrame({ type: 'open', handle, trackId: ID, root, held });
}

function openAs(handle: number, trackId: string): Uint8Array {
  const held = ChunkSet.none(4);
  return encodePeerFrame({ type: 'open', handle, trackId: trackId as TrackId, root: ROOT, held });
}

function request(handle: number, run: BlockRun, deadlineMs = NO_DEADLINE_MS, needsProof = false): Uint8Array {
  return encodePeerFrame({ type: 'request', handle, ...run, deadlineMs, needsProof, together: false });
}

function cancel(handle: number, run: BlockRun): Uint8Array {
  return encodePeerFrame({ type: 'cancel', handle, ...run });
}

function refuse(run: BlockRun, handle = 1): Uint8Array {
  return encodePeerFrame({ type: 'refuse', handle, ...run, reason: 'busy' });
}

function block(chunk: number, at: number, handle = 1): Uint8Array {
  return encodePeerFrame({ type: 'block', handle, chunk, block: at, bytes: BLOCK });
}

function proof(chunk: number, handle = 1): Uint8Array {
  return encodePeerFrame({ type: 'proof', handle, chunk, leaves: LEAVES });
}

function randomFrame(random: () => number): PeerFrame {
  const small = (most: number) => Math.floor(random() * most);
  const run = { handle: small(3), chunk: small(5), first: small(16), count: 1 + small(4) };
  const frames: PeerFrame[] = [
    {
      type: 'open',
      handle: 2 + small(300),
      trackId: `t${small(99)}` as TrackId,
      root: ROOT,
      held: ChunkSet.none(4),
    },
    { type: 'shut', handle: small(100) },
    { type: 'have', handle: small(3), chunks: [small(4)], lost: [small(4)] },
    { type: 'fetching', handle: small(3), chunks: [{ chunk: small(9), etaMs: small(9_999) }] },
    {
      type: 'request',
      ...run,
      deadlineMs: small(9_999),
      needsProof: random() < 0.5,
      together: random() < 0.5,
    },
    {
      type: 'request',
      ...run,
      handle: 1,
      chunk: 0,
      first: 0,
      count: 16,
      deadlineMs: 0,
      needsProof: true,
      together: false,
    },
    { type: 'cancel', ...run },
    { type: 'refuse', ...run, handle: 1, reason: 'busy' },
    { type: 'ping', token: small(99) },
    { type: 'pong', token: small(99) },
  ];
  return frames[small(frames.length)] ?? { type: 'ping', token: 0 };
}

function mutate(frame: Uint8Array, random: () => number): void {
  const at = Math.floor(random() * frame.length);
  frame[at] = Math.floor(random() * 256);
}
