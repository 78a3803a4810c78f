import { fromBase64, toBase64 } from './bytes.ts';
import { ProtocolError } from './errors.ts';

/**
 * A set of chunk indices below a fixed count, packed as BitTorrent's bitfield (BEP 3): chunk 0 is the
 * high bit of byte 0, spare bits are zero.
 */
export class ChunkSet implements Iterable<number> {
  /** Number of chunks in the track; members are `0 … capacity − 1`. */
  readonly capacity: number;
  readonly #bits: Uint8Array;
  #size = 0;

  private constructor(capacity: number, bits: Uint8Array, size: number) {
    this.capacity = capacity;
    this.#bits = bits;
    this.#size = size;
  }

  /** The empty set. */
  static none(capacity: number): ChunkSet {
    return new ChunkSet(capacity, new Uint8Array(Math.ceil(capacity / 8)), 0);
  }

  /** The full set. */
  static all(capacity: number): ChunkSet {
    const bits = new Uint8Array(Math.ceil(capacity / 8)).fill(0xff);
    const spare = bits.length * 8 - capacity;
    if (spare > 0) bits[bits.length - 1] = (0xff << spare) & 0xff;
    return new ChunkSet(capacity, bits, capacity);
  }

  static of(capacity: number, chunks: Iterable<number>): ChunkSet {
    const set = ChunkSet.none(capacity);
    for (const chunk of chunks) set.add(chunk);
    return set;
  }

  /**
   * Reads a bitmap, which is copied. Throws `ProtocolError('bad-field')` when its length is not that of
   * `capacity` chunks or a spare bit is set.
   */
  static fromBitmap(capacity: number, bitmap: Uint8Array): ChunkSet {
    if (bitmap.length !== Math.ceil(capacity / 8)) {
      throw new ProtocolError(
        'bad-field',
        `a bitmap of ${capacity} chunks has ${Math.ceil(capacity / 8)} bytes`,
      );
    }
    const spare = bitmap.length * 8 - capacity;
    if (spare > 0 && ((bitmap[bitmap.length - 1] ?? 0) & ((1 << spare) - 1)) !== 0) {
      throw new ProtocolError('bad-field', 'spare bits of a bitmap are zero');
    }
    let size = 0;
    for (const byte of bitmap) size += POPCOUNT[byte] ?? 0;
    return new ChunkSet(capacity, bitmap.slice(), size);
  }

  /** Reads the tracker's spelling: `all`, `none` or a base64 bitmap. Throws `ProtocolError('bad-field')`. */
  static fromText(capacity: number, text: string): ChunkSet {
    if (text === 'all') return ChunkSet.all(capacity);
    if (text === 'none') return ChunkSet.none(capacity);
    return ChunkSet.fromBitmap(capacity, fromBase64(text, Math.ceil(capacity / 8)));
  }

  /** Number of members. */
  get size(): number {
    return this.#size;
  }

  get isEmpty(): boolean {
    return this.#size === 0;
  }

  get isFull(): boolean {
    return this.#size === this.capacity;
  }

  has(chunk: number): boolean {
    // Without this, the shift below would fold 2³² onto 0 and 1.5 onto 1.
    if (!Number.isInteger(chunk) || chunk < 0 || chunk >= this.capacity) return false;
    return ((this.#bits[chunk >> 3] ?? 0) & (0x80 >> (chunk & 7))) !== 0;
  }

  /** Adds a chunk; answers whether it was new. Throws `RangeError` outside `0 … capacity − 1`. */
  add(chunk: number): boolean {
    if (!Number.isInteger(chunk) || chunk < 0 || chunk >= this.capacity) {
      throw new RangeError(`chunk ${chunk} of ${this.capacity}`);
    }
    if (this.has(chunk)) return false;
    this.#bits[chunk >> 3] = (this.#bits[chunk >> 3] ?? 0) | (0x80 >> (chunk & 7));
    this.#size++;
    return true;
  }

  /** Removes a chunk; answers whether it was there. */
  delete(chunk: number): boolean {
    if (!this.has(chunk)) return false;
    this.#bits[chunk >> 3] = (this.#bits[chunk >> 3] ?? 0) & ~(0x80 >> (chunk & 7));
    this.#size--;
    return true;
  }

  /** Whether some member of this set is not in `other`. Both have the same capacity. */
  hasAnyNotIn(other: ChunkSet): boolean {
    for (let i = 0; i < this.#bits.length; i++) {
      if (((this.#bits[i] ?? 0) & ~(other.#bits[i] ?? 0)) !== 0) return true;
    }
    return false;
  }

  clone(): ChunkSet {
    return new ChunkSet(this.capacity, this.#bits.slice(), this.#size);
  }

  /** The packed bits; a copy, the caller's to keep. */
  toBitmap(): Uint8Array {
    return this.#bits.slice();
  }

  /** The tracker's spelling: `all`, `none` or a base64 bitmap. */
  toText(): string {
    if (this.isFull) return 'all';
    return this.isEmpty ? 'none' : toBase64(this.#bits);
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let i = 0; i < this.#bits.length; i++) {
      const byte = this.#bits[i] ?? 0;
      if (byte === 0) continue;
      for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) yield i * 8 + bit;
    }
  }
}

const POPCOUNT = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});
