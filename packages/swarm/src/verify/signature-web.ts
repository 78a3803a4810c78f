import type { VerifySignature } from '@sonantica/wire';

/** The part of WebCrypto that verifies; absent on plain-HTTP pages, without Ed25519 in older browsers. */
export type SignatureVerifier = Pick<SubtleCrypto, 'importKey' | 'verify'>;

/**
 * Verifies Ed25519 (RFC 8032) in browsers: by WebCrypto where it knows the algorithm, otherwise by
 * `@noble/ed25519` with the SHA-512 of `hash-wasm`, both loaded on first use. Keys and signatures of a wrong
 * length or form are simply not valid. Rejects only when the substitute cannot be loaded. `null` does without WebCrypto.
 */
export function createWebVerifySignature(
  subtle: SignatureVerifier | null = globalThis.crypto?.subtle ?? null,
): VerifySignature {
  let supported = subtle !== null;
  return async (publicKey, message, signature) => {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    if (supported && subtle !== null) {
      try {
        return await verifyBySubtle(subtle, publicKey, message, signature);
      } catch (error) {
        if (!isUnsupported(error)) return false;
        supported = false;
      }
    }
    return verifyByNoble(publicKey, message, signature);
  };
}

/** The verifier of this page. */
export const webVerifySignature: VerifySignature = /* @__PURE__ */ createWebVerifySignature();

async function verifyBySubtle(
  subtle: SignatureVerifier,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const key = await subtle.importKey('raw', publicKey.slice(), 'Ed25519', false, ['verify']);
  return subtle.verify('Ed25519', key, signature.slice(), message.slice());
}

async function verifyByNoble(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const [noble, { createSHA512 }] = await Promise.all([import('@noble/ed25519'), import('./sha-wasm.ts')]);
  const sha512 = await createSHA512();
  noble.hashes.sha512 = (bytes) => new Uint8Array(sha512.init().update(bytes).digest('binary'));
  return noble.verify(signature, message, publicKey, { zip215: false });
}

/** Browsers without Ed25519 say `NotSupportedError`; any other failure is about the key itself. */
function isUnsupported(error: unknown): boolean {
  return error instanceof Error && error.name === 'NotSupportedError';
}
