import { LIMITS } from '@sonantica/wire';
import type { TrackKey } from './track-key.ts';

/** The tracker hears of new chunks at most this often, in milliseconds. */
const HAVE_EVERY_MS = 5_000;
/** A listener still looking for peers announces this often at first. */
const SEARCH_EVERY_MS = 8_000;

/** What to tell the tracker. */
export type TrackerNotice =
  | { readonly type: 'announce'; readonly track: TrackKey }
  | {
      readonly type: 'have';
      readonly track: TrackKey;
      readonly chunks: readonly number[];
      readonly lost: readonly number[];
    }
  /** Refresh the membership of the Aula. */
  | { readonly type: 'join' };

interface TrackNews {
  announcedMs: number | undefined;
  /** The tracker does not want to hear of the track before. */
  notBeforeMs: number;
  haveMs: number;
  readonly gained: Set<number>;
  readonly lost: Set<number>;
  searching: boolean;
}

/**
 * When the tracker is told what. News of chunks are gathered; an announcement carries everything and
 * makes pending news void. Pure.
 */
export class AnnouncePlan {
  readonly #tracks = new Map<TrackKey, TrackNews>();
  #intervalMs = 25_000;
  #joinedMs: number | undefined;
  #inAula = false;

  /** The tracker was reached: everything is said anew. */
  connected(): void {
    this.#joinedMs = undefined;
    for (const news of this.#tracks.values()) {
      news.announcedMs = undefined;
      news.notBeforeMs = 0;
    }
  }

  /** How often the tracker wants to hear of each track, in milliseconds. */
  setInterval(intervalMs: number): void {
    this.#intervalMs = intervalMs;
  }

  /**
   * The tracker did not take an announcement, or gave the track up: nothing is said of it for `waitMs`, then it is
   * announced anew. A tracker that is reached anew is told at once.
   */
  refused(track: TrackKey, nowMs: number, waitMs: number): void {
    const news = this.#tracks.get(track);
    if (news === undefined) return;
    news.announcedMs = undefined;
    news.notBeforeMs = nowMs + waitMs;
  }

  /** Whether this listener is in an Aula, whose members are asked for again as often as tracks are announced. */
  setInAula(inAula: boolean): void {
    this.#inAula = inAula;
    this.#joinedMs = undefined;
  }

  add(track: TrackKey): void {
    if (!this.#tracks.has(track)) {
      this.#tracks.set(track, {
        announcedMs: undefined,
        notBeforeMs: 0,
        haveMs: 0,
        gained: new Set(),
        lost: new Set(),
        searching: true,
      });
    }
  }

  remove(track: TrackKey): void {
    this.#tracks.delete(track);
  }

  /** Says a track again at once: its scope or the Aula changed. */
  announceAgain(): void {
    for (const news of this.#tracks.values()) news.announcedMs = undefined;
  }

  /** Whether this listener still lacks chunks of the track and knows too few who have them. */
  setSearching(track: TrackKey, searching: boolean): void {
    const news = this.#tracks.get(track);
    if (news !== undefined) news.searching = searching;
  }

  gained(track: TrackKey, chunk: number): void {
    const news = this.#tracks.get(track);
    news?.lost.delete(chunk);
    news?.gained.add(chunk);
  }

  lost(track: TrackKey, chunk: number): void {
    const news = this.#tracks.get(track);
    news?.gained.delete(chunk);
    news?.lost.add(chunk);
  }

  /** Takes what a `claim` tells along, so that it is not said twice. */
  takeGained(track: TrackKey): number[] {
    const news = this.#tracks.get(track);
    if (news === undefined) return [];
    const chunks = [...news.gained].slice(0, LIMITS.maxHaveChunks);
    for (const chunk of chunks) news.gained.delete(chunk);
    return chunks;
  }

  /** What is due now, so many notices at most. Whoever performs it has said it. */
  due(nowMs: number, most = Number.POSITIVE_INFINITY): TrackerNotice[] {
    if (most <= 0) return [];
    const notices: TrackerNotice[] = [];
    if (this.#inAula && (this.#joinedMs === undefined || nowMs - this.#joinedMs >= this.#intervalMs)) {
      this.#joinedMs = nowMs;
      notices.push({ type: 'join' });
    }
    for (const [track, news] of this.#tracks) {
      if (notices.length >= most) break;
      if (nowMs < news.notBeforeMs) continue;
      const everyMs = news.searching ? Math.min(SEARCH_EVERY_MS, this.#intervalMs) : this.#intervalMs;
      if (news.announcedMs === undefined || nowMs - news.announcedMs >= everyMs) {
        news.announcedMs = nowMs;
        news.haveMs = nowMs;
        news.gained.clear();
        news.lost.clear();
        notices.push({ type: 'announce', track });
      } else if (news.gained.size + news.lost.size > 0 && nowMs - news.haveMs >= HAVE_EVERY_MS) {
        news.haveMs = nowMs;
        const lost = [...news.lost].slice(0, LIMITS.maxHaveChunks);
        for (const chunk of lost) news.lost.delete(chunk);
        notices.push({ type: 'have', track, chunks: this.takeGained(track), lost });
      }
    }
    return notices;
  }
}
