/** What fits into this many bytes is one message of two blocks at most. */
export const MOST_SMALL_BYTES = 64;

/** The first 32 bits of the fractional parts of the cube roots, and of the square roots, of the first primes (FIPS 180-4). */
const ROUNDS = new Uint32Array(64);
const BEGIN = new Uint32Array(8);
for (let n = 2, found = 0; found < 64; n++) {
  if (!isPrime(n)) continue;
  ROUNDS[found] = (Math.cbrt(n) % 1) * 2 ** 32;
  if (found < 8) BEGIN[found] = (Math.sqrt(n) % 1) * 2 ** 32;
  found++;
}

const schedule = new Uint32Array(64);
const padded = new Uint8Array(128);
const words = new DataView(padded.buffer);

/**
 * SHA-256 of at most {@link MOST_SMALL_BYTES}, at once: a tree of hashes is made of many, and each would cost WebCrypto a
 * turn of the event loop.
 */
export function sha256Small(bytes: Uint8Array): Uint8Array {
  padded.fill(0);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const length = bytes.length < 56 ? 64 : 128;
  words.setUint32(length - 4, bytes.length * 8);
  const state = BEGIN.slice();
  for (let at = 0; at < length; at += 64) compress(state, at);
  const hash = new Uint8Array(32);
  const view = new DataView(hash.buffer);
  for (let i = 0; i < 8; i++) view.setUint32(i * 4, state[i] ?? 0);
  return hash;
}

function compress(state: Uint32Array, at: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = words.getUint32(at + i * 4);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number;
    const y = w[i - 2] as number;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUNDS[i] as number) + (w[i] as number)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  for (const [i, sum] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] as number) + sum;
}

function isPrime(n: number): boolean {
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
  return true;
}
