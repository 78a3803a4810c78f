import {
  ChunkSet,
  LIMITS,
  chunkCount,
  chunksOf,
  withinChunk,
  type ByteRange,
  type Geometry,
} from '@sonantica/wire';
import { chunksInOrder, randomRanks, type ChunkOrder } from './chunk-order.ts';
import type { Random } from './env.ts';
import type { TrackKey } from './track-key.ts';
import { WantedChunk, type PrefetchSources } from './wanted-chunk.ts';

/** Names one demand within a swarm. */
export type DemandId = number;

/** Chunks in a row, the end exclusive. */
interface ChunkRun {
  readonly first: number;
  readonly end: number;
}

const NO_CHUNKS: ChunkRun = { first: 0, end: 0 };

interface Demand {
  readonly range: ByteRange;
  /** The chunks it lies in. */
  readonly chunks: ChunkRun;
  readonly madeMs: number;
  readonly prefetch: PrefetchSources | undefined;
  deadlineMs: number;
  /** Chunks of which it has what it wanted. */
  met: Set<number> | undefined;
}

/** Chunks of one demand that are wanted at a time: a track may have tens of thousands, and each costs time and memory. */
const MOST_CHUNKS = 512;
/** A reader that got its bytes later than this has not waited for them, in milliseconds. */
const LONGEST_SLIP_MS = 5_000;
/** Spreads numbers that follow each other over all of 32 bits (Fibonacci hashing). */
const GOLDEN = 0x9e3779b1;

/**
 * What is wanted of one version of a track and how far it has come. Readers share: two demands for the
 * same bytes are one fetch, by the earlier deadline.
 */
export class TrackDemand {
  readonly key: TrackKey;
  readonly geometry: Geometry;
  /** Chunks that are complete and kept. */
  readonly held: ChunkSet;
  /** Whether the origin can prove single blocks of this track (it has `.leaves`). */
  originProvesBlocks = true;
  /** Whether nobody but this listener takes part, as far as the tracker said. */
  alone = false;
  /** When the tracker was first asked for leave to fetch something. */
  firstClaimMs: number | undefined;
  /** Whether the tracker answered a claim. */
  hasClaimed = false;
  /** What each peer that the tracker last named held then. */
  offered: readonly ChunkSet[] = [];
  /** How many take part, this listener included, as far as the tracker said. */
  listeners = 1;
  /** When a lone listener may next tell the tracker what it is fetching, so that whoever comes does not fetch it too. */
  tellAgainMs = Number.NEGATIVE_INFINITY;
  /** When the tracker may be asked again for leave to fetch something. */
  claimAgainMs = Number.NEGATIVE_INFINITY;
  readonly #ranks: Uint32Array;
  readonly #start: number;
  readonly #chunks = new Map<number, WantedChunk>();
  readonly #demands = new Map<DemandId, Demand>();
  readonly #compare: (a: WantedChunk, b: WantedChunk) => number;
  #order: WantedChunk[] | undefined;
  /** Chunks of which it may be wanted otherwise than the last order says. */
  #changed: ChunkRun;
  /** The last order, or what is left of it: a new one differs little, and what is nearly in order is soon sorted. */
  #arranged: readonly WantedChunk[] = [];
  #consumption: number | undefined;
  readonly #all: ChunkRun;
  /** Whether a demand lacks more than is in the order. */
  #isPartial = false;

  constructor(
    key: TrackKey,
    geometry: Geometry,
    held: ChunkSet,
    random: Random,
    order: ChunkOrder = 'swarm',
    holders: (chunk: number) => number = () => 0,
  ) {
    this.#compare = chunksInOrder(order, (chunk) => this.rank(chunk), holders);
    this.key = key;
    this.geometry = geometry;
    this.held = held;
    this.#all = { first: 0, end: chunkCount(geometry) };
    this.#changed = this.#all;
    this.#ranks = randomRanks(chunkCount(geometry), random);
    this.#start = Math.floor(random.next() * LIMITS.maxChunks);
  }

  /** Another tracker, or none: what was said before is no longer known. */
  forgetTracker(): void {
    this.firstClaimMs = undefined;
    this.hasClaimed = false;
    this.offered = [];
    this.listeners = 1;
  }

  /** A number of this listener's own: with which of the blocks of a chunk it begins, where the order is free. */
  startIn(chunk: WantedChunk): number {
    return this.#start + (this.#ranks[chunk.chunk] ?? 0);
  }

  /** A number of this listener's own, from 0 to 1: what it does about a chunk where chance decides. */
  chanceOf(chunk: WantedChunk): number {
    return (Math.imul(this.startIn(chunk) + 1, GOLDEN) >>> 0) / 2 ** 32;
  }

  demand(
    id: DemandId,
    range: ByteRange,
    deadlineMs: number,
    nowMs: number,
    prefetch?: PrefetchSources,
  ): void {
    const chunks = chunksOf(this.geometry, range);
    this.#demands.set(id, { range, chunks, deadlineMs, madeMs: nowMs, prefetch, met: undefined });
    this.#reorder(chunks);
    this.#consumption = undefined;
  }

  /**
   * A demand was met or given up. One that was met late held up who listens: what was wanted after it is due that much
   * later.
   */
  drop(id: DemandId, nowMs: number): boolean {
    const dropped = this.#demands.get(id);
    if (dropped === undefined) return false;
    const wasLate = nowMs > dropped.deadlineMs;
    this.#reorder(wasLate ? this.#all : dropped.chunks);
    this.#consumption = undefined;
    this.#demands.delete(id);
    for (const demand of wasLate ? this.#demands.values() : []) {
      if (demand.deadlineMs === Number.POSITIVE_INFINITY || demand.range.start < dropped.range.end) continue;
      const slipMs = nowMs - Math.max(dropped.deadlineMs, demand.madeMs);
      demand.deadlineMs += Math.min(LONGEST_SLIP_MS, Math.max(0, slipMs));
    }
    return true;
  }

  /** Whether somebody waits for what a demand wants. */
  hasDeadline(id: DemandId): boolean {
    return (this.#demands.get(id)?.deadlineMs ?? Number.POSITIVE_INFINITY) !== Number.POSITIVE_INFINITY;
  }

  /** Whether somebody waits for what was due before now: what is wanted behind it will be due later than it says. */
  isLate(nowMs: number): boolean {
    for (const { deadlineMs } of this.#demands.values()) if (deadlineMs < nowMs) return true;
    return false;
  }

  /** A demand has what it wanted of a held chunk. */
  met(id: DemandId, chunk: number): void {
    const demand = this.#demands.get(id);
    if (demand !== undefined) (demand.met ??= new Set()).add(chunk);
  }

  /** Whether a demand needs a chunk. */
  isWanted(chunk: number): boolean {
    for (const demand of this.#demands.values()) if (needs(demand, chunk)) return true;
    return false;
  }

  /** The demands that need a chunk. */
  demandsOf(chunk: number): DemandId[] {
    return [...this.#demands].filter(([, demand]) => needs(demand, chunk)).map(([id]) => id);
  }

  /** Rank of a chunk among those that nobody waits for. */
  rank(chunk: number): number {
    return this.#ranks[chunk] ?? 0;
  }

  /**
   * Bytes a millisecond at which somebody listens, as the deadlines say; 0 when nobody waits for two places of the track.
   */
  get consumptionBytesPerMs(): number {
    this.#consumption ??= this.#measureConsumption();
    return this.#consumption;
  }

  #measureConsumption(): number {
    let first: Demand | undefined;
    let last: Demand | undefined;
    for (const demand of this.#demands.values()) {
      if (demand.deadlineMs === Number.POSITIVE_INFINITY) continue;
      if (first === undefined || demand.deadlineMs < first.deadlineMs) first = demand;
      if (last === undefined || demand.deadlineMs > last.deadlineMs) last = demand;
    }
    if (first === undefined || last === undefined || last.deadlineMs === first.deadlineMs) return 0;
    const bytes = last.range.start - first.range.start;
    return Math.max(0, bytes / (last.deadlineMs - first.deadlineMs));
  }

  /** A chunk that was begun or is wanted. */
  chunk(index: number): WantedChunk | undefined {
    return this.#chunks.get(index);
  }

  /** A chunk that is not complete, begun if it was not. */
  begin(index: number): WantedChunk {
    return this.#chunks.get(index) ?? this.#begin(index);
  }

  /** All chunks begun or wanted and not complete. */
  get begun(): IterableIterator<WantedChunk> {
    return this.#chunks.values();
  }

  /** A chunk became complete and kept. */
  complete(index: number): void {
    this.held.add(index);
    this.#forget(index);
  }

  /** A chunk is no longer kept; it is fetched again if it is wanted. */
  lost(index: number): void {
    this.held.delete(index);
    this.#reorder({ first: index, end: index + 1 });
  }

  /** A begun chunk is thrown away: what was proven of it is no longer in memory. A claim to it stays, to be used or given back. */
  abandon(index: number): void {
    const former = this.#chunks.get(index);
    this.#chunks.delete(index);
    if (former !== undefined && former.claim.state !== 'none') {
      const chunk = this.begin(index);
      chunk.claim = former.claim;
      chunk.leftMs = former.leftMs;
    }
    this.#reorder({ first: index, end: index + 1 });
  }

  /**
   * Wanted chunks, earliest deadline first; those without one in this listener's own order; at the end those to be
   * prefetched, from the beginning of the track on.
   */
  inOrder(): readonly WantedChunk[] {
    this.#order ??= this.#arrange();
    return this.#order;
  }

  /** The order holds no longer, nor what was wanted of these chunks. */
  #reorder({ first, end }: ChunkRun): void {
    this.#order = undefined;
    const changed = this.#changed;
    this.#changed =
      changed === NO_CHUNKS
        ? { first, end }
        : { first: Math.min(changed.first, first), end: Math.max(changed.end, end) };
  }

  /** Others hold more or less of the track than before. */
  holdersChanged(): void {
    this.#order = undefined;
  }

  #forget(index: number): void {
    const chunk = this.#chunks.get(index);
    this.#chunks.delete(index);
    if (chunk !== undefined && this.#order !== undefined) {
      const at = this.#order.indexOf(chunk);
      if (at >= 0) this.#order.splice(at, 1);
      if (this.#isPartial && this.#order.length < MOST_CHUNKS / 2) this.#reorder(this.#all);
    }
  }

  #arrange(): WantedChunk[] {
    // Of a very long track a demand wants what comes next, wherever that is.
    this.#wantAnew(this.#all.end > MOST_CHUNKS ? this.#all : this.#changed);
    this.#changed = NO_CHUNKS;
    const order = this.#arranged.filter((chunk) => chunk.isWanted && this.#chunks.get(chunk.chunk) === chunk);
    const wanted: WantedChunk[] = [];
    for (const chunk of this.#chunks.values()) if (chunk.isWanted) wanted.push(chunk);
    if (wanted.length > order.length) {
      const known = new Set(order);
      for (const chunk of wanted) if (!known.has(chunk)) order.push(chunk);
    }
    order.sort((a, b) => {
      const later = a.prefetch !== undefined;
      if (later !== (b.prefetch !== undefined)) return later ? 1 : -1;
      return later ? a.chunk - b.chunk : this.#compare(a, b);
    });
    this.#arranged = order;
    return order;
  }

  /** Works out anew what is wanted of some chunks. */
  #wantAnew(some: ChunkRun): void {
    for (const chunk of this.#chunks.values())
      if (chunk.chunk >= some.first && chunk.chunk < some.end) chunk.unwant();
    this.#isPartial = false;
    for (const demand of this.#demands.values()) {
      const { range, chunks, deadlineMs, prefetch } = demand;
      if (chunks.first >= some.end || chunks.end <= some.first) continue;
      for (const index of this.#nextOf(demand, some)) {
        const chunk = this.begin(index);
        const bytes = withinChunk(this.geometry, index, range);
        const span = {
          first: Math.floor(bytes.start / LIMITS.blockBytes),
          end: Math.ceil(bytes.end / LIMITS.blockBytes),
        };
        chunk.want(span, deadlineMs, prefetch);
      }
    }
  }

  /** Of some chunks those that a demand lacks, of a very long one those that come next. */
  #nextOf({ chunks: { first, end }, deadlineMs, prefetch, met }: Demand, some: ChunkRun): number[] {
    const lacking: number[] = [];
    for (let index = Math.max(first, some.first); index < Math.min(end, some.end); index++)
      if (!this.held.has(index) && met?.has(index) !== true) lacking.push(index);
    if (lacking.length <= MOST_CHUNKS) return lacking;
    this.#isPartial = true;
    const inTurn = deadlineMs !== Number.POSITIVE_INFINITY || prefetch !== undefined;
    if (!inTurn) lacking.sort((a, b) => this.rank(a) - this.rank(b));
    return lacking.slice(0, MOST_CHUNKS);
  }

  #begin(index: number): WantedChunk {
    const chunk = new WantedChunk(this.geometry, index);
    this.#chunks.set(index, chunk);
    return chunk;
  }
}

function needs({ chunks, met }: Demand, chunk: number): boolean {
  return chunk >= chunks.first && chunk < chunks.end && met?.has(chunk) !== true;
}
