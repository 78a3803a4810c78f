import type { Swarm, Track } from '@sonantica/swarm';
import { HEAD_BYTES, Playback, type PlayClock } from './playback.ts';

/** A read is due whole when the player reaches its first byte: small at first, as the library's own reader reads (`RangeReader`), so that little is due at once. */
const FIRST_PIECE_BYTES = 16_384;
const PIECE_BYTES = 131_072;
const FIRST_PIECES_END = 524_288;

function pieceBytes(at: number): number {
  return at < FIRST_PIECES_END ? FIRST_PIECE_BYTES : PIECE_BYTES;
}
/** How far ahead of the playhead reads carry a deadline, in milliseconds. */
const WINDOW_MS = 15_000;

/** One play of one track. */
export interface Play {
  readonly playback: Playback;
  readonly piece: Piece;
  /** When the whole track was there, since opening; `undefined` before. */
  readonly completedMs: number | undefined;
  readonly wrongBytes: number;
  leave(): void;
}

/** What is played. */
export interface Piece {
  readonly trackId: string;
  readonly sizeBytes: number;
  readonly bytesPerMs: number;
}

/** How many of the bytes that were delivered from `start` on are not the publisher's. */
export type CountWrong = (start: number, bytes: Uint8Array) => number;

/**
 * A player on the library: the head as soon as may be, then reads with deadlines for the next 15 seconds, and the
 * rest of the track whenever it comes.
 */
export class SwarmPlay implements Play {
  readonly playback: Playback;
  readonly piece: Piece;
  readonly track: Track;
  completedMs: number | undefined;
  wrongBytes = 0;
  readonly #clock: PlayClock;
  readonly #countWrong: CountWrong;
  readonly #openedMs: number;
  readonly #ready = new Map<number, number>();
  #asked = 0;
  #frontier = 0;
  #gone = false;

  constructor(clock: PlayClock, swarm: Swarm, piece: Piece, countWrong: CountWrong) {
    this.#clock = clock;
    this.piece = piece;
    this.#countWrong = countWrong;
    this.#openedMs = clock.nowMs();
    this.playback = new Playback(clock, piece.sizeBytes, piece.bytesPerMs);
    this.track = swarm.open(piece.trackId);
    this.#read(0, Math.min(HEAD_BYTES, piece.sizeBytes), 0);
    void this.#goOn();
  }

  leave(): void {
    this.#gone = true;
    this.playback.end();
  }

  /** As the library's own reader, which looks ahead once it knows the track: until then nothing is heard, and so nothing due. */
  async #goOn(): Promise<void> {
    // Each read tries again by itself.
    await this.track.manifest().catch(() => undefined);
    this.#lookAhead();
    await this.#download();
  }

  async #download(): Promise<void> {
    for (;;) {
      try {
        await this.track.download();
        this.completedMs = this.#clock.nowMs() - this.#openedMs;
        return;
      } catch {
        if (this.#gone) return;
        await new Promise<void>((resolve) => void this.#clock.schedule(1_000, resolve));
      }
    }
  }

  #lookAhead(): void {
    if (this.#gone) return;
    const { sizeBytes, bytesPerMs } = this.piece;
    const until = Math.min(sizeBytes, this.playback.position + WINDOW_MS * bytesPerMs);
    while (this.#asked < until) {
      const end = Math.min(
        sizeBytes,
        Math.floor(this.#asked / pieceBytes(this.#asked) + 1) * pieceBytes(this.#asked),
      );
      this.#read(this.#asked, end, this.playback.dueInMs(this.#asked));
    }
    if (this.#asked < sizeBytes) this.#clock.schedule(500, () => this.#lookAhead());
  }

  #read(start: number, end: number, deadlineMs: number): void {
    this.#asked = Math.max(this.#asked, end);
    this.track.read({ start, end }, { deadlineMs }).then(
      (bytes) => this.#got(start, end, bytes),
      () => {
        if (this.#gone) return;
        this.#clock.schedule(1_000, () => this.#read(start, end, this.playback.dueInMs(start)));
      },
    );
  }

  #got(start: number, end: number, bytes: Uint8Array): void {
    if (this.#gone) return;
    this.wrongBytes += this.#countWrong(start, bytes);
    this.#ready.set(start, end);
    for (
      let next = this.#ready.get(this.#frontier);
      next !== undefined;
      next = this.#ready.get(this.#frontier)
    ) {
      this.#ready.delete(this.#frontier);
      this.#frontier = next;
    }
    this.playback.reached(this.#frontier);
  }
}

/** A player on plain HTTP: one request for the whole file, nothing proven. */
export class HttpPlay implements Play {
  readonly playback: Playback;
  readonly piece: Piece;
  completedMs: number | undefined;
  wrongBytes = 0;
  #gone = false;

  constructor(
    clock: PlayClock,
    fetch: (url: string, init: RequestInit) => Promise<Response>,
    url: string,
    piece: Piece,
    countWrong: CountWrong = () => 0,
  ) {
    const { sizeBytes, bytesPerMs } = piece;
    this.piece = piece;
    this.playback = new Playback(clock, sizeBytes, bytesPerMs);
    const openedMs = clock.nowMs();
    const run = async () => {
      const response = await fetch(url, { headers: { range: 'bytes=0-' } });
      let received = 0;
      const reader = response.body?.getReader();
      for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
        if (this.#gone) return;
        this.wrongBytes += countWrong(received, read.value);
        received += read.value.length;
        this.playback.reached(received);
      }
      if (received === sizeBytes) this.completedMs = clock.nowMs() - openedMs;
    };
    // An origin that died: the play stands still, as it would in any player.
    run().catch(() => undefined);
  }

  leave(): void {
    this.#gone = true;
    this.playback.end();
  }
}
