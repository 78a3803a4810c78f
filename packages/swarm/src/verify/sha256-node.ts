import { createHash, hash } from 'node:crypto';
import type { Hasher } from '@sonantica/wire';
import type { StreamHasher } from './stream-hasher.ts';

/** SHA-256 by OpenSSL. Synchronous. */
export const nodeHasher = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
nodeHasher satisfies Hasher;

/** A streaming SHA-256 by OpenSSL. A promise, as in browsers. */
export async function createStreamHasher(): Promise<StreamHasher> {
  const sha256 = createHash('sha256');
  return {
    update: (bytes) => void sha256.update(bytes),
    digestHex: () => sha256.digest('hex'),
  };
}
