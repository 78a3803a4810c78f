import type { TrackId } from '@sonantica/wire';
import type { Clock } from './core/env.ts';
import { playedBy } from './core/head-ahead.ts';

/**
 * No head is asked for sooner after another, in milliseconds: twice as long after each that nobody took, for who sits in an
 * Aula and plays nothing, or is told of ever new tracks.
 */
const PAUSE_MS = { first: 10_000, longest: 320_000 };

/** What the head of an Aula needs of its neighbourhood. */
export interface AulaHeadParts {
  readonly clock: Clock;
  /** The track that each linked member of the Aula came to last. */
  latestTracks(): Iterable<TrackId | undefined>;
  /** Whether members may be asked now for what nobody waits for. */
  mayAsk(): boolean;
  /** Whether the manifest of a track is here. */
  isKnown(trackId: TrackId): boolean;
  /** Asks those of the Aula who play it for the head of a track, unless it was asked for; answers whether they are asked. */
  ask(trackId: TrackId): boolean;
  /** Forgets what came of that, where nobody opened the track. */
  drop(trackId: TrackId): void;
}

/**
 * Has the head of what the Aula plays here before the listener asks for it. A head is 96 KiB of memory, unproven until
 * the track is opened; one is kept at a time.
 */
export class AulaHead {
  readonly #parts: AulaHeadParts;
  /** What the Aula played when this was last looked at. */
  #played: TrackId | undefined;
  /** Whose head was asked for. */
  #asked: TrackId | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;
  #pauseMs = PAUSE_MS.first;

  constructor(parts: AulaHeadParts) {
    this.#parts = parts;
  }

  /** Time passed; called about once a second. What is played is believed when it is the same twice. */
  tick(): void {
    const { clock, latestTracks, mayAsk, isKnown, ask } = this.#parts;
    const before = this.#played;
    this.#played = playedBy(latestTracks(), before);
    const played = this.#played;
    if (played !== before) return;
    if (this.#asked !== undefined && this.#asked !== played) this.drop();
    if (played === undefined || isKnown(played) || !mayAsk()) return;
    const now = clock.nowMs();
    if (now < this.#nextMs || !ask(played)) return;
    this.#asked = played;
    this.#nextMs = now + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MS.longest, 2 * this.#pauseMs);
  }

  /** Somebody waits for the track now: answers whether its head was asked for. What came of it stays for who opens it. */
  take(trackId: TrackId): boolean {
    if (this.#asked !== trackId) return false;
    this.#asked = undefined;
    this.#pauseMs = PAUSE_MS.first;
    return true;
  }

  /** Forgets the head. */
  drop(): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked !== undefined) this.#parts.drop(asked);
  }
}
