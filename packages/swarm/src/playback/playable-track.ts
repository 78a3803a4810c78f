import type { Manifest } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import type { MediaFacts } from './media-answer.ts';
import type { ReadableTrack } from './range-reader.ts';

/** What playback needs of a track. */
export interface PlayableTrack extends ReadableTrack {
  readonly trackId: string;
  manifest(): Promise<Manifest>;
  /** A player is about to read the beginning. */
  expectHead(): void;
  blob(): Promise<Blob>;
}

export function mediaFacts({ size, mime, root }: Manifest): MediaFacts {
  return { size, mime, root };
}

/** The HTTP status that tells a player what went wrong. */
export function statusOf(error: unknown): number {
  if (!(error instanceof SwarmError)) return 500;
  switch (error.code) {
    case 'track-not-found':
    case 'invalid-argument':
      return 404;
    case 'closed':
      return 410;
    case 'manifest-invalid':
      return 502;
    default:
      return 504;
  }
}
