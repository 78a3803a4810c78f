import { describe, expect, it } from 'vitest';
import { closeFrame, NO_CODE, pingFrame, pongFrame, textFrame } from './frames.ts';

const hex = (frame: string) => Buffer.from(frame, 'latin1').toString('hex');

describe('a text frame', () => {
  it.each([
    [0, '8100'],
    [125, '817d'],
    [126, '817e007e'],
    [65_535, '817effff'],
    [65_536, '817f0000000000010000'],
  ])('of %i bytes begins as RFC 6455 has it', (length, head) => {
    const frame = Buffer.from(textFrame('x'.repeat(length)), 'latin1');
    expect(frame.toString('hex', 0, head.length / 2)).toBe(head);
    expect(frame.length).toBe(head.length / 2 + length);
  });

  it('carries UTF-8, and its length in bytes', () => {
    expect(hex(textFrame('naïve'))).toBe('81066e61c3af7665');
    expect(hex(textFrame('\u{1f3b5}'))).toBe('8104f09f8eb5');
    expect(textFrame('ä'.repeat(63)).slice(0, 4)).toBe('\x81\x7e\x00\x7e');
  });
});

describe('a control frame', () => {
  it('asks for what it carries', () => {
    expect(hex(pingFrame(''))).toBe('8900');
    expect(hex(pingFrame('\x00\xffab'))).toBe('890400ff6162');
  });

  it('gives a ping back what it carried', () => {
    expect(hex(pongFrame(''))).toBe('8a00');
    expect(hex(pongFrame('\x00\xff'))).toBe('8a0200ff');
  });

  it('closes with a code and a reason, or without', () => {
    expect(hex(closeFrame(4400, 'no'))).toBe('880411306e6f');
    expect(hex(closeFrame(NO_CODE, ''))).toBe('8800');
  });
});
