import { blockCount, blockLength, LIMITS, type Geometry } from '@sonantica/wire';
import type { SourceId } from './source-state.ts';

/** One block asked of one source. */
export interface Flight {
  readonly block: number;
  readonly source: SourceId;
  readonly sinceMs: number;
  /** When the block was first asked of anybody. */
  readonly firstMs: number;
}

/** What is known of the right to fetch a chunk from the origin. */
export type ClaimState =
  | { readonly state: 'none' }
  | { readonly state: 'asked'; readonly sinceMs: number }
  | { readonly state: 'granted'; readonly untilMs: number }
  /** Somebody else holds or fetches it; ask again afterwards. */
  | { readonly state: 'elsewhere'; readonly untilMs: number };

/** Where what is prefetched may come from: peers alone, or the origin as well. */
export type PrefetchSources = 'peers' | 'any';

/** A run of blocks, the end exclusive. */
export interface BlockSpan {
  readonly first: number;
  readonly end: number;
}

const NONE: readonly Flight[] = [];
const NOTHING: BlockSpan = { first: 0, end: 0 };

/** Which idle blocks are looked for. */
export interface IdleQuery {
  readonly fromMs?: number | undefined;
  readonly beforeMs?: number | undefined;
  /** Only blocks of this run. */
  readonly within?: BlockSpan | undefined;
  /** Only blocks that are 1 here. */
  readonly among?: Uint8Array | undefined;
  /** Begins with this one of them, counted round, whichever is due first. */
  readonly rotatedBy?: number;
  /** Only those of which there are fewest here; counted where any block is meant at all. */
  readonly fewestOf?: () => Uint8Array;
  readonly doubted?: ((flight: Flight) => boolean) | undefined;
}

/** Every idle block. */
const ANY: IdleQuery = {};

/** Which blocks of a chunk a query means: 1 where it does. Written anew by each query, of whatever chunk. */
const meant = new Uint8Array(LIMITS.maxChunkBytes / LIMITS.blockBytes);

/**
 * A chunk that is not yet complete: which blocks are proven, which are under way and from whom, and by
 * when somebody wants which of them.
 */
export class WantedChunk {
  readonly chunk: number;
  readonly blocks: number;
  readonly #lastBlockBytes: number;
  readonly #proven: Uint8Array;
  /** By when each block is wanted; infinite where nobody waits, and nothing before anybody did. */
  #dueMs: Float64Array | undefined;
  /** What is under way, in the order in which it was asked for. */
  readonly #flights: Flight[] = [];
  /** How often each block is under way. */
  readonly #flying: Uint8Array;
  /** When each block was first asked of anybody; not a number where it was not. */
  #firstAskedMs: Float64Array | undefined;
  #provenCount = 0;
  /** Blocks neither proven nor under way. */
  #idleCount: number;
  claim: ClaimState = { state: 'none' };
  /** Since when the tracker has answered that somebody else holds or fetches it; never, when `undefined`. */
  elsewhereSinceMs: number | undefined;
  /** Whether few hold it, as of so many changes in who holds what. */
  scarcity: { readonly asOf: number; readonly isScarce: boolean } | undefined;
  /** Whether it was decided if a block of it is taken from the origin to be passed on, before anybody is there to pass anything. */
  isShareDrawn = false;
  /** Since when nobody wants it any more, while it may be this listener's lease. */
  leftMs: number | undefined;
  /** Where it may come from when it is wanted ahead of any use; `undefined` when somebody has use for it. */
  prefetch: PrefetchSources | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #wanted = NOTHING;

  constructor(geometry: Geometry, chunk: number) {
    this.chunk = chunk;
    this.blocks = blockCount(geometry, chunk);
    this.#lastBlockBytes = blockLength(geometry, chunk, this.blocks - 1);
    this.#idleCount = this.blocks;
    this.#proven = new Uint8Array(this.blocks);
    this.#flying = new Uint8Array(this.blocks);
  }

  /** Earliest time at which a wanted block that is not yet proven is due; infinite when nobody waits. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** From the first to the last block that is wanted; empty when no demand covers the chunk. */
  get wanted(): BlockSpan {
    return this.#wanted;
  }

  /** By when a block is wanted. */
  dueMs(block: number): number {
    return this.#dueMs?.[block] ?? Number.POSITIVE_INFINITY;
  }

  /** When the first unproven block after `fromMs` is due. */
  nextDueMs(fromMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return next;
    for (let block = 0; block < this.blocks; block++) {
      const dueMs = this.dueMs(block);
      if (dueMs > fromMs && dueMs < next && !this.isProven(block)) next = dueMs;
    }
    return next;
  }

  /** Somebody wants these blocks by `deadlineMs`, or some day when it is infinite; with `prefetch`, ahead of any use. */
  want(span: BlockSpan, deadlineMs: number, prefetch?: PrefetchSources): void {
    if (!this.isWanted) this.prefetch = prefetch;
    else if (this.prefetch !== undefined && prefetch !== 'peers') this.prefetch = prefetch;
    this.#wanted = this.isWanted
      ? { first: Math.min(this.#wanted.first, span.first), end: Math.max(this.#wanted.end, span.end) }
      : span;
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#dueMs ??= new Float64Array(this.blocks).fill(Number.POSITIVE_INFINITY);
    for (let block = span.first; block < span.end; block++) {
      if (deadlineMs < this.dueMs(block)) this.#dueMs[block] = deadlineMs;
      if (!this.isProven(block)) this.#deadlineMs = Math.min(this.#deadlineMs, deadlineMs);
    }
  }

  /** Nobody wants anything of it any more, until {@link want} says otherwise. */
  unwant(): void {
    this.#wanted = NOTHING;
    this.#dueMs?.fill(Number.POSITIVE_INFINITY);
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    this.prefetch = undefined;
  }

  get isComplete(): boolean {
    return this.#provenCount === this.blocks;
  }

  get isWanted(): boolean {
    return this.wanted.end > this.wanted.first;
  }

  /** Whether a block is neither proven nor under way. */
  get hasIdle(): boolean {
    return this.#idleCount > 0;
  }

  get hasFlights(): boolean {
    return this.#flights.length > 0;
  }

  isProven(block: number): boolean {
    return this.#proven[block] === 1;
  }

  blockBytes(block: number): number {
    return block === this.blocks - 1 ? this.#lastBlockBytes : LIMITS.blockBytes;
  }

  /** Whether a block is neither proven nor under way. */
  isIdle(block: number): boolean {
    return !this.isProven(block) && !this.#isFlying(block);
  }

  /** Bytes of a run of blocks. */
  spanBytes({ first, end }: BlockSpan): number {
    if (end <= first) return 0;
    return (end - first - 1) * LIMITS.blockBytes + this.blockBytes(end - 1);
  }

  prove(block: number): void {
    if (this.#proven[block] === 1) return;
    if (!this.#isFlying(block)) this.#idleCount--;
    this.#proven[block] = 1;
    this.#provenCount++;
    if (this.#deadlineMs === Number.POSITIVE_INFINITY || this.dueMs(block) > this.#deadlineMs) return;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.blocks; at++) {
      if (this.#proven[at] === 0) this.#deadlineMs = Math.min(this.#deadlineMs, this.dueMs(at));
    }
  }

  /** Blocks under way from a source. */
  askedOf(source: SourceId): number {
    let count = 0;
    for (const flight of this.#flights) if (flight.source === source) count++;
    return count;
  }

  /** Nobody waits for what was asked for; whoever does later begins to wait then. */
  waitAnew(): void {
    this.#firstAskedMs?.fill(Number.NaN);
  }

  /** When the next of the blocks under way will have been waited for so long, after `nowMs`; infinite when none. */
  nextWaitedMs(waitMs: number, nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { firstMs } of this.#flights) {
      const atMs = firstMs + waitMs;
      if (atMs > nowMs && atMs < next) next = atMs;
    }
    return next;
  }

  flightsOf(block: number): readonly Flight[] {
    return this.#isFlying(block) ? this.#flights.filter((flight) => flight.block === block) : NONE;
  }

  /** Whether a source was asked for any of it, or for one block. */
  isAskedOf(source: SourceId, block?: number): boolean {
    if (block !== undefined) return this.#fliesFrom(source, block);
    for (const flight of this.#flights) if (flight.source === source) return true;
    return false;
  }

  takeOff(block: number, source: SourceId, sinceMs: number): void {
    this.#firstAskedMs ??= new Float64Array(this.blocks).fill(Number.NaN);
    const firstMs = this.#askedMs(block) ?? sinceMs;
    this.#firstAskedMs[block] = firstMs;
    this.#flights.push({ block, source, sinceMs, firstMs });
    const flying = (this.#flying[block] ?? 0) + 1;
    this.#flying[block] = flying;
    if (flying > 1) return;
    if (!this.isProven(block)) this.#idleCount--;
  }

  /** Ends a flight; answers whether there was one. */
  land(block: number, source: SourceId): boolean {
    const at = this.#flightFrom(source, block);
    if (at < 0) return false;
    this.#flights.splice(at, 1);
    const left = (this.#flying[block] ?? 1) - 1;
    this.#flying[block] = left;
    if (left === 0 && !this.isProven(block)) this.#idleCount++;
    return true;
  }

  #isFlying(block: number): boolean {
    return (this.#flying[block] ?? 0) > 0;
  }

  #fliesFrom(source: SourceId, block: number): boolean {
    return this.#flightFrom(source, block) >= 0;
  }

  /** Where the flight of a block from a source is in the list; negative where there is none. */
  #flightFrom(source: SourceId, block: number): number {
    if (!this.#isFlying(block)) return -1;
    const flights = this.#flights;
    for (let at = 0; at < flights.length; at++) {
      const flight = flights[at];
      if (flight?.block === block && flight.source === source) return at;
    }
    return -1;
  }

  #askedMs(block: number): number | undefined {
    const askedMs = this.#firstAskedMs?.[block];
    return askedMs === undefined || Number.isNaN(askedMs) ? undefined : askedMs;
  }

  /**
   * The run of blocks neither proven nor under way that begins with the one due first; `undefined` when all are. Only
   * blocks due from `fromMs` on and before `beforeMs`, where given; what is under way in `doubted` flights alone counts
   * as if it were not.
   */
  mostPressingIdle(query: IdleQuery = ANY): BlockSpan | undefined {
    if (this.#idleCount === 0 && query.doubted === undefined) return undefined;
    let matching = this.#mark(query);
    if (matching === 0) return undefined;
    const { rotatedBy, fewestOf } = query;
    if (fewestOf !== undefined) matching = this.#markFewest(fewestOf());
    const first = rotatedBy === undefined ? this.#soonestMarked() : this.#nthMarked(rotatedBy % matching);
    let end = first + 1;
    while (end < this.blocks && meant[end] === 1) end++;
    return { first, end };
  }

  /** Marks the blocks that a query means, and answers how many. */
  #mark({ fromMs, beforeMs, within, among, doubted }: IdleQuery): number {
    const from = within === undefined ? 0 : within.first;
    const to = within === undefined ? this.blocks : within.end;
    let count = 0;
    for (let block = 0; block < this.blocks; block++) {
      const isMeant =
        block >= from &&
        block < to &&
        this.#proven[block] === 0 &&
        (among === undefined || among[block] === 1) &&
        (fromMs === undefined || this.dueMs(block) >= fromMs) &&
        (beforeMs === undefined || this.dueMs(block) < beforeMs) &&
        (!this.#isFlying(block) || (doubted !== undefined && this.flightsOf(block).every(doubted)));
      meant[block] = isMeant ? 1 : 0;
      if (isMeant) count++;
    }
    return count;
  }

  /** Leaves the marks where fewest is offered, and answers how many. */
  #markFewest(offers: Uint8Array): number {
    let fewest = Number.POSITIVE_INFINITY;
    for (let block = 0; block < this.blocks; block++)
      if (meant[block] === 1) fewest = Math.min(fewest, offers[block] ?? 0);
    let count = 0;
    for (let block = 0; block < this.blocks; block++) {
      if (meant[block] === 1 && (offers[block] ?? 0) <= fewest) count++;
      else meant[block] = 0;
    }
    return count;
  }

  /** Of the marked blocks the one due first. */
  #soonestMarked(): number {
    let first = meant.indexOf(1);
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return first;
    for (let block = first + 1; block < this.blocks; block++)
      if (meant[block] === 1 && this.dueMs(block) < this.dueMs(first)) first = block;
    return first;
  }

  /** The marked block that so many come before. */
  #nthMarked(before: number): number {
    let block = meant.indexOf(1);
    for (let skip = before; skip > 0; skip--) block = meant.indexOf(1, block + 1);
    return block;
  }

  /** The first run within `span` of blocks neither proven nor under way, or `undefined`. */
  firstIdle(span: BlockSpan): BlockSpan | undefined {
    return this.#firstRun(span, (block) => this.isIdle(block));
  }

  /** The first run within `span` of blocks not proven and not asked of `source`, of those that are 1 in `among`; or `undefined`. */
  firstUnasked(span: BlockSpan, source: SourceId, among?: Uint8Array): BlockSpan | undefined {
    return this.#firstRun(
      span,
      (block) =>
        !this.isProven(block) &&
        (among === undefined || among[block] === 1) &&
        !this.#fliesFrom(source, block),
    );
  }

  #firstRun(span: BlockSpan, matches: (block: number) => boolean): BlockSpan | undefined {
    let first = span.first;
    while (first < span.end && !matches(first)) first++;
    if (first >= span.end) return undefined;
    let end = first + 1;
    while (end < span.end && matches(end)) end++;
    return { first, end };
  }
}
