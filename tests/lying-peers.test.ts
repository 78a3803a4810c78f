import type { RtcImplementation, Swarm, Track } from '@sonantica/swarm';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { decodePeerFrame, encodePeerFrame, LIMITS, type PeerFrame } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { listen, readBack, seedTrack } from './support/listener.ts';
import { startPlace, type Place } from './support/place.ts';
import { tapped } from './support/tap.ts';
import { until } from './support/until.ts';

/** What a liar makes of one of its frames: the frames that are sent in its place. */
type Lie = (frame: PeerFrame) => readonly (PeerFrame | Uint8Array)[];

/** What came of a liar. */
interface Dealings {
  /** Links over which it was asked for blocks. */
  linksAsked: number;
  lies: number;
}

/** How long a track of 1.4 MB may take beside a liar, in milliseconds. */
const SOON_MS = 5_000;

const flip = (bytes: Uint8Array): Uint8Array => {
  const wrong = bytes.slice();
  wrong[100 % wrong.length] = (wrong[100 % wrong.length] ?? 0) ^ 0x01;
  return wrong;
};

/** A lie told in place of every frame of one type, or beside it. */
const inPlaceOf =
  <Type extends PeerFrame['type']>(
    type: Type,
    lie: (frame: Extract<PeerFrame, { type: Type }>) => ReturnType<Lie>,
  ): Lie =>
  (frame) =>
    frame.type === type ? lie(frame as Extract<PeerFrame, { type: Type }>) : [frame];

/** What the manifest disproves: seen only once the bytes are hashed, and counted. */
const WRONG_BYTES: readonly [string, Lie][] = [
  ['flips a bit in every block', inPlaceOf('block', (block) => [{ ...block, bytes: flip(block.bytes) }])],
  [
    'sends a block one byte short',
    inPlaceOf('block', (block) => [{ ...block, bytes: block.bytes.slice(1) }]),
  ],
  [
    'sends each block as another one of the chunk',
    inPlaceOf('block', (block) => [{ ...block, block: block.block ^ 1 }]),
  ],
  [
    'flips a bit in the leaf hashes',
    inPlaceOf('proof', (proof) => [{ ...proof, leaves: flip(proof.leaves) }]),
  ],
  [
    'sends one leaf hash too few',
    inPlaceOf('proof', (proof) => [{ ...proof, leaves: proof.leaves.slice(32) }]),
  ],
];

/** What the protocol forbids: the link ends at the frame, whatever its bytes. */
const BROKEN_RULES: readonly [string, Lie][] = [
  ['sends each block twice', inPlaceOf('block', (block) => [block, block])],
  [
    'sends blocks of a chunk nobody asked for',
    inPlaceOf('block', (block) => [{ ...block, chunk: block.chunk + 1000 }]),
  ],
  ['sends blocks beyond the chunk', inPlaceOf('block', (block) => [{ ...block, block: 60_000 }])],
  ['answers under a handle that was never given', inPlaceOf('block', (block) => [{ ...block, handle: 77 }])],
  ['sends proofs nobody asked for', inPlaceOf('proof', (proof) => [{ ...proof, chunk: proof.chunk + 1000 }])],
  ['sends garbage', inPlaceOf('block', () => [Uint8Array.of(99, 1, 2, 3)])],
  [
    'sends an empty block',
    inPlaceOf('block', (block) => [encodePeerFrame({ ...block, bytes: new Uint8Array() })]),
  ],
  ['cuts its frames short', inPlaceOf('proof', (proof) => [encodePeerFrame(proof).slice(0, -1)])],
  [
    'sends a frame over the limit',
    inPlaceOf('block', () => [new Uint8Array(LIMITS.maxFrameBytes + 1).fill(8)]),
  ],
  [
    'says hello again and again',
    inPlaceOf('proof', (proof) => [{ type: 'hello', version: 1, nonce: 'ab'.repeat(16) }, proof]),
  ],
  [
    'holds chunks beyond the track',
    inPlaceOf('proof', (proof) => [{ type: 'have', handle: 1, chunks: [40_000], lost: [] }, proof]),
  ],
  [
    'asks for blocks beyond the track',
    inPlaceOf('proof', (proof) => [
      {
        type: 'request',
        handle: 1,
        chunk: 0,
        first: 0,
        count: 17,
        deadlineMs: 0,
        needsProof: false,
        together: false,
      },
      proof,
    ]),
  ],
];

describe.each(WRONG_BYTES)('a peer that %s', (_name, lie) => {
  it('is banned at the first one, counted, and the file is right all the same', async () => {
    const { place, victim, dealings } = await meetLiar(lie);
    const rejected: (string | undefined)[] = [];
    const handle = victim.open(place.track.trackId);
    handle.on('rejected', ({ peerId }) => rejected.push(peerId));
    const { sha256, stats } = await finish(handle);
    expect(sha256).toBe(place.track.sha256);
    expect(stats.rejectedBlocks).toBeGreaterThan(0);
    expect(victim.stats().rejectedBlocks).toBe(stats.rejectedBlocks);
    expect(new Set(rejected).size).toBe(1);
    await neverAskedAgain(victim, dealings);
  });
});

describe.each(BROKEN_RULES)('a peer that %s', (_name, lie) => {
  it('loses its link and is not asked again, and the file is right all the same', async () => {
    const { place, victim, dealings } = await meetLiar(lie);
    const { sha256 } = await finish(victim.open(place.track.trackId));
    expect(sha256).toBe(place.track.sha256);
    await neverAskedAgain(victim, dealings);
  });
});

it('keeps honest peers beside a liar, and takes from them what the liar was to give', async () => {
  const { place, victim, dealings } = await meetLiar(
    inPlaceOf('block', (block) => [{ ...block, bytes: flip(block.bytes) }]),
  );
  await seedTrack(place);
  const handle = victim.open(place.track.trackId);
  const { sha256, stats } = await finish(handle, 2);
  expect(sha256).toBe(place.track.sha256);
  expect(stats.rejectedBlocks).toBeGreaterThan(0);
  expect(stats.bytes).toMatchObject({ global: place.track.size, origin: 0 });
  await until('the liar is gone', () => handle.stats().peers === 1);
  expect(dealings.lies).toBeGreaterThan(0);
});

it('never passes on what a liar gave', async () => {
  const { place, victim } = await meetLiar(
    inPlaceOf('block', (block) => [{ ...block, bytes: flip(block.bytes) }]),
  );
  await finish(victim.open(place.track.trackId));
  const second = listen({ tracker: place.tracker.url, origin: place.origin.url, aulaId: 'red' });
  const handle = second.open(place.track.trackId);
  let fromVictim = 0;
  handle.on('block', ({ tier, bytes }) => (fromVictim += tier === 'aula' ? bytes : 0));
  await handle.manifest();
  await until('it is linked to the victim', () => handle.stats().peers >= 1);
  await handle.download();
  const { sha256 } = await readBack(handle);
  expect(sha256).toBe(place.track.sha256);
  expect(fromVictim).toBeGreaterThan(0);
});

/** A liar that seeds the whole track, and a victim linked to it that has nothing yet. */
async function meetLiar(lie: Lie): Promise<{ place: Place; victim: Swarm; dealings: Dealings }> {
  const place = await startPlace({ chunks: 6 });
  const dealings: Dealings = { linksAsked: 0, lies: 0 };
  await seedTrack(place, { rtc: lying(await loadNodeRtc(), lie, dealings) });
  const victim = listen({ tracker: place.tracker.url, origin: place.origin.url, aulaId: 'red' });
  return { place, victim, dealings };
}

/** Downloads once the victim is linked to `peers` peers, and reads everything back. */
async function finish(handle: Track, peers = 1) {
  await handle.manifest();
  await until('the victim is linked', () => handle.stats().peers === peers);
  const begun = performance.now();
  await handle.download();
  expect(performance.now() - begun, 'a liar is not waited for').toBeLessThan(SOON_MS);
  return readBack(handle);
}

/** The liar told its lie and lost its link; it was asked over that one link alone, whatever it offered after. */
async function neverAskedAgain(victim: Swarm, dealings: Dealings): Promise<void> {
  expect(dealings.lies).toBeGreaterThan(0);
  await until('the link is closed', () => victim.stats().links === 0);
  expect(dealings.linksAsked).toBe(1);
}

function lying(base: RtcImplementation, lie: Lie, dealings: Dealings): RtcImplementation {
  return tapped(base, () => {
    let asked = false;
    return {
      sent: (bytes, pass) => {
        const frame = decodePeerFrame(bytes);
        const told = lie(frame);
        if (told.length !== 1 || told[0] !== frame) dealings.lies++;
        for (const each of told) pass(each instanceof Uint8Array ? each : encodePeerFrame(each));
      },
      received: (bytes) => {
        if (asked || decodePeerFrame(bytes).type !== 'request') return;
        asked = true;
        dealings.linksAsked++;
      },
    };
  });
}
