import { describe, expect, it } from 'vitest';
import { randomTexts } from './random-texts.ts';

describe('random texts', () => {
  it.each([
    [4, 'latin1', 4],
    [16, 'base64url', 22],
    [3_000, 'latin1', 3_000],
  ] as const)(
    'of %i bytes in %s are %i characters, and differ beyond what is kept in store',
    (...expected) => {
      const [bytes, encoding, length] = expected;
      const next = randomTexts(bytes, encoding);
      const texts = Array.from({ length: 1_100 }, next);
      expect(texts.every((text) => text.length === length)).toBe(true);
      // Of 4 bytes two may be alike by chance.
      expect(new Set(texts).size).toBeGreaterThan(1_095);
    },
  );
});
