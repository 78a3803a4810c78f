import type { BlockRun, Manifest } from '@sonantica/wire';
import type { SourceId } from '../core/source-state.ts';
import type { TrackKey } from '../core/track-key.ts';

/** Blocks asked of a source. */
export interface BlockRequest extends BlockRun {
  readonly track: TrackKey;
  readonly manifest: Manifest;
  /** Time until somebody needs them, in milliseconds; infinite when nobody waits. */
  readonly dueInMs: number;
  /** Whether the leaf hashes of the chunk are known, so that no proof need be sent. */
  readonly leavesKnown: boolean;
  /** Whether several blocks may come at a time, where the source can: what is fast costs less so. */
  readonly together: boolean;
}

/** Why a source does not give what it was asked for. */
export type RefusalReason = 'not-held' | 'busy' | 'not-giving';

/** Where a source puts what it gives. Nothing of it is trusted before it is proven. */
export interface SourceSink {
  /** A block, or several of a chunk in a row, the first of which is `block`; the bytes are the receiver's to keep. */
  block(source: SourceId, track: TrackKey, chunk: number, block: number, bytes: Uint8Array): void;
  /**
   * The first bytes of an answer came at `atMs`; its first block, which took a while from there, is given next. Not told
   * where the block came at once.
   */
  began?(source: SourceId, track: TrackKey, chunk: number, atMs: number): void;
  /** The leaf hashes of a chunk, packed; the receiver's to keep. */
  proof(source: SourceId, track: TrackKey, chunk: number, leaves: Uint8Array): void;
  /** A run, or the rest of one, will not come from here. */
  refused(source: SourceId, track: TrackKey, run: BlockRun, reason: RefusalReason): void;
}

/**
 * Something that gives blocks: a peer or the origin. It answers every block of a request with `block` or
 * `refused`, unless it is cancelled or ends; it never throws. It knows nothing of proofs' worth: the
 * receiver verifies.
 */
export interface Source {
  readonly id: SourceId;
  fetch(request: BlockRequest): void;
  /** Takes back a run or part of one. Blocks already under way may still come. */
  cancel(track: TrackKey, run: BlockRun): void;
  /** Makes it send something small now, so that its transport notices what was lost. Missing: there is no such thing. */
  nudge?(): void;
}
