import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkSet } from './chunk-set.ts';

describe('a bitmap', () => {
  it('has chunk 0 in the high bit of byte 0, as in BitTorrent', () => {
    expect([...ChunkSet.of(9, [0]).toBitmap()]).toEqual([0x80, 0]);
    expect([...ChunkSet.of(9, [7, 8]).toBitmap()]).toEqual([0x01, 0x80]);
    expect([...ChunkSet.all(9).toBitmap()]).toEqual([0xff, 0x80]);
  });

  it.each([
    ['too short', 9, [0xff]],
    ['too long', 8, [0xff, 0]],
    ['with a spare bit set', 9, [0, 0x40]],
    ['with the last spare bit set', 9, [0, 0x01]],
    ['of bytes for no chunks', 0, [0]],
  ])('%s is refused', (_what, capacity, bytes) => {
    expect(() => ChunkSet.fromBitmap(capacity, Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'bad-field' }),
    );
  });

  it('belongs to whoever made it: neither side sees the other’s changes', () => {
    const bitmap = Uint8Array.of(0x80);
    const set = ChunkSet.fromBitmap(8, bitmap);
    bitmap[0] = 0;
    expect(set.has(0)).toBe(true);
    set.toBitmap()[0] = 0;
    expect(set.has(0)).toBe(true);
    const copy = set.clone();
    copy.delete(0);
    expect(set.has(0)).toBe(true);
  });
});

describe('the tracker’s spelling', () => {
  it.each([
    [ChunkSet.all(9), 'all'],
    [ChunkSet.none(9), 'none'],
    [ChunkSet.of(9, [0, 8]), 'gIA='],
    [ChunkSet.all(0), 'all'],
  ])('%#: is %s', (set, text) => {
    expect(set.toText()).toBe(text);
    expect([...ChunkSet.fromText(set.capacity, text)]).toEqual([...set]);
  });

  it.each(['', 'ALL', 'gIA', 'gIE=', '////', 'nothing'])('%j is refused', (text) => {
    expect(() => ChunkSet.fromText(9, text)).toThrow(expect.objectContaining({ code: 'bad-field' }));
  });
});

describe('a chunk set', () => {
  it('behaves as a set of numbers does', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 69 })), { maxLength: 100 });
    fc.assert(
      fc.property(steps, (all) => {
        const set = ChunkSet.none(70);
        const model = new Set<number>();
        for (const [adds, chunk] of all) {
          const isNew = !model.has(chunk);
          if (adds) {
            expect(set.add(chunk)).toBe(isNew);
            model.add(chunk);
          } else {
            expect(set.delete(chunk)).toBe(!isNew);
            model.delete(chunk);
          }
          expect(set.size).toBe(model.size);
        }
        expect([...set]).toEqual([...model].toSorted((a, b) => a - b));
        expect(set.isEmpty).toBe(model.size === 0);
        expect(set.isFull).toBe(model.size === 70);
        expect([...ChunkSet.fromBitmap(70, set.toBitmap())]).toEqual([...set]);
        expect([...ChunkSet.fromText(70, set.toText())]).toEqual([...set]);
        expect(ChunkSet.fromText(70, set.toText()).size).toBe(set.size);
      }),
    );
  });

  it.each([-1, 70, 71, 1.5, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 32 + 1, -(2 ** 32)])(
    'has no chunk %d',
    (chunk) => {
      const set = ChunkSet.all(70);
      expect(set.has(chunk)).toBe(false);
      expect(set.delete(chunk)).toBe(false);
      expect(set.size).toBe(70);
      expect(() => set.add(chunk)).toThrow(RangeError);
    },
  );

  it.each([
    [[1, 2], [1, 2, 3], false],
    [[1, 2], [1], true],
    [[], [], false],
    [[], [1], false],
    [[69], [68], true],
  ])('%j against %j: something the other lacks is %j', (mine, theirs, lacks) => {
    expect(ChunkSet.of(70, mine).hasAnyNotIn(ChunkSet.of(70, theirs))).toBe(lacks);
  });
});
