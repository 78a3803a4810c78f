import { randomFillSync } from 'node:crypto';

/** Bytes of the store that texts are cut from: asking the system for each costs more. */
const STORE_BYTES = 4_096;

/** Makes texts of `bytes` random bytes each (at most 4,096), which nobody can guess, spelled in `encoding`. */
export function randomTexts(bytes: number, encoding: 'base64url' | 'latin1'): () => string {
  const store = Buffer.alloc(STORE_BYTES - (STORE_BYTES % bytes));
  let used = store.length;
  return () => {
    if (used === store.length) {
      randomFillSync(store);
      used = 0;
    }
    const text = store.toString(encoding, used, used + bytes);
    // What was given away is not kept where it could be given again.
    store.fill(0, used, used + bytes);
    used += bytes;
    return text;
  };
}
