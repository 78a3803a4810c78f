import { describe, expect, it } from 'vitest';
import { textFrame } from './text-frame.ts';

describe('a text frame', () => {
  it.each([
    [0, '8100'],
    [125, '817d'],
    [126, '817e007e'],
    [65_535, '817effff'],
  ])('of %i bytes begins as RFC 6455 has it', (length, head) => {
    const frame = Buffer.from(textFrame('x'.repeat(length)) ?? '', 'latin1');
    expect(frame.toString('hex', 0, head.length / 2)).toBe(head);
    expect(frame.length).toBe(head.length / 2 + length);
  });

  it('is left to others where a character is more than a byte, or the length more than 16 bits', () => {
    expect(textFrame('naïve')).toBeUndefined();
    expect(textFrame('a\u0100')).toBeUndefined();
    expect(textFrame('x'.repeat(65_536))).toBeUndefined();
  });
});
