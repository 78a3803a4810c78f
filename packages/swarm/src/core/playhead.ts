import type { Clock } from './env.ts';

/** A player that says nothing more plays on for this long at most, in milliseconds. */
const WORD_MS = 2_000;

/** A player that has just begun, or jumped, hears its first bytes about this soon. */
export const START_MS = 500;
/** Bytes differ in how long they play: what the playhead reaches at the usual rate, it may reach this much sooner. */
const SOONER = 0.8;
/** Bytes a second where a manifest does not say how long the track plays: 24/96 stereo FLAC. */
const USUAL_BYTES_PER_SECOND = 375_000;
/** What has to be known of a track to say when it is heard: of a manifest, that. */
export interface PlayedFacts {
  readonly size: number;
  readonly chunkSize: number;
  readonly audio?: { readonly durationSeconds?: number } | undefined;
}

/** How fast a track is played, in bytes a second. */
export function bytesPerSecond({ size, audio }: Omit<PlayedFacts, 'chunkSize'>): number {
  const seconds = audio?.durationSeconds ?? 0;
  return seconds > 0 ? size / seconds : USUAL_BYTES_PER_SECOND;
}

/** In how many milliseconds a playhead reaches a byte, a little sooner to be safe. */
export function dueAtPlayhead(placeMs: number, byte: number, bytesPerMs: number): number {
  return Math.max(START_MS, (byte / bytesPerMs - placeMs) * SOONER);
}

/** Where a track's player says it is. Pure but for the clock it was given. */
export class Playhead {
  readonly clock: Clock;
  #toldMs: number | undefined;
  #placeMs = 0;
  #moves = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** It is here, in seconds from the beginning. It plays on from here for a while, unless it says the same place again. */
  set(seconds: number): void {
    const placeMs = seconds * 1000;
    this.#moves = this.#toldMs === undefined || this.#placeMs !== placeMs;
    this.#placeMs = placeMs;
    this.#toldMs = this.clock.nowMs();
  }

  /** Where it is now, in milliseconds from the beginning; `undefined` when it has not said so since then. */
  placeMs(sinceMs = Number.NEGATIVE_INFINITY): number | undefined {
    if (this.#toldMs === undefined || this.#toldMs < sinceMs) return undefined;
    return this.#placeMs + (this.#moves ? Math.min(WORD_MS, this.clock.nowMs() - this.#toldMs) : 0);
  }
}
