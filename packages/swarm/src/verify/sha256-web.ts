import type { Hasher } from '@sonantica/wire';
import type { IHasher } from 'hash-wasm';
import type { StreamHasher } from './stream-hasher.ts';

/** The part of WebCrypto that hashes; pages on plain HTTP have none of it. */
export type Digester = Pick<SubtleCrypto, 'digest'>;

/**
 * SHA-256 for browsers: WebCrypto where the page may use it, `hash-wasm` otherwise. The latter is loaded on first use and
 * synchronous from then on; while it cannot be loaded, hashes reject. `null` does without WebCrypto.
 */
export function createWebHasher(subtle: Digester | null = globalThis.crypto?.subtle ?? null): Hasher {
  if (subtle === null) return createWasmHasher();
  return async (bytes) => new Uint8Array(await subtle.digest('SHA-256', unshared(bytes)));
}

/** The hasher of this page. */
export const webHasher: Hasher = /* @__PURE__ */ createWebHasher();

/** A streaming SHA-256 by `hash-wasm`: WebCrypto takes whole messages only. */
export async function createStreamHasher(): Promise<StreamHasher> {
  const hash = await loadSha256();
  return {
    update: (bytes) => void hash.update(bytes),
    digestHex: () => hash.digest('hex'),
  };
}

function createWasmHasher(): Hasher {
  let loading: Promise<IHasher> | undefined;
  let loaded: IHasher | undefined;

  const load = async () => {
    try {
      loaded = await loadSha256();
      return loaded;
    } catch (error) {
      loading = undefined;
      throw error;
    }
  };

  return (bytes) => {
    if (loaded !== undefined) return digest(loaded, bytes);
    loading ??= load();
    return loading.then((hash) => digest(hash, bytes));
  };
}

function digest(hash: IHasher, bytes: Uint8Array): Uint8Array {
  return hash.init().update(bytes).digest('binary');
}

async function loadSha256(): Promise<IHasher> {
  const { createSHA256 } = await import('./sha-wasm.ts');
  return createSHA256();
}

/** WebCrypto refuses shared memory, so that is copied; anything else is a view of the same bytes. */
function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes;
  return buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(bytes);
}
