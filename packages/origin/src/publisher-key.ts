import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { signManifest, toBase64, type ManifestJson } from '@sonantica/wire';
import { OriginError } from './errors.ts';

/** A publisher's Ed25519 key pair. */
export interface PublisherKey {
  /** The 32-byte public key in base64, as clients take it in `publisherKeys`. */
  readonly publicKey: string;
  /** Signs a manifest; a signature it already carries is replaced. */
  readonly sign: (document: ManifestJson) => Promise<ManifestJson>;
}

/**
 * Makes a key and writes the private half as PKCS#8 PEM, readable by its owner alone. Never overwrites:
 * throws the system's `EEXIST`.
 */
export async function createPublisherKey(path: string): Promise<PublisherKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  return fromPrivateKey(privateKey);
}

/** Reads a private key written by {@link createPublisherKey}. Throws `OriginError('key-invalid')`. */
export async function readPublisherKey(path: string): Promise<PublisherKey> {
  const pem = await readFile(path, 'utf8');
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch (cause) {
    throw new OriginError('key-invalid', `${path} is not a private key in PEM`, { cause });
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new OriginError('key-invalid', `${path} is not an Ed25519 key`);
  }
  return fromPrivateKey(privateKey);
}

function fromPrivateKey(privateKey: KeyObject): PublisherKey {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicKey = Buffer.from(x, 'base64url');
  return {
    publicKey: toBase64(publicKey),
    sign: (document) => signManifest(document, publicKey, (message) => sign(null, message, privateKey)),
  };
}
