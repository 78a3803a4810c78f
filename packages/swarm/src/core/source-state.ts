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

/** How long blocks that nobody waits for may take, in milliseconds: a peer gives to those who listen first. */
const PATIENT_TIMEOUT_MS = 5_000;

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
  readonly health = new SourceHealth();
  readonly tracks = new Map<TrackKey, PeerHoldings>();
  tier: Tier;
  outstandingBytes = 0;
  /** Bytes it gave. */
  gaveBytes = 0;
  /** Requests sent and not yet answered to the last block. */
  lastProgressMs = 0;

  constructor(id: SourceId, tier: Tier, bounds: FlowWindowBounds) {
    this.id = id;
    this.tier = tier;
    this.window = new FlowWindow(bounds);
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
    const timeoutMs = blockTimeoutMs(this.window.pingMs);
    const patienceMs = urgent ? timeoutMs : Math.max(timeoutMs, PATIENT_TIMEOUT_MS);
    return this.outstandingBytes > 0 && nowMs - this.lastProgressMs > patienceMs;
  }

  /** Milliseconds until `bytes` more would have arrived; 0 for a source not yet tried. */
  expectedMs(bytes: number): number {
    const rate = this.window.bytesPerSecond;
    return rate === 0 ? 0 : ((this.outstandingBytes + bytes) * 1000) / rate + this.window.pingMs;
  }
}
