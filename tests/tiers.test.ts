import { expect, it } from 'vitest';
import { fetchWhole, listen, readBack, seedTrack } from './support/listener.ts';
import { chunkBytes, CHUNK_BYTES, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

it('takes everything from a member of its Aula while there is one who has it', async () => {
  const place = await startPlace();
  const { track, tracker, origin } = place;
  await seedTrack(place, { aulaId: 'red' });
  await seedTrack(place, { aulaId: 'blue' });
  const listener = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'red' });
  await until('the Aula is linked', () => listener.stats().links === 1);
  const { sha256, stats } = await fetchWhole(listener, track.trackId);
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes).toEqual({ cache: 0, aula: track.size, global: 0, origin: 0 });
  expect(origin.stats().audioBytes).toBe(0);
});

it('takes everything from a stranger before it asks the origin', async () => {
  const place = await startPlace();
  const { track, tracker, origin } = place;
  await seedTrack(place, { aulaId: 'blue' });
  const listener = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'red' });
  const { sha256, stats } = await fetchWhole(listener, track.trackId);
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
  expect(origin.stats().audioBytes).toBe(0);
});

it('takes from the Aula what it has, from strangers what they have beyond, and the rest from the origin', async () => {
  const place = await startPlace({ chunks: 12 });
  const { track, tracker, origin } = place;
  const readFirst = async (aulaId: string, chunks: number) => {
    const swarm = listen({ tracker: tracker.url, origin: origin.url, aulaId });
    await swarm.open(track.trackId).read({ start: 0, end: chunks * CHUNK_BYTES });
  };
  await readFirst('red', 4);
  await readFirst('blue', 8);
  const before = origin.stats().audioBytes;
  const listener = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'red' });
  const handle = listener.open(track.trackId);
  await handle.manifest();
  await until('both are linked', () => handle.stats().peers === 2);
  await handle.download();
  const { sha256, stats } = await readBack(handle);
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes).toEqual({
    cache: 0,
    aula: chunkBytes(track, 0, 4),
    global: chunkBytes(track, 4, 8),
    origin: chunkBytes(track, 8, 12),
  });
  expect(origin.stats().audioBytes - before).toBe(chunkBytes(track, 8, 12));
});

it('asks the Aula no sooner than others when its members are not to come first', async () => {
  const place = await startPlace();
  const { track, tracker, origin } = place;
  await seedTrack(place, { aulaId: 'red' });
  await seedTrack(place, { aulaId: 'blue' });
  const listener = listen({
    tracker: tracker.url,
    origin: origin.url,
    aulaId: 'red',
    contribution: { prioritizeAulaMembers: false },
  });
  const handle = listener.open(track.trackId);
  await handle.manifest();
  await until('both are linked', () => handle.stats().peers === 2);
  await handle.download();
  const { bytes } = handle.stats();
  expect(bytes.aula + bytes.global).toBe(track.size);
  expect(bytes.global).toBeGreaterThan(0);
});
