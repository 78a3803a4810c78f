import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, fromBase64, fromHex, toBase64, toHex } from './bytes.ts';

describe('hexadecimal', () => {
  it('is lower-case, and is read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(fromHex(toHex(bytes), bytes.length)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['too short', '00', 2],
    ['too long', '000000', 2],
    ['upper-case', 'AB', 1],
    ['no digits', 'zz', 1],
    ['digits of another script', '٠٠', 1],
    ['a line end', '00\n', 1],
  ])('that is %s is refused', (_what, text, length) => {
    expect(() => fromHex(text, length)).toThrow(expect.objectContaining({ code: 'bad-field' }));
  });
});

describe('base64', () => {
  // RFC 4648 §10.
  it.each([
    ['', ''],
    ['f', 'Zg=='],
    ['fo', 'Zm8='],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg=='],
    ['fooba', 'Zm9vYmE='],
    ['foobar', 'Zm9vYmFy'],
  ])('of %j is %j', (text, encoded) => {
    const bytes = new TextEncoder().encode(text);
    expect(toBase64(bytes)).toBe(encoded);
    expect(fromBase64(encoded, bytes.length)).toEqual(bytes);
  });

  it('is what every other encoder writes, and is read back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(fromBase64(toBase64(bytes), bytes.length)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['without its padding', 'Zg', 1],
    ['of another length', 'Zm9v', 2],
    ['of the URL alphabet', '-_-_', 3],
    ['with a space', 'Zm 9', 3],
    ['with padding inside', 'Z===', 1],
    ['with padding too many', 'Zm9=', 3],
    ['with spare bits set', 'Zh==', 1],
    ['beyond ASCII', 'Zm9é', 3],
  ])('%s is refused', (_what, text, length) => {
    expect(() => fromBase64(text, length)).toThrow(expect.objectContaining({ code: 'bad-field' }));
  });

  it('is refused before anything is allocated by a length it does not have', () => {
    expect(() => fromBase64('Zg==', 2 ** 53 - 1)).toThrow(expect.objectContaining({ code: 'bad-field' }));
  });

  it('has one spelling for each byte string', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.nat({ max: 9 }), (text, length) => {
        try {
          expect(toBase64(fromBase64(text, length))).toBe(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-field' });
        }
      }),
    );
  });
});

describe('two byte strings', () => {
  it.each([
    [[], [], true],
    [[1], [1], true],
    [[1], [2], false],
    [[1], [1, 0], false],
    [[1, 2, 3], [1, 2, 4], false],
  ])('%j and %j: %j', (a, b, same) => {
    expect(equalBytes(Uint8Array.from(a), Uint8Array.from(b))).toBe(same);
  });
});
