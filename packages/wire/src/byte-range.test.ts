import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockCount,
  blockLength,
  chunkCount,
  chunkLength,
  chunkRange,
  chunksOf,
  isChunkSize,
  withinChunk,
  type Geometry,
} from './byte-range.ts';
import { LIMITS } from './limits.ts';

const CHUNK = 262_144;
const BLOCK = LIMITS.blockBytes;

const geometries = fc.record<Geometry>({
  size: fc.oneof(fc.integer({ min: 1, max: 4 * CHUNK }), fc.integer({ min: 1, max: LIMITS.maxTrackBytes })),
  chunkSize: fc.constantFrom(131_072, 262_144, 524_288, 1_048_576),
});

describe('a chunk size', () => {
  it.each([131_072, 262_144, 524_288, 1_048_576])('may be %i', (size) =>
    expect(isChunkSize(size)).toBe(true),
  );
  it.each([0, -262_144, 65_536, 131_071, 131_073, 196_608, 2_097_152, 262_144.5, NaN, Infinity, 2 ** 33])(
    'cannot be %d',
    (size) => expect(isChunkSize(size)).toBe(false),
  );
});

describe('a track', () => {
  it.each([
    [1, 1, 1, 1],
    [BLOCK, 1, 1, BLOCK],
    [BLOCK + 1, 1, 2, 1],
    [CHUNK - 1, 1, 16, BLOCK - 1],
    [CHUNK, 1, 16, BLOCK],
    [CHUNK + 1, 2, 1, 1],
    [10 * CHUNK, 10, 16, BLOCK],
    [LIMITS.maxTrackBytes, 16_384, 16, BLOCK],
  ])(
    'of %i bytes has %i chunks, the last of %i blocks, the last of those of %i bytes',
    (size, chunks, blocks, bytes) => {
      const geometry = { size, chunkSize: CHUNK };
      expect(chunkCount(geometry)).toBe(chunks);
      expect(blockCount(geometry, chunks - 1)).toBe(blocks);
      expect(blockLength(geometry, chunks - 1, blocks - 1)).toBe(bytes);
    },
  );

  it('is made of its chunks without gap or overlap, and they of their blocks', () => {
    fc.assert(
      fc.property(geometries, fc.nat({ max: 40_000 }), (geometry, pick) => {
        const count = chunkCount(geometry);
        const chunk = pick % count;
        const { start, end } = chunkRange(geometry, chunk);
        expect(start).toBe(chunk === 0 ? 0 : chunkRange(geometry, chunk - 1).end);
        expect(chunkRange(geometry, count - 1).end).toBe(geometry.size);
        expect(end - start).toBe(chunkLength(geometry, chunk));
        let bytes = 0;
        for (let block = 0; block < blockCount(geometry, chunk); block++) {
          const length = blockLength(geometry, chunk, block);
          expect(length).toBeGreaterThan(0);
          expect(length).toBeLessThanOrEqual(BLOCK);
          bytes += length;
        }
        expect(bytes).toBe(chunkLength(geometry, chunk));
      }),
    );
  });
});

describe('a range', () => {
  it.each([
    [0, 0, 0, 0],
    [0, 1, 0, 1],
    [0, CHUNK, 0, 1],
    [0, CHUNK + 1, 0, 2],
    [CHUNK - 1, CHUNK + 1, 0, 2],
    [CHUNK, 2 * CHUNK, 1, 2],
    [CHUNK, CHUNK, 1, 1],
    [5, 4, 0, 0],
  ])('of bytes %i to %i lies in chunks %i to %i', (start, end, first, last) => {
    expect(chunksOf({ size: 10 * CHUNK, chunkSize: CHUNK }, { start, end })).toEqual({ first, end: last });
  });

  it('is the sum of its parts in the chunks it touches', () => {
    const ranges = geometries.chain((geometry) =>
      fc
        .tuple(fc.nat({ max: geometry.size }), fc.nat({ max: Math.min(geometry.size, 5_000_000) }))
        .map(([start, length]) => ({
          geometry,
          range: { start, end: Math.min(start + length, geometry.size) },
        })),
    );
    fc.assert(
      fc.property(ranges, ({ geometry, range }) => {
        const { first, end } = chunksOf(geometry, range);
        let at = range.start;
        for (let chunk = first; chunk < end; chunk++) {
          const part = withinChunk(geometry, chunk, range);
          const base = chunkRange(geometry, chunk).start;
          expect(base + part.start).toBe(at);
          expect(part.end).toBeGreaterThan(part.start);
          expect(part.end).toBeLessThanOrEqual(chunkLength(geometry, chunk));
          at = base + part.end;
        }
        expect(at).toBe(range.end);
      }),
    );
  });

  it('has no bytes in a chunk it does not touch', () => {
    const geometry = { size: 3 * CHUNK, chunkSize: CHUNK };
    for (const chunk of [0, 2]) {
      const { start, end } = withinChunk(geometry, chunk, { start: CHUNK, end: 2 * CHUNK });
      expect(end - start).toBe(0);
    }
  });
});
