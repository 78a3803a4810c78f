import { chunkLength, type Geometry } from '@sonantica/wire';
import type { TrackKey } from './track-key.ts';

/** `priority`: what fewest listeners need goes first. `lru`: what was used longest ago goes first. */
export type EvictionPolicy = 'priority' | 'lru';

/** What is known of a stored track when room is needed. */
export interface EvictionCandidate {
  readonly track: TrackKey;
  readonly geometry: Geometry;
  /** The stored chunks. */
  readonly held: Iterable<number>;
  /** When it was last read or written: milliseconds since 1970. */
  readonly usedAtMs: number;
  /** Peers known to have or want the track. */
  readonly listeners: number;
  /** Aulas in which it is known to be heard. */
  readonly aulas: number;
  /** Kept, whatever happens. */
  readonly pinned: boolean;
  /** Chunks that a player is about to need: kept. */
  readonly inUse: { has(chunk: number): boolean };
  /** How many peers are known to hold a chunk. */
  holders(chunk: number): number;
}

/** Chunks of one track that go. */
export interface Eviction {
  readonly track: TrackKey;
  readonly chunks: readonly number[];
  readonly bytes: number;
}

interface Doomed {
  readonly candidate: EvictionCandidate;
  readonly chunk: number;
  readonly holders: number;
}

const LISTENER_POINTS = 10;
const AULA_POINTS = 5;
const FRESH_POINTS = 100;
const FRESH_MS = 100 * 60_000;

/**
 * What keeps a track: 10 points a listener, 5 an Aula, and 100 for use just now, fading evenly over 100 minutes. A use
 * that seems to lie in the future counts as just now.
 */
export function keepingPriority(
  candidate: Pick<EvictionCandidate, 'listeners' | 'aulas' | 'usedAtMs'>,
  wallMs: number,
): number {
  const ageMs = Math.min(Math.max(wallMs - candidate.usedAtMs, 0), FRESH_MS);
  const recency = FRESH_POINTS * (1 - ageMs / FRESH_MS);
  return candidate.listeners * LISTENER_POINTS + candidate.aulas * AULA_POINTS + recency;
}

/**
 * Chooses chunks to delete until at least `bytes` are free, or until nothing is left that may go. Tracks go in the
 * order of the policy; between equals the chunk that most peers hold goes first, and of those the one furthest into
 * its track, so that the beginnings, which start playback, stay longest. The same input gives the same answer.
 */
export function chooseEvictions(
  policy: EvictionPolicy,
  candidates: Iterable<EvictionCandidate>,
  bytes: number,
  wallMs: number,
): Eviction[] {
  const rank = (candidate: EvictionCandidate) =>
    policy === 'lru' ? candidate.usedAtMs : keepingPriority(candidate, wallMs);
  const ranked = Array.from(candidates, (candidate) => ({ candidate, rank: rank(candidate) }))
    .filter(({ candidate }) => !candidate.pinned)
    .toSorted((a, b) => a.rank - b.rank || compareKeys(a.candidate.track, b.candidate.track));

  const chosen = new Map<TrackKey, { track: TrackKey; chunks: number[]; bytes: number }>();
  let freedBytes = 0;
  let next = 0;
  while (next < ranked.length && freedBytes < bytes) {
    const first = next;
    const lowest = ranked[first]?.rank;
    while (ranked[next]?.rank === lowest && next < ranked.length) next++;
    const equals = ranked.slice(first, next).map(({ candidate }) => candidate);
    for (const { candidate, chunk } of mostHeldFirst(equals)) {
      if (freedBytes >= bytes) break;
      const { track } = candidate;
      const length = chunkLength(candidate.geometry, chunk);
      const eviction = chosen.get(track) ?? { track, chunks: [], bytes: 0 };
      chosen.set(track, eviction);
      eviction.chunks.push(chunk);
      eviction.bytes += length;
      freedBytes += length;
    }
  }
  return [...chosen.values()];
}

function mostHeldFirst(candidates: readonly EvictionCandidate[]): Doomed[] {
  const doomed: Doomed[] = [];
  for (const candidate of candidates) {
    for (const chunk of candidate.held) {
      if (!candidate.inUse.has(chunk)) doomed.push({ candidate, chunk, holders: candidate.holders(chunk) });
    }
  }
  return doomed.toSorted((a, b) => b.holders - a.holders || b.chunk - a.chunk);
}

function compareKeys(a: TrackKey, b: TrackKey): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
