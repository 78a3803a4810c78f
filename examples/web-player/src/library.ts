import type { Manifest } from '@sonantica/wire';

/** A track as the origin lists it. */
export interface ListedTrack {
  readonly trackId: string;
  readonly size: number;
  readonly mime: string;
  readonly title?: string;
  readonly audio?: NonNullable<Manifest['audio']>;
}

/** The origin's tracks. Rejects when it does not answer. */
export async function listTracks(origin: string): Promise<ListedTrack[]> {
  const response = await fetch(`${origin}/`);
  if (!response.ok) throw new Error(`the origin answered ${response.status}`);
  const { tracks } = (await response.json()) as { tracks: ListedTrack[] };
  return tracks;
}
