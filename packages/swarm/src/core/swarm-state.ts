import { LEAST_CROWD, isScarceAmong, scarceWindow } from './crowd.ts';
import type { TrackerState } from './origin-choice.ts';
import { OriginLine } from './origin-line.ts';
import type { SourceId, SourceState } from './source-state.ts';
import type { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { WantedChunk } from './wanted-chunk.ts';

/** The listener's choices that bear on where bytes come from. */
export interface SourcePolicy {
  readonly allowDownloadFromPeers: boolean;
  readonly prioritizeAulaMembers: boolean;
  readonly preferServerOverP2P: boolean;
}

/** Peers that gave nothing for this long are not counted on to share what they fetch, in milliseconds. */
const GIVING_WITHIN_MS = 3_000;
/** Who says that it fetches a chunk is waited for this much longer than it says, in milliseconds. */
export const FETCHING_SLACK_MS = 1_500;
/** While the store is behind, what is due later than this is not fetched, in milliseconds. */
const NO_HURRY_MS = 15_000;
/** A reader that has its bytes often wants the next at once: tracks are prefetched after this much quiet, in milliseconds. */
const PREFETCH_AFTER_MS = 250;

/** What the decisions of a scheduler depend on: what is wanted, who is there, how the origin does. */
export class SwarmState {
  /** This instance's link nonce, the same that peers know it by. */
  readonly ownId: string;
  readonly tracks = new Map<TrackKey, TrackDemand>();
  readonly peers = new Map<SourceId, SourceState>();
  readonly origin = new OriginLine();
  policy: SourcePolicy;
  tracker: TrackerState = 'absent';
  /** Since when peers are to be expected: when the tracker answered, or the first of the present ones was linked. */
  peersSinceMs = Number.NEGATIVE_INFINITY;
  /** When something was last wanted by a deadline. */
  listenedMs = Number.NEGATIVE_INFINITY;
  /** When a peer last gave a block. */
  lastGivenMs = Number.NEGATIVE_INFINITY;
  /** When something was wanted that somebody has use for. */
  lastWantedMs = Number.NEGATIVE_INFINITY;
  /** Whether nothing else is wanted, so that tracks may be prefetched. */
  mayPrefetch = false;
  /** Whether more is fetched than can be kept: the store has fallen behind. */
  isStoreBehind = false;
  /** How often it changed who holds what. */
  holdingsChanges = 0;

  constructor(ownId: string, policy: SourcePolicy) {
    this.ownId = ownId;
    this.policy = policy;
  }

  /** Whether somebody listens to a chunk soon and few of the peers that take part in its track hold it. */
  isScarce(track: TrackDemand, wanted: WantedChunk): boolean {
    if (wanted.deadlineMs === Number.POSITIVE_INFINITY) return false;
    if (wanted.scarcity?.asOf === this.holdingsChanges) return wanted.scarcity.isScarce;
    const { chunk } = wanted;
    const linked: boolean[] = [];
    for (const peer of this.peers.values()) {
      const held = peer.tracks.get(track.key)?.held;
      if (held !== undefined) linked.push(held.has(chunk));
    }
    const isScarce = isScarceAmong(linked, track.offered, chunk);
    wanted.scarcity = { asOf: this.holdingsChanges, isScarce };
    return isScarce;
  }

  /** Whether a peer takes part in a track and does not hold a chunk of it. */
  lacks(id: SourceId, key: TrackKey, chunk: number): boolean {
    const held = this.peers.get(id)?.tracks.get(key)?.held;
    return held !== undefined && !held.has(chunk);
  }

  /** Whether a peer in reach takes part in a track. */
  hasPeers(key: TrackKey): boolean {
    for (const peer of this.peers.values()) if (!peer.health.banned && peer.tracks.has(key)) return true;
    return false;
  }

  /** How many peers in reach hold a chunk. */
  holders(key: TrackKey, chunk: number): number {
    let count = 0;
    for (const peer of this.peers.values()) if (peer.holds(key, chunk)) count++;
    return count;
  }

  /** Blocks of a scarce chunk that may be asked of a peer now. */
  scarceRoom(track: TrackDemand, chunk: WantedChunk, peer: SourceState): number {
    if (this.peers.size < LEAST_CROWD || !this.isShared(track, chunk)) return chunk.blocks;
    return Math.max(0, scarceWindow(peer.gaveBytes > 0, peer.window.pingMs) - chunk.askedOf(peer.id));
  }

  /** Whether others fetch a chunk too, and pass on what they have of it. */
  isShared(track: TrackDemand, chunk: WantedChunk): boolean {
    if (chunk.isShareDrawn) return true;
    for (const peer of this.peers.values())
      if (peer.partOf(track.key, chunk.chunk) !== undefined) return true;
    return false;
  }

  /** Whether somebody in reach holds a chunk or says that it fetches it. */
  someoneHolds(track: TrackDemand, chunk: WantedChunk): boolean {
    if (!this.policy.allowDownloadFromPeers) return false;
    for (const peer of this.peers.values())
      if (
        !peer.health.banned &&
        (peer.holds(track.key, chunk.chunk) || peer.tracks.get(track.key)?.fetching.has(chunk.chunk) === true)
      )
        return true;
    return false;
  }

  /** Whether a chunk may still come from a peer: one that is to be hoped for holds it, or fetches it and is not late. */
  mayStillCome(track: TrackDemand, { chunk }: WantedChunk, nowMs: number): boolean {
    if (!this.policy.allowDownloadFromPeers) return false;
    for (const peer of this.peers.values()) {
      if (peer.outlook(nowMs) !== 'gives') continue;
      const fetchedMs = peer.tracks.get(track.key)?.fetching.get(chunk) ?? Number.NEGATIVE_INFINITY;
      if (peer.holds(track.key, chunk) || nowMs < fetchedMs + FETCHING_SLACK_MS) return true;
    }
    return false;
  }

  /** Whether a chunk waits until the store has caught up. */
  isHeldBack(chunk: WantedChunk, nowMs: number): boolean {
    return this.isStoreBehind && chunk.deadlineMs - nowMs > NO_HURRY_MS;
  }

  /** Whether peers give, or it is too early to say that they do not. */
  othersGive(nowMs: number): boolean {
    return nowMs - Math.max(this.peersSinceMs, this.lastGivenMs) < GIVING_WITHIN_MS;
  }

  /** Whether nothing is wanted that somebody has use for. */
  get isIdle(): boolean {
    // What is prefetched comes last in a track.
    for (const track of this.tracks.values()) {
      const first = track.inOrder()[0];
      if (first !== undefined && first.prefetch === undefined) return false;
    }
    return true;
  }

  /** What decisions depend on beside what is wanted and held. */
  takeStock(nowMs: number): void {
    this.origin.pace.lineBusyMs = this.#lineBusyMs();
    if (!this.isIdle) this.lastWantedMs = nowMs;
    this.mayPrefetch = nowMs - this.lastWantedMs >= PREFETCH_AFTER_MS;
  }

  /** How long all that peers were asked for keeps the line busy: at the rate at which it comes, or the origin's if that is more. */
  #lineBusyMs(): number {
    let bytes = 0;
    let peersPerSecond = 0;
    for (const { outstandingBytes, window } of this.peers.values()) {
      if (outstandingBytes === 0 || window.bytesPerSecond === 0) continue;
      bytes += outstandingBytes;
      peersPerSecond += window.bytesPerSecond;
    }
    return bytes === 0 ? 0 : bytes / Math.max(peersPerSecond / 1000, this.origin.pace.bytesPerMs ?? 0);
  }
}
