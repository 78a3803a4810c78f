import { describe, expect, it } from 'vitest';
import { ChunkSet, LIMITS } from '@sonantica/wire';
import { askedBefore, canDeliverBy } from './source-ranking.ts';
import { SourceState, type Tier } from './source-state.ts';
import type { TrackKey } from './track-key.ts';

const BLOCK = LIMITS.blockBytes;
const NEVER = Number.POSITIVE_INFINITY;

describe('the order in which peers are asked', () => {
  it('is the Aula first, and within a tier the untried, then the soonest', () => {
    const peers = [
      peer('global-new', 'global'),
      peer('aula-slow', 'aula', 100_000),
      peer('aula-fast', 'aula', 1_000_000),
      peer('aula-new', 'aula'),
      peer('global-fast', 'global', 5_000_000),
    ];
    expect(names(peers, true)).toEqual(['aula-new', 'aula-fast', 'aula-slow', 'global-new', 'global-fast']);
  });

  it('knows no tiers where the Aula is not preferred', () => {
    const peers = [peer('aula-slow', 'aula', 100_000), peer('global-fast', 'global', 1_000_000)];
    expect(names(peers, false)).toEqual(['global-fast', 'aula-slow']);
  });

  it('counts what is under way and the round trip', () => {
    const queued = peer('queued', 'aula', 1_000_000, 20 * BLOCK);
    const free = peer('free', 'aula', 500_000, BLOCK);
    expect(names([queued, free], true)).toEqual(['free', 'queued']);
    const far = peer('far', 'aula', 1_000_000, BLOCK);
    far.window.pinged(300);
    const near = peer('near', 'aula', 900_000, BLOCK);
    expect(names([far, near], true)).toEqual(['near', 'far']);
  });
});

describe('whether a peer can deliver by a deadline', () => {
  it('is believed of an untried one', () => {
    expect(canDeliverBy(peer('p', 'aula'), 10 * BLOCK, 600, 0)).toBe(true);
  });

  it('is a matter of its rate, what is under way, its round trip and a quarter of a second', () => {
    const p = peer('p', 'aula', 100_000, 50_000);
    expect(canDeliverBy(p, 50_000, 1_250, 0)).toBe(true);
    expect(canDeliverBy(p, 50_000, 1_249, 0)).toBe(false);
    p.window.pinged(100);
    expect(canDeliverBy(p, 50_000, 1_349, 0)).toBe(false);
    expect(canDeliverBy(p, 50_000, 1_350, 0)).toBe(true);
  });

  it('is given half a second to prove it, even when the deadline has passed', () => {
    const fast = peer('fast', 'aula', 1_000_000);
    expect(canDeliverBy(fast, 200_000, 0, 1_000)).toBe(true);
    expect(canDeliverBy(fast, 300_000, 0, 1_000)).toBe(false);
  });

  it('is doubted of one that was asked for all it may be, and gave nothing yet, when the deadline is near', () => {
    const full = peer('full', 'aula');
    full.outstandingBytes = full.window.bytes;
    expect(canDeliverBy(full, BLOCK, 999, 0)).toBe(false);
    expect(canDeliverBy(full, BLOCK, 1_000, 0)).toBe(true);
    full.outstandingBytes -= BLOCK;
    expect(canDeliverBy(full, BLOCK, 999, 0)).toBe(true);
  });

  it('is true of any usable peer when nobody waits', () => {
    const slow = peer('slow', 'aula', 1, BLOCK);
    expect(canDeliverBy(slow, 1e9, NEVER, 0)).toBe(true);
    slow.health.timedOut(0);
    expect(canDeliverBy(slow, BLOCK, NEVER, 0)).toBe(false);
  });

  it('is doubted of one that fell silent when the deadline is near', () => {
    const silent = peer('silent', 'aula', 10_000_000, BLOCK);
    silent.lastProgressMs = 0;
    expect(canDeliverBy(silent, BLOCK, 1_200, 250)).toBe(true);
    expect(canDeliverBy(silent, BLOCK, 1_200, 251)).toBe(false);
    expect(canDeliverBy(silent, BLOCK, 5_000, 251)).toBe(true);
  });
});

describe('what is known of a peer', () => {
  it('has room for its window less what is under way', () => {
    const p = peer('p', 'aula');
    p.outstandingBytes = 3 * BLOCK;
    expect(p.roomBytes).toBe(65_536 - 3 * BLOCK);
  });

  it.each([
    [65_536, 3, true],
    [65_536, 4, false],
    [262_144, 12, true],
    [262_144, 13, false],
  ])('with a window of %i bytes and %i blocks under way is worth asking: %s', (bytes, blocks, worth) => {
    const p = new SourceState('p', 'aula', { startBytes: bytes, maxBytes: bytes });
    p.outstandingBytes = blocks * BLOCK;
    expect(p.isWorthAsking).toBe(worth);
  });

  it('is silent when blocks are due and nothing came for longer than the time-out', () => {
    const p = peer('p', 'aula');
    expect(p.isSilent(1e9, true)).toBe(false);
    p.outstandingBytes = BLOCK;
    expect(p.isSilent(500, true)).toBe(false);
    expect(p.isSilent(501, true)).toBe(true);
  });

  it('is borne with for five seconds where nobody waits, half as long if it leaves pings unanswered', () => {
    const p = peer('p', 'aula');
    p.outstandingBytes = BLOCK;
    expect(p.isSilent(2_500, false)).toBe(false);
    expect(p.isSilent(2_501, false)).toBe(true);
    p.ponged(10, 3_000);
    expect(p.isSilent(5_000, false)).toBe(false);
    expect(p.isSilent(5_001, false)).toBe(true);
  });

  it('is not asked, nor waited for, after silence without a pong until it gives a sign of life', () => {
    const p = peer('p', 'aula');
    p.outstandingBytes = BLOCK;
    p.ponged(10, 1_000);
    p.timedOut(2_000);
    expect(p.outlook(2_000)).toBe('gives');
    expect(p.isUsable(60_000)).toBe(true);
    p.lastProgressMs = 60_000;
    p.timedOut(63_000);
    expect(p.outlook(63_000)).not.toBe('gives');
    expect(p.isUsable(72_900)).toBe(false);
    expect(p.isUsable(73_000)).toBe(true);
    p.lastProgressMs = 80_000;
    p.timedOut(83_000);
    expect(p.outlook(83_000)).not.toBe('gives');
    p.ponged(10, 90_000);
    expect(p.isUsable(90_000)).toBe(true);
    expect(p.outlook(90_000)).toBe('gives');
  });

  it('holds chunks of the tracks it opened', () => {
    const p = peer('p', 'aula');
    const key = 'song@1' as TrackKey;
    expect(p.holds(key, 0)).toBe(false);
    p.tracks.set(key, { held: ChunkSet.of(4, [1]), fetching: new Map(), parts: new Map() });
    expect([0, 1, 4].map((chunk) => p.holds(key, chunk))).toEqual([false, true, false]);
  });
});

/** A peer that delivered at a rate, or was never tried, with `outstandingBytes` under way. */
function peer(id: string, tier: Tier, bytesPerSecond = 0, outstandingBytes = 0): SourceState {
  const source = new SourceState(id, tier, { startBytes: 65_536, maxBytes: 65_536 });
  if (bytesPerSecond > 0) {
    source.window.requested(BLOCK, 0);
    source.window.delivered(BLOCK, 0, (BLOCK * 1000) / bytesPerSecond);
    expect(source.window.bytesPerSecond).toBeCloseTo(bytesPerSecond, 3);
  }
  source.outstandingBytes = outstandingBytes;
  return source;
}

function names(peers: readonly SourceState[], aulaFirst: boolean): string[] {
  return [...peers].sort(askedBefore(aulaFirst)).map(({ id }) => id);
}
