import type { Swarm, Track } from '@sonantica/swarm';
import { isWrong, type VirtualClock } from '@sonantica/swarm/testing';
import { HEAD_BYTES, Playback } from './playback.ts';

/** A read is due whole when the player reaches its first byte: small at first, as a player's are, so that little is due at once. */
const FIRST_PIECE_BYTES = 32_768;
const PIECE_BYTES = 131_072;
const FIRST_PIECES_END = 524_288;

function pieceBytes(at: number): number {
  return at < FIRST_PIECES_END ? FIRST_PIECE_BYTES : PIECE_BYTES;
}
/** How far ahead of the playhead reads carry a deadline, in milliseconds. */
const WINDOW_MS = 15_000;
const BLOCK_BYTES = 16_384;

/** One play of the track. */
export interface Play {
  readonly playback: Playback;
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

/**
 * A player on the library: the head as soon as may be, then reads with deadlines for the next 15 seconds, and the
 * rest of the track whenever it comes.
 */
export class SwarmPlay implements Play {
  readonly playback: Playback;
  readonly track: Track;
  completedMs: number | undefined;
  wrongBytes = 0;
  readonly #clock: VirtualClock;
  readonly #piece: Piece;
  readonly #openedMs: number;
  readonly #ready = new Map<number, number>();
  #asked = 0;
  #frontier = 0;
  #gone = false;

  constructor(clock: VirtualClock, swarm: Swarm, piece: Piece) {
    this.#clock = clock;
    this.#piece = piece;
    this.#openedMs = clock.nowMs();
    this.playback = new Playback(clock, piece.sizeBytes, piece.bytesPerMs);
    this.track = swarm.open(piece.trackId);
    this.#read(0, Math.min(HEAD_BYTES, piece.sizeBytes), 0);
    this.#lookAhead();
    void this.#download();
  }

  leave(): void {
    this.#gone = true;
    this.playback.end();
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
    const { sizeBytes, bytesPerMs } = this.#piece;
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
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      if (isWrong(bytes.subarray(at))) this.wrongBytes += Math.min(BLOCK_BYTES, bytes.length - at);
    }
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
  completedMs: number | undefined;
  readonly wrongBytes = 0;
  #gone = false;

  constructor(
    clock: VirtualClock,
    fetch: (url: string, init: RequestInit) => Promise<Response>,
    { trackId, sizeBytes, bytesPerMs }: Piece,
  ) {
    this.playback = new Playback(clock, sizeBytes, bytesPerMs);
    const openedMs = clock.nowMs();
    const run = async () => {
      const response = await fetch(`https://origin.simulated/tracks/${trackId}`, {
        headers: { range: 'bytes=0-' },
      });
      let received = 0;
      const reader = response.body?.getReader();
      for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
        if (this.#gone) return;
        received += read.value.length;
        this.playback.reached(received);
      }
      if (received === sizeBytes) this.completedMs = clock.nowMs() - openedMs;
    };
    void run();
  }

  leave(): void {
    this.#gone = true;
    this.playback.end();
  }
}
