import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chunkCount, chunkRange, fromHex, LIMITS, type Geometry, type Hasher } from '@sonantica/wire';
import { BlockVerifier } from './block-verifier.ts';
import { nodeHasher } from './sha256-node.ts';
import { createWebHasher } from './sha256-web.ts';

/** Made by libtorrent 2.0.8; the bytes are SHA-256("sonantica:i") for i = 0, 1, 2…, cut to length. */
/** Eight chunks of eight blocks; the last chunk and its last block are short. */
const track = {
  size: 1000000,
  chunkSize: 131072,
  chunks: [
    '1c2b7fc941093f11510aac66e57a8d713451345465f5e0f4ef1a03f45671d53d',
    '13f28c30956797928a9801b3820aff9cc6465fdf942e3f0cdc01120f1664b535',
    '300a2d2309466aa147843a603975f2ee2ab9a9db7b8da12a88b6bd0051898738',
    'e613fb6ad20a5eea27bd2348b41581da68fb2b03820b546c352179ca7150dec8',
    'e8387e0bd2eb52802b249cee456d7133489bff2268bbeb2efbf7a1ea19488206',
    '9b93367c7457f09ad4b184bc2cd7b0a80b29afa69d25a9e4d631497b0a366116',
    'e1e9c238c9e49863b3d3f47b16432f61570ced00c8ff990fde0866c3d377690d',
    '733094850afafb5e8957e557df2f2c54c6e9f675fd3da94fe22573d3cbbaa0ea',
  ],
};

const vectors = [
  {
    size: 40000,
    chunkSize: 262144,
    chunks: ['fe5c091b4a0a3f837d88090cac23d2d98b6f8f41837281c682153b42633663e0'],
  },
  {
    size: 262145,
    chunkSize: 262144,
    chunks: [
      '33b1293602b70711299157f797bbd9fc562e92ad101341fd57e91854506038a6',
      'ba4cee837b534b442801e446d2ffd3d8ebc829f544c1c2e5e8664a050fc76d6e',
    ],
  },
  track,
];

type Vector = (typeof vectors)[number];

const hashers: [string, Hasher][] = [
  ['a synchronous hasher', nodeHasher],
  ['an asynchronous hasher', createWebHasher()],
];

describe.each(hashers)('BlockVerifier with %s', (_name, hasher) => {
  it.each(vectors)('proves every chunk and block of a track of $size bytes', async (vector) => {
    const fresh = openVerifier(vector, hasher);
    const proven = openVerifier(vector, hasher);
    for (let chunk = 0; chunk < chunkCount(vector); chunk++) {
      const bytes = chunkBytes(vector, chunk);
      const leaves = await proven.proveChunk(chunk, bytes);
      expect(leaves).toBeDefined();
      expect(await fresh.acceptLeaves(chunk, leaves ?? new Uint8Array(0))).toBe(true);
      for (const [block, part] of blocks(bytes))
        expect(await fresh.proveBlock(chunk, block, part)).toBe(true);
    }
  });

  it('refuses a block with one bit flipped, cut short, grown or in another place', async () => {
    const { verifier, bytes } = await provenChunk(hasher);
    const flipped = bytes.slice(0, LIMITS.blockBytes);
    flipped[100] = (flipped[100] ?? 0) ^ 1;
    expect(await verifier.proveBlock(0, 0, flipped)).toBe(false);
    expect(await verifier.proveBlock(0, 0, bytes.subarray(0, LIMITS.blockBytes - 1))).toBe(false);
    expect(await verifier.proveBlock(0, 0, bytes.subarray(0, LIMITS.blockBytes + 1))).toBe(false);
    expect(await verifier.proveBlock(0, 1, bytes.subarray(0, LIMITS.blockBytes))).toBe(false);
    expect(await verifier.proveBlock(0, 0, bytes.subarray(0, LIMITS.blockBytes))).toBe(true);
  });

  it.each([-1, 0.5, 8, Number.NaN, 1e9])('proves nothing as block %s of 8', async (block) => {
    const { verifier, bytes } = await provenChunk(hasher);
    expect(await verifier.proveBlock(0, block, bytes.subarray(0, LIMITS.blockBytes))).toBe(false);
    expect(await verifier.proveBlock(0, block, new Uint8Array(0))).toBe(false);
  });

  it.each([-1, 0.5, 8, Number.NaN])('proves nothing as chunk %s of 8', async (chunk) => {
    const { verifier, bytes, leaves } = await provenChunk(hasher);
    expect(await verifier.acceptLeaves(chunk, leaves)).toBe(false);
    expect(await verifier.proveChunk(chunk, bytes)).toBeUndefined();
    expect(await verifier.proveBlock(chunk, 0, bytes.subarray(0, LIMITS.blockBytes))).toBe(false);
  });

  it('refuses leaves that are wrong, too few, too many or of another chunk, and goes without', async () => {
    const { leaves } = await provenChunk(hasher);
    const wrong = leaves.slice();
    wrong[33] = (wrong[33] ?? 0) ^ 1;
    const verifier = openVerifier(track, hasher);
    expect(await verifier.acceptLeaves(0, wrong)).toBe(false);
    expect(await verifier.acceptLeaves(0, leaves.subarray(32))).toBe(false);
    expect(await verifier.acceptLeaves(0, new Uint8Array([...leaves, ...new Uint8Array(32)]))).toBe(false);
    expect(await verifier.acceptLeaves(0, new Uint8Array([...leaves, 0]))).toBe(false);
    expect(await verifier.acceptLeaves(0, new Uint8Array(0))).toBe(false);
    expect(await verifier.acceptLeaves(1, leaves)).toBe(false);
    expect(verifier.hasLeaves(0)).toBe(false);
    expect(verifier.leavesOf(0)).toBeUndefined();
  });

  it('refuses the padding of a short chunk when it is sent as leaves', async () => {
    const last = chunkCount(track) - 1;
    const verifier = openVerifier(track, hasher);
    const leaves = (await verifier.proveChunk(last, chunkBytes(track, last))) ?? new Uint8Array(0);
    const padded = new Uint8Array((track.chunkSize / LIMITS.blockBytes) * LIMITS.hashBytes);
    padded.set(leaves);
    expect(await openVerifier(track, hasher).acceptLeaves(last, padded)).toBe(false);
  });

  it('keeps proven leaves when wrong ones follow', async () => {
    const { verifier, bytes, leaves } = await provenChunk(hasher);
    expect(await verifier.acceptLeaves(0, leaves.slice().fill(1))).toBe(false);
    expect(await verifier.acceptLeaves(0, leaves)).toBe(true);
    expect(await verifier.proveBlock(0, 0, bytes.subarray(0, LIMITS.blockBytes))).toBe(true);
  });

  it('is not fooled when the memory of accepted leaves is used again', async () => {
    const { leaves, bytes } = await provenChunk(hasher);
    const verifier = openVerifier(track, hasher);
    const frame = leaves.slice();
    expect(await verifier.acceptLeaves(0, frame)).toBe(true);
    frame.fill(0);
    expect(await verifier.proveBlock(0, 0, bytes.subarray(0, LIMITS.blockBytes))).toBe(true);
  });

  it('proves no block before leaves, nor after they were forgotten', async () => {
    const { verifier, bytes } = await provenChunk(hasher);
    const first = bytes.subarray(0, LIMITS.blockBytes);
    expect(await openVerifier(track, hasher).proveBlock(0, 0, first)).toBe(false);
    verifier.forget(0);
    expect(verifier.hasLeaves(0)).toBe(false);
    expect(await verifier.proveBlock(0, 0, first)).toBe(false);
  });

  it('refuses a whole chunk with one byte changed, missing or too many', async () => {
    const bytes = chunkBytes(track, 0);
    const verifier = openVerifier(track, hasher);
    const changed = bytes.slice();
    changed[bytes.length - 1] = (changed[bytes.length - 1] ?? 0) ^ 0x80;
    expect(await verifier.proveChunk(0, changed)).toBeUndefined();
    expect(await verifier.proveChunk(0, bytes.subarray(1))).toBeUndefined();
    expect(await verifier.proveChunk(0, new Uint8Array([...bytes, 0]))).toBeUndefined();
    expect(await verifier.proveChunk(0, new Uint8Array(0))).toBeUndefined();
    expect(verifier.hasLeaves(0)).toBe(false);
  });
});

it('answers at once when the hasher is synchronous', () => {
  const verifier = openVerifier(track, nodeHasher);
  const leaves = verifier.proveChunk(0, chunkBytes(track, 0));
  expect(leaves).toBeInstanceOf(Uint8Array);
  expect(verifier.proveBlock(0, 0, chunkBytes(track, 0).subarray(0, LIMITS.blockBytes))).toBe(true);
  const fresh = openVerifier(track, nodeHasher);
  expect(fresh.acceptLeaves(0, leaves instanceof Uint8Array ? leaves : new Uint8Array(0))).toBe(true);
});

function openVerifier(vector: Vector, hasher: Hasher): BlockVerifier {
  return new BlockVerifier(
    hasher,
    vector,
    vector.chunks.map((hex) => fromHex(hex, LIMITS.hashBytes)),
  );
}

async function provenChunk(hasher: Hasher) {
  const verifier = openVerifier(track, hasher);
  const bytes = chunkBytes(track, 0);
  const leaves = await verifier.proveChunk(0, bytes);
  if (leaves === undefined) throw new Error('the vector does not prove');
  return { verifier, bytes, leaves };
}

function chunkBytes(geometry: Geometry, chunk: number): Uint8Array {
  const { start, end } = chunkRange(geometry, chunk);
  const bytes = new Uint8Array(end);
  for (let at = 0; at < end; at += LIMITS.hashBytes) {
    const part = hash('sha256', `sonantica:${at / LIMITS.hashBytes}`, 'buffer');
    bytes.set(part.subarray(0, end - at), at);
  }
  return bytes.subarray(start);
}

function* blocks(bytes: Uint8Array): Generator<[number, Uint8Array]> {
  for (let at = 0; at < bytes.length; at += LIMITS.blockBytes) {
    yield [at / LIMITS.blockBytes, bytes.subarray(at, at + LIMITS.blockBytes)];
  }
}
