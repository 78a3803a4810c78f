import { describe, expect, it } from 'vitest';
import {
  ChunkSet,
  encodePeerFrame,
  LIMITS,
  type Manifest,
  type PeerFrame,
  type RefuseReason,
  type RootHash,
  type TrackId,
} from '@sonantica/wire';
import { PeerSession } from '../core/peer-session.ts';
import { trackKey } from '../core/track-key.ts';
import { memoryLinkPair } from '../testing/memory-link.ts';
import { PeerSource, type PeerSourceHandler } from './peer-source.ts';
import type { SourceSink } from './source.ts';

const BLOCK = new Uint8Array(LIMITS.blockBytes).fill(3);
const SONG: Manifest = {
  trackId: 'song' as TrackId,
  root: '11'.repeat(32) as RootHash,
  size: 2 * 262_144,
  chunkSize: 262_144,
  chunkCount: 2,
  mime: 'audio/flac',
  chunkHashes: [],
  sha256: '00'.repeat(32),
  audio: undefined,
  file: undefined,
  json: {
    version: 1,
    trackId: 'song',
    size: 2 * 262_144,
    chunkSize: 262_144,
    mime: 'audio/flac',
    root: '11'.repeat(32),
    chunks: '',
    sha256: '00'.repeat(32),
  },
};
const KEY = trackKey(SONG.trackId, SONG.root);

describe('a linked peer', () => {
  it('has no name before it introduced itself, then its nonce', async () => {
    const { a, b } = pair();
    expect(a.source.id).toBe('');
    await settled();
    expect([a.source.id, b.source.id]).toEqual(['b0'.repeat(16), 'a0'.repeat(16)]);
    expect(a.log).toEqual(['greeted']);
  });

  it('gives the blocks that are asked of it, under its own name', async () => {
    const { a, b } = await shared();
    a.source.fetch(ask(1, 2, 1));
    await settled();
    const asked = b.source.nextRequest;
    if (asked === undefined) throw new Error('not asked');
    b.source.sendProof(asked, new Uint8Array(512));
    b.source.sendBlocks(asked, 2, BLOCK);
    b.source.served(asked);
    await settled();
    expect(a.log.slice(2)).toEqual([`proof 1 from ${a.source.id}`, `block 1/2 from ${a.source.id}`]);
    expect(b.source.nextRequest).toBeUndefined();
  });

  it('serves first what is due first, and what nobody waits for last', async () => {
    const { a, b } = await shared();
    a.source.fetch(ask(0, 0, 1));
    a.source.fetch({ ...ask(0, 1, 1), dueInMs: 900 });
    a.source.fetch({ ...ask(0, 2, 1), dueInMs: 300 });
    await settled();
    const order: number[] = [];
    for (let next = b.source.nextRequest; next !== undefined; next = b.source.nextRequest) {
      order.push(next.first);
      b.source.served(next);
    }
    expect(order).toEqual([2, 1, 0]);
  });

  it.each<[RefuseReason, string]>([
    ['not-held', 'not-held'],
    ['busy', 'busy'],
    ['over-budget', 'not-giving'],
    ['not-sharing', 'not-giving'],
  ])('that refuses with %s is heard as %s', async (reason, heard) => {
    const { a, b } = await shared();
    a.source.fetch(ask(0, 4, 2));
    await settled();
    const asked = b.source.nextRequest;
    if (asked === undefined) throw new Error('not asked');
    b.source.refuse(asked, reason);
    await settled();
    expect(a.log.at(-1)).toBe(`refused 0/4+2: ${heard}`);
  });

  it('tells what it opens, has, fetches and shuts', async () => {
    const { a, b } = await shared();
    b.source.tellHave(KEY, [1], [0]);
    b.source.tellFetching(KEY, 0, 700);
    b.source.tellPart(KEY, { chunk: 0, first: 2, count: 3 });
    b.source.shut(KEY);
    await settled();
    expect(a.log.slice(2)).toEqual(['have 1 lost 0', 'fetching 0 in 700', 'part 0: 2+3', 'shut']);
    expect(a.source.shares(KEY)).toBe(false);
  });

  it('ends once, whoever ended it, and says so to both', async () => {
    const { a, b } = await shared();
    a.source.close('done');
    a.source.close('done');
    await settled();
    expect(a.log.at(-1)).toBe('ended: done');
    expect(b.log.at(-1)).toBe('ended: closed by the peer: done');
    expect(a.log.filter((line) => line.startsWith('ended'))).toHaveLength(1);
    expect(a.source.isEnded && b.source.isEnded).toBe(true);
    expect(a.source.sendable).toBe(false);
  });

  it('that breaks the rules is named as the one at fault', async () => {
    const { a, raw } = await strange();
    raw({ type: 'block', handle: 1, chunk: 0, block: 0, bytes: BLOCK });
    await settled();
    expect(a.log.at(-1)).toBe('ended at fault: a block that was not asked for');
  });

  it('whose link fails is not at fault', async () => {
    const { a, link } = await shared();
    link.fail('the network is gone');
    await settled();
    expect(a.log.at(-1)).toBe('ended: the network is gone');
  });

  it('that falls silent is pinged, and left five seconds later', async () => {
    const { a, link } = await shared();
    link.cut();
    a.now = 5_000;
    a.source.tick();
    a.now = 9_999;
    a.source.tick();
    expect(a.source.isEnded).toBe(false);
    a.now = 10_000;
    a.source.tick();
    expect(a.log.at(-1)).toBe('ended: no answer to a ping');
  });

  it('that answers pings is measured', async () => {
    const { a, b } = await shared();
    a.now = 5_000;
    b.now = 5_000;
    a.source.tick();
    a.now = 5_030;
    await settled();
    expect(a.log.at(-1)).toBe('pinged in 30');
  });
});

// --- Two ends of a link in memory ---

interface End {
  readonly source: PeerSource;
  readonly log: string[];
  now: number;
}

function pair() {
  const link = memoryLinkPair();
  const a = end(link.a, 'a0');
  const b = end(link.b, 'b0');
  a.source.start();
  b.source.start();
  return { a, b, link };
}

/** Both have the song open; the second holds all of it. */
async function shared() {
  const ends = pair();
  await settled();
  ends.a.source.open(SONG, ChunkSet.none(2));
  ends.b.source.open(SONG, ChunkSet.all(2));
  await settled();
  expect(ends.a.log).toEqual(['greeted', 'opened 0,1']);
  expect(ends.a.source.shares(KEY)).toBe(true);
  return ends;
}

/** An end that meets somebody who sends whatever frame they like. */
async function strange() {
  const link = memoryLinkPair();
  const a = end(link.a, 'a0');
  link.b.start({ frame: () => undefined, drain: () => undefined, closed: () => undefined });
  a.source.start();
  a.source.open(SONG, ChunkSet.none(2));
  const raw = (frame: PeerFrame) => link.b.send(encodePeerFrame(frame), 'control');
  raw({ type: 'hello', version: 1, nonce: 'b0'.repeat(16) });
  await settled();
  return { a, raw };
}

function end(link: ReturnType<typeof memoryLinkPair>['a'], nonce: string): End {
  const log: string[] = [];
  const sink: SourceSink = {
    block: (source, _track, chunk, block) => void log.push(`block ${chunk}/${block} from ${source}`),
    proof: (source, _track, chunk) => void log.push(`proof ${chunk} from ${source}`),
    refused: (_source, _track, { chunk, first, count }, reason) =>
      void log.push(`refused ${chunk}/${first}+${count}: ${reason}`),
  };
  const handler: PeerSourceHandler = {
    greeted: () => void log.push('greeted'),
    proposed: () => undefined,
    opened: (_peer, _track, held) => void log.push(`opened ${[...held].join()}`),
    shut: () => void log.push('shut'),
    have: (_peer, _track, chunks, lost) => void log.push(`have ${chunks.join()} lost ${lost.join()}`),
    part: (_peer, _track, { chunk, first, count }) => void log.push(`part ${chunk}: ${first}+${count}`),
    fetching: (_peer, _track, chunks) =>
      void log.push(`fetching ${chunks.map(({ chunk, etaMs }) => `${chunk} in ${etaMs}`).join()}`),
    askedAhead: () => undefined,
    pinged: (_peer, roundTripMs) => void log.push(`pinged in ${roundTripMs}`),
    asked: () => undefined,
    drained: () => undefined,
    ended: (_peer, reason, fault) => void log.push(`ended${fault ? ' at fault' : ''}: ${reason}`),
  };
  const session = new PeerSession(nonce.repeat(16), 0);
  const here: End = {
    log,
    now: 0,
    source: new PeerSource('peer', link, session, sink, handler, () => here.now),
  };
  return here;
}

function ask(chunk: number, first: number, count: number) {
  const dueInMs = Number.POSITIVE_INFINITY;
  return { track: KEY, manifest: SONG, chunk, first, count, dueInMs, leavesKnown: false, together: false };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
