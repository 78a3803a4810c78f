import { describe, expect, it } from 'vitest';
import {
  BLOCK_HEADER_BYTES,
  buildManifest,
  checkManifest,
  chunkRange,
  ChunkSet,
  LIMITS,
  merkleRoot,
  type BlockRun,
  type Manifest,
  type TrackId,
} from '@sonantica/wire';
import { PeerSession } from './core/peer-session.ts';
import type { Lane, PeerLink, PeerLinkHandler } from './links/peer-link.ts';
import { systemTimers } from './system.ts';
import { PeerSource, type PeerSourceHandler } from './sources/peer-source.ts';
import type { SourceSink } from './sources/source.ts';
import { TrackVersion } from './track-version.ts';
import { Uploads, type UploadBudget } from './uploads.ts';
import { BlockVerifier } from './verify/block-verifier.ts';
import { nodeHasher } from './verify/sha256-node.ts';

const BLOCK = LIMITS.blockBytes;
const PROOF = 8 * LIMITS.hashBytes;
/** Two chunks: eight blocks, and one short one. */
const SONG = Uint8Array.from({ length: 131_072 + 1_000 }, (_, i) => (i * 31 + (i >> 9) + (i >> 17)) & 0xff);

describe('a request', () => {
  it('is served with the proof ahead of its blocks, bit-exact', async () => {
    const room = await Room.open();
    room.ask({ chunk: 0, first: 2, count: 3 });
    await settled();
    expect(room.got).toEqual(['proof 0', 'block 0/2', 'block 0/3', 'block 0/4']);
    expect(room.bytes.get('0/3')).toEqual(SONG.slice(3 * BLOCK, 4 * BLOCK));
    expect(room.giver.nextRequest).toBeUndefined();
  });

  it('whose asker knows the leaf hashes is served without them', async () => {
    const room = await Room.open();
    room.ask({ chunk: 1, first: 0, count: 1 }, { leavesKnown: true });
    await settled();
    expect(room.got).toEqual(['block 1/0']);
    expect(room.bytes.get('1/0')).toHaveLength(1_000);
  });

  it('whose asker wants several blocks a frame gets three at a time, each to be proven by itself', async () => {
    const room = await Room.open();
    room.ask({ chunk: 0, first: 1, count: 7 }, { leavesKnown: true, together: true });
    room.ask({ chunk: 1, first: 0, count: 1 }, { leavesKnown: true, together: true });
    await settled();
    expect(room.got).toEqual([1, 2, 3, 4, 5, 6, 7].map((block) => `block 0/${block}`).concat('block 1/0'));
    expect(room.bytes.get('0/6')).toEqual(SONG.slice(6 * BLOCK, 7 * BLOCK));
    expect(room.giverLink.frames.map((bytes) => Math.ceil((bytes - BLOCK_HEADER_BYTES) / BLOCK))).toEqual([
      3, 3, 1, 1,
    ]);
    expect(room.sentBytes).toBe(7 * BLOCK + 1_000);
  });

  it('gets one block a frame where the link takes no more', async () => {
    const room = await Room.open({ maxFrameBytes: BLOCK_HEADER_BYTES + BLOCK });
    room.ask({ chunk: 0, first: 0, count: 2 }, { leavesKnown: true, together: true });
    await settled();
    expect(room.giverLink.frames).toEqual([BLOCK_HEADER_BYTES + BLOCK, BLOCK_HEADER_BYTES + BLOCK]);
  });

  it('that is due earlier is served earlier', async () => {
    const room = await Room.open();
    room.hold();
    room.ask({ chunk: 0, first: 0, count: 1 }, { leavesKnown: true });
    room.ask({ chunk: 0, first: 1, count: 1 }, { leavesKnown: true, dueInMs: 5_000 });
    room.ask({ chunk: 0, first: 2, count: 1 }, { leavesKnown: true, dueInMs: 500 });
    room.letGo();
    await settled();
    expect(room.got).toEqual(['block 0/0', 'block 0/2', 'block 0/1']);
  });

  it('that comes as the last one ends is served too', async () => {
    const room = await Room.open();
    room.onBlock = (block) => {
      if (block < 7) room.ask({ chunk: 0, first: block + 1, count: 1 }, { leavesKnown: true });
    };
    room.ask({ chunk: 0, first: 0, count: 1 }, { leavesKnown: true });
    await settled();
    expect(room.got).toHaveLength(8);
  });

  it('for a chunk that is not held, or cannot be loaded, is refused', async () => {
    const room = await Room.open({ held: [0] });
    room.ask({ chunk: 1, first: 0, count: 1 });
    await settled();
    room.loads = false;
    room.ask({ chunk: 0, first: 0, count: 1 });
    await settled();
    expect(room.refusals).toEqual(['not-held', 'not-held']);
    expect(room.sentBytes).toBe(0);
  });
});

describe('a request that cannot be answered for now', () => {
  it.each(['load', 'hash', 'budget'] as const)(
    'as the %s fails is refused, and the next is served',
    async (what) => {
      const room = await Room.open();
      room.fails = what;
      room.ask({ chunk: 0, first: 0, count: 1 });
      await settled();
      expect(room.refusals).toEqual(['busy']);
      expect(room.got).toEqual([]);
      room.fails = undefined;
      room.ask({ chunk: 0, first: 0, count: 1 });
      await expect.poll(() => room.got).toEqual(['proof 0', 'block 0/0']);
    },
  );
});

describe('a chunk that is under way itself', () => {
  it('is given on as far as it is proven, and refused beyond', async () => {
    const room = await Room.open({ held: [1] });
    await room.prove(0, [2, 3]);
    room.ask({ chunk: 0, first: 2, count: 3 });
    await settled();
    expect(room.got).toEqual(['proof 0', 'block 0/2', 'block 0/3']);
    expect(room.bytes.get('0/3')).toEqual(SONG.slice(3 * LIMITS.blockBytes, 4 * LIMITS.blockBytes));
    expect(room.refusedRuns).toEqual([{ chunk: 0, first: 4, count: 1 }]);
    expect(room.refusals).toEqual(['not-held']);
  });

  it('is refused as far as it was dropped since', async () => {
    const room = await Room.open({ held: [1] });
    await room.prove(0, [2, 3]);
    room.version.dropPart(0);
    room.ask({ chunk: 0, first: 2, count: 2 });
    await settled();
    await room.prove(0, [3]);
    room.ask({ chunk: 0, first: 2, count: 1 });
    room.ask({ chunk: 0, first: 3, count: 1 }, { leavesKnown: true });
    await settled();
    expect(room.refusedRuns).toEqual([
      { chunk: 0, first: 2, count: 2 },
      { chunk: 0, first: 2, count: 1 },
    ]);
    expect(room.refusals).toEqual(['not-held', 'not-held']);
    expect(room.got.at(-1)).toBe('block 0/3');
  });
});

describe('a listener who does not share', () => {
  it('gives nothing', async () => {
    const room = await Room.open();
    room.mayServe = false;
    room.ask({ chunk: 0, first: 0, count: 8 });
    await settled();
    expect(room.got).toEqual([]);
    expect(room.refusals).toEqual(['not-giving']);
    expect(room.reservedBytes).toBe(0);
  });

  it('stops in the middle of a request, and refuses only the rest', async () => {
    const room = await Room.open();
    room.onSent = (block) => (room.mayServe = block < 2);
    room.ask({ chunk: 0, first: 0, count: 8 }, { leavesKnown: true });
    await settled();
    expect(room.got).toEqual(['block 0/0', 'block 0/1', 'block 0/2']);
    expect(room.refusedRuns).toEqual([{ chunk: 0, first: 3, count: 5 }]);
  });
});

describe('a listener that starves', () => {
  it('gives to who listens, and what else it asks for in the same turn', async () => {
    const room = await Room.open();
    room.isStarving = true;
    room.ask({ chunk: 1, first: 0, count: 1 }, { leavesKnown: true });
    await settled();
    expect(room.got).toEqual([]);
    room.ask({ chunk: 0, first: 3, count: 1 }, { leavesKnown: true, dueInMs: 2_000 });
    await settled();
    expect(room.got).toEqual(['block 0/3', 'block 1/0']);
  });

  it('lets who does not listen wait until then', async () => {
    const room = await Room.open();
    room.isStarving = true;
    room.ask({ chunk: 1, first: 0, count: 1 }, { leavesKnown: true });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(room.got).toEqual([]);
    room.isStarving = false;
    await expect.poll(() => room.got).toEqual(['block 1/0']);
    expect(room.refusals).toEqual([]);
  });

  it('ends the turn of who does not listen', async () => {
    const room = await Room.open();
    room.onSent = (block) => (room.isStarving = block < 5);
    room.ask({ chunk: 0, first: 0, count: 8 }, { leavesKnown: true });
    await settled();
    expect(room.got).toEqual([0, 1, 2, 3].map((block) => `block 0/${block}`));
    room.isStarving = false;
    await expect.poll(() => room.got.length).toBe(8);
  });
});

describe('giving that is ended', () => {
  it('leaves nothing waiting for the rate', async () => {
    const room = await Room.open();
    room.uploads.setLimit(1);
    room.ask({ chunk: 0, first: 0, count: 2 }, { leavesKnown: true });
    await settled();
    expect(room.got).toEqual(['block 0/0']);
    room.uploads.close();
    await settled();
    expect(room.got).toEqual(['block 0/0', 'block 0/1']);
  });
});

describe('a peer that leaves while it waits for the rate', () => {
  it('keeps its place no longer', async () => {
    const room = await Room.open();
    room.uploads.setLimit(1);
    room.ask({ chunk: 0, first: 0, count: 2 }, { leavesKnown: true });
    await settled();
    expect(room.waits).toHaveLength(1);
    room.giver.close('done');
    await settled();
    expect(room.waits).toEqual([]);
    expect(room.got).toEqual(['block 0/0']);
  });
});

describe('the budget', () => {
  it('pays for proofs and blocks before they are sent, to the byte', async () => {
    const room = await Room.open({ budget: PROOF + 2 * BLOCK });
    room.ask({ chunk: 0, first: 0, count: 8 });
    await settled();
    expect(room.got).toEqual(['proof 0', 'block 0/0', 'block 0/1']);
    expect(room.refusals).toEqual(['not-giving']);
    expect(room.refusedRuns).toEqual([{ chunk: 0, first: 2, count: 6 }]);
    expect(room.sentBytes).toBe(PROOF + 2 * BLOCK);
    expect(room.reservedBytes).toBe(room.sentBytes);
  });

  it('that does not reach for several blocks in a frame pays for one', async () => {
    const room = await Room.open({ budget: 2 * BLOCK });
    room.ask({ chunk: 0, first: 0, count: 8 }, { leavesKnown: true, together: true });
    await settled();
    expect(room.got).toEqual(['block 0/0', 'block 0/1']);
    expect(room.refusals).toEqual(['not-giving']);
    expect(room.sentBytes).toBe(2 * BLOCK);
  });

  it('that does not reach for a proof lets nothing through', async () => {
    const room = await Room.open({ budget: PROOF - 1 });
    room.ask({ chunk: 0, first: 0, count: 1 });
    await settled();
    expect(room.got).toEqual([]);
    expect(room.refusals).toEqual(['not-giving']);
  });

  it('that must be written down first is waited for', async () => {
    const room = await Room.open({ slowBudget: true });
    room.ask({ chunk: 0, first: 0, count: 2 });
    await settled();
    expect(room.got).toEqual(['proof 0', 'block 0/0', 'block 0/1']);
  });

  it('is not spent on what is taken back meanwhile', async () => {
    const room = await Room.open();
    room.hold();
    room.ask({ chunk: 0, first: 0, count: 8 });
    room.taker.cancel(room.version.key, { chunk: 0, first: 0, count: 8 });
    room.letGo();
    await settled();
    expect(room.got).toEqual([]);
    expect(room.sentBytes).toBe(0);
    expect(room.reservedBytes).toBe(0);
  });
});

describe('a link that is full', () => {
  it('is waited for, and what is taken back meanwhile is not sent', async () => {
    const room = await Room.open();
    room.onSent = (block) => (room.giverLink.isSendable = block < 1);
    room.ask({ chunk: 0, first: 0, count: 6 }, { leavesKnown: true });
    await settled();
    expect(room.got).toEqual(['block 0/0', 'block 0/1']);
    room.taker.cancel(room.version.key, { chunk: 0, first: 2, count: 2 });
    room.onSent = () => undefined;
    room.giverLink.drain();
    await settled();
    expect(room.got).toEqual(['block 0/0', 'block 0/1', 'block 0/4', 'block 0/5']);
    expect(room.ended).toBe(false);
    expect(room.sentBytes).toBe(4 * BLOCK);
    expect(room.reservedBytes).toBe(room.sentBytes);
  });

  it('that ends lets go of what was being served', async () => {
    const room = await Room.open();
    room.giverLink.isSendable = false;
    room.ask({ chunk: 0, first: 0, count: 6 }, { leavesKnown: true });
    await settled();
    room.giver.close('done');
    await settled();
    expect(room.got).toEqual([]);
    expect(room.sentBytes).toBe(0);
  });
});

// --- One who gives and one who takes ---

/** Lets everything that needs no timer happen. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** One end of a link that delivers within `send`. */
class DirectLink implements PeerLink {
  maxFrameBytes: number = LIMITS.maxFrameBytes;
  /** Sizes of the frames of blocks that were sent. */
  readonly frames: number[] = [];
  other: DirectLink | undefined;
  isSendable = true;
  bufferedBytes = 0;
  #handler: PeerLinkHandler | undefined;
  #early: Uint8Array[] = [];

  start(handler: PeerLinkHandler): void {
    this.#handler = handler;
    for (const frame of this.#early.splice(0)) handler.frame(frame);
  }

  sendable(): boolean {
    return this.isSendable;
  }

  drain(): void {
    this.isSendable = true;
    this.#handler?.drain();
  }

  send(frame: Uint8Array, lane: Lane): void {
    if (lane === 'blocks') this.frames.push(frame.length);
    this.other?.deliver(frame.slice());
  }

  deliver(frame: Uint8Array): void {
    if (this.#handler === undefined) this.#early.push(frame);
    else this.#handler.frame(frame);
  }

  close(reason: string): void {
    this.#handler?.closed(reason);
  }
}

interface RoomOptions {
  readonly held?: readonly number[];
  readonly budget?: number;
  readonly slowBudget?: boolean;
  readonly maxFrameBytes?: number;
}

class Room {
  readonly version: TrackVersion;
  readonly uploads: Uploads;
  readonly giverLink = new DirectLink();
  readonly giver: PeerSource;
  readonly taker: PeerSource;
  readonly got: string[] = [];
  readonly bytes = new Map<string, Uint8Array>();
  readonly refusals: string[] = [];
  readonly refusedRuns: BlockRun[] = [];
  /** What the uploads wait for by the clock. */
  waits: { readonly ms: number }[] = [];
  reservedBytes = 0;
  sentBytes = 0;
  mayServe = true;
  isStarving = false;
  loads = true;
  /** What fails. */
  fails: 'load' | 'hash' | 'budget' | undefined;
  ended = false;
  onBlock: (block: number) => void = () => undefined;
  onSent: (block: number) => void = () => undefined;
  #held: Promise<void> | undefined;
  #letGo: () => void = () => undefined;
  #blocksSent = 0;

  static async open(options: RoomOptions = {}): Promise<Room> {
    return new Room(await manifestOf(SONG), options);
  }

  private constructor(
    manifest: Manifest,
    { held = [0, 1], budget = 1e9, slowBudget = false, maxFrameBytes = LIMITS.maxFrameBytes }: RoomOptions,
  ) {
    this.giverLink.maxFrameBytes = maxFrameBytes;
    const hasher = (bytes: Uint8Array) =>
      this.fails === 'hash' ? Promise.reject(new Error('no memory to hash in')) : nodeHasher(bytes);
    const verifier = new BlockVerifier(hasher, manifest, manifest.chunkHashes);
    const unused = () => {
      throw new Error('not expected here');
    };
    this.version = new TrackVersion(manifest, ChunkSet.of(2, held), verifier, {
      proven: () => undefined,
      disproved: unused,
      unhashed: unused,
      wasted: unused,
      complete: unused,
      load: unused,
    });
    const reserve: UploadBudget['reserve'] = (bytes) => {
      if (this.fails === 'budget') return Promise.reject(new Error('the disk is busy'));
      const fits = this.reservedBytes + bytes <= budget;
      if (fits) this.reservedBytes += bytes;
      return slowBudget ? new Promise((resolve) => queueMicrotask(() => resolve(fits))) : fits;
    };
    const uploads = (this.uploads = new Uploads({
      clock: { nowMs: () => 0, wallMs: () => 0 },
      timers: {
        ...systemTimers,
        after: (ms, run) => {
          const wait = { ms };
          this.waits.push(wait);
          const done = () => void (this.waits = this.waits.filter((other) => other !== wait));
          const cancel = systemTimers.after(ms, () => {
            done();
            run();
          });
          return () => {
            done();
            cancel();
          };
        },
      },
      tierOf: () => 'aula',
      gaveBytes: () => 0,
      budget: { reserve },
      version: (track) => (track === this.version.key ? this.version : undefined),
      load: async (_version, chunk) => {
        await this.#held;
        if (this.fails === 'load') throw new Error('the disk is busy');
        const { start, end } = chunkRange(manifest, chunk);
        return this.loads ? SONG.slice(start, end) : undefined;
      },
      mayServe: () => this.mayServe,
      isStarving: () => this.isStarving,
      sent: (_peer, _track, bytes) => {
        this.sentBytes += bytes;
        if (bytes !== PROOF) this.onSent(this.#blocksSent++);
      },
    }));
    const takerLink = new DirectLink();
    takerLink.other = this.giverLink;
    this.giverLink.other = takerLink;
    const noSink: SourceSink = { block: unused, proof: unused, refused: unused };
    const giving = handler({
      asked: (peer) => uploads.asked(peer),
      drained: (peer) => uploads.drained(peer),
      ended: (peer) => uploads.drained(peer),
    });
    const taking = handler({ ended: () => (this.ended = true) });
    const sink: SourceSink = {
      proof: (_source, _track, chunk) => void this.got.push(`proof ${chunk}`),
      block: (_source, _track, chunk, first, bytes) => {
        for (let at = 0, block = first; at < bytes.length; at += BLOCK, block++) {
          this.got.push(`block ${chunk}/${block}`);
          this.bytes.set(`${chunk}/${block}`, bytes.slice(at, at + BLOCK));
          this.onBlock(block);
        }
      },
      refused: (_source, _track, { chunk, first, count }, reason) => {
        this.refusals.push(reason);
        this.refusedRuns.push({ chunk, first, count });
      },
    };
    this.giver = source(this.giverLink, 'a0', noSink, giving);
    this.taker = source(takerLink, 'b0', sink, taking);
    this.giver.start();
    this.taker.start();
    this.giver.open(manifest, this.version.held);
    this.taker.open(manifest, ChunkSet.none(2));
  }

  /** Blocks of a chunk that is not held arrive, with its leaf hashes. */
  async prove(chunk: number, blocks: readonly number[]): Promise<void> {
    const { manifest } = this.version;
    const { start, end } = chunkRange(manifest, chunk);
    const bytes = SONG.slice(start, end);
    const leaves = await new BlockVerifier(nodeHasher, manifest, manifest.chunkHashes).proveChunk(
      chunk,
      bytes,
    );
    if (leaves === undefined) throw new Error('the song is another');
    this.version.acceptProof('origin', chunk, leaves);
    for (const block of blocks)
      this.version.acceptBlocks(
        'origin',
        chunk,
        block,
        bytes.slice(block * LIMITS.blockBytes, (block + 1) * LIMITS.blockBytes),
      );
  }

  ask(
    run: BlockRun,
    { leavesKnown = false, dueInMs = Number.POSITIVE_INFINITY, together = false } = {},
  ): void {
    const { key: track, manifest } = this.version;
    this.taker.fetch({ track, manifest, ...run, dueInMs, leavesKnown, together });
  }

  /** Chunks load only once {@link letGo} is called. */
  hold(): void {
    this.#held = new Promise((resolve) => (this.#letGo = resolve));
  }

  letGo(): void {
    this.#letGo();
  }
}

function source(link: PeerLink, nonce: string, sink: SourceSink, handling: PeerSourceHandler): PeerSource {
  return new PeerSource('peer', link, new PeerSession(nonce.repeat(16), 0), sink, handling, () => 0);
}

function handler(some: Partial<PeerSourceHandler>): PeerSourceHandler {
  const ignore = () => undefined;
  return {
    greeted: ignore,
    proposed: ignore,
    opened: ignore,
    shut: ignore,
    have: ignore,
    fetching: ignore,
    part: ignore,
    askedAhead: () => undefined,
    pinged: ignore,
    asked: ignore,
    drained: ignore,
    ended: ignore,
    ...some,
  };
}

async function manifestOf(bytes: Uint8Array): Promise<Manifest> {
  const geometry = { size: bytes.length, chunkSize: 131_072 };
  const chunkHashes: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += geometry.chunkSize) {
    const leaves: Uint8Array[] = [];
    const end = Math.min(start + geometry.chunkSize, bytes.length);
    for (let at = start; at < end; at += BLOCK)
      leaves.push(nodeHasher(bytes.subarray(at, Math.min(at + BLOCK, end))));
    chunkHashes.push(await merkleRoot(nodeHasher, leaves, geometry.chunkSize / BLOCK));
  }
  const facts = { ...geometry, trackId: 'song' as TrackId, mime: 'audio/flac', sha256: '00'.repeat(32) };
  return checkManifest(await buildManifest({ ...facts, chunkHashes }, nodeHasher), { hasher: nodeHasher });
}
