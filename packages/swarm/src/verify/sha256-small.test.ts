import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { MOST_SMALL_BYTES, sha256Small } from './sha256-small.ts';

it('hashes every length up to the most as anybody does', () => {
  for (let length = 0; length <= MOST_SMALL_BYTES; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
    expect(sha256Small(bytes)).toEqual(new Uint8Array(hash('sha256', bytes, 'buffer')));
  }
});

it('answers with memory of its own', () => {
  const first = sha256Small(new Uint8Array(64));
  const kept = first.slice();
  sha256Small(Uint8Array.of(1));
  expect(first).toEqual(kept);
});
