import type { ByteRange } from '@sonantica/wire';
import { PlaybackDemand, type Pull } from '../core/playback-demand.ts';
import type { PlayedFacts, Playhead } from '../core/playhead.ts';
import { SwarmError } from '../errors.ts';

/** A track whose bytes can be read by when they are heard. */
export interface ReadableTrack {
  /** Where its player is. */
  readonly playhead: Playhead;
  /** Reads proven bytes, wanted `deadlineMs` from now. */
  read(range: ByteRange, options: { signal?: AbortSignal; deadlineMs: number }): Promise<Uint8Array>;
}

/**
 * The first piece, and where pieces end: browsers take what they play in pieces of so much, counted from the file's
 * beginning, and can use no part of one.
 */
const LEAST_BYTES = 32_768;
const MOST_BYTES = 262_144;
/** A piece is what comes within this time: nobody waits for the end of one to hear its beginning. */
const PIECE_MS = 40;
/** Who waits no longer than this for a piece has not waited. */
const HERE_MS = 1;
const SMOOTHING = 0.5;

/** One for each track that is played; all its readers share it. */
const demands = new WeakMap<Playhead, PlaybackDemand>();

function demandOf({ playhead }: ReadableTrack): PlaybackDemand {
  const demand = demands.get(playhead) ?? new PlaybackDemand(playhead);
  demands.set(playhead, demand);
  return demand;
}

interface Piece {
  readonly end: number;
  readonly stop: AbortController;
  readonly arriving: Promise<Uint8Array>;
  /** Its bytes, once they are here. */
  bytes?: Uint8Array;
}

/** Reads a range in order, piece by piece as it is asked for, each wanted by when it is heard and a little more ahead. */
export class RangeReader {
  readonly #track: ReadableTrack;
  readonly #facts: PlayedFacts;
  readonly #range: ByteRange;
  readonly #demand: PlaybackDemand;
  readonly #pull: Pull;
  readonly #stop = new AbortController();
  readonly #pause: ((ms: number) => Promise<void>) | undefined;
  /** Wanted and not yet here or not yet taken, in order. */
  readonly #pieces = new Set<Piece>();
  #at: number;
  #takenTo: number;
  #nextBytes = LEAST_BYTES;
  #cameMs: number;
  #bytesPerMs = 0;

  /** `pause` resolves after so many milliseconds: for a player that shares the processor, and is let begin first. */
  constructor(
    track: ReadableTrack,
    facts: PlayedFacts,
    range: ByteRange,
    pause?: (ms: number) => Promise<void>,
  ) {
    this.#track = track;
    this.#pause = pause;
    this.#facts = facts;
    this.#range = range;
    this.#demand = demandOf(track);
    this.#pull = this.#demand.begin(range.start, facts);
    this.#at = range.start;
    this.#takenTo = range.start;
    this.#cameMs = track.playhead.clock.nowMs();
  }

  /** The next bytes, the caller's own, or `undefined` after the last. Rejects as the read does; then it is over. */
  async next(): Promise<Uint8Array | undefined> {
    this.#stop.signal.throwIfAborted();
    this.#want();
    for (
      let waitMs = this.#waitMs();
      waitMs > 0 && this.#nextPiece() === undefined;
      waitMs = this.#waitMs()
    ) {
      await this.#pause?.(waitMs);
      this.#stop.signal.throwIfAborted();
      this.#want();
    }
    const piece = this.#nextPiece();
    if (piece === undefined) return undefined;
    this.#takenTo = piece.end;
    const { clock } = this.#track.playhead;
    const askedMs = clock.nowMs();
    try {
      const first = await piece.arriving;
      this.#came(first.length, clock.nowMs() - askedMs);
      const bytes = this.#withWhatIsHere(first);
      this.#pull.taken(this.#takenTo);
      this.#wantAsides();
      return bytes;
    } catch (error) {
      this.cancel();
      throw error;
    } finally {
      this.#pieces.delete(piece);
    }
  }

  /** Takes back what is wanted and has not come. Idempotent. */
  cancel(): void {
    const why = new SwarmError('aborted', 'the player turned elsewhere');
    // What is wanted beside goes first: it is what would be asked for in the place of the rest.
    this.#stop.abort(why);
    // The last first: what is taken back makes room for nothing that is about to be taken back too.
    for (const { stop } of [...this.#pieces].toReversed()) stop.abort(why);
    this.#pieces.clear();
  }

  #nextPiece(): Piece | undefined {
    for (const piece of this.#pieces) if (piece.end > this.#takenTo) return piece;
    return undefined;
  }

  /** A piece and those after it that have come already, as one: each handing over has its cost. */
  #withWhatIsHere(first: Uint8Array): Uint8Array {
    const parts = [first];
    let length = first.length;
    for (let piece = this.#nextPiece(); piece?.bytes !== undefined; piece = this.#nextPiece()) {
      if (length + piece.bytes.length > MOST_BYTES) break;
      parts.push(piece.bytes);
      length += piece.bytes.length;
      this.#takenTo = piece.end;
      this.#pieces.delete(piece);
    }
    if (parts.length === 1) return first;
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #want(): void {
    const { end: rangeEnd } = this.#range;
    while (
      this.#at < rangeEnd &&
      this.#waitMs() === 0 &&
      (this.#at === this.#takenTo || this.#at - this.#takenTo < this.#pull.aheadBytes)
    ) {
      const end = Math.min(rangeEnd, this.#pieceEnd());
      const stop = new AbortController();
      const options = { signal: stop.signal, deadlineMs: this.#pull.dueInMs(this.#at) };
      const arriving = this.#track.read({ start: this.#at, end }, options);
      // Whoever takes the piece hears of a failure; one that nobody takes is of no interest.
      const piece: Piece = { end, stop, arriving };
      arriving.then(
        (bytes) => (piece.bytes = bytes),
        () => undefined,
      );
      this.#pieces.add(piece);
      this.#at = end;
    }
  }

  /** How long what is next is not to be wanted yet. */
  #waitMs(): number {
    return this.#pause === undefined || this.#at >= this.#range.end ? 0 : this.#pull.waitMs;
  }

  /** What a player needs to begin waits for nothing that comes after it. */
  #pieceEnd(): number {
    const end = this.#at + this.#nextBytes - (this.#at % LEAST_BYTES);
    const headEnd = Math.ceil(this.#pull.headEnd / LEAST_BYTES) * LEAST_BYTES;
    return this.#at < headEnd ? Math.min(end, headEnd) : end;
  }

  /** The faster pieces come, the larger the next are: each has its cost. One that was here already says nothing of that. */
  #came(bytes: number, waitedMs: number): void {
    const now = this.#track.playhead.clock.nowMs();
    const tookMs = now - this.#cameMs;
    this.#cameMs = now;
    const doubled = Math.min(MOST_BYTES, 2 * this.#nextBytes);
    if (waitedMs < HERE_MS) {
      this.#nextBytes = doubled;
      return;
    }
    this.#bytesPerMs += (bytes / Math.max(1, tookMs) - this.#bytesPerMs) * SMOOTHING;
    const blocks = Math.floor((this.#bytesPerMs * PIECE_MS) / LEAST_BYTES);
    this.#nextBytes = Math.min(doubled, Math.max(1, blocks) * LEAST_BYTES);
  }

  /** Who reads to the end may look at it early; who wants a part wants no more than that. */
  #wantAsides(): void {
    if (this.#range.end < this.#facts.size) return;
    const { signal } = this.#stop;
    for (const { range, deadlineMs } of this.#demand.takeAsides(this.#pull, this.#facts)) {
      // Best effort: whoever plays hears of what is missing.
      this.#track.read(range, { signal, deadlineMs }).catch(() => this.#demand.missed(this.#pull));
    }
  }
}

/**
 * A range of a track in order, wanted as fast as it is taken. Cancelling it takes back what is wanted. `ended` is told
 * once it is over, with what it failed with.
 */
export function streamRange(
  track: ReadableTrack,
  facts: PlayedFacts,
  range: ByteRange,
  signal?: AbortSignal,
  ended?: (error?: unknown) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = new RangeReader(track, facts, range);
  const stop = () => {
    reader.cancel();
    ended?.();
  };
  signal?.addEventListener('abort', stop, { once: true });
  return new ReadableStream(
    {
      pull: async (controller) => {
        try {
          const bytes = await reader.next();
          if (bytes !== undefined) return controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
          controller.close();
          ended?.();
        } catch (error) {
          ended?.(error);
          throw error;
        }
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
}
