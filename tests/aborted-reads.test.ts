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
  return { origin, place, track, isAsked };
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

it('of reads that are given up in a row none is asked for in the place of another', async () => {
  const { origin, place, track, isAsked } = await waiting();
  const [beside, played] = [new AbortController(), new AbortController()];
  const { size } = place.track.manifest;
  const end = { start: size - 2 * CHUNK_BYTES, end: size };
  const reads = [
    track.read(FIRST, { signal: played.signal, deadlineMs: 0 }),
    track.read(end, { signal: beside.signal, deadlineMs: 15_000 }),
  ];
  await isAsked();
  beside.abort();
  played.abort();
  for (const read of reads) await expect(read).rejects.toMatchObject({ code: 'aborted' });
  await track.read({ start: 0, end: 1 }, { deadlineMs: 0 });
  const asked = origin.asked.filter(({ kind }) => kind === 'audio');
  const starts = asked.map(({ range }) => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1]));
  expect(Math.max(...starts)).toBeLessThan(CHUNK_BYTES);
});
