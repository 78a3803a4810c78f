/** Buffers are of this size or of two, four, eight… times as much. */
const SMALLEST_BYTES = 256;
/** Longer ones are nobody's but whose they are: 64 KiB, the longest message by default. */
const LARGEST_BYTES = 65_536;
/** Bytes of all buffers that wait to be used again. */
const MOST_SPARE_BYTES = 4 * 1_048_576;

const NOTHING = Buffer.alloc(0);

/**
 * Buffers that are used again. Those of messages that come in pieces live just long enough to grow old in V8's eyes;
 * thrown away, they would make it mark the whole heap to be rid of them.
 */
export class SpareBuffers {
  readonly #mostBytes: number;
  readonly #bySize = new Map<number, Buffer[]>();
  #bytes = 0;

  /** `mostBytes`: of all that wait. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Of all that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** One of at least so many bytes, which hold anything. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    for (let enough = size; enough <= LARGEST_BYTES; enough *= 2) {
      const spare = this.#bySize.get(enough)?.pop();
      if (spare === undefined) continue;
      this.#bytes -= spare.length;
      return spare;
    }
    return Buffer.allocUnsafeSlow(size);
  }

  /** Takes one back that {@link take} gave, and that nobody else uses any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size > LARGEST_BYTES || size === 0 || this.#bytes + size > this.#mostBytes) return;
    this.#bytes += size;
    const alike = this.#bySize.get(size);
    if (alike === undefined) this.#bySize.set(size, [buffer]);
    else alike.push(buffer);
  }
}

function sizeFor(bytes: number): number {
  if (bytes > LARGEST_BYTES) return bytes;
  let size = SMALLEST_BYTES;
  while (size < bytes) size *= 2;
  return size;
}

const SPARE = new SpareBuffers(MOST_SPARE_BYTES);

/** Bytes put together one after another, in a buffer that is used again once they are let go. */
export class KeptBytes {
  #bytes: Buffer = SPARE.take(SMALLEST_BYTES);
  #length = 0;

  /** Those put together are the first {@link length} of it. Not to be used after {@link letGo}. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Puts a copy of what lies between `start` and `end` behind what there is. */
  append(from: Buffer, start: number, end: number): void {
    const needed = this.#length + end - start;
    if (needed > this.#bytes.length) {
      const grown = SPARE.take(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#length);
      SPARE.give(this.#bytes);
      this.#bytes = grown;
    }
    from.copy(this.#bytes, this.#length, start, end);
    this.#length = needed;
  }

  /** What was put together becomes the caller's: nobody uses it again. Takes at most twice its length. */
  giveAway(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length);
    if (this.#bytes.length > 2 * bytes.length) {
      const copy = Buffer.from(bytes);
      this.letGo();
      return copy;
    }
    this.#bytes = NOTHING;
    this.#length = 0;
    return bytes;
  }

  /** They are not needed any more. Told again, nothing happens. */
  letGo(): void {
    SPARE.give(this.#bytes);
    this.#bytes = NOTHING;
    this.#length = 0;
  }
}
