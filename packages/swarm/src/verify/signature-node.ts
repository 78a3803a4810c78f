import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { VerifySignature } from '@sonantica/wire';

/** Verifies Ed25519 (RFC 8032) by OpenSSL. Keys and signatures of a wrong length or form are simply not valid. */
export const nodeVerifySignature: VerifySignature = (publicKey, message, signature) => {
  const key = importKey(publicKey);
  return key !== undefined && signature.length === 64 && verify(null, message, key, signature);
};

function importKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== 32) return undefined;
  const x = Buffer.from(publicKey).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
