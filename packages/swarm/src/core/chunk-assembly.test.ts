import { describe, expect, it } from 'vitest';
import { LIMITS, type Geometry } from '@sonantica/wire';
import { ChunkAssembly } from './chunk-assembly.ts';

const BLOCK = LIMITS.blockBytes;
/** The second chunk has two blocks, the last of 100 bytes. */
const SONG: Geometry = { size: 131_072 + BLOCK + 100, chunkSize: 131_072 };

describe('a chunk that comes together', () => {
  it('has each block in its place, in whatever order they come', () => {
    const chunk = new ChunkAssembly(SONG, 1);
    expect(chunk.place(1, filled(100, 2))).toBe(true);
    expect(chunk.isComplete).toBe(false);
    expect(chunk.place(0, filled(BLOCK, 1))).toBe(true);
    expect(chunk.isComplete).toBe(true);
    expect(chunk.bytes).toEqual(Uint8Array.from([...filled(BLOCK, 1), ...filled(100, 2)]));
  });

  it('copies what is placed', () => {
    const chunk = new ChunkAssembly(SONG, 1);
    const bytes = filled(100, 2);
    chunk.place(1, bytes);
    bytes.fill(9);
    expect(chunk.bytes[BLOCK]).toBe(2);
  });

  it.each([
    [0, BLOCK - 1],
    [0, BLOCK + 1],
    [1, BLOCK],
    [1, 99],
    [2, 100],
  ])('refuses for block %i a length of %i', (block, length) => {
    const chunk = new ChunkAssembly(SONG, 1);
    expect(chunk.place(block, filled(length, 1))).toBe(false);
    expect(chunk.isPlaced(block)).toBe(false);
  });

  it('places a block once: the first stays', () => {
    const chunk = new ChunkAssembly(SONG, 1);
    chunk.place(1, filled(100, 1));
    expect(chunk.place(1, filled(100, 2))).toBe(false);
    expect(chunk.bytes[BLOCK]).toBe(1);
    expect(chunk.isComplete).toBe(false);
  });

  it('covers runs of blocks in place', () => {
    const chunk = new ChunkAssembly(SONG, 0);
    for (const block of [0, 1, 3]) chunk.place(block, filled(BLOCK, block));
    expect(chunk.covers(0, 2)).toBe(true);
    expect(chunk.covers(0, 3)).toBe(false);
    expect(chunk.covers(3, 4)).toBe(true);
    expect(chunk.covers(2, 2)).toBe(true);
  });
});

describe('blocks that wait for their proof', () => {
  it('are held once a source, and no source crowds out another', () => {
    const chunk = new ChunkAssembly(SONG, 0);
    expect(chunk.hold({ block: 0, bytes: filled(BLOCK, 1), source: 'liar' })).toBe(true);
    expect(chunk.hold({ block: 0, bytes: filled(BLOCK, 2), source: 'liar' })).toBe(false);
    expect(chunk.hold({ block: 0, bytes: filled(BLOCK, 3), source: 'honest' })).toBe(true);
    expect(chunk.unproven.map(({ bytes }) => bytes[0])).toEqual([1, 3]);
  });

  it('are handed over once, those of one source or all', () => {
    const chunk = new ChunkAssembly(SONG, 0);
    for (const source of ['a', 'b'])
      for (const block of [0, 1]) chunk.hold({ block, bytes: filled(BLOCK, block), source });
    expect(chunk.release('a').map(({ block }) => block)).toEqual([0, 1]);
    expect(chunk.release('a')).toEqual([]);
    expect(chunk.release()).toHaveLength(2);
    expect(chunk.unproven).toEqual([]);
  });
});

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}
