import { toBase64 } from '@sonantica/wire';

/**
 * Bitmaps of one width, packed in one buffer: a row for each peer of a swarm that holds part of the track.
 * An object per bitmap would cost ten times the bits of an ordinary track. Bits as in BitTorrent (BEP 3).
 */
export class BitmapSlab {
  readonly rowBytes: number;
  #bytes = new Uint8Array(0);
  /** Rows ever handed out; those in `#free` are among them. */
  #rows = 0;
  #free: number[] = [];

  constructor(bits: number) {
    this.rowBytes = Math.ceil(bits / 8);
  }

  /** Rows in use. */
  get rows(): number {
    return this.#rows - this.#free.length;
  }

  /** Takes a row, all zero. */
  allocate(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const needed = (this.#rows + 1) * this.rowBytes;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.ceil((this.#rows + 1) * 1.5) * this.rowBytes);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return this.#rows++;
  }

  /** Gives a row back. With the last one, the buffer is freed. */
  release(row: number): void {
    this.#bytes.fill(0, row * this.rowBytes, (row + 1) * this.rowBytes);
    this.#free.push(row);
    if (this.rows > 0) return;
    this.#bytes = new Uint8Array(0);
    this.#rows = 0;
    this.#free = [];
  }

  /** Overwrites a row with a bitmap of the slab's width. */
  write(row: number, bitmap: Uint8Array): void {
    this.#bytes.set(bitmap.subarray(0, this.rowBytes), row * this.rowBytes);
  }

  has(row: number, bit: number): boolean {
    return ((this.#bytes[row * this.rowBytes + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0;
  }

  add(row: number, bit: number): void {
    const at = row * this.rowBytes + (bit >> 3);
    this.#bytes[at] = (this.#bytes[at] ?? 0) | (0x80 >> (bit & 7));
  }

  delete(row: number, bit: number): void {
    const at = row * this.rowBytes + (bit >> 3);
    this.#bytes[at] = (this.#bytes[at] ?? 0) & ~(0x80 >> (bit & 7));
  }

  /** Bits set in a row. */
  size(row: number): number {
    let size = 0;
    const end = (row + 1) * this.rowBytes;
    for (let at = row * this.rowBytes; at < end; at++) {
      for (let rest = this.#bytes[at] ?? 0; rest > 0; rest &= rest - 1) size++;
    }
    return size;
  }

  /** Whether a row has a bit that another row has not. */
  hasAnyNotIn(row: number, other: number): boolean {
    const a = row * this.rowBytes;
    const b = other * this.rowBytes;
    for (let i = 0; i < this.rowBytes; i++) {
      if (((this.#bytes[a + i] ?? 0) & ~(this.#bytes[b + i] ?? 0)) !== 0) return true;
    }
    return false;
  }

  /** Whether a row shares a bit with a bitmap. */
  hasAnyOf(row: number, bitmap: Uint8Array): boolean {
    const a = row * this.rowBytes;
    for (let i = 0; i < this.rowBytes; i++) {
      if (((this.#bytes[a + i] ?? 0) & (bitmap[i] ?? 0)) !== 0) return true;
    }
    return false;
  }

  /** Adds a row's bits to a bitmap. */
  addTo(bitmap: Uint8Array, row: number): void {
    const a = row * this.rowBytes;
    for (let i = 0; i < this.rowBytes; i++) bitmap[i] = (bitmap[i] ?? 0) | (this.#bytes[a + i] ?? 0);
  }

  /** A row in base64. */
  text(row: number): string {
    return toBase64(this.#bytes.subarray(row * this.rowBytes, (row + 1) * this.rowBytes));
  }
}
