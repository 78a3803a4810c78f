import { describe, expect, it } from 'vitest';
import { buildManifest, checkManifest, chunkRange, ChunkSet, LIMITS, type TrackId } from '@sonantica/wire';
import type { ChunkKeeper } from './chunk-keeper.ts';
import { ORIGIN } from './core/source-state.ts';
import type { DemandId } from './core/track-demand.ts';
import { Delivery, type DeliveryHandler, type OriginLike } from './delivery.ts';
import type { BlockRequest } from './sources/source.ts';
import { FlagVerifier, zeros } from './testing/sim-proof.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import { TrackVersion } from './track-version.ts';
import { nodeHasher } from './verify/sha256-node.ts';

const BLOCK = LIMITS.blockBytes;
const CHUNK = 131_072;
const CHUNKS = 80;

describe('parts of chunks that nobody wants any more', () => {
  it('stay while a handle reads their track, and go when the last one is closed', async () => {
    const rig = new Rig();
    const song = await rig.open('song');
    for (const chunk of [3, 1]) rig.begin(song, chunk);
    expect(partsOf(song)).toEqual([3, 1]);
    rig.delivery.leave(song);
    expect(partsOf(song)).toEqual([]);
    expect(rig.lost).toEqual(['song 3', 'song 1']);
  });

  it('are asked for again when they are wanted again, proven anew and given', async () => {
    const rig = new Rig();
    const song = await rig.open('song');
    rig.begin(song, 1);
    rig.delivery.leave(song);
    rig.asked = [];
    const { start } = chunkRange(song.manifest, 1);
    const range = { start, end: start + BLOCK };
    const demand = rig.delivery.want(song, range, 100);
    const read = song.read(range, new AbortController().signal);
    expect(rig.asked.map(({ chunk, first }) => [chunk, first])).toContainEqual([1, 0]);
    rig.give(song, 1, 0);
    expect(await read).toEqual(new Uint8Array(BLOCK));
    rig.delivery.unwant(song, demand);
    expect(partsOf(song)).toEqual([1]);
  });

  it('go with a version that is given up, which begins anew when it is taken up again', async () => {
    const rig = new Rig();
    const song = await rig.open('song');
    rig.begin(song, 1);
    rig.delivery.remove(song);
    expect(partsOf(song)).toEqual([]);
    rig.delivery.add(song);
    rig.asked = [];
    rig.want(song, 1);
    expect(rig.asked[0]).toMatchObject({ chunk: 1, first: 0 });
    rig.give(song, 1, 0);
    expect(partsOf(song)).toEqual([1]);
  });

  it('of a closed track go once the last demand has ended, and what is wanted stays until then', async () => {
    const rig = new Rig();
    const song = await rig.open('song');
    rig.begin(song, 1);
    const demand = rig.want(song, 2);
    rig.give(song, 2, 0);
    rig.delivery.leave(song);
    expect(partsOf(song)).toEqual([2]);
    rig.delivery.unwant(song, demand);
    expect(partsOf(song)).toEqual([]);
  });

  it('are 64 at most, of the tracks wanted longest ago and of each the oldest going first', async () => {
    const rig = new Rig();
    const [first, second] = [await rig.open('first'), await rig.open('second')];
    const wanted = rig.want(first, 0);
    rig.give(first, 0, 0);
    rig.begin(second, 0);
    for (let chunk = 1; chunk <= 63; chunk++) rig.begin(first, chunk);
    expect(rig.lost).toEqual([]);
    rig.begin(first, 64);
    expect(rig.lost).toEqual(['second 0']);
    rig.begin(second, 5);
    rig.begin(second, 6);
    expect(rig.lost).toEqual(['second 0', 'first 1', 'first 2']);
    expect(partsOf(first)).toContain(0);
    expect(partsOf(first).length + partsOf(second).length).toBe(65);
    rig.delivery.unwant(first, wanted);
    expect(rig.lost.at(-1)).toBe('first 0');
  });
});

// --- A delivery whose origin gives what the test says ---

class Rig {
  readonly delivery: Delivery;
  /** What the origin was asked for. */
  asked: BlockRequest[] = [];
  /** Parts that are here no longer, by track and chunk. */
  readonly lost: string[] = [];

  constructor() {
    const clock = new VirtualClock();
    const handler: Partial<DeliveryHandler> = {
      block: () => undefined,
      fetching: () => undefined,
      part: () => undefined,
      partLost: ({ manifest }, chunk) => void this.lost.push(`${manifest.trackId} ${chunk}`),
    };
    this.delivery = new Delivery({
      clock,
      timers: { after: (ms, run) => clock.schedule(ms, run), every: () => () => undefined },
      random: { next: () => 0.5 },
      nonce: 'me',
      policy: { allowDownloadFromPeers: true, prioritizeAulaMembers: true, preferServerOverP2P: false },
      keeper: {} as ChunkKeeper,
      handler: handler as DeliveryHandler,
      log: () => undefined,
    });
    const origin: Partial<OriginLike> = {
      id: ORIGIN,
      fetch: (request) => void this.asked.push(request),
      cancel: () => undefined,
      headSinceMs: () => undefined,
      forget: () => undefined,
    };
    this.delivery.setOrigin(origin as OriginLike);
  }

  /** A track of zeros. */
  async open(id: string): Promise<TrackVersion> {
    const facts = { trackId: id as TrackId, size: CHUNKS * CHUNK, chunkSize: CHUNK, mime: 'audio/flac' };
    const chunkHashes = Array.from({ length: CHUNKS }, (_, i) => nodeHasher(Uint8Array.of(i)));
    const document = await buildManifest({ ...facts, sha256: '0'.repeat(64), chunkHashes }, nodeHasher);
    const manifest = await checkManifest(document, { hasher: nodeHasher });
    const held = ChunkSet.none(CHUNKS);
    const version = new TrackVersion(manifest, held, new FlagVerifier(manifest), this.delivery);
    this.delivery.add(version);
    return version;
  }

  want(version: TrackVersion, chunk: number): DemandId {
    return this.delivery.want(version, chunkRange(version.manifest, chunk), 1_000);
  }

  give({ key }: TrackVersion, chunk: number, block: number): void {
    this.delivery.proof(ORIGIN, key, chunk, zeros((CHUNK / BLOCK) * LIMITS.hashBytes));
    this.delivery.block(ORIGIN, key, chunk, block, zeros(BLOCK));
  }

  /** One block of a chunk comes before it is given up. */
  begin(version: TrackVersion, chunk: number): void {
    const demand = this.want(version, chunk);
    this.give(version, chunk, 0);
    this.delivery.unwant(version, demand);
  }
}

function partsOf(version: TrackVersion): number[] {
  return version.parts().map(({ chunk }) => chunk);
}
