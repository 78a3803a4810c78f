import type { ChunkSet } from './chunk-set.ts';
import type { RootHash, TrackId } from './ids.ts';

/** Version of the peer protocol, sent in `hello`. */
export const PEER_PROTOCOL_VERSION = 1;

/**
 * A number an end gives to a track it opened on a link; never used again on that link. In `shut`,
 * `have`, `fetching`, `part`, `request` and `cancel` it is the sender's; in the answers `proof`, `block` and
 * `refuse` it is the receiver's, so that everybody only looks up handles of their own when it matters.
 */
export type TrackHandle = number;

/** Why a request or an opening is refused. None of them is a fault. */
export type RefuseReason =
  /** Opening: the refuser holds the same track id with another root or chunk count. */
  | 'other-version'
  /** Opening: 64 tracks are open. */
  | 'too-many-tracks'
  /** The refuser does not give to this peer: upload is off or for its Aula only. */
  | 'not-sharing'
  /** The daily upload budget is used up. */
  | 'over-budget'
  /** The chunk is not held (any more). */
  | 'not-held'
  /** Too many requests wait; ask later or elsewhere. */
  | 'busy';

/** Why a link is closed by its sender. */
export type CloseReason = 'done' | 'duplicate' | 'self' | 'misbehaved' | 'no-room' | 'version';

/** A run of blocks of one chunk. */
export interface BlockRun {
  readonly chunk: number;
  /** First block, counted in the chunk. */
  readonly first: number;
  /** Number of blocks, at least 1. */
  readonly count: number;
}

/** Opens the link: the first frame each way. */
export interface HelloFrame {
  readonly type: 'hello';
  readonly version: number;
  /** 16 random bytes of this instance of the library, in hexadecimal: finds duplicates and links to oneself. */
  readonly nonce: string;
}

/** The sender takes part in this version of a track, and holds these chunks. */
export interface OpenTrackFrame {
  readonly type: 'open';
  readonly handle: TrackHandle;
  readonly trackId: TrackId;
  readonly root: RootHash;
  readonly held: ChunkSet;
}

/** The sender no longer takes part. */
export interface ShutTrackFrame {
  readonly type: 'shut';
  readonly handle: TrackHandle;
}

/** Chunks proven since, and chunks evicted. */
export interface HaveFrame {
  readonly type: 'have';
  readonly handle: TrackHandle;
  readonly chunks: readonly number[];
  readonly lost: readonly number[];
}

/** "I am getting these": whoever wants them may wait for `have` instead of asking the origin. */
export interface FetchingFrame {
  readonly type: 'fetching';
  readonly handle: TrackHandle;
  readonly chunks: readonly { readonly chunk: number; readonly etaMs: number }[];
}

/** "I hold these blocks of a chunk that I do not hold whole": they may be asked for. */
export interface PartFrame extends BlockRun {
  readonly type: 'part';
  readonly handle: TrackHandle;
}

/** Asks for blocks. `deadlineMs` is the time until they are needed; 4294967295 means no hurry. */
export interface RequestFrame extends BlockRun {
  readonly type: 'request';
  readonly handle: TrackHandle;
  readonly deadlineMs: number;
  /** Whether the leaf hashes of the chunk are to be sent ahead of the blocks. */
  readonly needsProof: boolean;
  /** Whether several blocks may come in one frame: a fast line costs less so, a slow one would prove its first block later. */
  readonly together: boolean;
}

/** The leaf hashes of all blocks of a chunk, 32 bytes each, sent ahead of its blocks. */
export interface ProofFrame {
  readonly type: 'proof';
  readonly handle: TrackHandle;
  readonly chunk: number;
  /** A view of the frame's own memory. */
  readonly leaves: Uint8Array;
}

/** One block, or, where the request allows it, up to three in a row: all but the last are whole. */
export interface BlockFrame {
  readonly type: 'block';
  readonly handle: TrackHandle;
  readonly chunk: number;
  /** The first of them. */
  readonly block: number;
  /** A view of the frame's own memory. */
  readonly bytes: Uint8Array;
}

/** Takes back a request or part of one. Blocks already sent may still arrive. */
export interface CancelFrame extends BlockRun {
  readonly type: 'cancel';
  readonly handle: TrackHandle;
}

/** Declines a request, or an opening (then `count` is 0). */
export interface RefuseFrame extends BlockRun {
  readonly type: 'refuse';
  readonly handle: TrackHandle;
  readonly reason: RefuseReason;
}

/** Asks for a sign of life; answered by `pong` with the same token. */
export interface PingFrame {
  readonly type: 'ping';
  readonly token: number;
}

export interface PongFrame {
  readonly type: 'pong';
  readonly token: number;
}

/** Sent before a link is closed on purpose, so that the other end need not wait to notice. */
export interface CloseFrame {
  readonly type: 'close';
  readonly reason: CloseReason;
}

/** Every frame between peers. */
export type PeerFrame =
  | HelloFrame
  | OpenTrackFrame
  | ShutTrackFrame
  | HaveFrame
  | FetchingFrame
  | PartFrame
  | RequestFrame
  | ProofFrame
  | BlockFrame
  | CancelFrame
  | RefuseFrame
  | PingFrame
  | PongFrame
  | CloseFrame;

/** `deadlineMs` of a request that nobody is waiting for. */
export const NO_DEADLINE_MS = 0xffff_ffff;
