import { describe, expect, it } from 'vitest';
import { fromHex } from '@sonantica/wire';
import { nodeVerifySignature } from './signature-node.ts';
import { createWebVerifySignature } from './signature-web.ts';

/** RFC 8032 §7.1, tests 1 to 3. */
const vectors: [key: string, message: string, signature: string][] = [
  [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
];

/** WebCrypto as browsers without Ed25519 have it. */
const withoutEd25519 = {
  importKey: () => Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError')),
  verify: () => Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError')),
};

describe.each([
  ['node:crypto', nodeVerifySignature],
  ['WebCrypto', createWebVerifySignature()],
  ['@noble/ed25519 where WebCrypto lacks the algorithm', createWebVerifySignature(withoutEd25519)],
  ['@noble/ed25519 where there is no WebCrypto', createWebVerifySignature(null)],
])('Ed25519 by %s', (_name, verifySignature) => {
  it.each(vectors)('accepts the signature by %s', async (...vector) => {
    expect(await verifySignature(...parse(vector))).toBe(true);
  });

  it.each(vectors)('refuses a changed signature by %s', async (...vector) => {
    for (const at of [0, 31, 32, 63]) {
      const [key, message, signature] = parse(vector);
      signature[at] = (signature[at] ?? 0) ^ 1;
      expect(await verifySignature(key, message, signature)).toBe(false);
    }
  });

  it('refuses a longer message, another key, and lengths that cannot be', async () => {
    const [key, message, signature] = parse(vectors[2] ?? ['', '', '']);
    const [otherKey] = parse(vectors[1] ?? ['', '', '']);
    expect(await verifySignature(key, new Uint8Array([...message, 0]), signature)).toBe(false);
    expect(await verifySignature(otherKey, message, signature)).toBe(false);
    expect(await verifySignature(key.subarray(1), message, signature)).toBe(false);
    expect(await verifySignature(key, message, signature.subarray(1))).toBe(false);
    expect(await verifySignature(new Uint8Array(0), message, new Uint8Array(0))).toBe(false);
  });

  it('refuses a key that is no point of the curve', async () => {
    const [, message, signature] = parse(vectors[2] ?? ['', '', '']);
    expect(await verifySignature(new Uint8Array(32).fill(0xff), message, signature)).toBe(false);
    expect(await verifySignature(new Uint8Array(32).fill(2), message, signature)).toBe(false);
  });
});

function parse([key, message, signature]: [string, string, string]): [Uint8Array, Uint8Array, Uint8Array] {
  return [fromHex(key, 32), fromHex(message, message.length / 2), fromHex(signature, 64)];
}
