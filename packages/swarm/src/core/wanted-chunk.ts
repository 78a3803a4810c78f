import { blockCount, blockLength, type Geometry } from '@sonantica/wire';
import type { SourceId } from './source-state.ts';

/** One block asked of one source. */
export interface Flight {
  readonly source: SourceId;
  readonly sinceMs: number;
}

/** What is known of the right to fetch a chunk from the origin. */
export type ClaimState =
  | { readonly state: 'none' }
  | { readonly state: 'asked'; readonly sinceMs: number }
  | { readonly state: 'granted'; readonly untilMs: number }
  /** Somebody else holds or fetches it; ask again afterwards. */
  | { readonly state: 'elsewhere'; readonly untilMs: number };

/** A run of blocks, the end exclusive. */
export interface BlockSpan {
  readonly first: number;
  readonly end: number;
}

/**
 * A chunk that is not yet complete: which blocks are proven, which are under way and from whom, and by
 * when somebody wants which of them.
 */
export class WantedChunk {
  readonly chunk: number;
  readonly blocks: number;
  readonly #geometry: Geometry;
  readonly #proven: Uint8Array;
  readonly #flights = new Map<number, Flight[]>();
  #provenCount = 0;
  claim: ClaimState = { state: 'none' };
  /** Since when the tracker has answered that somebody else holds or fetches it; never, when `undefined`. */
  elsewhereSinceMs: number | undefined;
  /** Earliest time at which a wanted block is due, on the scheduler's clock; infinite when nobody waits. */
  deadlineMs = Number.POSITIVE_INFINITY;
  /** The blocks that are wanted; empty when no demand covers the chunk. */
  wanted: BlockSpan = { first: 0, end: 0 };

  constructor(geometry: Geometry, chunk: number) {
    this.chunk = chunk;
    this.#geometry = geometry;
    this.blocks = blockCount(geometry, chunk);
    this.#proven = new Uint8Array(this.blocks);
  }

  get isComplete(): boolean {
    return this.#provenCount === this.blocks;
  }

  get isWanted(): boolean {
    return this.wanted.end > this.wanted.first;
  }

  get hasFlights(): boolean {
    return this.#flights.size > 0;
  }

  isProven(block: number): boolean {
    return this.#proven[block] === 1;
  }

  blockBytes(block: number): number {
    return blockLength(this.#geometry, this.chunk, block);
  }

  /** Bytes of a run of blocks. */
  spanBytes({ first, end }: BlockSpan): number {
    let bytes = 0;
    for (let block = first; block < end; block++) bytes += this.blockBytes(block);
    return bytes;
  }

  prove(block: number): void {
    if (this.#proven[block] === 1) return;
    this.#proven[block] = 1;
    this.#provenCount++;
  }

  flightsOf(block: number): readonly Flight[] {
    return this.#flights.get(block) ?? [];
  }

  isAskedOf(source: SourceId): boolean {
    for (const flights of this.#flights.values()) {
      if (flights.some((flight) => flight.source === source)) return true;
    }
    return false;
  }

  takeOff(block: number, flight: Flight): void {
    const flights = this.#flights.get(block);
    if (flights === undefined) this.#flights.set(block, [flight]);
    else flights.push(flight);
  }

  /** Ends a flight; answers whether there was one. */
  land(block: number, source: SourceId): boolean {
    const flights = this.#flights.get(block);
    const at = flights?.findIndex((flight) => flight.source === source) ?? -1;
    if (flights === undefined || at < 0) return false;
    flights.splice(at, 1);
    if (flights.length === 0) this.#flights.delete(block);
    return true;
  }

  /** The first run within `span` of blocks neither proven nor under way, or `undefined`. */
  firstIdle(span: BlockSpan): BlockSpan | undefined {
    return this.#firstRun(span, (block) => !this.isProven(block) && !this.#flights.has(block));
  }

  /** The first run within `span` of blocks not proven and not asked of `source`, or `undefined`. */
  firstUnasked(span: BlockSpan, source: SourceId): BlockSpan | undefined {
    return this.#firstRun(
      span,
      (block) => !this.isProven(block) && !this.flightsOf(block).some((flight) => flight.source === source),
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
