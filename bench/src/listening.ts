import type { PlayFacts } from './record.ts';
import type { PlayClock } from './playback.ts';
import type { Piece, Play } from './player.ts';
import type { Choice } from './programme.ts';

/** A player fetches what it knows to come next from this long before the end of what it plays, in milliseconds. */
const AHEAD_MS = 30_000;

/** What a {@link Listening} is made of. */
export interface ListeningParts {
  readonly clock: PlayClock;
  readonly programme: readonly Choice[];
  readonly pieces: readonly Piece[];
  /** Opens a track and plays it. */
  open(piece: Piece): Play;
  /** A track is known to come next: its bytes may be fetched while there is time. */
  ahead(piece: Piece): void;
}

interface Heard {
  readonly play: Play;
  readonly track: number;
  readonly openedMs: number;
  /** The listener had all of it from an earlier play. */
  readonly isReplay: boolean;
}

/** One listener's evening: plays its programme, each track to the end before the next. */
export class Listening {
  readonly #parts: ListeningParts;
  readonly #heard: Heard[] = [];
  #gone = false;

  /** Begins with the first track at once. */
  constructor(parts: ListeningParts) {
    this.#parts = parts;
    this.#next();
  }

  /** What is played now, or was last. */
  get current(): Play | undefined {
    return this.#heard.at(-1)?.play;
  }

  get plays(): readonly Play[] {
    return this.#heard.map(({ play }) => play);
  }

  /** Whether every track of the programme was opened, has begun to play, and is there to the last byte. */
  get isComplete(): boolean {
    return (
      this.#heard.length === this.#parts.programme.length &&
      this.#heard.every(({ play }) => play.completedMs !== undefined && play.playback.startMs !== undefined)
    );
  }

  /** Bytes of plays that needed nothing, for the listener had the whole track already. */
  get replayedBytes(): number {
    return this.#heard.reduce((sum, { isReplay, play }) => sum + (isReplay ? play.piece.sizeBytes : 0), 0);
  }

  /** The listener goes, or the run ends. */
  leave(): void {
    this.#gone = true;
    for (const { play } of this.#heard) play.leave();
  }

  facts(): PlayFacts[] {
    return this.#heard.map(({ play, track, openedMs }) => ({
      track,
      openedMs,
      startMs: play.playback.startMs,
      completedMs: play.completedMs,
      stalls: play.playback.stalls,
      stalledMs: play.playback.stalledMs,
      wrongBytes: play.wrongBytes,
    }));
  }

  #next(): void {
    const { clock, programme, pieces, open } = this.#parts;
    const choice = programme[this.#heard.length];
    const piece = pieces[choice?.track ?? 0];
    if (this.#gone || choice === undefined || piece === undefined) return;
    const { track } = choice;
    const isReplay = this.#heard.some((each) => each.track === track && each.play.completedMs !== undefined);
    const openedMs = clock.nowMs();
    const play = open(piece);
    this.#heard.push({ play, track, openedMs, isReplay });
    const following = programme[this.#heard.length];
    if (following === undefined) return;
    play.playback.whenHeard = () => this.#next();
    const then = pieces[following.track];
    if (!following.isForeseen || then === undefined) return;
    const playMs = piece.sizeBytes / piece.bytesPerMs;
    clock.schedule(Math.max(0, playMs - AHEAD_MS), () => {
      if (!this.#gone) this.#parts.ahead(then);
    });
  }
}
