import type { ByteRange } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { ReadPace } from './read-pace.ts';

/** Reads proven bytes, wanted `deadlineMs` from now. */
export type ReadBytes = (
  range: ByteRange,
  options: { signal: AbortSignal; deadlineMs: number },
) => Promise<Uint8Array>;

/** What a {@link RangeReader} is made of. */
export interface RangeReaderParts {
  readonly read: ReadBytes;
  readonly range: ByteRange;
  readonly bytesPerSecond: number;
  readonly nowMs: () => number;
}

/** The first piece is one block: a player can begin with it. */
const FIRST_BYTES = 16_384;
const MOST_BYTES = 262_144;
/**
 * Wanted beyond the piece being waited for, so that no round trip is idle: little at first, for a player that looks for
 * its place reads a few blocks here and there, and what it leaves behind delays what it wants next.
 */
const FIRST_AHEAD_BYTES = 49_152;
const MOST_AHEAD_BYTES = 1_048_576;

interface Piece {
  readonly bytes: number;
  readonly arriving: Promise<Uint8Array>;
}

/** Reads a range in order, piece by piece as it is asked for, wanting a little more ahead. */
export class RangeReader {
  readonly #parts: RangeReaderParts;
  readonly #pace: ReadPace;
  readonly #stop = new AbortController();
  readonly #pieces: Piece[] = [];
  #at: number;
  #nextBytes: number;
  #aheadBytes = 0;
  #takenBytes = 0;

  constructor(parts: RangeReaderParts) {
    this.#parts = parts;
    this.#at = parts.range.start;
    // Pieces end where blocks do.
    this.#nextBytes = FIRST_BYTES - (this.#at % FIRST_BYTES);
    this.#pace = new ReadPace(parts.bytesPerSecond);
  }

  /** The next bytes, the caller's own, or `undefined` after the last. Rejects as the read does; then it is over. */
  async next(): Promise<Uint8Array | undefined> {
    this.#stop.signal.throwIfAborted();
    this.#want();
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#aheadBytes -= piece.bytes;
    this.#takenBytes += piece.bytes;
    this.#pace.taken(piece.bytes, this.#parts.nowMs());
    try {
      return await piece.arriving;
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /** Takes back what is wanted and has not come. Idempotent. */
  cancel(): void {
    this.#stop.abort(new SwarmError('aborted', 'the player turned elsewhere'));
    this.#pieces.length = 0;
  }

  #want(): void {
    const { read, range, nowMs } = this.#parts;
    const most = Math.min(MOST_AHEAD_BYTES, FIRST_AHEAD_BYTES + 2 * this.#takenBytes);
    while (this.#at < range.end && (this.#pieces.length === 0 || this.#aheadBytes < most)) {
      const end = Math.min(range.end, this.#at + this.#nextBytes);
      const bytes = end - this.#at;
      const deadlineMs = this.#pace.dueInMs(this.#at - range.start, nowMs());
      const arriving = read({ start: this.#at, end }, { signal: this.#stop.signal, deadlineMs });
      // Whoever takes the piece hears of a failure; one that nobody takes is of no interest.
      arriving.catch(() => undefined);
      this.#pieces.push({ bytes, arriving });
      this.#aheadBytes += bytes;
      this.#at = end;
      this.#nextBytes = nextPiece(bytes);
    }
  }
}

function nextPiece(bytes: number): number {
  return Math.min(MOST_BYTES, Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(bytes)) * 2));
}
