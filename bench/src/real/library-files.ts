import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LIMITS, type ManifestJson } from '@sonantica/wire';
import { bytesPerMs, type Scenario } from '../scenario.ts';
import { Impossible } from './impossible.ts';
import type { TrackFile } from './messages.ts';
import { writeNoise } from './noise.ts';

const MB = 1_000_000;
const ANSWER_WITHIN_MS = 30_000;

/** Writes the tracks of a run into a folder; answers their names without an ending. Rejects with {@link Impossible} where the disk is full. */
export async function writeLibrary(
  folder: string,
  { tracks, sizeMB, seed }: Scenario,
): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (let track = 1; track <= tracks; track++) {
      const name = tracks === 1 ? 'song' : `song-${track}`;
      await writeNoise(join(folder, `${name}.wav`), Math.round(sizeMB * MB), `${seed}/${track}`);
      names.push(name);
    }
  } catch (error) {
    throw new Impossible(
      `The tracks cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  return names;
}

/** What an origin says of its tracks. `folder`: where the files lie, if they are ours. Rejects with {@link Impossible}. */
export async function readTracks(
  origin: string,
  trackIds: readonly string[],
  folder: string | undefined,
  { bitrateKbps }: Scenario,
): Promise<TrackFile[]> {
  const tracks: TrackFile[] = [];
  for (const trackId of trackIds) {
    const document = (await getJson(`${origin}/${trackId}.manifest.json`)) as Partial<ManifestJson>;
    const { size, sha256 } = document;
    if (typeof size !== 'number' || !(size > 0) || typeof sha256 !== 'string')
      throw new Impossible(`${origin}/${trackId}.manifest.json is no manifest.`);
    if (size > LIMITS.maxTrackBytes) throw new Impossible(`${trackId} is larger than a track may be.`);
    const piece = { trackId, sizeBytes: size, bytesPerMs: bytesPerMs(bitrateKbps) };
    const path = folder === undefined ? undefined : join(folder, `${trackId}.wav`);
    tracks.push({ piece, path, sha256, document });
  }
  return tracks;
}

/** The ids of the tracks an origin lists. Rejects with {@link Impossible}. */
export async function listTracks(origin: string): Promise<string[]> {
  const listing = (await getJson(`${origin}/`)) as { tracks?: readonly { trackId?: unknown }[] };
  const ids = (Array.isArray(listing.tracks) ? listing.tracks : []).flatMap(({ trackId }) =>
    typeof trackId === 'string' ? [trackId] : [],
  );
  if (ids.length === 0) throw new Impossible(`${origin}/ lists no tracks; name one with --track.`);
  return ids;
}

async function getJson(url: string): Promise<unknown> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return await response.json();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Impossible(
      `The origin is out of reach at ${url}: ${cause instanceof Error ? cause.message : String(cause)}.`,
    );
  }
}
