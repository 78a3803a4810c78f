import { expect, it } from 'vitest';
import { BLOCK_HEADER_BYTES, encodePeerFrame, decodePeerFrame, LIMITS } from '@sonantica/wire';
import { SpentMemory } from './spent-memory.ts';

const BLOCK = LIMITS.blockBytes;

/** The blocks of one frame, in the frame's own memory, as a link hands them over. */
function blocksOfFrame(bytes: number): Uint8Array[] {
  const frame = encodePeerFrame({
    type: 'block',
    handle: 1,
    chunk: 0,
    block: 0,
    bytes: new Uint8Array(bytes).fill(7),
  });
  const decoded = decodePeerFrame(frame.slice());
  if (decoded.type !== 'block') throw new Error('no block');
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes; at += BLOCK) blocks.push(decoded.bytes.subarray(at, at + BLOCK));
  return blocks;
}

it('frees a frame once each of its blocks is spent, and not before', () => {
  const memory = new SpentMemory();
  const [first, second, third] = blocksOfFrame(2 * BLOCK + 1) as [Uint8Array, Uint8Array, Uint8Array];
  memory.spent(second);
  memory.spent(first);
  // All but one byte, which with the header is what is left.
  expect(third[0]).toBe(7);
  expect(third.buffer.byteLength).toBe(BLOCK_HEADER_BYTES + 2 * BLOCK + 1);
  memory.spent(third);
  expect(third.buffer.byteLength).toBe(0);
});

it('frees as many frames as come, and blocks in memory of their own', () => {
  const memory = new SpentMemory();
  for (let i = 0; i < 100; i++) {
    const [block] = [...blocksOfFrame(BLOCK), new Uint8Array(BLOCK)].slice(i % 2) as [Uint8Array];
    memory.spent(block);
    expect(block.buffer.byteLength).toBe(0);
  }
});

it('leaves memory alone that others have a part of, or that is shared', () => {
  const memory = new SpentMemory();
  const pool = new Uint8Array(8 * BLOCK);
  memory.spent(pool.subarray(BLOCK, 2 * BLOCK));
  expect(pool.length).toBe(8 * BLOCK);
  const shared = new Uint8Array(new SharedArrayBuffer(BLOCK));
  memory.spent(shared);
  expect(shared.length).toBe(BLOCK);
});
