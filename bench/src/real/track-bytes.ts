import { closeSync, openSync, readSync } from 'node:fs';
import type { CountWrong } from '../player.ts';

/** The publisher's bytes of one track, read from its file as they are needed. */
export class TrackBytes {
  readonly #fd: number;
  readonly #sizeBytes: number;
  readonly #scratch = Buffer.allocUnsafe(262_144);

  /** Throws the system's error where the file cannot be read. */
  constructor(path: string, sizeBytes: number) {
    this.#fd = openSync(path, 'r');
    this.#sizeBytes = sizeBytes;
  }

  /** New memory with these bytes, the end exclusive and at most the size. */
  slice(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(end, this.#sizeBytes) - start);
    readSync(this.#fd, bytes, 0, bytes.length, start);
    return bytes;
  }

  /** How many of the bytes delivered from `start` on differ from the publisher's. */
  readonly countWrong: CountWrong = (start, bytes) => {
    let wrong = 0;
    for (let at = 0; at < bytes.length; at += this.#scratch.length) {
      const length = Math.min(this.#scratch.length, bytes.length - at);
      const right = this.#scratch.subarray(0, length);
      const read = readSync(this.#fd, right, 0, length, start + at);
      const given = bytes.subarray(at, at + length);
      if (read === length && right.equals(given)) continue;
      for (let i = 0; i < length; i++) if (i >= read || right[i] !== given[i]) wrong++;
    }
    return wrong;
  };

  close(): void {
    closeSync(this.#fd);
  }
}
