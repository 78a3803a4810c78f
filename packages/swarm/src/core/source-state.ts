import { LIMITS, type ChunkSet } from '@sonantica/wire';
import { FlowWindow, type FlowWindowBounds } from './flow-window.ts';
import { blockTimeoutMs, SourceHealth } from './source-health.ts';
import type { TrackKey } from './track-key.ts';

/** Names a source within one swarm: a link's own id, or {@link ORIGIN}. */
export type SourceId = string;
/** The one source that is not a peer. */
export const ORIGIN = 'origin';

/** Where bytes come from: a member of the same Aula, any other peer, or the HTTP origin. */
export type Tier = 'aula' | 'global' | 'origin';

/** What a slow line is allowed for a block beyond that, in milliseconds. */
const LONGEST_BLOCK_MS = 2_000;
/** A peer linked for this long that answers pings is counted on like one that gave, in milliseconds. */
const TRIED_AFTER_MS = 2_000;
/** How long blocks that nobody waits for may take, in milliseconds: a peer gives to those who listen first. */
const PATIENT_TIMEOUT_MS = 5_000;

/** A peer that will not be asked for longer than this, and gave nothing for so long, is nobody to wait for, in milliseconds. */
const HOPELESS_AFTER_MS = 1_500;
const GIVES_WITHIN_MS = 3_000;

/** What a peer holds of a track and what it says it is getting. */
export interface PeerHoldings {
  readonly held: ChunkSet;
  /** Chunk → time by which the peer expects to hold it. */
  readonly fetching: Map<number, number>;
}

/** What the scheduler knows of one peer. */
export class SourceState {
  readonly id: SourceId;
  readonly window: FlowWindow;
  readonly linkedMs: number;
  readonly health = new SourceHealth();
  readonly tracks = new Map<TrackKey, PeerHoldings>();
  tier: Tier;
  outstandingBytes = 0;
  /** Bytes it gave. */
  gaveBytes = 0;
  /** When it last gave a block. */
  lastGaveMs = Number.NEGATIVE_INFINITY;
  /** Requests sent and not yet answered to the last block. */
  lastProgressMs = 0;

  /** `linkedMs`: when the link was made, on the scheduler's clock. */
  constructor(id: SourceId, tier: Tier, bounds: FlowWindowBounds, linkedMs = Number.NEGATIVE_INFINITY) {
    this.linkedMs = linkedMs;
    this.id = id;
    this.tier = tier;
    this.window = new FlowWindow(bounds);
  }

  /** Whether what is due soon may be staked on it: it gave something, or has been linked for a while and never asked in vain. */
  isTried(nowMs: number): boolean {
    return this.gaveBytes > 0 || (nowMs - this.linkedMs >= TRIED_AFTER_MS && !this.health.wasSilent);
  }

  /** Whether who waits for it waits in vain: it lied, or it is out for a while and has long given nothing. */
  isHopeless(nowMs: number): boolean {
    if (this.health.banned) return true;
    const givenMs = Math.max(this.lastGaveMs, this.linkedMs);
    return this.health.isOutFor(HOPELESS_AFTER_MS, nowMs) && nowMs - givenMs >= GIVES_WITHIN_MS;
  }

  /** Whether what it was asked for may not come: it never gave anything, or blocks have been due for a while and none came. */
  isDoubted(nowMs: number): boolean {
    if (this.gaveBytes === 0) return true;
    return this.outstandingBytes > 0 && nowMs - this.lastProgressMs > blockTimeoutMs(this.window.pingMs) / 2;
  }

  holds(track: TrackKey, chunk: number): boolean {
    return this.tracks.get(track)?.held.has(chunk) ?? false;
  }

  /** Bytes that may still be requested. */
  get roomBytes(): number {
    return this.window.bytes - this.outstandingBytes;
  }

  /** Whether enough room is free that a further request is worth its cost: a quarter of the window, or all that is due came. */
  get isWorthAsking(): boolean {
    return this.roomBytes >= Math.max(LIMITS.blockBytes, this.window.bytes / 4);
  }

  /** Whether blocks are due and nothing came for too long; what nobody waits for may take its turn behind others. */
  isSilent(nowMs: number, urgent: boolean): boolean {
    const rate = this.window.bytesPerSecond;
    const blockMs = rate === 0 ? 0 : (LIMITS.blockBytes * 1000) / rate;
    const timeoutMs = blockTimeoutMs(this.window.pingMs) + Math.min(LONGEST_BLOCK_MS, 2 * blockMs);
    const patienceMs = urgent ? timeoutMs : Math.max(timeoutMs, PATIENT_TIMEOUT_MS);
    return this.outstandingBytes > 0 && nowMs - this.lastProgressMs > patienceMs;
  }

  /** Milliseconds until `bytes` more would have arrived; 0 for a source not yet tried. */
  expectedMs(bytes: number): number {
    const rate = this.window.bytesPerSecond;
    return rate === 0 ? 0 : ((this.outstandingBytes + bytes) * 1000) / rate + this.window.pingMs;
  }
}
