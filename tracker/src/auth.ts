import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { isAulaId, isTrackId } from '@sonantica/wire';
import {
  createLocalJWKSet,
  errors,
  jwtVerify,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import type { Admission, Rights, Verdict } from './core/admission.ts';
import { readSecret } from './secrets.ts';
import { SettingsError } from './settings.ts';

/** What a token is checked with: for each kind of key its own algorithms, so that neither stands for the other. */
interface Verifier {
  readonly key: KeyObject | JWTVerifyGetKey;
  readonly algorithms: readonly string[];
}

/** RFC 7518, 3.2: a key for HS256 has at least 256 bits. */
const MIN_SECRET_BYTES = 32;
const ASYMMETRIC = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256'];
/** A subject longer than this is nobody's name. */
const MAX_SUBJECT_CHARS = 256;
/** Aulas or tracks one token may name. */
const MAX_NAMES = 1_024;

/**
 * Admits bearers of a JWT signed by `auth`: an HS256 secret of at least 32 bytes, or the path of a file with
 * such a secret, a public key or certificate in PEM, a JWK or a JWK set. A token needs `sub` and `exp`;
 * `aulas` and `tracks`, lists of names, bound where it holds. Throws `SettingsError` when there is no key.
 */
export function createAdmission(auth: string, wallMs: () => number): Admission {
  const verifier = readVerifier(auth);
  return {
    admit(token, settle) {
      if (token === undefined) return settle({ admitted: false, reason: 'a token is needed' });
      void judge(verifier, token, wallMs()).then(settle);
    },
  };
}

async function judge({ key, algorithms }: Verifier, token: string, wallMs: number): Promise<Verdict> {
  const options = {
    algorithms: [...algorithms],
    requiredClaims: ['sub', 'exp'],
    currentDate: new Date(wallMs),
  };
  try {
    const { payload } =
      typeof key === 'function' ? await jwtVerify(token, key, options) : await jwtVerify(token, key, options);
    return readClaims(payload);
  } catch (error) {
    const reason = error instanceof errors.JWTExpired ? 'the token expired' : 'the token is not valid';
    return { admitted: false, reason };
  }
}

function readClaims({ sub, exp, aulas, tracks }: JWTPayload): Verdict {
  const refused: Verdict = { admitted: false, reason: 'the token is not valid' };
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT_CHARS) return refused;
  if (typeof exp !== 'number') return refused;
  const mayEnter = readNames(aulas, isAulaId);
  const mayAnnounce = readNames(tracks, isTrackId);
  if (mayEnter === 'wrong' || mayAnnounce === 'wrong') return refused;
  const rights: Rights = {
    subject: sub,
    expiresMs: exp * 1_000,
    ...(mayEnter === undefined ? {} : { aulas: mayEnter }),
    ...(mayAnnounce === undefined ? {} : { tracks: mayAnnounce }),
  };
  return { admitted: true, rights };
}

function readNames<Name extends string>(
  claim: unknown,
  isName: (value: unknown) => value is Name,
): ReadonlySet<Name> | undefined | 'wrong' {
  if (claim === undefined) return undefined;
  if (!Array.isArray(claim) || claim.length > MAX_NAMES || !claim.every(isName)) return 'wrong';
  return new Set(claim);
}

function readVerifier(auth: string): Verifier {
  const text = readSecret('auth', auth);
  if (text.startsWith('{')) return jwkVerifier(text);
  if (text.startsWith('-----BEGIN')) return pemVerifier(text);
  return secretVerifier(Buffer.from(text, 'utf8'));
}

function secretVerifier(secret: Buffer): Verifier {
  if (secret.length < MIN_SECRET_BYTES) {
    throw new SettingsError(
      'auth',
      `a secret has at least ${MIN_SECRET_BYTES} bytes (openssl rand -base64 32)`,
    );
  }
  return { key: createSecretKey(secret), algorithms: ['HS256'] };
}

function pemVerifier(pem: string): Verifier {
  if (/BEGIN [A-Z ]*PRIVATE KEY/.test(pem)) {
    throw new SettingsError('auth', 'the file holds a private key; the tracker needs the public one');
  }
  try {
    return { key: createPublicKey(pem), algorithms: ASYMMETRIC };
  } catch {
    throw new SettingsError('auth', 'the file holds no public key');
  }
}

function jwkVerifier(text: string): Verifier {
  const wrong = new SettingsError('auth', 'the file holds no JWK and no JWK set');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong;
  }
  if (!isObject(value)) throw wrong;
  if (value['kty'] === 'oct' && typeof value['k'] === 'string') {
    return secretVerifier(Buffer.from(value['k'], 'base64url'));
  }
  const set = Array.isArray(value['keys']) ? value['keys'] : [value];
  const keys = set.filter(isJwk);
  if (keys.length === 0 || keys.length < set.length) throw wrong;
  if (keys.some((key) => 'd' in key)) {
    throw new SettingsError('auth', 'the file holds a private key; the tracker needs the public one');
  }
  const jwks: JSONWebKeySet = { keys };
  return { key: createLocalJWKSet(jwks), algorithms: ASYMMETRIC };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isJwk(value: unknown): value is { kty: string } {
  return isObject(value) && typeof value['kty'] === 'string' && value['kty'] !== 'oct';
}
