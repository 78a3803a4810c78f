import type { ByteRange, Manifest } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import type { MediaFacts } from './media-answer.ts';

/** What playback needs of a track. */
export interface PlayableTrack {
  readonly trackId: string;
  manifest(): Promise<Manifest>;
  read(range: ByteRange, options: { signal: AbortSignal; deadlineMs: number }): Promise<Uint8Array>;
  blob(): Promise<Blob>;
}

/** Bytes a second where a manifest does not say how long the track plays: 24/96 stereo FLAC. */
const USUAL_BYTES_PER_SECOND = 375_000;

/** How fast a track is played, in bytes a second. */
export function bytesPerSecond({ size, audio }: Manifest): number {
  const seconds = audio?.durationSeconds ?? 0;
  return seconds > 0 ? size / seconds : USUAL_BYTES_PER_SECOND;
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
