import { fromBase64, isAulaId, isTrackId, type AulaId, type TrackId } from '@sonantica/wire';
import { SwarmError } from './errors.ts';

/** Throws `invalid-argument` for what is no track id. */
export function trackIdOf(trackId: string): TrackId {
  if (isTrackId(trackId)) return trackId;
  return refused(trackId, 'is no track id');
}

/** The track a request is for: the whole of a string, or the end of a URL's path. Throws `invalid-argument`. */
export function trackIdIn(input: string | URL | Request): TrackId {
  if (typeof input === 'string' && isTrackId(input)) return input;
  const url = input instanceof Request ? input.url : String(input);
  const name = url.replace(/[?#].*$/s, '').replace(/^.*\//s, '');
  if (isTrackId(name)) return name;
  return refused(url, 'names no track');
}

/** Throws `invalid-argument` for what is no Aula id. */
export function aulaIdOf(aulaId: string): AulaId {
  if (isAulaId(aulaId)) return aulaId;
  return refused(aulaId, 'is no Aula id');
}

/** Throws `invalid-argument` where one is no Ed25519 key: 32 bytes in base64. No manifest could be signed by it. */
export function checkPublisherKeys(keys: readonly string[]): void {
  for (const key of keys) {
    try {
      fromBase64(key, 32);
    } catch (error) {
      refused(key, 'is no publisher key', error);
    }
  }
}

/** Throws `invalid-argument`, saying what of a value. */
export function refused(value: unknown, why: string, cause?: unknown): never {
  throw new SwarmError('invalid-argument', `${JSON.stringify(value)} ${why}`, cause);
}
