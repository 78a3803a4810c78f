import { SwarmError } from '@sonantica/swarm';
import { describe, expect, it } from 'vitest';
import { fetchWhole, listen, readBack, seedTrack } from './support/listener.ts';
import { garbled, startMirror, type Behaviour } from './support/mirror.ts';
import { CHUNK_BYTES, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

const audioOnly =
  (behaviour: Behaviour): Behaviour =>
  (good, asked) =>
    asked.kind === 'audio' ? behaviour(good, asked) : good;

/** Failings after which another mirror has to help. */
const FAILINGS: readonly (readonly [string, Behaviour])[] = [
  ['sends garbage', audioOnly(garbled)],
  ['cuts the body short', audioOnly((good) => ({ ...good, cutAt: 10_000 }))],
  [
    'declares and sends too short a body',
    audioOnly((good) => ({ ...good, body: good.body.slice(0, 10_000) })),
  ],
  [
    'sends another range than it was asked for',
    audioOnly((good) => ({ ...good, headers: { 'content-range': 'bytes 5-9/10' } })),
  ],
  [
    'answers a range with the beginning of the file',
    audioOnly((good) => ({ ...good, status: 200, body: good.body })),
  ],
  ['answers 500', audioOnly(() => ({ status: 500, headers: {}, body: new Uint8Array(10) }))],
  [
    'answers 503',
    audioOnly(() => ({ status: 503, headers: { 'retry-after': '600' }, body: new Uint8Array() })),
  ],
  ['answers 404 to the audio alone', audioOnly(() => ({ status: 404, headers: {}, body: new Uint8Array() }))],
  ['answers 416', audioOnly(() => ({ status: 416, headers: {}, body: new Uint8Array() }))],
  ['never answers', audioOnly(() => 'hang')],
  ['falls silent within the body', audioOnly((good) => ({ ...good, hangAt: 10_000 }))],
  ['has no manifest', (good, { kind }) => (kind === 'audio' ? garbled(good) : { ...good, status: 404 })],
];

describe.each(FAILINGS)('an origin that %s', (_name, behaviour) => {
  it('is passed over for the next mirror', async () => {
    const place = await startPlace({ chunks: 3 });
    const bad = await startMirror(place, behaviour);
    const good = await startMirror(place);
    const { sha256, stats } = await fetchWhole(listen({ origin: [bad.url, good.url] }), place.track.trackId);
    expect(sha256).toBe(place.track.sha256);
    expect(bad.asked.some(({ kind }) => kind === 'audio')).toBe(true);
    expect(good.audioBytes).toBeGreaterThan(0);
    expect(stats.bytes.origin).toBe(place.track.size);
  });

  it('does not keep a peer from giving what it has', async () => {
    const place = await startPlace({ chunks: 3 });
    const bad = await startMirror(place, behaviour);
    await seedTrack(place);
    const good = await startMirror(place, (answer, { kind }) =>
      kind === 'manifest' ? answer : { status: 500, headers: {}, body: new Uint8Array() },
    );
    const listener = listen({ tracker: place.tracker.url, origin: [bad.url, good.url] });
    const { sha256, stats } = await fetchWhole(listener, place.track.trackId);
    expect(sha256).toBe(place.track.sha256);
    expect(stats.bytes.global).toBeGreaterThan(0);
  });
});

it('ends in origin-unavailable within five seconds, whatever is wrong, where there is no other origin', async () => {
  const place = await startPlace({ chunks: 3 });
  const outcomes = await Promise.all(
    FAILINGS.map(async ([name, behaviour]) => {
      const bad = await startMirror(place, behaviour);
      const handle = listen({ origin: bad.url }).open(place.track.trackId);
      const begun = performance.now();
      const outcome = await handle.read({ start: 0, end: place.track.size }).then(
        () => 'the bytes',
        (error: unknown) => (error instanceof SwarmError ? error.code : error),
      );
      return { name, outcome, soon: performance.now() - begun < 5_000 };
    }),
  );
  const expected = FAILINGS.map(([name]) => ({
    name,
    outcome: name === 'has no manifest' ? 'track-not-found' : 'origin-unavailable',
    soon: true,
  }));
  expect(outcomes).toEqual(expected);
});

it('takes the right part of a whole file where a mirror does not know ranges', async () => {
  const place = await startPlace({ chunks: 3 });
  const mirror = await startMirror(place, (good, { kind }) =>
    kind === 'manifest'
      ? good
      : { status: 200, headers: {}, body: kind === 'audio' ? place.track.bytes : good.body },
  );
  const listener = listen({ origin: mirror.url });
  const start = 2 * CHUNK_BYTES + 17;
  const part = await listener.open(place.track.trackId).read({ start, end: place.track.size });
  expect(Buffer.from(part).equals(place.track.bytes.slice(start))).toBe(true);
  const { sha256 } = await fetchWhole(listener, place.track.trackId);
  expect(sha256).toBe(place.track.sha256);
});

it('proves whole chunks where the origin has no leaves, and soon stops asking for them', async () => {
  const place = await startPlace({ chunks: 12 });
  const mirror = await startMirror(place, (good, { kind }) =>
    kind === 'leaves' ? { status: 404, headers: {}, body: new Uint8Array() } : good,
  );
  const { sha256, stats } = await fetchWhole(listen({ origin: mirror.url }), place.track.trackId);
  expect(sha256).toBe(place.track.sha256);
  expect(stats).toMatchObject({ rejectedBlocks: 0, bytes: { origin: place.track.size } });
  expect(mirror.audioBytes).toBe(place.track.size);
  expect(mirror.asked.filter(({ kind }) => kind === 'leaves').length).toBeLessThanOrEqual(4);
});

it('proves whole chunks where the origin’s leaves are wrong, and asks for them no more', async () => {
  const place = await startPlace({ chunks: 4 });
  const mirror = await startMirror(place, (good, { kind }) => (kind === 'leaves' ? garbled(good) : good));
  const { sha256, stats } = await fetchWhole(listen({ origin: mirror.url }), place.track.trackId);
  expect(sha256).toBe(place.track.sha256);
  expect(stats.rejectedBlocks).toBeGreaterThan(0);
  expect(stats.bytes.origin).toBe(place.track.size);
});

it('counts the blocks that an origin’s garbage cost', async () => {
  const place = await startPlace({ chunks: 3 });
  const bad = await startMirror(place, audioOnly(garbled));
  const good = await startMirror(place);
  const { stats } = await fetchWhole(listen({ origin: [bad.url, good.url] }), place.track.trackId);
  expect(stats.rejectedBlocks).toBeGreaterThan(0);
});

it('takes from a peer what it has, and tells within five seconds what nobody has, once every mirror is gone', async () => {
  const place = await startPlace({ chunks: 6 });
  const mirror = await startMirror(place);
  const half = listen({ tracker: place.tracker.url, origin: mirror.url });
  const known = 3 * CHUNK_BYTES;
  await half.open(place.track.trackId).read({ start: 0, end: known });
  const listener = listen({ tracker: place.tracker.url, origin: [mirror.url, mirror.url] });
  const handle = listener.open(place.track.trackId);
  await handle.manifest();
  await until('it is linked', () => handle.stats().peers === 1);
  mirror.behave(() => ({ status: 502, headers: {}, body: new Uint8Array() }));
  const begun = performance.now();
  const beyond = handle.read({ start: known, end: known + 1 });
  await expect(beyond).rejects.toMatchObject({ code: 'origin-unavailable' });
  expect(performance.now() - begun).toBeLessThan(5_000);
  const part = await handle.read({ start: 0, end: known });
  expect(Buffer.from(part).equals(place.track.bytes.slice(0, known))).toBe(true);
  expect(handle.stats().bytes).toMatchObject({ global: known, origin: 0 });
  mirror.behave((good) => good);
  await handle.download();
  expect((await readBack(handle)).sha256).toBe(place.track.sha256);
});
