import { LIMITS } from '@sonantica/wire';
import type { TrackKey } from './track-key.ts';

/** Least time between two notices to peers, in milliseconds: on a fast line chunks come faster than news of them is of use. */
export const HAVE_EVERY_MS = 50;

/** What peers are to be told of one track. */
export interface HaveNotice {
  readonly track: TrackKey;
  readonly chunks: readonly number[];
  readonly lost: readonly number[];
}

/**
 * Chunks gained and lost that peers do not know of yet. The first is due at once, what follows soon after it is
 * gathered into one notice a track. Pure: the caller asks {@link due} after each change and when {@link waitMs} is over.
 */
export class HaveNotices {
  readonly #news = new Map<TrackKey, Map<number, 'gained' | 'lost'>>();
  #toldMs = Number.NEGATIVE_INFINITY;

  gained(track: TrackKey, chunk: number): void {
    this.#note(track, chunk, 'gained');
  }

  lost(track: TrackKey, chunk: number): void {
    this.#note(track, chunk, 'lost');
  }

  /** A track was left: nothing more is told of it. */
  remove(track: TrackKey): void {
    this.#news.delete(track);
  }

  /** Milliseconds until something is to be told; `undefined` when there is nothing. */
  waitMs(nowMs: number): number | undefined {
    return this.#news.size === 0 ? undefined : Math.max(0, this.#toldMs + HAVE_EVERY_MS - nowMs);
  }

  /** What is to be told now; it is forgotten here. */
  due(nowMs: number): HaveNotice[] {
    if (this.waitMs(nowMs) !== 0) return [];
    this.#toldMs = nowMs;
    const notices: HaveNotice[] = [];
    for (const [track, news] of this.#news) {
      const all = [...news];
      for (let at = 0; at < all.length; at += LIMITS.maxHaveChunks) {
        const some = all.slice(at, at + LIMITS.maxHaveChunks);
        const of = (wanted: 'gained' | 'lost') =>
          some.filter(([, what]) => what === wanted).map(([chunk]) => chunk);
        notices.push({ track, chunks: of('gained'), lost: of('lost') });
      }
    }
    this.#news.clear();
    return notices;
  }

  /** The latest word on a chunk counts. */
  #note(track: TrackKey, chunk: number, what: 'gained' | 'lost'): void {
    const news = this.#news.get(track);
    if (news === undefined) this.#news.set(track, new Map([[chunk, what]]));
    else news.set(chunk, what);
  }
}
