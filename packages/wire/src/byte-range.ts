import { LIMITS } from './limits.ts';

/** Bytes `start` to `end`, the end exclusive. Whole numbers, `0 ≤ start ≤ end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** How a track's bytes fall into chunks and blocks. */
export interface Geometry {
  /** Bytes of the track. */
  readonly size: number;
  /** Bytes of a chunk: a power of two and a multiple of 16,384. */
  readonly chunkSize: number;
}

/** Whether a chunk size is allowed: a power of two between the two bounds of {@link LIMITS}. */
export function isChunkSize(value: number): boolean {
  return (
    Number.isInteger(value) &&
    value >= LIMITS.minChunkBytes &&
    value <= LIMITS.maxChunkBytes &&
    (value & (value - 1)) === 0
  );
}

/** Number of chunks of a track; the last may be short. */
export function chunkCount({ size, chunkSize }: Geometry): number {
  return Math.ceil(size / chunkSize);
}

/** The bytes of a chunk. */
export function chunkRange({ size, chunkSize }: Geometry, chunk: number): ByteRange {
  const start = chunk * chunkSize;
  return { start, end: Math.min(start + chunkSize, size) };
}

/** Bytes of a chunk. */
export function chunkLength(geometry: Geometry, chunk: number): number {
  const { start, end } = chunkRange(geometry, chunk);
  return end - start;
}

/** Number of blocks in a chunk; the last block of a track may be short. */
export function blockCount(geometry: Geometry, chunk: number): number {
  return Math.ceil(chunkLength(geometry, chunk) / LIMITS.blockBytes);
}

/** Bytes of a block, counted from the start of its chunk. */
export function blockLength(geometry: Geometry, chunk: number, block: number): number {
  return Math.min(LIMITS.blockBytes, chunkLength(geometry, chunk) - block * LIMITS.blockBytes);
}

/** The chunks that hold a range, as first and one past the last; empty for an empty range. */
export function chunksOf({ chunkSize }: Geometry, range: ByteRange): { first: number; end: number } {
  const first = Math.floor(range.start / chunkSize);
  return { first, end: range.end <= range.start ? first : Math.ceil(range.end / chunkSize) };
}

/** The part of a range that lies in a chunk, counted from the start of that chunk. */
export function withinChunk(geometry: Geometry, chunk: number, range: ByteRange): ByteRange {
  const whole = chunkRange(geometry, chunk);
  const start = Math.max(range.start, whole.start) - whole.start;
  return { start, end: Math.max(start, Math.min(range.end, whole.end) - whole.start) };
}
