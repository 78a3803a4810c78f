import { describe, expect, it } from 'vitest';
import { LIMITS, type Geometry } from '@sonantica/wire';
import { WantedChunk } from './wanted-chunk.ts';

const BLOCK = LIMITS.blockBytes;
/** A chunk of eight blocks, and one of two whose second is short. */
const SONG: Geometry = { size: 131_072 + BLOCK + 100, chunkSize: 131_072 };
const ALL = { first: 0, end: 8 };

describe('a wanted chunk', () => {
  it('knows its blocks and their bytes, short ones too', () => {
    const last = new WantedChunk(SONG, 1);
    expect(last.blocks).toBe(2);
    expect(last.blockBytes(1)).toBe(100);
    expect(last.spanBytes({ first: 0, end: 2 })).toBe(BLOCK + 100);
  });

  it('is complete once every block is proven, each counted once', () => {
    const chunk = new WantedChunk(SONG, 1);
    chunk.prove(0);
    chunk.prove(0);
    expect(chunk.isComplete).toBe(false);
    chunk.prove(1);
    expect(chunk.isComplete).toBe(true);
  });

  it('names the first run of blocks neither proven nor under way', () => {
    const chunk = new WantedChunk(SONG, 0);
    expect(chunk.firstIdle(ALL)).toEqual({ first: 0, end: 8 });
    chunk.prove(0);
    chunk.takeOff(1, 'a', 0);
    chunk.prove(5);
    expect(chunk.firstIdle(ALL)).toEqual({ first: 2, end: 5 });
    expect(chunk.firstIdle({ first: 3, end: 4 })).toEqual({ first: 3, end: 4 });
    expect(chunk.firstIdle({ first: 0, end: 2 })).toBeUndefined();
    expect(chunk.firstIdle({ first: 4, end: 4 })).toBeUndefined();
  });

  it('names the first run not asked of one source, though asked of others', () => {
    const chunk = new WantedChunk(SONG, 0);
    chunk.prove(0);
    chunk.takeOff(1, 'a', 0);
    chunk.takeOff(2, 'b', 0);
    expect(chunk.firstUnasked(ALL, 'a')).toEqual({ first: 2, end: 8 });
    expect(chunk.firstUnasked(ALL, 'b')).toEqual({ first: 1, end: 2 });
  });

  it('ends one flight at a time', () => {
    const chunk = new WantedChunk(SONG, 0);
    chunk.takeOff(3, 'a', 0);
    chunk.takeOff(3, 'b', 5);
    expect(chunk.flightsOf(3).map(({ firstMs }) => firstMs)).toEqual([0, 0]);
    expect(chunk.nextWaitedMs(160, 100)).toBe(160);
    expect(chunk.nextWaitedMs(160, 160)).toBe(Number.POSITIVE_INFINITY);
    expect(chunk.isAskedOf('b')).toBe(true);
    expect(chunk.land(3, 'b')).toBe(true);
    expect(chunk.land(3, 'b')).toBe(false);
    expect(chunk.isAskedOf('b')).toBe(false);
    expect(chunk.flightsOf(3)).toMatchObject([{ source: 'a', sinceMs: 0 }]);
    expect(chunk.hasFlights).toBe(true);
    expect(chunk.land(3, 'a')).toBe(true);
    expect(chunk.hasFlights).toBe(false);
    expect(chunk.land(-1, 'a')).toBe(false);
  });

  it('has idle blocks as long as one is neither proven nor under way, however often it was', () => {
    const chunk = new WantedChunk(SONG, 1);
    chunk.takeOff(0, 'a', 0);
    chunk.takeOff(0, 'b', 0);
    expect(chunk.hasIdle).toBe(true);
    chunk.takeOff(1, 'a', 0);
    expect(chunk.hasIdle).toBe(false);
    chunk.land(0, 'a');
    expect(chunk.hasIdle).toBe(false);
    chunk.land(0, 'b');
    expect(chunk.hasIdle).toBe(true);
    chunk.prove(0);
    expect(chunk.hasIdle).toBe(false);
  });

  it('is wanted while a demand covers a block of it', () => {
    const chunk = new WantedChunk(SONG, 0);
    expect(chunk.isWanted).toBe(false);
    chunk.want({ first: 2, end: 3 }, 1_000);
    expect(chunk.isWanted).toBe(true);
    expect(chunk.deadlineMs).toBe(1_000);
    chunk.unwant();
    expect(chunk.isWanted).toBe(false);
  });
});
