import type { TrackId } from '@sonantica/wire';
import { playedBy } from './head-ahead.ts';

/**
 * No head is asked for sooner after another, in milliseconds: twice as long after each that nobody took, for who sits in an
 * Aula and plays nothing, or is told of ever new tracks.
 */
const PAUSE_MS = { first: 10_000, longest: 320_000 };

/** How things stand when an Aula is looked at. */
export interface AulaView {
  /** The track that each linked member came to last. */
  readonly latestTracks: Iterable<TrackId | undefined>;
  /** Whether members may be asked now for what nobody waits for. */
  mayAsk(): boolean;
  /** Whether the manifest of a track is here. */
  isKnown(trackId: TrackId): boolean;
}

/** What is to be done about the head. */
export interface AulaHeadTask {
  /** What came of this head is to be forgotten. */
  readonly drop?: TrackId | undefined;
  /** The head of this track is to be asked of those who play it; {@link AulaHead.asked} is told when it is. */
  readonly ask?: TrackId | undefined;
}

/** Says whose head is to be here before the listener asks for it: that of what the Aula plays, one at a time. */
export class AulaHead {
  /** What the Aula played when this was last looked at. */
  #played: TrackId | undefined;
  /** Whose head was asked for. */
  #asked: TrackId | undefined;
  #nextMs = Number.NEGATIVE_INFINITY;
  #pauseMs = PAUSE_MS.first;

  /** Time passed; called about once a second. What is played is believed when it is the same twice. */
  tick({ latestTracks, mayAsk, isKnown }: AulaView, nowMs: number): AulaHeadTask {
    const before = this.#played;
    const played = playedBy(latestTracks, before);
    this.#played = played;
    if (played !== before) return {};
    const drop = this.#asked === played ? undefined : this.drop();
    const isDue = played !== undefined && nowMs >= this.#nextMs && !isKnown(played) && mayAsk();
    return { drop, ask: isDue ? played : undefined };
  }

  /** The head of a track is asked for now. */
  asked(trackId: TrackId, nowMs: number): void {
    this.#asked = trackId;
    this.#nextMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(PAUSE_MS.longest, 2 * this.#pauseMs);
  }

  /** Somebody waits for the track now: answers whether its head was asked for. What came of it stays for who opens it. */
  take(trackId: TrackId): boolean {
    if (this.#asked !== trackId) return false;
    this.#asked = undefined;
    this.#pauseMs = PAUSE_MS.first;
    return true;
  }

  /** No head is wanted any more: answers whose is to be forgotten. */
  drop(): TrackId | undefined {
    const asked = this.#asked;
    this.#asked = undefined;
    return asked;
  }
}
