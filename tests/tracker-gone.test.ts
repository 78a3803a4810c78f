import { createServer } from 'node:net';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { startTracker } from '@sonantica/tracker';
import { expect, it, onTestFinished } from 'vitest';
import { fetchWhole, listen, readBack, seedTrack } from './support/listener.ts';
import { CHUNK_BYTES, startPlace } from './support/place.ts';
import { slow, tapped } from './support/tap.ts';
import { until } from './support/until.ts';

it('goes on with a transfer while the tracker restarts, and lets newcomers find everyone afterwards', async () => {
  // Listeners come back within half an interval.
  const place = await startPlace({ chunks: 6, tracker: { announceIntervalMs: 2_000 } });
  const { origin, tracker, track } = place;
  const rtc = tapped(await loadNodeRtc(), () => slow(20));
  const seeder = await seedTrack(place, { rtc });
  const listener = listen({ tracker: tracker.url, origin: origin.url });
  const handle = listener.open(track.trackId);
  const downloading = handle.download();
  await until('the transfer is under way', () => handle.stats().bytes.global > CHUNK_BYTES / 2);

  await tracker.close();
  await until('both have noticed', () => !seeder.stats().trackerUp && !listener.stats().trackerUp);
  expect(handle.stats().chunks.held).toBeLessThan(6);
  expect(listener.stats().links).toBe(1);
  const before = handle.stats().bytes.global;
  await until('blocks come without a tracker', () => handle.stats().bytes.global > before);
  const again = await startTracker({ port: tracker.port });
  onTestFinished(() => again.close());

  await downloading;
  expect((await readBack(handle)).sha256).toBe(track.sha256);
  expect(handle.stats().bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
  expect(listener.stats().links).toBe(1);

  await until('both are announced again', () => again.stats().members === 2);
  const newcomer = listen({ tracker: again.url, origin: origin.url });
  const { sha256, stats } = await fetchWhole(newcomer, track.trackId);
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
});

it('plays from the origin alone when there was no tracker from the start', async () => {
  const { origin, tracker, track } = await startPlace();
  await tracker.close();
  const listener = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'red' });
  const begun = performance.now();
  const { sha256, stats } = await fetchWhole(listener, track.trackId);
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes.origin).toBe(track.size);
  expect(performance.now() - begun).toBeLessThan(6_000);
});

it('plays from the origin alone when the tracker takes the socket and says nothing', async () => {
  const { origin, track } = await startPlace();
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void mute.close());
  const address = mute.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const listener = listen({ tracker: `ws://127.0.0.1:${port}`, origin: origin.url });
  const begun = performance.now();
  const { sha256 } = await fetchWhole(listener, track.trackId);
  expect(sha256).toBe(track.sha256);
  expect(performance.now() - begun).toBeLessThan(5_000);
});

it('finds peers once a tracker that was down comes up', async () => {
  const place = await startPlace({ chunks: 3 });
  const { origin, tracker, track } = place;
  await tracker.close();
  const early = listen({ tracker: tracker.url, origin: origin.url });
  await fetchWhole(early, track.trackId);
  const again = await startTracker({ port: tracker.port });
  onTestFinished(() => again.close());
  await until('it is announced', () => again.stats().members === 1, 15_000);
  const late = listen({ tracker: again.url, origin: origin.url });
  const { stats } = await fetchWhole(late, track.trackId);
  expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
});
