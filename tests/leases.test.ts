import { expect, it } from 'vitest';
import { listen, readBack } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { CHUNK_BYTES, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

it('who stops in the middle of a chunk leaves it to others at once', async () => {
  const place = await startPlace({ chunks: 6 });
  const { tracker, track } = place;
  const mirror = await startMirror(place, (good, { kind }) =>
    kind === 'audio' ? { ...good, paceMs: 20 } : good,
  );
  const near = listen({ tracker: tracker.url, origin: mirror.url });
  const handle = near.open(track.trackId);
  await handle.manifest();
  const reading = handle.read({ start: 0, end: 4.5 * CHUNK_BYTES });
  await until('it tells what it fetches', () => tracker.stats().leases > 0);
  await reading;
  mirror.behave((good) => good);

  const far = listen({ tracker: tracker.url, origin: mirror.url });
  const begun = performance.now();
  expect((await readBack(far.open(track.trackId))).sha256).toBe(track.sha256);
  expect(performance.now() - begun).toBeLessThan(5_000);
});
