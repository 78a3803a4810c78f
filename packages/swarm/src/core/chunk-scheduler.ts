import { LIMITS, type BlockRun, type ByteRange, type ChunkSet, type Geometry } from '@sonantica/wire';
import type { ChunkOrder } from './chunk-order.ts';
import { LEAST_CROWD, isScarceAmong, scarceWindow, shareOf } from './crowd.ts';
import type { Random } from './env.ts';
import type { FlowWindowBounds } from './flow-window.ts';
import {
  TRIAL_MS,
  patientChoice,
  urgentChoice,
  type OriginView,
  type TrackerState,
} from './origin-choice.ts';
import { claimsLeft, elsewhere, granted, isLease, originStep } from './origin-claims.ts';
import { GIVE_UP_AFTER_MS, OriginLine } from './origin-line.ts';
import { peerChoice, URGENT_MS, type PeerView } from './peer-choice.ts';
import { ORIGIN, SourceState, type Outlook, type SourceId, type Tier } from './source-state.ts';
import { askedBefore } from './source-ranking.ts';
import { TrackDemand, type DemandId } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { BlockSpan, PrefetchSources, WantedChunk } from './wanted-chunk.ts';

/** What the shell is to do. Times are on the scheduler's clock. */
export type SchedulerCommand =
  | {
      readonly type: 'fetch';
      readonly source: SourceId;
      readonly track: TrackKey;
      readonly chunk: number;
      readonly first: number;
      readonly count: number;
      readonly deadlineMs: number;
    }
  | {
      readonly type: 'cancel';
      readonly source: SourceId;
      readonly track: TrackKey;
      readonly chunk: number;
      readonly first: number;
      readonly count: number;
    }
  /** Ask the tracker for leave to fetch `most` of these from the origin. */
  | {
      readonly type: 'claim';
      readonly track: TrackKey;
      readonly chunks: readonly number[];
      readonly most: number;
    }
  /** Give the tracker's leave back: these are no longer fetched. */
  | { readonly type: 'release'; readonly track: TrackKey; readonly chunks: readonly number[] }
  /** Link to this peer: it holds or fetches what is wanted. */
  | { readonly type: 'connect'; readonly peerId: string }
  /** Tell the peers of this track what is being fetched. */
  | { readonly type: 'fetching'; readonly track: TrackKey; readonly chunk: number; readonly etaMs: number }
  /** Nobody can give what these demands want. */
  | { readonly type: 'unavailable'; readonly track: TrackKey; readonly demands: readonly DemandId[] };

/** What the tracker answered a claim. */
export interface ClaimAnswer {
  /** Chunks that this listener may fetch from the origin, for `ttlMs`. */
  readonly granted: readonly number[];
  /** Who holds or fetches a chunk. */
  readonly heldBy: ReadonlyMap<number, string>;
  /** Chunks that somebody holds or fetches who could not be reached, or long gave this listener nothing. */
  readonly heldInVain: readonly number[];
  readonly ttlMs: number;
}

/** The listener's choices that bear on where bytes come from. */
export interface SourcePolicy {
  readonly allowDownloadFromPeers: boolean;
  readonly prioritizeAulaMembers: boolean;
  readonly preferServerOverP2P: boolean;
}

/** Chunks under way from the origin at a time; while somebody waits, only what is waited for. */
const ORIGIN_CHUNKS = 4;
/** What is due soon is asked of the origin a little ahead of its last answer, in bytes, so that the line is never idle. */
const URGENT_AHEAD_BYTES = 32_768;
/** Blocks due sooner than this are spread over peers, a few of each. */
const SPREAD_WITHIN_MS = 1_000;
const SPREAD_BLOCKS = 2;
/** Peers that gave nothing for this long are not counted on to share what they fetch, in milliseconds. */
const GIVING_WITHIN_MS = 3_000;
/** While something is due sooner than this, no more than so much is asked of peers that is not: it would come first. In milliseconds, bytes. */
const SOON_MS = 1_500;
const FREE_LINE_BYTES = 131_072;
/** How often each peer is asked for a few such blocks within one decision. */
const MOST_TURNS = 8;
/** A reader that has its bytes often wants the next at once: tracks are prefetched after this much quiet, in milliseconds. */
const PREFETCH_AFTER_MS = 250;
/** How often the order of chunks follows what others hold, where it does, in milliseconds. */
const REORDER_EVERY_MS = 100;
/** Who has wanted nothing by a deadline for this long leaves the line to what nobody waits for, in milliseconds. */
const QUIET_MS = 1_000;
const BUSY_PAUSE_MS = 250;
/** How long after the tracker granted nothing it is asked again about other chunks, in milliseconds. */
const CLAIM_AGAIN_MS = 250;
/** A lease on what nobody wants any more is given back after this long: a reader often wants the rest at once. In milliseconds. */
const RELEASE_AFTER_MS = 250;
/** A lone listener tells the tracker what it fetches at most this often, in milliseconds. */
const TELL_EVERY_MS = 150;
const NOT_GIVING_PAUSE_MS = 60_000;

/**
 * Decides which block is asked of whom and when. Pure: events and the time go in, commands come out, in
 * the order in which they are to be performed. One scheduler serves all tracks of a swarm, since links are shared.
 */
export class ChunkScheduler {
  readonly #random: Random;
  readonly #ownId: string;
  readonly #order: ChunkOrder;
  readonly #tracks = new Map<TrackKey, TrackDemand>();
  readonly #peers = new Map<SourceId, SourceState>();
  readonly #origin = new OriginLine();
  /** When each demand was made: a failure before it is no answer to it. */
  readonly #demandedMs = new Map<DemandId, number>();
  /** Since when peers are to be expected: when the tracker answered, or the first of the present ones was linked. */
  #peersSinceMs = Number.NEGATIVE_INFINITY;
  /** When something was last wanted by a deadline. */
  #listenedMs = Number.NEGATIVE_INFINITY;
  /** When a peer last gave a block. */
  #lastGivenMs = Number.NEGATIVE_INFINITY;
  #policy: SourcePolicy;
  #tracker: TrackerState = 'absent';
  #reorderedMs = Number.NEGATIVE_INFINITY;
  /** When something was wanted that somebody has use for. */
  #lastWantedMs = Number.NEGATIVE_INFINITY;
  /** Whether nothing else is wanted, so that tracks may be prefetched. */
  #mayPrefetch = false;
  /** Whether there may be leases on what nobody wants any more. */
  #hasLeft = false;
  /** How often it changed who holds what. */
  #holdingsChanges = 0;
  #commands: SchedulerCommand[] = [];

  /** `ownId` is this instance's link nonce, the same that peers know it by. */
  constructor(ownId: string, policy: SourcePolicy, random: Random, order: ChunkOrder = 'swarm') {
    this.#ownId = ownId;
    this.#order = order;
    this.#policy = policy;
    this.#random = random;
  }

  setPolicy(policy: SourcePolicy, nowMs: number): SchedulerCommand[] {
    this.#policy = policy;
    if (!policy.allowDownloadFromPeers) for (const peer of this.#peers.values()) this.#recall(peer);
    return this.#plan(nowMs);
  }

  /** Whether a tracker answers, so that its leases govern who goes to the origin. */
  setTracker(state: TrackerState, nowMs: number): SchedulerCommand[] {
    if (state === 'up' && this.#tracker !== 'up') this.#peersSinceMs = nowMs;
    this.#tracker = state;
    this.#holdingsChanges++;
    for (const track of this.#tracks.values()) {
      track.forgetTracker();
      for (const chunk of track.begun) if (chunk.claim.state !== 'granted') chunk.claim = { state: 'none' };
    }
    return this.#plan(nowMs);
  }

  // --- Tracks and what is wanted of them ---

  /** Takes up a track; `held` becomes the scheduler's own. */
  openTrack(key: TrackKey, geometry: Geometry, held: ChunkSet): void {
    if (this.#tracks.has(key)) return;
    const holders = (chunk: number) => this.holders(key, chunk);
    this.#tracks.set(key, new TrackDemand(key, geometry, held, this.#random, this.#order, holders));
  }

  closeTrack(key: TrackKey, nowMs: number): SchedulerCommand[] {
    const track = this.#tracks.get(key);
    if (track === undefined) return [];
    for (const chunk of track.begun) this.#cancelAll(track, chunk);
    this.#tracks.delete(key);
    for (const peer of this.#peers.values()) peer.tracks.delete(key);
    return this.#plan(nowMs);
  }

  /** Whether the tracker knows of nobody else in this swarm. */
  setAlone(key: TrackKey, alone: boolean, nowMs: number): SchedulerCommand[] {
    const track = this.#tracks.get(key);
    if (track === undefined) return [];
    track.alone = alone;
    return this.#plan(nowMs);
  }

  /** The tracker named peers of a track; `held`: what each of them holds; `listeners`: how many there are, this one included. */
  setOffered(key: TrackKey, held: readonly ChunkSet[], listeners: number): void {
    const track = this.#tracks.get(key);
    if (track === undefined) return;
    track.offered = held;
    track.listeners = listeners;
    this.#holdingsChanges++;
  }

  /** The origin proved to have no leaf hashes of this track: only whole chunks can be proven. */
  setOriginProvesBlocks(key: TrackKey, provesBlocks: boolean): void {
    const track = this.#tracks.get(key);
    if (track !== undefined) track.originProvesBlocks = provesBlocks;
  }

  /**
   * Somebody needs these bytes by `deadlineMs`, or some day when it is infinite. With `prefetch` nobody does yet: they
   * are asked for only while nothing else is wanted.
   */
  want(
    key: TrackKey,
    id: DemandId,
    range: ByteRange,
    deadlineMs: number,
    nowMs: number,
    prefetch?: PrefetchSources,
  ): SchedulerCommand[] {
    this.#tracks.get(key)?.demand(id, range, deadlineMs, nowMs, prefetch);
    if (prefetch !== undefined) return this.#plan(nowMs);
    if (deadlineMs - nowMs < URGENT_MS) this.#recallPrefetch();
    this.#demandedMs.set(id, nowMs);
    if (deadlineMs !== Number.POSITIVE_INFINITY) this.#listenedMs = nowMs;
    this.#origin.wantedAgain(nowMs);
    return this.#plan(nowMs);
  }

  /** The demand was met or given up; what nobody else wants is cancelled. */
  unwant(key: TrackKey, id: DemandId, nowMs: number): SchedulerCommand[] {
    this.#demandedMs.delete(id);
    const track = this.#tracks.get(key);
    if (track?.hasDeadline(id) === true) this.#listenedMs = nowMs;
    if (track?.drop(id, nowMs) !== true) return [];
    track.inOrder();
    for (const chunk of track.begun) {
      if (chunk.isWanted) continue;
      this.#cancelAll(track, chunk);
      if (!isLease(chunk.claim, nowMs)) continue;
      chunk.leftMs ??= nowMs;
      this.#hasLeft = true;
    }
    return this.#plan(nowMs);
  }

  // --- Sources ---

  addPeer(id: SourceId, tier: Tier, bounds: FlowWindowBounds, nowMs: number): void {
    if (this.#peers.size === 0) this.#peersSinceMs = nowMs;
    this.#peers.set(id, new SourceState(id, tier, bounds, nowMs));
  }

  setTier(id: SourceId, tier: Tier): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) peer.tier = tier;
  }

  removePeer(id: SourceId, nowMs: number): SchedulerCommand[] {
    const peer = this.#peers.get(id);
    if (peer === undefined) return [];
    this.#peers.delete(id);
    this.#holdingsChanges++;
    this.#landAll(peer.id);
    return this.#plan(nowMs);
  }

  /** A peer takes part in a track; `held` becomes the scheduler's own. */
  peerOpened(id: SourceId, key: TrackKey, held: ChunkSet, nowMs: number): SchedulerCommand[] {
    this.#peers.get(id)?.tracks.set(key, { held, fetching: new Map(), parts: new Map() });
    this.#holdingsChanges++;
    return this.#plan(nowMs);
  }

  peerShut(id: SourceId, key: TrackKey, nowMs: number): SchedulerCommand[] {
    const peer = this.#peers.get(id);
    if (peer?.tracks.delete(key) !== true) return [];
    this.#holdingsChanges++;
    const track = this.#tracks.get(key);
    if (track !== undefined) this.#landAll(id, track);
    return this.#plan(nowMs);
  }

  peerHas(
    id: SourceId,
    key: TrackKey,
    chunks: readonly number[],
    lost: readonly number[],
    nowMs: number,
  ): SchedulerCommand[] {
    const peer = this.#peers.get(id);
    const holdings = peer?.tracks.get(key);
    if (peer === undefined || holdings === undefined) return [];
    this.#holdingsChanges++;
    for (const chunk of chunks) {
      if (chunk < holdings.held.capacity) holdings.held.add(chunk);
      holdings.fetching.delete(chunk);
      holdings.parts.delete(chunk);
    }
    for (const chunk of lost) {
      holdings.held.delete(chunk);
      holdings.parts.delete(chunk);
    }
    if (lost.length > 0) return this.#plan(nowMs);
    const track = this.#tracks.get(key);
    return chunks.some((chunk) => track?.chunk(chunk)?.hasIdle) ? this.#planPeer(peer, nowMs) : [];
  }

  /** A peer holds blocks of a chunk that it does not hold whole. */
  peerHasPart(id: SourceId, key: TrackKey, run: BlockRun, nowMs: number): SchedulerCommand[] {
    const peer = this.#peers.get(id);
    if (peer === undefined) return [];
    peer.tellPart(key, run);
    const chunk = this.#tracks.get(key)?.chunk(run.chunk);
    return chunk?.hasIdle === true ? this.#planPeer(peer, nowMs) : [];
  }

  /** Whether somebody listens to a chunk soon and few of the peers that take part in its track hold it. */
  isScarce(key: TrackKey, chunk: number): boolean {
    const wanted = this.#tracks.get(key)?.chunk(chunk);
    if (wanted === undefined || wanted.deadlineMs === Number.POSITIVE_INFINITY) return false;
    if (wanted.scarcity?.asOf === this.#holdingsChanges) return wanted.scarcity.isScarce;
    const linked: boolean[] = [];
    for (const peer of this.#peers.values()) {
      const held = peer.tracks.get(key)?.held;
      if (held !== undefined) linked.push(held.has(chunk));
    }
    const isScarce = isScarceAmong(linked, this.#tracks.get(key)?.offered ?? [], chunk);
    wanted.scarcity = { asOf: this.#holdingsChanges, isScarce };
    return isScarce;
  }

  /** Whether a peer takes part in a track and does not hold a chunk of it. */
  lacks(id: SourceId, key: TrackKey, chunk: number): boolean {
    const held = this.#peers.get(id)?.tracks.get(key)?.held;
    return held !== undefined && !held.has(chunk);
  }

  peerFetching(
    id: SourceId,
    key: TrackKey,
    chunks: readonly { chunk: number; etaMs: number }[],
    nowMs: number,
  ): void {
    const holdings = this.#peers.get(id)?.tracks.get(key);
    if (holdings === undefined) return;
    for (const { chunk, etaMs } of chunks) {
      if (chunk < holdings.held.capacity) holdings.fetching.set(chunk, nowMs + Math.min(etaMs, 60_000));
    }
  }

  /** Whether a peer in reach takes part in a track. */
  hasPeers(key: TrackKey): boolean {
    for (const peer of this.#peers.values()) if (!peer.health.banned && peer.tracks.has(key)) return true;
    return false;
  }

  /** How many peers in reach hold a chunk. */
  holders(key: TrackKey, chunk: number): number {
    let count = 0;
    for (const peer of this.#peers.values()) if (peer.holds(key, chunk)) count++;
    return count;
  }

  pinged(id: SourceId, roundTripMs: number, nowMs: number): void {
    this.#peers.get(id)?.ponged(roundTripMs, nowMs);
  }

  // --- What became of requests ---

  /** A block was proven, whoever sent it. */
  blockProven(
    key: TrackKey,
    chunk: number,
    block: number,
    from: SourceId,
    nowMs: number,
  ): SchedulerCommand[] {
    const track = this.#tracks.get(key);
    const wanted = track?.chunk(chunk);
    this.#arrived(from, wanted, block, nowMs);
    if (track === undefined || wanted === undefined) return this.#plan(nowMs);
    wanted.prove(block);
    const others = wanted.flightsOf(block).slice();
    for (const flight of others) this.#cancel(track, wanted, block, flight.source);
    if (wanted.isComplete || !wanted.isAskedOf(ORIGIN)) this.#origin.ended(wanted);
    if (wanted.isComplete) track.complete(chunk);
    const peer = this.#peers.get(from);
    if (peer !== undefined && !peer.isWorthAsking) return this.#flush();
    const isOne = peer !== undefined && others.length === 0 && !wanted.isComplete;
    return isOne ? this.#planPeer(peer, nowMs) : this.#plan(nowMs);
  }

  /** A block came that the manifest disproves, or a proof did: the peer is never asked again. */
  lied(key: TrackKey, chunk: number, block: number, from: SourceId, nowMs: number): SchedulerCommand[] {
    const peer = this.#peers.get(from);
    peer?.health.lied();
    this.#arrived(from, this.#tracks.get(key)?.chunk(chunk), block, nowMs);
    if (peer !== undefined) this.#recall(peer);
    return this.#plan(nowMs);
  }

  /** A peer declines a run of blocks. */
  refused(
    id: SourceId,
    key: TrackKey,
    chunk: number,
    span: BlockSpan,
    reason: 'not-held' | 'busy' | 'not-giving',
    nowMs: number,
  ): SchedulerCommand[] {
    const peer = this.#peers.get(id);
    if (peer === undefined) return [];
    this.#landSpan(peer.id, this.#tracks.get(key)?.chunk(chunk), span);
    if (reason === 'not-held') {
      this.#holdingsChanges++;
      peer.tracks.get(key)?.held.delete(chunk);
      peer.tracks.get(key)?.parts.delete(chunk);
    } else if (reason === 'busy') peer.health.pause(BUSY_PAUSE_MS, nowMs);
    else peer.declined(NOT_GIVING_PAUSE_MS, nowMs);
    return this.#plan(nowMs);
  }

  /** What the origin was just asked for of a chunk has been under way since `sinceMs`. */
  originHadBegun(key: TrackKey, chunk: number, sinceMs: number): void {
    const wanted = this.#tracks.get(key)?.chunk(chunk);
    if (wanted !== undefined) this.#origin.pace.hadBegun(wanted, sinceMs);
  }

  /** No mirror gave the rest of a run. */
  originFailed(key: TrackKey, chunk: number, span: BlockSpan, nowMs: number): SchedulerCommand[] {
    const wanted = this.#tracks.get(key)?.chunk(chunk);
    this.#landSpan(ORIGIN, wanted, span);
    this.#origin.failed(wanted, nowMs);
    return this.#plan(nowMs);
  }

  /** The tracker answered a claim. */
  claimed(key: TrackKey, answer: ClaimAnswer, nowMs: number): SchedulerCommand[] {
    const { granted: grantedChunks, heldBy, heldInVain, ttlMs } = answer;
    const track = this.#tracks.get(key);
    if (track === undefined) return [];
    track.hasClaimed = true;
    // While others give, it may come from them.
    const othersGive = this.#othersGive(nowMs);
    const inVain = heldInVain.filter(
      (index) => !othersGive || (track.chunk(index)?.deadlineMs ?? 0) < nowMs + URGENT_MS,
    );
    for (const index of [...grantedChunks, ...inVain]) {
      const chunk = track.chunk(index);
      if (chunk === undefined) continue;
      chunk.claim = granted(ttlMs, nowMs);
      if (chunk.isWanted) continue;
      chunk.leftMs ??= nowMs;
      this.#hasLeft = true;
    }
    for (const index of heldInVain) {
      const chunk = track.chunk(index);
      if (chunk === undefined || inVain.includes(index)) continue;
      chunk.claim = elsewhere(nowMs);
      chunk.elsewhereSinceMs ??= nowMs;
    }
    if (heldBy.size > 0) track.alone = false;
    track.claimAgainMs = grantedChunks.length > 0 ? nowMs : nowMs + CLAIM_AGAIN_MS;
    for (const [index, peerId] of heldBy) {
      const chunk = track.chunk(index);
      if (chunk === undefined) continue;
      chunk.claim = elsewhere(nowMs);
      chunk.elsewhereSinceMs ??= nowMs;
      this.#commands.push({ type: 'connect', peerId });
    }
    for (const chunk of track.begun) {
      // Neither granted nor somebody's: all the leases wanted are had, or all that there are.
      if (chunk.claim.state === 'asked')
        chunk.claim = grantedChunks.length > 0 ? { state: 'none' } : elsewhere(nowMs);
    }
    return this.#plan(nowMs);
  }

  /** Proven bytes that a peer gave. */
  gaveBytes(id: SourceId): number {
    return this.#peers.get(id)?.gaveBytes ?? 0;
  }

  /** What is to be hoped for from a linked peer. */
  outlook(id: SourceId, nowMs: number): Outlook {
    return this.#peers.get(id)?.outlook(nowMs) ?? 'none';
  }

  /** A complete chunk was dropped from the store, or found damaged in it. */
  chunkLost(key: TrackKey, chunk: number, nowMs: number): SchedulerCommand[] {
    this.#tracks.get(key)?.lost(chunk);
    return this.#plan(nowMs);
  }

  /** Whether time passing can change a decision: something is wanted, or a lease to be given back. */
  get isBusy(): boolean {
    if (this.#hasLeft) return true;
    for (const track of this.#tracks.values())
      for (const chunk of track.inOrder())
        if (chunk.prefetch !== 'peers' || this.#someoneHolds(track, chunk)) return true;
    return false;
  }

  /**
   * When before `untilMs` something may have to be asked of the origin so that it comes in time: the next moment to call
   * {@link tick}; `undefined` when there is none.
   */
  nextDecisionMs(nowMs: number, untilMs: number): number | undefined {
    const { leadMs, latestMs } = this.#origin.pace;
    let next: number | undefined;
    for (const track of this.#tracks.values()) {
      for (const chunk of track.inOrder()) {
        if (chunk.deadlineMs - leadMs >= untilMs) break;
        for (const beforeMs of [leadMs, latestMs]) {
          const atMs = chunk.nextDueMs(nowMs + beforeMs) - beforeMs;
          if (atMs < (next ?? untilMs)) next = atMs;
        }
        const triedMs = chunk.nextWaitedMs(TRIAL_MS, nowMs);
        if (triedMs < (next ?? untilMs)) next = triedMs;
      }
    }
    return next;
  }

  /** Time passed. Called about ten times a second while {@link isBusy}. */
  tick(nowMs: number): SchedulerCommand[] {
    for (const peer of this.#peers.values()) {
      if (!peer.isSilent(nowMs, this.#owesUrgent(peer))) continue;
      peer.timedOut(nowMs);
      this.#recall(peer);
    }
    return this.#plan(nowMs);
  }

  /** Whether somebody waits for blocks that were asked of this peer. */
  #owesUrgent(peer: SourceState): boolean {
    if (peer.outstandingBytes === 0) return false;
    for (const key of peer.tracks.keys()) {
      for (const chunk of this.#tracks.get(key)?.begun ?? []) {
        if (chunk.deadlineMs === Number.POSITIVE_INFINITY || !chunk.isAskedOf(peer.id)) continue;
        for (let block = 0; block < chunk.blocks; block++)
          if (chunk.dueMs(block) !== Number.POSITIVE_INFINITY && chunk.isAskedOf(peer.id, block)) return true;
      }
    }
    return false;
  }

  // --- Decisions ---

  /** How long all that peers were asked for keeps the line busy: at the rate at which it comes, or the origin's if that is more. */
  #lineBusyMs(): number {
    let bytes = 0;
    let peersPerSecond = 0;
    for (const { outstandingBytes, window } of this.#peers.values()) {
      if (outstandingBytes === 0 || window.bytesPerSecond === 0) continue;
      bytes += outstandingBytes;
      peersPerSecond += window.bytesPerSecond;
    }
    return bytes === 0 ? 0 : bytes / Math.max(peersPerSecond / 1000, this.#origin.pace.bytesPerMs ?? 0);
  }

  /** What decisions depend on beside what is wanted and held. */
  #takeStock(nowMs: number): void {
    this.#origin.pace.lineBusyMs = this.#lineBusyMs();
    if (!this.#isIdle) this.#lastWantedMs = nowMs;
    this.#mayPrefetch = nowMs - this.#lastWantedMs >= PREFETCH_AFTER_MS;
  }

  #plan(nowMs: number): SchedulerCommand[] {
    this.#takeStock(nowMs);
    if (this.#order === 'rarest-first') this.#reorder(nowMs);
    if (this.#hasLeft) this.#releaseLeft(nowMs);
    if (this.#policy.preferServerOverP2P) this.#planOrigin(nowMs);
    if (this.#policy.allowDownloadFromPeers) {
      const peers = [...this.#peers.values()].filter((peer) => peer.isUsable(nowMs) && peer.isWorthAsking);
      const view = this.#peerView();
      peers.sort(askedBefore(this.#policy.prioritizeAulaMembers));
      let again = true;
      for (let turn = 0; again && turn < MOST_TURNS; turn++) {
        again = false;
        for (const peer of peers) if (this.#fill(view, peer, peers.length, nowMs)) again = true;
      }
    }
    this.#planOrigin(nowMs);
    this.#reportHopeless(nowMs);
    return this.#flush();
  }

  /** Gives back leases on what nobody wants any more: others wait for it. */
  #releaseLeft(nowMs: number): void {
    this.#hasLeft = false;
    for (const track of this.#tracks.values()) {
      const released: number[] = [];
      track.inOrder();
      for (const chunk of track.begun) {
        if (chunk.leftMs === undefined) continue;
        if (chunk.isWanted || !isLease(chunk.claim, nowMs)) chunk.leftMs = undefined;
        else if (chunk.claim.state === 'asked' || nowMs - chunk.leftMs < RELEASE_AFTER_MS)
          this.#hasLeft = true;
        else {
          chunk.leftMs = undefined;
          chunk.claim = { state: 'none' };
          released.push(chunk.chunk);
        }
      }
      if (released.length > 0) this.#commands.push({ type: 'release', track: track.key, chunks: released });
    }
  }

  /** As {@link #plan}, where nothing changed but what one peer can give. */
  #planPeer(peer: SourceState, nowMs: number): SchedulerCommand[] {
    this.#takeStock(nowMs);
    if (this.#policy.allowDownloadFromPeers && peer.isUsable(nowMs) && peer.isWorthAsking) {
      const view = this.#peerView();
      for (let turn = 0; turn < MOST_TURNS; turn++)
        if (!this.#fill(view, peer, this.#peers.size, nowMs)) break;
    }
    return this.#flush();
  }

  /** What others hold changes all the time: ten times a second is often enough. */
  #reorder(nowMs: number): void {
    if (nowMs - this.#reorderedMs < REORDER_EVERY_MS) return;
    this.#reorderedMs = nowMs;
    for (const track of this.#tracks.values()) track.holdersChanged();
  }

  /** Whether nothing is wanted that somebody has use for. */
  get #isIdle(): boolean {
    // What is prefetched comes last in a track.
    for (const track of this.#tracks.values()) {
      const [first] = track.inOrder();
      if (first !== undefined && first.prefetch === undefined) return false;
    }
    return true;
  }

  /** One chunk at a time, so that who comes to wait finds the line free. */
  #mayPrefetchFromOrigin(chunk: WantedChunk): boolean {
    return this.#mayPrefetch && (this.#origin.size === 0 || this.#origin.has(chunk));
  }

  /** Takes back what is prefetched: somebody is about to wait. */
  #recallPrefetch(): void {
    for (const track of this.#tracks.values()) {
      track.inOrder();
      for (const chunk of track.begun) if (chunk.prefetch !== undefined) this.#cancelAll(track, chunk);
    }
  }

  /** Asks a peer for as much as its window takes; answers whether others should be asked before it is asked again. */
  #fill(view: PeerView, peer: SourceState, among: number, nowMs: number): boolean {
    while (peer.roomBytes >= LIMITS.blockBytes) {
      const next = peerChoice(view, peer, nowMs);
      if (next === undefined) return false;
      const { track, chunk } = next;
      if (chunk.deadlineMs >= nowMs + SOON_MS && this.#keepsLineFree(nowMs)) return false;
      const run = { ...next.run };
      let end = run.first;
      let bytes = 0;
      // On a fast link a chunk is asked for in one request, though it goes a little over the window.
      const room = Math.max(peer.roomBytes, peer.window.bytes / 4);
      // Blocks that somebody is about to hear come from several peers side by side.
      const spread = among > 1 && chunk.dueMs(run.first) - nowMs < SPREAD_WITHIN_MS;
      if (spread) run.end = Math.min(run.end, run.first + SPREAD_BLOCKS);
      while (end < run.end && bytes + chunk.blockBytes(end) <= room) bytes += chunk.blockBytes(end++);
      if (end === run.first) return false;
      this.#ask(peer.id, track, chunk, { first: run.first, end }, nowMs);
      if (peer.outstandingBytes === 0) peer.lastProgressMs = nowMs;
      peer.outstandingBytes += bytes;
      peer.window.requested(peer.outstandingBytes, nowMs);
      if (spread || this.isScarce(track.key, chunk.chunk)) return true;
    }
    return false;
  }

  #scarceRoom(track: TrackDemand, chunk: WantedChunk, peer: SourceState): number {
    if (this.#peers.size < LEAST_CROWD || !this.#isShared(track, chunk)) return chunk.blocks;
    return Math.max(0, scarceWindow(peer.gaveBytes > 0, peer.window.pingMs) - chunk.askedOf(peer.id));
  }

  /** Whether others fetch a chunk too, and pass on what they have of it. */
  #isShared(track: TrackDemand, chunk: WantedChunk): boolean {
    if (chunk.hasShare) return true;
    for (const peer of this.#peers.values())
      if (peer.partOf(track.key, chunk.chunk) !== undefined) return true;
    return false;
  }

  /** Whether something is due so soon that what nobody waits for may not fill the line before it. */
  #keepsLineFree(nowMs: number): boolean {
    let bytes = 0;
    for (const peer of this.#peers.values()) bytes += peer.outstandingBytes;
    if (bytes < FREE_LINE_BYTES) return false;
    for (const track of this.#tracks.values()) {
      const [first] = track.inOrder();
      // Where the origin is slow all are late for long, and get on by what they give each other.
      if (this.#origin.pace.isCongested(track.consumptionBytesPerMs)) continue;
      if (first !== undefined && first.deadlineMs < nowMs + SOON_MS) return true;
    }
    return false;
  }

  #peerView(): PeerView {
    return {
      policy: this.#policy,
      tracks: this.#tracks,
      peers: this.#peers,
      origin: this.#origin,
      mayPrefetch: this.#mayPrefetch,
      isScarce: (key, chunk) => this.isScarce(key, chunk),
      scarceRoom: (track, chunk, peer) => this.#scarceRoom(track, chunk, peer),
    };
  }

  #planOrigin(nowMs: number): void {
    if (this.#origin.isPaused(nowMs)) return;
    const view = this.#originView(nowMs);
    let leases = 0;
    for (const track of this.#tracks.values())
      for (const chunk of track.begun) if (chunk.isWanted && isLease(chunk.claim, nowMs)) leases++;
    for (const track of this.#byUrgency()) {
      const ask: WantedChunk[] = [];
      // After a restart of the tracker those linked are at first unknown to it.
      const isAlone = track.alone && view.peersOf(track).length === 0;
      const left = claimsLeft(leases, isAlone ? 'alone' : this.#othersGive(nowMs) ? 'shared' : 'unshared');
      const telling = this.#tracker === 'up' && isAlone && nowMs >= track.tellAgainMs;
      for (const chunk of track.inOrder()) {
        if (chunk.prefetch === 'peers' || (chunk.prefetch === 'any' && !this.#mayPrefetchFromOrigin(chunk)))
          break;
        this.#takeUrgent(view, track, chunk, nowMs);
        this.#takeShare(track, chunk, nowMs);
        const choice = patientChoice(view, track, chunk, nowMs);
        if (choice.type === 'fetch') this.#takePatient(track, chunk, nowMs);
        else if (chunk.prefetch !== undefined && leases + ask.length > 0) break;
        const told = telling && originStep(chunk.claim, nowMs) === 'ask';
        if (choice.type === 'ask' || told) ask.push(chunk);
      }
      const most = Math.min(ask.length, left);
      if (most === 0 || nowMs < track.claimAgainMs) continue;
      ask.length = Math.min(ask.length, LIMITS.maxClaims);
      leases += most;
      if (telling) track.tellAgainMs = nowMs + TELL_EVERY_MS;
      track.firstClaimMs ??= nowMs;
      for (const chunk of ask) chunk.claim = { state: 'asked', sinceMs: nowMs };
      this.#commands.push({ type: 'claim', track: track.key, chunks: ask.map(({ chunk }) => chunk), most });
    }
  }

  /** The track that somebody waits for first comes first. */
  #byUrgency(): TrackDemand[] {
    const dueMs = (track: TrackDemand) => track.inOrder()[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
    const tracks = [...this.#tracks.values()].filter((track) => track.inOrder().length > 0);
    return tracks.length < 2 ? tracks : tracks.sort((a, b) => (dueMs(a) < dueMs(b) ? -1 : 1));
  }

  /** Whether peers give, or it is too early to say that they do not. */
  #othersGive(nowMs: number): boolean {
    return nowMs - Math.max(this.#peersSinceMs, this.#lastGivenMs) < GIVING_WITHIN_MS;
  }

  #originView(nowMs: number): OriginView {
    const peersOf = new Map<TrackKey, SourceState[]>();
    for (const peer of this.#peers.values()) {
      if (peer.health.banned) continue;
      for (const key of peer.tracks.keys()) {
        const peers = peersOf.get(key);
        if (peers === undefined) peersOf.set(key, [peer]);
        else peers.push(peer);
      }
    }
    return {
      policy: this.#policy,
      tracker: this.#tracker,
      pace: this.#origin.pace,
      ownId: this.#ownId,
      waitMs: (source) => Math.max(TRIAL_MS, 1.5 * (this.#peers.get(source)?.window.pingMs ?? 0)),
      isDoubted: (source) => this.#peers.get(source)?.isDoubted(nowMs) ?? false,
      peersOf: (track) => peersOf.get(track.key) ?? [],
    };
  }

  /** Blocks due soon, one run after another, the line kept free for the one due first. */
  #takeUrgent(view: OriginView, track: TrackDemand, chunk: WantedChunk, nowMs: number): void {
    for (;;) {
      // Where only whole chunks can be proven, a part under way is worth nothing without the rest.
      const completes = !track.originProvesBlocks && chunk.isAskedOf(ORIGIN);
      if (!completes && this.#origin.urgentBytes(nowMs) >= URGENT_AHEAD_BYTES) return;
      const choice = urgentChoice(view, track, chunk, nowMs);
      if (choice.type !== 'fetch') return;
      const isUnheard = chunk.dueMs(choice.run.first) === Number.POSITIVE_INFINITY;
      if (isUnheard && track.originProvesBlocks && this.#givesInOrder(track, nowMs)) return;
      this.#askOrigin(track, chunk, choice.run, choice.whole, nowMs);
    }
  }

  /** Something to pass on, while nobody is there who could give it. */
  #takeShare(track: TrackDemand, chunk: WantedChunk, nowMs: number): void {
    const share = shareOf(track, chunk, this.#origin.pace, nowMs);
    if (share === undefined || this.#origin.urgentBytes(nowMs) > 0) return;
    if (this.hasPeers(track.key) || !this.isScarce(track.key, chunk.chunk)) return;
    chunk.hasShare = true;
    this.#askOrigin(track, chunk, share, false, nowMs);
  }

  /** The rest of a chunk that is this listener's to fetch, while nobody waits for anything of the origin. */
  #takePatient(track: TrackDemand, chunk: WantedChunk, nowMs: number): void {
    const origin = this.#origin;
    const another = !origin.has(chunk);
    if (another && (origin.size >= ORIGIN_CHUNKS || origin.urgentBytes(nowMs) > 0)) return;
    const inOrder = this.#givesInOrder(track, nowMs);
    for (let run = chunk.mostPressingIdle(); run !== undefined; run = chunk.mostPressingIdle()) {
      if (inOrder && chunk.dueMs(run.first) === Number.POSITIVE_INFINITY) return;
      if (inOrder && origin.bytesDueBefore(Number.POSITIVE_INFINITY) > origin.pace.aheadBytes) return;
      this.#askOrigin(track, chunk, run, true, nowMs);
    }
  }

  /** Whether the origin alone feeds a listener: then nothing takes from the line before its turn, as over plain HTTP. */
  #givesInOrder(track: TrackDemand, nowMs: number): boolean {
    if (this.#peers.size > 0) return false;
    return nowMs - this.#listenedMs < QUIET_MS || track.inOrder()[0]?.deadlineMs !== Number.POSITIVE_INFINITY;
  }

  #askOrigin(track: TrackDemand, chunk: WantedChunk, run: BlockSpan, whole: boolean, nowMs: number): void {
    this.#ask(ORIGIN, track, chunk, run, nowMs);
    this.#origin.asked(chunk, nowMs);
    if (!whole) return;
    const etaMs = this.#origin.pace.etaMs(chunk.spanBytes({ first: 0, end: chunk.blocks }));
    this.#commands.push({ type: 'fetching', track: track.key, chunk: chunk.chunk, etaMs });
  }

  /** When the origin failed, demands that no peer could meet either are told. */
  #reportHopeless(nowMs: number): void {
    if (!this.#origin.isGivenUp(nowMs)) return;
    for (const track of this.#tracks.values()) {
      const hopeless = track
        .inOrder()
        .find(
          (chunk) => chunk.prefetch === undefined && !chunk.hasFlights && !this.#someoneHolds(track, chunk),
        );
      if (hopeless === undefined) continue;
      const demands = track
        .demandsOf(hopeless.chunk)
        .filter((id) => nowMs - (this.#demandedMs.get(id) ?? nowMs) >= GIVE_UP_AFTER_MS);
      if (demands.length > 0) this.#commands.push({ type: 'unavailable', track: track.key, demands });
    }
  }

  #someoneHolds(track: TrackDemand, chunk: WantedChunk): boolean {
    if (!this.#policy.allowDownloadFromPeers) return false;
    for (const peer of this.#peers.values())
      if (
        !peer.health.banned &&
        (peer.holds(track.key, chunk.chunk) || peer.tracks.get(track.key)?.fetching.has(chunk.chunk) === true)
      )
        return true;
    return false;
  }

  // --- Bookkeeping of flights ---

  #ask(source: SourceId, track: TrackDemand, chunk: WantedChunk, span: BlockSpan, nowMs: number): void {
    for (let block = span.first; block < span.end; block++) chunk.takeOff(block, source, nowMs);
    this.#commands.push({
      type: 'fetch',
      source,
      track: track.key,
      chunk: chunk.chunk,
      first: span.first,
      count: span.end - span.first,
      deadlineMs: chunk.dueMs(span.first),
    });
  }

  #arrived(from: SourceId, chunk: WantedChunk | undefined, block: number, nowMs: number): void {
    if (from === ORIGIN) this.#origin.delivered(chunk, block, nowMs);
    const peer = this.#peers.get(from);
    if (chunk?.land(block, from) !== true || peer === undefined) return;
    const bytes = chunk.blockBytes(block);
    peer.outstandingBytes -= bytes;
    peer.gave(bytes, nowMs);
    this.#lastGivenMs = nowMs;
    peer.window.delivered(bytes, peer.outstandingBytes, nowMs);
  }

  #cancel(track: TrackDemand, chunk: WantedChunk, block: number, source: SourceId): void {
    if (!chunk.land(block, source)) return;
    const peer = this.#peers.get(source);
    if (peer !== undefined) peer.outstandingBytes -= chunk.blockBytes(block);
    const last = this.#commands.at(-1);
    if (
      last?.type === 'cancel' &&
      last.source === source &&
      last.track === track.key &&
      last.chunk === chunk.chunk &&
      last.first + last.count === block
    ) {
      this.#commands[this.#commands.length - 1] = { ...last, count: last.count + 1 };
    } else {
      this.#commands.push({
        type: 'cancel',
        source,
        track: track.key,
        chunk: chunk.chunk,
        first: block,
        count: 1,
      });
    }
  }

  #cancelAll(track: TrackDemand, chunk: WantedChunk): void {
    for (let block = 0; block < chunk.blocks; block++) {
      for (const flight of chunk.flightsOf(block).slice()) this.#cancel(track, chunk, block, flight.source);
    }
    chunk.waitAnew();
    this.#origin.ended(chunk);
  }

  /** Takes back everything asked of a peer. */
  #recall(peer: SourceState): void {
    for (const track of this.#tracks.values()) {
      for (const chunk of track.begun) {
        for (let block = 0; block < chunk.blocks; block++) this.#cancel(track, chunk, block, peer.id);
      }
    }
    peer.outstandingBytes = 0;
  }

  /** Forgets everything asked of a source that can no longer answer. */
  #landAll(source: SourceId, only?: TrackDemand): void {
    for (const track of only === undefined ? this.#tracks.values() : [only]) {
      for (const chunk of track.begun) this.#landSpan(source, chunk, { first: 0, end: chunk.blocks });
    }
  }

  #landSpan(source: SourceId, chunk: WantedChunk | undefined, span: BlockSpan): void {
    if (chunk === undefined) return;
    const peer = this.#peers.get(source);
    for (let block = span.first; block < Math.min(span.end, chunk.blocks); block++) {
      if (chunk.land(block, source) && peer !== undefined) peer.outstandingBytes -= chunk.blockBytes(block);
    }
  }

  #flush(): SchedulerCommand[] {
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }
}
