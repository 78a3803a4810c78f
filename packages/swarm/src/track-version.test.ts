import { describe, expect, it } from 'vitest';
import {
  buildManifest,
  checkManifest,
  chunkRange,
  ChunkSet,
  joinHashes,
  LIMITS,
  merkleRoot,
  type ByteRange,
  type Hasher,
  type Manifest,
  type TrackId,
} from '@sonantica/wire';
import { ORIGIN } from './core/source-state.ts';
import { SwarmError } from './errors.ts';
import { TrackVersion, type TrackVersionHandler } from './track-version.ts';
import { BlockVerifier } from './verify/block-verifier.ts';
import { nodeHasher } from './verify/sha256-node.ts';

const BLOCK = LIMITS.blockBytes;
/** Two chunks of eight blocks and one of two, the last short. */
const SONG = Uint8Array.from(
  { length: 2 * 131_072 + BLOCK + 100 },
  (_, i) => (i * 31 + (i >> 9) + (i >> 17)) & 0xff,
);

const hashers: [string, Hasher][] = [
  ['answers at once', nodeHasher],
  ['answers later', async (bytes) => nodeHasher(bytes)],
];

describe.each(hashers)('a track whose hasher %s', (_name, hasher) => {
  it('is put together from proven blocks in any order, bit-exact', async () => {
    const song = await Song.open(hasher);
    song.prove(2);
    song.block('a', 2, 1);
    song.block('b', 2, 0);
    await settled();
    expect(song.log).toEqual(['proven 2/1 by a', 'complete 2 by b', 'proven 2/0 by b']);
    expect(song.completed.get(2)).toEqual(SONG.slice(2 * 131_072));
    expect([...song.version.held]).toEqual([2]);
  });

  it('holds blocks that come before their proof, and proves them then', async () => {
    const song = await Song.open(hasher);
    song.block('a', 0, 5);
    await settled();
    expect(song.log).toEqual([]);
    expect(song.version.covers({ start: 5 * BLOCK, end: 6 * BLOCK }, 0)).toBe(false);
    song.prove(0);
    await settled();
    expect(song.log).toEqual(['proven 0/5 by a']);
    expect(song.version.covers({ start: 5 * BLOCK, end: 6 * BLOCK }, 0)).toBe(true);
  });

  it('tells of each block of a peer, once, that its bytes are of no use any more', async () => {
    const song = await Song.open(hasher);
    song.block('early', 2, 0);
    await settled();
    expect(song.spent).toEqual([]);
    song.prove(2);
    song.block('liar', 2, 1, wrong);
    await settled();
    expect(song.spent).toEqual([BLOCK, 100]);
    song.block('twice', 2, 0);
    song.block('a', 2, 1);
    song.block('late', 2, 1);
    await settled();
    expect(song.spent).toEqual([BLOCK, 100, BLOCK, 100, 100]);
    expect(song.completed.get(2)).toEqual(SONG.slice(2 * 131_072));
  });

  it('leaves the memory alone of what the origin sends', async () => {
    const song = await Song.open(hasher);
    song.prove(2);
    await settled();
    song.block(ORIGIN, 2, 1, wrong);
    song.block(ORIGIN, 2, 0);
    song.block(ORIGIN, 2, 0);
    song.block(ORIGIN, 2, 1);
    await settled();
    expect(song.version.held.has(2)).toBe(true);
    expect(song.spent).toEqual([]);
  });

  it('refuses a wrong block and blames who sent it, whether its proof came before or after', async () => {
    const song = await Song.open(hasher);
    song.block('early', 0, 1, wrong);
    song.block('honest', 0, 1);
    song.prove(0);
    song.block('late', 0, 2, wrong);
    await settled();
    expect(song.log.toSorted()).toEqual([
      'disproved 0/1 by early',
      'disproved 0/2 by late',
      'proven 0/1 by honest',
    ]);
  });

  it('refuses a block of the right bytes in the wrong place, or cut short', async () => {
    const song = await Song.open(hasher);
    song.prove(0);
    song.version.acceptBlocks('a', 0, 1, SONG.slice(0, BLOCK));
    song.version.acceptBlocks('b', 0, 0, SONG.slice(0, BLOCK - 1));
    await settled();
    expect(song.log.toSorted()).toEqual(['disproved 0/0 by b', 'disproved 0/1 by a']);
  });

  it('refuses a wrong proof, blames who sent it, and keeps the blocks of others', async () => {
    const song = await Song.open(hasher);
    song.block('honest', 0, 0);
    song.version.acceptProof('liar', 0, new Uint8Array(8 * LIMITS.hashBytes));
    await settled();
    expect(song.log).toEqual(['disproved 0/-1 by liar']);
    song.prove(0);
    await settled();
    expect(song.log.at(-1)).toBe('proven 0/0 by honest');
  });

  it('takes a second proof of a chunk for nothing, right or wrong', async () => {
    const song = await Song.open(hasher);
    song.prove(0);
    await settled();
    song.version.acceptProof('late', 0, new Uint8Array(8 * LIMITS.hashBytes));
    await settled();
    expect(song.log).toEqual([]);
  });

  it('proves a whole chunk of one source that has no leaf hashes', async () => {
    const song = await Song.open(hasher);
    for (let block = 0; block < 8; block++) song.block('origin', 1, block);
    await settled();
    expect(song.completed.get(1)).toEqual(SONG.slice(131_072, 2 * 131_072));
    expect(song.log.filter((line) => line.startsWith('proven'))).toHaveLength(8);
  });

  it('blames a source whose whole chunk is wrong, and no other', async () => {
    const song = await Song.open(hasher);
    song.block('honest', 1, 0);
    for (let block = 0; block < 8; block++) song.block('origin', 1, block, block === 3 ? wrong : undefined);
    await settled();
    expect(song.log).toHaveLength(8);
    expect(song.log.every((line) => line.startsWith('disproved 1/') && line.endsWith('by origin'))).toBe(
      true,
    );
    song.prove(1);
    await settled();
    expect(song.log.at(-1)).toBe('proven 1/0 by honest');
  });

  it('does not take blocks of several sources for a whole chunk', async () => {
    const song = await Song.open(hasher);
    for (let block = 0; block < 7; block++) song.block('a', 1, block);
    song.block('b', 1, 7);
    await settled();
    expect(song.log).toEqual([]);
  });

  it('counts a block once, whichever of two sources is first', async () => {
    const song = await Song.open(hasher);
    song.prove(0);
    song.block('a', 0, 0);
    song.block('b', 0, 0);
    await settled();
    song.block('c', 0, 0);
    await settled();
    expect(song.log.filter((line) => line.startsWith('proven'))).toHaveLength(1);
    expect(song.log.filter((line) => line.startsWith('wasted'))).toHaveLength(2);
  });

  it('drops blocks beyond a chunk, and of chunks that are held', async () => {
    const song = await Song.open(hasher, [1]);
    song.version.acceptBlocks('a', 2, 2, new Uint8Array(100));
    song.block('a', 1, 0);
    await settled();
    expect(song.log).toEqual(['wasted by a', 'wasted by a']);
  });

  it('forgets unproven blocks of a source that left', async () => {
    const song = await Song.open(hasher);
    song.block('gone', 0, 0);
    song.block('here', 0, 1);
    song.version.dropUnproven('gone');
    song.prove(0);
    await settled();
    expect(song.log).toEqual(['proven 0/1 by here']);
  });

  it('gives the leaf hashes of what it holds', async () => {
    const song = await Song.open(hasher, [0]);
    expect(song.version.leavesKnown(0)).toBe(false);
    const leaves = await song.version.leavesOf(0, SONG.slice(0, 131_072));
    expect(leaves).toEqual(leavesOf(0));
    expect(song.version.leavesKnown(0)).toBe(true);
    expect(await song.version.leavesOf(1, SONG.slice(0, 131_072))).toBeUndefined();
  });

  it('proves chunks for whoever loads them', async () => {
    const song = await Song.open(hasher);
    expect(await song.version.proves(0, SONG.slice(0, 131_072))).toBe(true);
    expect(await song.version.proves(1, SONG.slice(0, 131_072))).toBe(false);
    expect(await song.version.proves(0, SONG.slice(0, 131_071))).toBe(false);
  });
});

describe('a track whose hasher fails', () => {
  /** The song, with a hasher that fails where `fails` says so. */
  async function failing() {
    const hasher = { fails: false };
    const song = await Song.open(async (bytes) => {
      if (hasher.fails) throw new Error('no memory to hash in');
      return nodeHasher(bytes);
    });
    return { song, hasher };
  }

  it('neither takes a block nor blames who sent it, and takes it when it comes again', async () => {
    const { song, hasher } = await failing();
    song.prove(0);
    await settled();
    hasher.fails = true;
    song.block('honest', 0, 0);
    song.run('honest', 0, 1, 2);
    await settled();
    expect(song.log).toEqual(Array(3).fill('unhashed 0 by honest'));
    expect(song.spent).toEqual([BLOCK, BLOCK, BLOCK]);
    expect(song.version.covers({ start: 0, end: BLOCK }, 0)).toBe(false);
    hasher.fails = false;
    song.run('honest', 0, 0, 3);
    await settled();
    expect(song.log.slice(3)).toEqual([0, 1, 2].map((block) => `proven 0/${block} by honest`));
  });

  it('lets go of what waited for a proof of the same source, and takes both when they come again', async () => {
    const { song, hasher } = await failing();
    hasher.fails = true;
    song.block('prover', 0, 0);
    song.block('other', 0, 1);
    song.prove(0);
    await settled();
    expect(song.log).toEqual(['unhashed 0 by prover']);
    expect(song.spent).toEqual([BLOCK]);
    hasher.fails = false;
    song.block('prover', 0, 0);
    song.prove(0);
    await settled();
    expect(song.log.slice(1).toSorted()).toEqual(['proven 0/0 by prover', 'proven 0/1 by other']);
  });

  it('takes a whole chunk when it comes again', async () => {
    const { song, hasher } = await failing();
    hasher.fails = true;
    song.run('origin', 1, 0, 8);
    await settled();
    expect(song.log).toEqual(['unhashed 1 by origin']);
    hasher.fails = false;
    song.run('origin', 1, 0, 8);
    await settled();
    expect(song.completed.get(1)).toEqual(SONG.slice(131_072, 2 * 131_072));
  });
});

describe.each(hashers)('a part of a chunk that is dropped, where a hasher %s,', (_name, hasher) => {
  const FIRST = { start: 0, end: BLOCK };

  it('is here no longer, and proven again when it comes again', async () => {
    const song = await Song.open(hasher);
    song.prove(0);
    await settled();
    song.block('a', 0, 0);
    await settled();
    expect(song.version.dropPart(0)).toBe(true);
    expect([song.version.parts(), song.version.begun, song.version.part(0)]).toEqual([[], [], undefined]);
    song.block('liar', 0, 0, wrong);
    song.block('b', 0, 0);
    await settled();
    expect(song.log).toEqual(['proven 0/0 by a', 'disproved 0/0 by liar', 'proven 0/0 by b']);
    const read = song.read(FIRST);
    await settled();
    expect(read.bytes).toEqual(SONG.slice(0, BLOCK));
  });

  it('takes with it what waits for a proof', async () => {
    const song = await Song.open(hasher);
    song.block('a', 0, 0);
    expect(song.version.dropPart(0)).toBe(false);
    expect(song.spent).toEqual([BLOCK]);
    song.prove(0);
    await settled();
    expect(song.log).toEqual([]);
  });

  it('is waited for anew by a read that waited for more of it', async () => {
    const song = await Song.open(hasher);
    song.prove(0);
    await settled();
    const read = song.read({ start: 0, end: 2 * BLOCK });
    song.block('a', 0, 1);
    await settled();
    song.version.dropPart(0);
    song.block('a', 0, 0);
    await settled();
    expect(read.done).toBe(false);
    song.block('a', 0, 1);
    await settled();
    expect(read.bytes).toEqual(SONG.slice(0, 2 * BLOCK));
  });
});

describe('a block whose chunk was dropped while it was looked at', () => {
  it('is of no use, hashed later', async () => {
    const song = await Song.open(async (bytes) => nodeHasher(bytes));
    song.prove(0);
    await settled();
    song.block('a', 0, 0);
    song.version.dropPart(0);
    song.block('b', 0, 1);
    await settled();
    expect(song.log).toEqual(['wasted by a', 'proven 0/1 by b']);
    expect(song.version.parts()).toEqual([{ chunk: 0, first: 1, count: 1 }]);
  });

  it('is not told of, nor the chunk it would complete, as who hears of the blocks before it drops that', async () => {
    const song = await Song.open(nodeHasher);
    song.prove(0);
    for (const block of [1, 3, 5, 6, 7]) song.block('a', 0, block);
    song.log.length = 0;
    song.onProven = () => song.version.dropPart(0);
    song.run('b', 0, 0, 5);
    expect(song.log).toEqual(['wasted by b', 'proven 0/0 by b', 'wasted by b']);
    expect([...song.version.held]).toEqual([]);
  });
});

describe('reading', () => {
  it('gives bytes as soon as their own blocks are proven, before the chunk is complete', async () => {
    const song = await Song.open(nodeHasher);
    const range = { start: BLOCK + 10, end: 2 * BLOCK + 20 };
    const read = song.read(range);
    song.prove(0);
    song.block('a', 0, 1);
    await settled();
    expect(read.done).toBe(false);
    song.block('a', 0, 2);
    await settled();
    expect(read.bytes).toEqual(SONG.slice(range.start, range.end));
  });

  it('gives what is there already, and what is held', async () => {
    const song = await Song.open(nodeHasher, [1]);
    song.prove(0);
    song.block('a', 0, 0);
    const signal = new AbortController().signal;
    expect(await song.version.read({ start: 5, end: 50 }, signal)).toEqual(SONG.slice(5, 50));
    const range = { start: 131_072 + 7, end: 131_072 + 9 };
    expect(await song.version.read(range, signal)).toEqual(SONG.slice(range.start, range.end));
  });

  it('gives a range over several chunks once all of it is there', async () => {
    const song = await Song.open(nodeHasher, [0]);
    const range = { start: 131_070, end: 131_080 };
    const read = song.read(range);
    await settled();
    expect(read.done).toBe(false);
    song.prove(1);
    song.block('a', 1, 0);
    await settled();
    expect(read.bytes).toEqual(SONG.slice(range.start, range.end));
  });

  it('gives memory of the caller’s own', async () => {
    const song = await Song.open(nodeHasher, [0]);
    const signal = new AbortController().signal;
    (await song.version.read({ start: 0, end: 10 }, signal)).fill(0xee);
    expect(await song.version.read({ start: 0, end: 10 }, signal)).toEqual(SONG.slice(0, 10));
  });

  it('waits again when a held chunk turns out to be lost', async () => {
    const song = await Song.open(nodeHasher, [2]);
    song.onLoad = (chunk) => {
      song.version.lost(chunk);
      return undefined;
    };
    const read = song.read({ start: 2 * 131_072, end: 2 * 131_072 + 5 });
    await settled();
    expect(read.done).toBe(false);
    song.prove(2);
    song.block('a', 2, 0);
    await settled();
    expect(read.bytes).toEqual(SONG.slice(2 * 131_072, 2 * 131_072 + 5));
  });

  it('ends with the reason of the signal, before and while it waits', async () => {
    const song = await Song.open(nodeHasher);
    const abort = new AbortController();
    const waiting = song.version.read({ start: 0, end: 10 }, abort.signal);
    const reason = new SwarmError('origin-unavailable', 'nobody has it');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(song.version.read({ start: 0, end: 10 }, abort.signal)).rejects.toBe(reason);
    await expect(song.version.read({ start: 0, end: 140_000 }, abort.signal)).rejects.toBe(reason);
    song.prove(0);
    song.block('a', 0, 0);
    await settled();
  });
});

// --- A track by hand ---

async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

function wrong(bytes: Uint8Array): Uint8Array {
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  return bytes;
}

describe('blocks that come in a row', () => {
  it('are told of together, each proven by itself', async () => {
    const song = await Song.open(nodeHasher);
    song.prove(0);
    song.run('a', 0, 2, 3);
    expect(song.log).toEqual(['proven 0/2 to 4 by a']);
    expect(song.version.covers({ start: 2 * BLOCK, end: 5 * BLOCK }, 0)).toBe(true);
  });

  it('are told of apart where one between them was here already', async () => {
    const song = await Song.open(nodeHasher);
    song.prove(0);
    song.block('a', 0, 3);
    song.run('b', 0, 2, 3);
    expect(song.log).toEqual(['proven 0/3 by a', 'wasted by b', 'proven 0/2 by b', 'proven 0/4 by b']);
  });

  it('count as far as the first that is wrong, and nothing after it is looked at', async () => {
    const song = await Song.open(nodeHasher);
    song.prove(0);
    song.run('liar', 0, 2, 3, (bytes) => {
      bytes[BLOCK] = (bytes[BLOCK] ?? 0) ^ 1;
      return bytes;
    });
    expect(song.log).toEqual(['proven 0/2 by liar', 'disproved 0/3 by liar']);
    expect(song.version.covers({ start: 4 * BLOCK, end: 5 * BLOCK }, 0)).toBe(false);
  });

  it('complete a chunk with their last, and what lies beyond it is of no use', async () => {
    const song = await Song.open(nodeHasher);
    song.prove(2);
    song.run('a', 2, 0, 2);
    expect(song.log).toEqual(['complete 2 by a', 'proven 2/0 to 1 by a']);
    const other = await Song.open(nodeHasher);
    other.prove(0);
    other.run('a', 0, 7, 1, (bytes) => Uint8Array.of(...bytes, ...bytes));
    expect(other.log).toEqual(['wasted by a', 'proven 0/7 by a']);
  });

  it('complete a chunk once, also around a block that was here already', async () => {
    const song = await Song.open(nodeHasher);
    song.prove(0);
    for (const block of [3, 5, 6, 7]) song.block('a', 0, block);
    song.log.length = 0;
    song.run('b', 0, 0, 5);
    expect(song.log).toEqual(['wasted by b', 'complete 0 by b', 'proven 0/0 to 2 by b', 'proven 0/4 by b']);
  });

  it('wait for their proof one by one', async () => {
    const song = await Song.open(nodeHasher);
    song.run('a', 0, 2, 3);
    expect(song.log).toEqual([]);
    song.prove(0);
    expect(song.log).toEqual(['proven 0/2 by a', 'proven 0/3 by a', 'proven 0/4 by a']);
  });
});

class Song {
  readonly version: TrackVersion;
  readonly log: string[] = [];
  readonly completed = new Map<number, Uint8Array>();
  /** Lengths of blocks that are of no use any more. Their memory is gone. */
  readonly spent: number[] = [];
  /** Of memory in which something is spent: what is not. */
  readonly #unspentBytes = new Map<ArrayBuffer, number>();
  onProven: () => unknown = () => undefined;
  onLoad: (chunk: number) => Uint8Array | undefined = chunkBytes;

  static async open(hasher: Hasher, held: readonly number[] = []): Promise<Song> {
    return new Song(await manifestOf(SONG), hasher, held);
  }

  private constructor(manifest: Manifest, hasher: Hasher, held: readonly number[]) {
    const verifier = new BlockVerifier(hasher, manifest, manifest.chunkHashes);
    const handler: TrackVersionHandler = {
      proven: (_version, { chunk, first, count }, source) => {
        const blocks = count === 1 ? first : `${first} to ${first + count - 1}`;
        this.log.push(`proven ${chunk}/${blocks} by ${source}`);
        this.onProven();
      },
      disproved: (_version, chunk, block, source) =>
        void this.log.push(`disproved ${chunk}/${block} by ${source}`),
      unhashed: (_version, chunk, source) => void this.log.push(`unhashed ${chunk} by ${source}`),
      wasted: (_version, source) => void this.log.push(`wasted by ${source}`),
      complete: (_version, chunk, bytes, source) => {
        this.completed.set(chunk, bytes.slice());
        this.log.push(`complete ${chunk} by ${source}`);
      },
      load: async (_version, chunk) => this.onLoad(chunk),
    };
    const spent = (bytes: Uint8Array) => {
      this.spent.push(bytes.length);
      const buffer = bytes.buffer as ArrayBuffer;
      const left = (this.#unspentBytes.get(buffer) ?? buffer.byteLength) - bytes.length;
      this.#unspentBytes.set(buffer, left);
      if (left === 0) structuredClone(buffer, { transfer: [buffer] });
    };
    this.version = new TrackVersion(manifest, ChunkSet.of(3, held), verifier, handler, undefined, spent);
  }

  prove(chunk: number): void {
    this.version.acceptProof('prover', chunk, leavesOf(chunk));
  }

  /** Several blocks of a chunk in a row, as they come in one frame. */
  run(
    source: string,
    chunk: number,
    block: number,
    count: number,
    change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
  ): void {
    const at = block * BLOCK;
    this.version.acceptBlocks(source, chunk, block, change(chunkBytes(chunk).slice(at, at + count * BLOCK)));
  }

  block(
    source: string,
    chunk: number,
    block: number,
    change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
  ): void {
    const at = block * BLOCK;
    this.version.acceptBlocks(source, chunk, block, change(chunkBytes(chunk).slice(at, at + BLOCK)));
  }

  /** A read that is under way. */
  read(range: ByteRange): { done: boolean; bytes: Uint8Array | undefined } {
    const read: { done: boolean; bytes: Uint8Array | undefined } = { done: false, bytes: undefined };
    void this.version.read(range, new AbortController().signal).then((bytes) => {
      read.done = true;
      read.bytes = bytes;
    });
    return read;
  }
}

function chunkBytes(chunk: number): Uint8Array {
  const { start, end } = chunkRange({ size: SONG.length, chunkSize: 131_072 }, chunk);
  return SONG.slice(start, end);
}

/** The packed leaf hashes of a chunk. */
function leavesOf(chunk: number): Uint8Array {
  const bytes = chunkBytes(chunk);
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK) leaves.push(nodeHasher(bytes.subarray(at, at + BLOCK)));
  return joinHashes(leaves);
}

async function manifestOf(bytes: Uint8Array): Promise<Manifest> {
  const geometry = { size: bytes.length, chunkSize: 131_072 };
  const chunkHashes: Uint8Array[] = [];
  for (let chunk = 0; chunk < 3; chunk++) {
    const packed = leavesOf(chunk);
    const leaves = Array.from({ length: packed.length / 32 }, (_, i) => packed.subarray(i * 32, i * 32 + 32));
    chunkHashes.push(await merkleRoot(nodeHasher, leaves, geometry.chunkSize / BLOCK));
  }
  const facts = { ...geometry, trackId: 'song' as TrackId, mime: 'audio/flac', sha256: '00'.repeat(32) };
  return checkManifest(await buildManifest({ ...facts, chunkHashes }, nodeHasher), { hasher: nodeHasher });
}
