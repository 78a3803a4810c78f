import { SwarmError } from '../errors.ts';
import type { PlayableTrack } from './playable-track.ts';

/** A handle of a track; who opened it closes it. */
export interface ClosableTrack extends PlayableTrack {
  close(): void;
}

/** A handle that one request uses. */
export interface Lease {
  readonly track: ClosableTrack;
  /** The request is answered; `error`: what its body ended with. Idempotent. */
  done(error?: unknown): void;
}

/** Handles kept open for requests to come. */
const MOST_OPEN = 16;
/** Handles beyond, that a body is still read from: who neither reads nor cancels bodies has no more than these. */
const MOST_LEFT = 64;
/** A player that begins after this long is given the version there is then, in milliseconds. */
const FRESH_MS = 10_000;

interface Handle {
  readonly track: ClosableTrack;
  readonly openedMs: number;
  users: number;
}

/**
 * Handles of tracks for players that come by request: all requests of one play share a handle, and with it one version.
 * Who begins later, or after a body failed, has the version of that time; a handle nobody uses any more is closed.
 */
export class SharedTracks {
  readonly #open: (trackId: string) => ClosableTrack;
  /** The longest unused first. */
  readonly #handles = new Map<string, Handle>();
  /** Not given to anybody any more. */
  readonly #left = new Set<Handle>();

  constructor(open: (trackId: string) => ClosableTrack) {
    this.#open = open;
  }

  /** A handle for a request; `begins`: it is for the beginning, or asks what there is. Throws as `open` does. */
  take(trackId: string, begins: boolean): Lease {
    const before = this.#handles.get(trackId);
    const handle = before !== undefined && !(begins && isOld(before)) ? before : this.#newHandle(trackId);
    this.#handles.delete(trackId);
    this.#handles.set(trackId, handle);
    if (before !== undefined && before !== handle) this.#replace(before, handle);
    handle.users++;
    for (const [oldest, { track }] of this.#handles) {
      if (this.#handles.size <= MOST_OPEN) break;
      if (track !== handle.track) this.#leave(oldest);
    }
    let isDone = false;
    const done = (error?: unknown) => {
      if (isDone) return;
      isDone = true;
      // The origin may have another version by now.
      const failed = error instanceof SwarmError && error.code !== 'aborted';
      if (failed && this.#handles.get(trackId) === handle) this.#leave(trackId);
      this.#release(handle);
    };
    return { track: handle.track, done };
  }

  /** Closes all, those in use too. */
  close(): void {
    for (const { track } of [...this.#handles.values(), ...this.#left]) track.close();
    this.#handles.clear();
    this.#left.clear();
  }

  #newHandle(trackId: string): Handle {
    const track = this.#open(trackId);
    return { track, openedMs: track.playhead.clock.nowMs(), users: 0 };
  }

  /** The former is let go once the latter knows its version, which most likely is the same. */
  #replace(former: Handle, latter: Handle): void {
    former.users++;
    this.#left.add(former);
    const known = () => this.#release(former);
    latter.track.manifest().then(known, known);
  }

  #leave(trackId: string): void {
    const handle = this.#handles.get(trackId);
    if (handle === undefined) return;
    this.#handles.delete(trackId);
    this.#left.add(handle);
    this.#closeUnused();
  }

  #release(handle: Handle): void {
    handle.users--;
    this.#closeUnused();
  }

  #closeUnused(): void {
    for (const handle of this.#left) {
      if (handle.users > 0 && this.#left.size <= MOST_LEFT) continue;
      this.#left.delete(handle);
      handle.track.close();
    }
  }
}

function isOld({ track, openedMs }: Handle): boolean {
  return track.playhead.clock.nowMs() - openedMs >= FRESH_MS;
}
