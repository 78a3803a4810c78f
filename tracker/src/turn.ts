import { createHmac } from 'node:crypto';
import type { IceServer } from '@sonantica/wire';

/** TURN servers that share a secret with the tracker. */
export interface TurnOptions {
  readonly urls: readonly string[];
  readonly secret: string;
  /** How long a credential lasts, in seconds. */
  readonly ttlSeconds: number;
}

/** Of a subject, what goes into a user name: coturn bounds it to 512 bytes. */
const MAX_SUBJECT_CHARS = 128;

/**
 * Credentials for one listener, as coturn's `use-auth-secret` checks them (the TURN REST form,
 * draft-uberti-behave-turn-rest): the user is `expiry` or `expiry:subject`, expiry in seconds since 1970, the
 * password base64(HMAC-SHA1(secret, user)). It lasts from `wallMs` for `ttlSeconds`, and not beyond `notAfterMs`
 * (milliseconds since 1970).
 */
export function turnServer(
  { urls, secret, ttlSeconds }: TurnOptions,
  subject: string | undefined,
  wallMs: number,
  notAfterMs = Number.POSITIVE_INFINITY,
): IceServer {
  const expiry = Math.floor(Math.min(wallMs + ttlSeconds * 1_000, notAfterMs) / 1_000);
  const username = subject === undefined ? `${expiry}` : `${expiry}:${plain(subject)}`;
  const credential = createHmac('sha1', secret).update(username).digest('base64');
  return { urls, username, credential };
}

/** A subject in characters that every server takes in a user name. */
function plain(subject: string): string {
  return encodeURIComponent(subject.replace(/\p{Surrogate}/gu, '-')).slice(0, MAX_SUBJECT_CHARS);
}
