import { assignTrackIds as assign, trackIdFor as idFor, type TrackId } from '@sonantica/wire';
import { sha256 } from './file-hashing.ts';

/** Gives every file of a library its track id by its `/`-separated relative path: `assignTrackIds` of `@sonantica/wire`. */
export function assignTrackIds(paths: Iterable<string>): Map<string, TrackId> {
  return assign(paths, sha256);
}

/** The id a file has where no other file meets it. `path` is relative and `/`-separated. */
export function trackIdFor(path: string): TrackId {
  return idFor(path, sha256);
}
