import { expect, it } from 'vitest';
import { listen } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { CHUNK_BYTES, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

const FIRST = { start: 0, end: CHUNK_BYTES };

/** A listener whose origin says what a track is and takes its time with the sound. */
async function waiting() {
  const place = await startPlace();
  const origin = await startMirror(place, (good, { kind }) =>
    kind === 'audio' ? { ...good, paceMs: 50 } : good,
  );
  const track = listen({ origin: origin.url }).open(place.track.trackId);
  await track.manifest();
  const isAsked = () =>
    until('its sound is asked for', () => origin.asked.some(({ kind }) => kind === 'audio'));
  return { place, track, isAsked };
}

it('a read ends when its signal says so, and others of the track go on', async () => {
  const { place, track, isAsked } = await waiting();
  const stop = new AbortController();
  const left = track.read(FIRST, { signal: stop.signal });
  const stays = track.read(FIRST);
  left.catch(() => undefined);
  await isAsked();
  stop.abort();
  await expect(left).rejects.toMatchObject({ name: 'SwarmError', code: 'aborted' });
  expect(await stays).toEqual(place.track.bytes.subarray(0, CHUNK_BYTES));
});

it('reads end when their track is closed', async () => {
  const { track, isAsked } = await waiting();
  const reads = [track.read(FIRST), track.read(FIRST, { signal: new AbortController().signal })];
  for (const read of reads) read.catch(() => undefined);
  await isAsked();
  track.close();
  for (const read of reads) await expect(read).rejects.toMatchObject({ code: 'closed' });
});
