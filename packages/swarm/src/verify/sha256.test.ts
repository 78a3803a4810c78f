import { describe, expect, it } from 'vitest';
import { toHex } from '@sonantica/wire';
import { createStreamHasher as createNodeStreamHasher, nodeHasher } from './sha256-node.ts';
import { createStreamHasher as createWebStreamHasher, createWebHasher } from './sha256-web.ts';

/** FIPS 180-4 examples, and one zeroed block as `sha256sum` hashes it. */
const vectors: [what: string, bytes: Uint8Array, hex: string][] = [
  ['nothing', new Uint8Array(0), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', text('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'two blocks of SHA-256',
    text('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    'a zeroed block of a track',
    new Uint8Array(16_384),
    '4fe7b59af6de3b665b67788cc2f99892ab827efae3a467342b3bb4e3bc8e5bfe',
  ],
];

const hashers = [
  ['node:crypto', nodeHasher],
  ['WebCrypto', createWebHasher()],
  ['hash-wasm', createWebHasher(null)],
] as const;

describe.each(hashers)('SHA-256 by %s', (_name, hasher) => {
  it.each(vectors)('hashes %s', async (_what, bytes, hex) => {
    expect(toHex(await hasher(bytes))).toBe(hex);
  });

  it('hashes a view of a larger buffer', async () => {
    const bytes = text('xxabcxx').subarray(2, 5);
    expect(toHex(await hasher(bytes))).toBe(vectors[1]?.[2]);
  });

  it('hashes shared memory', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set(text('abc'));
    expect(toHex(await hasher(shared))).toBe(vectors[1]?.[2]);
  });

  it('answers hashes that later hashes do not overwrite', async () => {
    const first = await hasher(text('abc'));
    await hasher(text('xyz'));
    expect(toHex(first)).toBe(vectors[1]?.[2]);
  });

  it('keeps concurrent hashes apart', async () => {
    const hexes = await Promise.all(vectors.map(async ([, bytes]) => toHex(await hasher(bytes))));
    expect(hexes).toEqual(vectors.map(([, , hex]) => hex));
  });
});

describe.each([
  ['node:crypto', createNodeStreamHasher],
  ['hash-wasm', createWebStreamHasher],
])('the streaming SHA-256 by %s', (_name, createStreamHasher) => {
  it.each(vectors)('hashes %s in pieces', async (_what, bytes, hex) => {
    const hasher = await createStreamHasher();
    for (let at = 0; at < bytes.length; at += 7) hasher.update(bytes.subarray(at, at + 7));
    expect(hasher.digestHex()).toBe(hex);
  });

  it('hashes two files side by side', async () => {
    const [a, b] = await Promise.all([createStreamHasher(), createStreamHasher()]);
    a.update(text('a'));
    b.update(text('ab'));
    a.update(text('bc'));
    b.update(text('c'));
    expect([a.digestHex(), b.digestHex()]).toEqual([vectors[1]?.[2], vectors[1]?.[2]]);
  });
});

it('is synchronous by node:crypto, and by hash-wasm once that is loaded', async () => {
  const wasm = createWebHasher(null);
  await wasm(text('abc'));
  expect(nodeHasher(text('abc'))).toBeInstanceOf(Uint8Array);
  expect(wasm(text('abc'))).toBeInstanceOf(Uint8Array);
});

it('leaves a tree’s small hashes to WebCrypto too: script that runs for the first time takes many times as long', async () => {
  const lengths: number[] = [];
  const digest = (name: AlgorithmIdentifier, bytes: BufferSource) => {
    lengths.push(bytes.byteLength);
    return crypto.subtle.digest(name, bytes);
  };
  await createWebHasher({ digest })(new Uint8Array(64));
  expect(lengths).toEqual([64]);
});

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
