import { createSwarm } from '@sonantica/swarm';
import { openFileStore } from '@sonantica/swarm/node';
import { expect, it } from 'vitest';
import { fetchWhole, listen } from './support/listener.ts';
import { startMirror, type Behaviour } from './support/mirror.ts';
import { makeFolder, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

const manifestOnly =
  (behaviour: Behaviour): Behaviour =>
  (good, asked) =>
    asked.kind === 'manifest' ? behaviour(good, asked) : good;

it('a handle opened while the only other is closed and the origin is out hears so, and reads once it is back', async () => {
  const place = await startPlace({ chunks: 2 });
  const mirror = await startMirror(place);
  const swarm = listen({ origin: mirror.url, contribution: { p2pEnabled: false } });
  const first = swarm.open(place.track.trackId);
  await first.manifest();
  mirror.behave(manifestOnly(() => 'hang'));
  const second = swarm.open(place.track.trackId);
  const reading = second.read({ start: 0, end: 1_000 });
  reading.catch(() => undefined);
  await until('the manifest is asked for again', () => mirror.asked.length === 2);
  first.close();
  await expect(reading).rejects.toMatchObject({ code: 'origin-unavailable' });
  mirror.behave((good) => good);
  expect(await second.read({ start: 0, end: 1_000 })).toEqual(place.track.bytes.slice(0, 1_000));
});

it('a kept track is read from the store where some other page answers in the place of its manifest', async () => {
  const place = await startPlace({ chunks: 2 });
  const mirror = await startMirror(place);
  const folder = await makeFolder();
  const open = async () =>
    createSwarm({
      origin: mirror.url,
      store: await openFileStore(folder),
      contribution: { p2pEnabled: false },
    });
  const before = await open();
  await fetchWhole(before, place.track.trackId);
  await before.close();
  const page = new TextEncoder().encode('<html>Sign in to this network</html>');
  mirror.behave((good) => ({ ...good, status: 200, headers: {}, body: page }));
  const after = await open();
  const { sha256, stats } = await fetchWhole(after, place.track.trackId);
  expect([sha256, stats.bytes.origin]).toEqual([place.track.sha256, 0]);
  await after.close();
});

it('a deadline that is no number is refused', async () => {
  const place = await startPlace({ chunks: 2 });
  const swarm = listen({ origin: place.origin.url, contribution: { p2pEnabled: false } });
  await expect(
    swarm.open(place.track.trackId).read({ start: 0, end: 10 }, { deadlineMs: Number.NaN }),
  ).rejects.toMatchObject({ code: 'invalid-argument' });
});
