import { ProtocolError } from './errors.ts';

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** Names a track: 1–128 characters of `A–Z a–z 0–9 . _ ~ -`, not `.` or `..`. */
export type TrackId = Branded<string, 'TrackId'>;
/** Names a listening room: 1–128 characters of `A–Z a–z 0–9 . _ ~ -`. */
export type AulaId = Branded<string, 'AulaId'>;
/** Given by the tracker to one socket: 128 random bits in base64url, 22 characters. */
export type PeerId = Branded<string, 'PeerId'>;
/** The `pieces root` of a track's Merkle tree (BEP 52): 64 lower-case hexadecimal digits. */
export type RootHash = Branded<string, 'RootHash'>;

const NAME = /^[A-Za-z0-9._~-]{1,128}$/;
const PEER_ID = /^[A-Za-z0-9_-]{22}$/;
const ROOT_HASH = /^[0-9a-f]{64}$/;

/** Whether `value` can name a track. `.` and `..` are left out: URLs would swallow them. */
export function isTrackId(value: unknown): value is TrackId {
  return typeof value === 'string' && NAME.test(value) && value !== '.' && value !== '..';
}

export function isAulaId(value: unknown): value is AulaId {
  return typeof value === 'string' && NAME.test(value);
}

export function isPeerId(value: unknown): value is PeerId {
  return typeof value === 'string' && PEER_ID.test(value);
}

export function isRootHash(value: unknown): value is RootHash {
  return typeof value === 'string' && ROOT_HASH.test(value);
}

/** Reads a track id. Throws `ProtocolError('bad-field')`. */
export function parseTrackId(value: unknown, path = 'trackId'): TrackId {
  if (isTrackId(value)) return value;
  throw new ProtocolError('bad-field', 'expected 1–128 characters of A–Z a–z 0–9 . _ ~ -', path);
}

/** Reads an Aula id. Throws `ProtocolError('bad-field')`. */
export function parseAulaId(value: unknown, path = 'aulaId'): AulaId {
  if (isAulaId(value)) return value;
  throw new ProtocolError('bad-field', 'expected 1–128 characters of A–Z a–z 0–9 . _ ~ -', path);
}

/** Reads a peer id. Throws `ProtocolError('bad-field')`. */
export function parsePeerId(value: unknown, path = 'peerId'): PeerId {
  if (isPeerId(value)) return value;
  throw new ProtocolError('bad-field', 'expected 22 characters of base64url', path);
}

/** Reads a root hash. Throws `ProtocolError('bad-field')`. */
export function parseRootHash(value: unknown, path = 'root'): RootHash {
  if (isRootHash(value)) return value;
  throw new ProtocolError('bad-field', 'expected 64 lower-case hexadecimal digits', path);
}
