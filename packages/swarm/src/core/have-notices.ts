import { LIMITS, type BlockRun } from '@sonantica/wire';
import type { TrackKey } from './track-key.ts';

/** Least time between two notices to peers, in milliseconds: on a fast line chunks come faster than news of them is of use. */
export const HAVE_EVERY_MS = 50;

/** What peers are to be told of one track. */
export interface HaveNotice {
  readonly track: TrackKey;
  readonly chunks: readonly number[];
  readonly lost: readonly number[];
  /** Blocks proven of chunks that are not whole yet. */
  readonly parts: readonly BlockRun[];
}

/**
 * Chunks gained and lost that peers do not know of yet. The first is due at once, what follows soon after it is
 * gathered into one notice a track. Pure: the caller asks {@link due} after each change and when {@link waitMs} is over.
 */
export class HaveNotices {
  readonly #news = new Map<TrackKey, Map<number, 'gained' | 'lost'>>();
  readonly #parts = new Map<TrackKey, Map<number, Set<number>>>();
  #toldMs = Number.NEGATIVE_INFINITY;

  gained(track: TrackKey, chunk: number): void {
    this.#note(track, chunk, 'gained');
  }

  lost(track: TrackKey, chunk: number): void {
    this.#note(track, chunk, 'lost');
  }

  /** A block was proven of a chunk that is not whole. */
  proved(track: TrackKey, chunk: number, block: number): void {
    const chunks = this.#parts.get(track) ?? new Map<number, Set<number>>();
    this.#parts.set(track, chunks);
    const blocks = chunks.get(chunk);
    if (blocks === undefined) chunks.set(chunk, new Set([block]));
    else blocks.add(block);
  }

  /** A track was left: nothing more is told of it. */
  remove(track: TrackKey): void {
    this.#news.delete(track);
    this.#parts.delete(track);
  }

  /** Milliseconds until something is to be told; `undefined` when there is nothing. */
  waitMs(nowMs: number): number | undefined {
    if (this.#news.size + this.#parts.size === 0) return undefined;
    return Math.max(0, this.#toldMs + HAVE_EVERY_MS - nowMs);
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
        notices.push({ track, chunks: of('gained'), lost: of('lost'), parts: [] });
      }
    }
    for (const [track, chunks] of this.#parts) {
      const parts = [...chunks].flatMap(([chunk, blocks]) => runsOf(chunk, blocks));
      if (parts.length > 0) notices.push({ track, chunks: [], lost: [], parts });
    }
    this.#news.clear();
    this.#parts.clear();
    return notices;
  }

  /** The latest word on a chunk counts. */
  #note(track: TrackKey, chunk: number, what: 'gained' | 'lost'): void {
    this.#parts.get(track)?.delete(chunk);
    const news = this.#news.get(track);
    if (news === undefined) this.#news.set(track, new Map([[chunk, what]]));
    else news.set(chunk, what);
  }
}

/** Blocks as runs, in order. */
export function runsOf(chunk: number, blocks: Iterable<number>): BlockRun[] {
  const runs: { chunk: number; first: number; count: number }[] = [];
  for (const block of [...blocks].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === block) last.count++;
    else runs.push({ chunk, first: block, count: 1 });
  }
  return runs;
}
