import { createSwarm, type Swarm, type SwarmOptions, type Track, type TrackStats } from '@sonantica/swarm';
import { onTestFinished } from 'vitest';
import { CHUNK_BYTES, sha256Of, type Place, type TestTrack } from './place.ts';
import { until } from './until.ts';

/** A swarm that is closed after the test. */
export function listen(options: SwarmOptions): Swarm {
  const swarm = createSwarm(options);
  onTestFinished(() => swarm.close());
  return swarm;
}

/** A listener who holds the whole track and gives it on, known to the tracker. */
export async function seedTrack(
  place: Pick<Place, 'tracker' | 'track'>,
  options: SwarmOptions = {},
): Promise<Swarm> {
  const { tracker, track } = place;
  const before = tracker.stats().members;
  const swarm = listen({ tracker: tracker.url, ...options });
  await swarm.seed(track.manifest, readerOf(track));
  await until('the seeder is announced', () => tracker.stats().members > before);
  return swarm;
}

/** Answers chunks of a track out of memory. */
export function readerOf({ bytes }: TestTrack): (chunk: number) => Promise<Uint8Array> {
  return (chunk) => Promise.resolve(bytes.slice(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES));
}

/** What a listener ended with. */
export interface Fetched {
  readonly track: Track;
  readonly sha256: string;
  readonly stats: TrackStats;
}

/** Fetches a whole track and reads it back as a player would. */
export async function fetchWhole(swarm: Swarm, trackId: string): Promise<Fetched> {
  const track = swarm.open(trackId);
  await track.download();
  return readBack(track);
}

/** Reads a track to its end. */
export async function readBack(track: Track): Promise<Fetched> {
  const { size } = await track.manifest();
  const bytes = await track.read({ start: 0, end: size });
  return { track, sha256: sha256Of(bytes), stats: track.stats() };
}
