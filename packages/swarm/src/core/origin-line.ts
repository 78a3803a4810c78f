import { OriginPace } from './origin-pace.ts';
import { ORIGIN } from './source-state.ts';
import type { WantedChunk } from './wanted-chunk.ts';

/** Pauses after the origin failed: twice as long each time, in milliseconds. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** How long a failing origin is tried again before those who wait are told, in milliseconds. */
export const GIVE_UP_AFTER_MS = 3_000;

/** What is under way from the origin, how fast it comes, and whether the origin fails. Pure: events and the time go in. */
export class OriginLine {
  readonly pace = new OriginPace();
  /** Chunk → when it was last asked for. */
  readonly #chunks = new Map<WantedChunk, number>();
  #pausedUntilMs = 0;
  #pauseMs = 0;
  /** When the first of the requests was made that have failed since anything came. */
  #failingSinceMs: number | undefined;

  /** Chunks of which something is under way. */
  get size(): number {
    return this.#chunks.size;
  }

  has(chunk: WantedChunk): boolean {
    return this.#chunks.has(chunk);
  }

  /** Whether it is left alone for now, because it failed. */
  isPaused(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs;
  }

  /** Whether nothing has come of what was asked since it first failed. */
  isFailing(nowMs: number): boolean {
    return this.#failingSinceMs !== undefined || this.isPaused(nowMs);
  }

  /** Whether it has failed for so long that those who wait are to be told. */
  isGivenUp(nowMs: number): boolean {
    const since = this.#failingSinceMs;
    return since !== undefined && nowMs - since >= GIVE_UP_AFTER_MS && this.isPaused(nowMs);
  }

  /** Somebody new waits: a long pause ends soon. */
  wantedAgain(nowMs: number): void {
    this.#pausedUntilMs = Math.min(this.#pausedUntilMs, nowMs + FIRST_PAUSE_MS);
  }

  /** Blocks of a chunk were asked for. */
  asked(chunk: WantedChunk, nowMs: number): void {
    if (!this.#chunks.has(chunk)) this.pace.asked(chunk, nowMs);
    this.#chunks.set(chunk, nowMs);
    if (nowMs - this.#pausedUntilMs >= GIVE_UP_AFTER_MS) this.#failingSinceMs = undefined;
  }

  /** A block came. */
  delivered(chunk: WantedChunk | undefined, block: number, nowMs: number): void {
    this.#pauseMs = 0;
    this.#pausedUntilMs = 0;
    this.#failingSinceMs = undefined;
    if (chunk !== undefined && this.#chunks.has(chunk))
      this.pace.delivered(chunk, chunk.blockBytes(block), false, nowMs);
  }

  /** Nothing of a chunk is under way any more. */
  ended(chunk: WantedChunk): void {
    if (this.#chunks.delete(chunk)) this.pace.ended(chunk, this.#chunks.size === 0);
  }

  /** No mirror gave what was asked for of a chunk. */
  failed(chunk: WantedChunk | undefined, nowMs: number): void {
    this.#failingSinceMs ??= (chunk === undefined ? undefined : this.#chunks.get(chunk)) ?? nowMs;
    if (chunk !== undefined) this.ended(chunk);
    if (this.isPaused(nowMs)) return;
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs === 0 ? FIRST_PAUSE_MS : this.#pauseMs * 2);
    this.#pausedUntilMs = nowMs + this.#pauseMs;
  }

  /** Bytes under way that are due before a time; all that somebody waits for when it is infinite. */
  bytesDueBefore(beforeMs: number): number {
    let bytes = 0;
    for (const chunk of this.#chunks.keys()) {
      if (chunk.deadlineMs >= beforeMs) continue;
      for (let block = 0; block < chunk.blocks; block++) {
        if (chunk.dueMs(block) < beforeMs && chunk.isAskedOf(ORIGIN, block)) bytes += chunk.blockBytes(block);
      }
    }
    return bytes;
  }

  /** Bytes under way that somebody waits for. */
  urgentBytes(nowMs: number): number {
    return this.bytesDueBefore(nowMs + 2 * this.pace.leadMs);
  }
}
