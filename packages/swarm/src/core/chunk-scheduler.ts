import type { BlockRun, ByteRange, ChunkSet, Geometry } from '@sonantica/wire';
import type { ChunkOrder } from './chunk-order.ts';
import type { Random } from './env.ts';
import { Flights } from './flights.ts';
import type { FlowWindowBounds } from './flow-window.ts';
import { CONGESTED_PATIENCE_MS, FELLOW_TRIAL_MS, TRIAL_MS, type TrackerState } from './origin-choice.ts';
import { elsewhere, granted, isLease } from './origin-claims.ts';
import { GIVE_UP_AFTER_MS } from './origin-line.ts';
import { OriginPlan } from './origin-plan.ts';
import { URGENT_MS } from './peer-choice.ts';
import { PeerPlan } from './peer-plan.ts';
import type { SchedulerCommand } from './scheduler-command.ts';
import { askedBefore } from './source-ranking.ts';
import { ORIGIN, SourceState, type Outlook, type SourceId, type Tier } from './source-state.ts';
import { SwarmState, type SourcePolicy } from './swarm-state.ts';
import { TrackDemand, type DemandId } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { BlockSpan, PrefetchSources } from './wanted-chunk.ts';

export type { SchedulerCommand } from './scheduler-command.ts';
export type { SourcePolicy } from './swarm-state.ts';

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

/** How often the order of chunks follows what others hold, where it does, in milliseconds. */
const REORDER_EVERY_MS = 100;
const BUSY_PAUSE_MS = 250;
/** How long after the tracker granted nothing it is asked again about other chunks, in milliseconds. */
const CLAIM_AGAIN_MS = 250;
/** A lease on what nobody wants any more is given back after this long: a reader often wants the rest at once. In milliseconds. */
const RELEASE_AFTER_MS = 250;
const NOT_GIVING_PAUSE_MS = 60_000;

/**
 * Decides which block is asked of whom and when. Pure: events and the time go in, commands come out, in
 * the order in which they are to be performed. One scheduler serves all tracks of a swarm, since links are shared.
 */
export class ChunkScheduler {
  readonly #random: Random;
  readonly #order: ChunkOrder;
  readonly #state: SwarmState;
  readonly #flights: Flights;
  readonly #originPlan: OriginPlan;
  readonly #peerPlan: PeerPlan;
  /** When each demand was made: a failure before it is no answer to it. */
  readonly #demandedMs = new Map<DemandId, number>();
  #reorderedMs = Number.NEGATIVE_INFINITY;
  /** Whether there may be leases on what nobody wants any more. */
  #hasLeft = false;

  /** `ownId` is this instance's link nonce, the same that peers know it by. */
  constructor(ownId: string, policy: SourcePolicy, random: Random, order: ChunkOrder = 'swarm') {
    this.#order = order;
    this.#random = random;
    this.#state = new SwarmState(ownId, policy);
    this.#flights = new Flights(this.#state);
    this.#originPlan = new OriginPlan(this.#state, this.#flights);
    this.#peerPlan = new PeerPlan(this.#state, this.#flights);
  }

  setPolicy(policy: SourcePolicy, nowMs: number): SchedulerCommand[] {
    this.#state.policy = policy;
    if (!policy.allowDownloadFromPeers)
      for (const peer of this.#state.peers.values()) this.#flights.recall(peer);
    return this.#plan(nowMs);
  }

  /** Whether a tracker answers, so that its leases govern who goes to the origin. */
  setTracker(state: TrackerState, nowMs: number): SchedulerCommand[] {
    if (state === 'up' && this.#state.tracker !== 'up') this.#state.peersSinceMs = nowMs;
    this.#state.tracker = state;
    this.#state.holdingsChanges++;
    for (const track of this.#state.tracks.values()) {
      track.forgetTracker();
      for (const chunk of track.begun) if (chunk.claim.state !== 'granted') chunk.claim = { state: 'none' };
    }
    return this.#plan(nowMs);
  }

  /** Whether the store has fallen behind: then only what is due soon is fetched, so that what waits to be written stays bounded. */
  setStoreBehind(isBehind: boolean, nowMs: number): SchedulerCommand[] {
    this.#state.isStoreBehind = isBehind;
    return isBehind ? [] : this.#plan(nowMs);
  }

  // --- Tracks and what is wanted of them ---

  /** Takes up a track; `held` becomes the scheduler's own. */
  openTrack(key: TrackKey, geometry: Geometry, held: ChunkSet): void {
    if (this.#state.tracks.has(key)) return;
    const holders = (chunk: number) => this.#state.holders(key, chunk);
    this.#state.tracks.set(key, new TrackDemand(key, geometry, held, this.#random, this.#order, holders));
  }

  closeTrack(key: TrackKey, nowMs: number): SchedulerCommand[] {
    const track = this.#state.tracks.get(key);
    if (track === undefined) return [];
    for (const chunk of track.begun) this.#flights.cancelAll(track, chunk);
    this.#state.tracks.delete(key);
    for (const peer of this.#state.peers.values()) peer.tracks.delete(key);
    return this.#plan(nowMs);
  }

  /** Whether the tracker knows of nobody else in this swarm. */
  setAlone(key: TrackKey, alone: boolean, nowMs: number): SchedulerCommand[] {
    const track = this.#state.tracks.get(key);
    if (track === undefined) return [];
    track.alone = alone;
    return this.#plan(nowMs);
  }

  /** The tracker named peers of a track; `held`: what each of them holds; `listeners`: how many there are, this one included. */
  setOffered(key: TrackKey, held: readonly ChunkSet[], listeners: number): void {
    const track = this.#state.tracks.get(key);
    if (track === undefined) return;
    track.offered = held;
    track.listeners = listeners;
    this.#state.holdingsChanges++;
  }

  /** The origin proved to have no leaf hashes of this track: only whole chunks can be proven. */
  setOriginProvesBlocks(key: TrackKey, provesBlocks: boolean): void {
    const track = this.#state.tracks.get(key);
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
    this.#state.tracks.get(key)?.demand(id, range, deadlineMs, nowMs, prefetch);
    if (prefetch !== undefined) return this.#plan(nowMs);
    if (deadlineMs - nowMs < URGENT_MS) this.#recallPrefetch();
    this.#demandedMs.set(id, nowMs);
    if (deadlineMs !== Number.POSITIVE_INFINITY) this.#state.listenedMs = nowMs;
    this.#state.origin.wantedAgain(nowMs);
    return this.#plan(nowMs);
  }

  /** The demand was met or given up; what nobody else wants is cancelled. */
  unwant(key: TrackKey, id: DemandId, nowMs: number): SchedulerCommand[] {
    this.#demandedMs.delete(id);
    const track = this.#state.tracks.get(key);
    if (track?.hasDeadline(id) === true) this.#state.listenedMs = nowMs;
    if (track?.drop(id, nowMs) !== true) return [];
    track.inOrder();
    for (const chunk of track.begun) {
      if (chunk.isWanted) continue;
      this.#flights.cancelAll(track, chunk);
      if (!isLease(chunk.claim, nowMs)) continue;
      chunk.leftMs ??= nowMs;
      this.#hasLeft = true;
    }
    return this.#plan(nowMs);
  }

  // --- Sources ---

  addPeer(id: SourceId, tier: Tier, bounds: FlowWindowBounds, nowMs: number): void {
    if (this.#state.peers.size === 0) this.#state.peersSinceMs = nowMs;
    this.#state.peers.set(id, new SourceState(id, tier, bounds, nowMs));
  }

  setTier(id: SourceId, tier: Tier): void {
    const peer = this.#state.peers.get(id);
    if (peer !== undefined) peer.tier = tier;
  }

  removePeer(id: SourceId, nowMs: number): SchedulerCommand[] {
    const peer = this.#state.peers.get(id);
    if (peer === undefined) return [];
    this.#state.peers.delete(id);
    this.#state.holdingsChanges++;
    this.#flights.landAll(peer.id);
    return this.#plan(nowMs);
  }

  /** A peer takes part in a track; `held` becomes the scheduler's own. */
  peerOpened(id: SourceId, key: TrackKey, held: ChunkSet, nowMs: number): SchedulerCommand[] {
    this.#state.peers.get(id)?.tracks.set(key, { held, fetching: new Map(), parts: new Map() });
    this.#state.holdingsChanges++;
    return this.#plan(nowMs);
  }

  peerShut(id: SourceId, key: TrackKey, nowMs: number): SchedulerCommand[] {
    const peer = this.#state.peers.get(id);
    if (peer?.tracks.delete(key) !== true) return [];
    this.#state.holdingsChanges++;
    const track = this.#state.tracks.get(key);
    if (track !== undefined) this.#flights.landAll(id, track);
    return this.#plan(nowMs);
  }

  peerHas(
    id: SourceId,
    key: TrackKey,
    chunks: readonly number[],
    lost: readonly number[],
    nowMs: number,
  ): SchedulerCommand[] {
    const peer = this.#state.peers.get(id);
    const holdings = peer?.tracks.get(key);
    if (peer === undefined || holdings === undefined) return [];
    this.#state.holdingsChanges++;
    for (const chunk of chunks) {
      if (chunk < holdings.held.capacity) holdings.held.add(chunk);
      if (holdings.fetching.size > 0) holdings.fetching.delete(chunk);
      if (holdings.parts.size > 0) holdings.parts.delete(chunk);
    }
    for (const chunk of lost) {
      holdings.held.delete(chunk);
      holdings.parts.delete(chunk);
    }
    if (lost.length > 0) return this.#plan(nowMs);
    const track = this.#state.tracks.get(key);
    return chunks.some((chunk) => track?.chunk(chunk)?.hasIdle) ? this.#planPeer(peer, nowMs) : [];
  }

  /** A peer holds blocks of a chunk that it does not hold whole. */
  peerHasPart(id: SourceId, key: TrackKey, run: BlockRun, nowMs: number): SchedulerCommand[] {
    const peer = this.#state.peers.get(id);
    if (peer === undefined) return [];
    peer.tellPart(key, run);
    const chunk = this.#state.tracks.get(key)?.chunk(run.chunk);
    return chunk?.hasIdle === true ? this.#planPeer(peer, nowMs) : [];
  }

  /** Whether somebody listens to a chunk soon and few of the peers that take part in its track hold it. */
  isScarce(key: TrackKey, chunk: number): boolean {
    const track = this.#state.tracks.get(key);
    const wanted = track?.chunk(chunk);
    return track !== undefined && wanted !== undefined && this.#state.isScarce(track, wanted);
  }

  /** Whether a peer takes part in a track and, by what it said, does not hold all blocks of a run. */
  lacksRun(id: SourceId, key: TrackKey, { chunk, first, count }: BlockRun): boolean {
    const peer = this.#state.peers.get(id);
    if (peer === undefined || !this.#state.lacks(id, key, chunk)) return false;
    for (let block = first; block < first + count; block++)
      if (!peer.holdsBlock(key, chunk, block)) return true;
    return false;
  }

  /** Whether a peer is known to hold a chunk whole. */
  holds(id: SourceId, key: TrackKey, chunk: number): boolean {
    return this.#state.peers.get(id)?.holds(key, chunk) ?? false;
  }

  /** Whether a peer in reach takes part in a track. */
  hasPeers(key: TrackKey): boolean {
    return this.#state.hasPeers(key);
  }

  /** How many peers in reach hold a chunk. */
  holders(key: TrackKey, chunk: number): number {
    return this.#state.holders(key, chunk);
  }

  peerFetching(
    id: SourceId,
    key: TrackKey,
    chunks: readonly { chunk: number; etaMs: number }[],
    nowMs: number,
  ): void {
    const holdings = this.#state.peers.get(id)?.tracks.get(key);
    if (holdings === undefined) return;
    for (const { chunk, etaMs } of chunks) {
      if (chunk < holdings.held.capacity) holdings.fetching.set(chunk, nowMs + Math.min(etaMs, 60_000));
    }
  }

  pinged(id: SourceId, roundTripMs: number, nowMs: number): void {
    this.#state.peers.get(id)?.ponged(roundTripMs, nowMs);
  }

  /** Of these peers those of whom a head may be asked, in the order in which they are; if somebody waits, those alone who were tried. */
  askedFirst(ids: readonly SourceId[], isUrgent: boolean, nowMs: number): SourceId[] {
    const { allowDownloadFromPeers, preferServerOverP2P, prioritizeAulaMembers } = this.#state.policy;
    if (!allowDownloadFromPeers || preferServerOverP2P) return [];
    return ids
      .flatMap((id) => this.#state.peers.get(id) ?? [])
      .filter((peer) => peer.isUsable(nowMs) && peer.isWorthAsking && (!isUrgent || peer.isTried(nowMs)))
      .sort(askedBefore(prioritizeAulaMembers))
      .map(({ id }) => id);
  }

  /** Somebody is about to wait for what is not known yet: what is prefetched makes way. */
  makeWay(nowMs: number): SchedulerCommand[] {
    this.#state.lastWantedMs = nowMs;
    this.#recallPrefetch();
    return this.#plan(nowMs);
  }

  /** Blocks were asked of a peer before their track was opened. */
  askedAhead(id: SourceId, key: TrackKey, { chunk, first, count }: BlockRun, sinceMs: number): void {
    const peer = this.#state.peers.get(id);
    const track = this.#state.tracks.get(key);
    if (peer === undefined || track === undefined || track.held.has(chunk)) return;
    this.#flights.hadBegun(peer, track.begin(chunk), { first, end: first + count }, sinceMs);
  }

  // --- What became of requests ---

  /** Blocks in a row were proven, whoever sent them. */
  blocksProven(
    key: TrackKey,
    { chunk, first, count }: BlockRun,
    from: SourceId,
    nowMs: number,
  ): SchedulerCommand[] {
    const track = this.#state.tracks.get(key);
    const wanted = track?.chunk(chunk);
    let isOnlyHere = true;
    for (let block = first; block < first + count; block++) {
      this.#flights.arrived(from, wanted, block, nowMs);
      if (track === undefined || wanted === undefined) continue;
      wanted.prove(block);
      const others = wanted.flightsOf(block);
      if (others.length > 0) isOnlyHere = false;
      for (const flight of others) this.#flights.cancel(track, wanted, block, flight.source);
    }
    if (track === undefined || wanted === undefined) return this.#plan(nowMs);
    if (wanted.isComplete || !wanted.isAskedOf(ORIGIN)) this.#state.origin.ended(wanted);
    if (wanted.isComplete) track.complete(chunk);
    const peer = this.#state.peers.get(from);
    if (peer !== undefined && !peer.isWorthAsking) return this.#flights.flush();
    const isOne = peer !== undefined && isOnlyHere && !wanted.isComplete;
    return isOne ? this.#planPeer(peer, nowMs) : this.#plan(nowMs);
  }

  /** A block came that the manifest disproves, or a proof did: the peer is never asked again. */
  lied(key: TrackKey, chunk: number, block: number, from: SourceId, nowMs: number): SchedulerCommand[] {
    const peer = this.#state.peers.get(from);
    peer?.health.lied();
    this.#flights.arrived(from, this.#state.tracks.get(key)?.chunk(chunk), block, nowMs);
    if (peer !== undefined) this.#flights.recall(peer);
    return this.#plan(nowMs);
  }

  /**
   * What a source sent of a chunk could not be looked at, as hashing failed here. That is no lie of its: it is asked again
   * after a pause, which grows until something of it is proven.
   */
  unhashed(key: TrackKey, chunk: number, from: SourceId, nowMs: number): SchedulerCommand[] {
    const track = this.#state.tracks.get(key);
    const wanted = track?.chunk(chunk);
    if (track === undefined || wanted?.isAskedOf(from) !== true) return [];
    for (let block = 0; block < wanted.blocks; block++) this.#flights.cancel(track, wanted, block, from);
    const peer = this.#state.peers.get(from);
    if (from === ORIGIN) this.#state.origin.failed(wanted, nowMs);
    else if (peer?.health.usable(nowMs) === true) peer.health.timedOut(nowMs);
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
    const peer = this.#state.peers.get(id);
    if (peer === undefined) return [];
    this.#flights.landSpan(peer.id, this.#state.tracks.get(key)?.chunk(chunk), span);
    if (reason === 'not-held') {
      this.#state.holdingsChanges++;
      peer.tracks.get(key)?.held.delete(chunk);
      peer.tracks.get(key)?.parts.delete(chunk);
    } else if (reason === 'busy') peer.health.pause(BUSY_PAUSE_MS, nowMs);
    else peer.declined(NOT_GIVING_PAUSE_MS, nowMs);
    return this.#plan(nowMs);
  }

  /** What the origin was just asked for of a chunk has been under way since `sinceMs`. */
  originHadBegun(key: TrackKey, chunk: number, sinceMs: number): void {
    const wanted = this.#state.tracks.get(key)?.chunk(chunk);
    if (wanted !== undefined) this.#state.origin.pace.hadBegun(wanted, sinceMs);
  }

  /** The first bytes of what the origin was asked for of a chunk came at `atMs`; the block they begin comes later. */
  originBegan(key: TrackKey, chunk: number, atMs: number): void {
    const wanted = this.#state.tracks.get(key)?.chunk(chunk);
    if (wanted !== undefined) this.#state.origin.pace.answered(wanted, atMs);
  }

  /** No mirror gave the rest of a run. */
  originFailed(key: TrackKey, chunk: number, span: BlockSpan, nowMs: number): SchedulerCommand[] {
    const wanted = this.#state.tracks.get(key)?.chunk(chunk);
    this.#flights.landSpan(ORIGIN, wanted, span);
    this.#state.origin.failed(wanted, nowMs);
    return this.#plan(nowMs);
  }

  /** The tracker answered a claim. */
  claimed(key: TrackKey, answer: ClaimAnswer, nowMs: number): SchedulerCommand[] {
    const { granted: grantedChunks, heldBy, heldInVain, ttlMs } = answer;
    const track = this.#state.tracks.get(key);
    if (track === undefined) return [];
    track.hasClaimed = true;
    // While others give, it may come from them.
    const othersGive = this.#state.othersGive(nowMs);
    // Where the origin is slow all are late: each would be granted what one holds who is only busy.
    const isSlow = this.#state.origin.pace.isCongested(track.consumptionBytesPerMs);
    const urgentMs = isSlow ? -CONGESTED_PATIENCE_MS : URGENT_MS;
    const inVain = heldInVain.filter(
      (index) => !othersGive || (track.chunk(index)?.deadlineMs ?? 0) < nowMs + urgentMs,
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
      this.#flights.command({ type: 'connect', peerId });
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
    return this.#state.peers.get(id)?.gaveBytes ?? 0;
  }

  /** What is to be hoped for from a linked peer. */
  outlook(id: SourceId, nowMs: number): Outlook {
    return this.#state.peers.get(id)?.outlook(nowMs) ?? 'none';
  }

  /** A demand has what it wanted of a held chunk: should the chunk be lost, it is not fetched again for it. */
  met(key: TrackKey, id: DemandId, chunk: number): void {
    this.#state.tracks.get(key)?.met(id, chunk);
  }

  /** Whether somebody waits for what was due before now. */
  isLate(nowMs: number): boolean {
    for (const track of this.#state.tracks.values()) if (track.isLate(nowMs)) return true;
    return false;
  }

  /** Whether somebody waits for a chunk or for what comes with it. */
  isWanted(key: TrackKey, chunk: number): boolean {
    return this.#state.tracks.get(key)?.isWanted(chunk) === true;
  }

  /**
   * Lets go of what was proven of a chunk that is not complete, unless somebody wants the chunk or blocks of it are under
   * way; answers whether. They are asked for again once they are wanted.
   */
  abandon(key: TrackKey, chunk: number): boolean {
    const track = this.#state.tracks.get(key);
    if (track?.isWanted(chunk) === true || track?.chunk(chunk)?.hasFlights === true) return false;
    track?.abandon(chunk);
    return true;
  }

  /** A complete chunk was dropped from the store, or found damaged in it. */
  chunkLost(key: TrackKey, chunk: number, nowMs: number): SchedulerCommand[] {
    this.#state.tracks.get(key)?.lost(chunk);
    return this.#plan(nowMs);
  }

  /** Whether time passing can change a decision: something is wanted, or a lease to be given back. */
  get isBusy(): boolean {
    if (this.#hasLeft) return true;
    for (const track of this.#state.tracks.values())
      for (const chunk of track.inOrder())
        if (chunk.prefetch !== 'peers' || this.#state.someoneHolds(track, chunk)) return true;
    return false;
  }

  /**
   * When before `untilMs` something may have to be asked of the origin so that it comes in time: the next moment to call
   * {@link tick}; `undefined` when there is none.
   */
  nextDecisionMs(nowMs: number, untilMs: number): number | undefined {
    const { leadMs, latestMs } = this.#state.origin.pace;
    let next: number | undefined;
    for (const track of this.#state.tracks.values()) {
      for (const chunk of track.inOrder()) {
        if (chunk.deadlineMs - leadMs >= untilMs) break;
        for (const beforeMs of [leadMs, latestMs]) {
          const atMs = chunk.nextDueMs(nowMs + beforeMs) - beforeMs;
          if (atMs < (next ?? untilMs)) next = atMs;
        }
        for (const trialMs of [FELLOW_TRIAL_MS, TRIAL_MS]) {
          const triedMs = chunk.nextWaitedMs(trialMs, nowMs);
          if (triedMs < (next ?? untilMs)) next = triedMs;
        }
      }
    }
    return next;
  }

  /** Time passed. Called about ten times a second while {@link isBusy}. */
  tick(nowMs: number): SchedulerCommand[] {
    for (const peer of this.#state.peers.values()) {
      if (peer.isToBeNudged(nowMs)) this.#flights.command({ type: 'nudge', source: peer.id });
      // What somebody waits for is the least patience there is.
      if (!peer.isSilent(nowMs, true) || !peer.isSilent(nowMs, this.#owesUrgent(peer))) continue;
      peer.timedOut(nowMs);
      this.#flights.recall(peer);
    }
    return this.#plan(nowMs);
  }

  /** Whether somebody waits for blocks that were asked of this peer. */
  #owesUrgent(peer: SourceState): boolean {
    if (peer.outstandingBytes === 0) return false;
    for (const key of peer.tracks.keys()) {
      for (const chunk of this.#state.tracks.get(key)?.begun ?? []) {
        if (chunk.deadlineMs === Number.POSITIVE_INFINITY || !chunk.isAskedOf(peer.id)) continue;
        for (let block = 0; block < chunk.blocks; block++)
          if (chunk.dueMs(block) !== Number.POSITIVE_INFINITY && chunk.isAskedOf(peer.id, block)) return true;
      }
    }
    return false;
  }

  // --- Decisions ---

  #plan(nowMs: number): SchedulerCommand[] {
    this.#state.takeStock(nowMs);
    if (this.#order === 'rarest-first') this.#reorder(nowMs);
    if (this.#hasLeft) this.#releaseLeft(nowMs);
    if (this.#state.policy.preferServerOverP2P) this.#originPlan.plan(nowMs);
    this.#peerPlan.plan(nowMs);
    this.#originPlan.plan(nowMs);
    this.#reportHopeless(nowMs);
    return this.#flights.flush();
  }

  /** Gives back leases on what nobody wants any more: others wait for it. */
  #releaseLeft(nowMs: number): void {
    this.#hasLeft = false;
    for (const track of this.#state.tracks.values()) {
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
      if (released.length > 0) this.#flights.command({ type: 'release', track: track.key, chunks: released });
    }
  }

  /** As {@link #plan}, where nothing changed but what one peer can give. */
  #planPeer(peer: SourceState, nowMs: number): SchedulerCommand[] {
    this.#state.takeStock(nowMs);
    this.#peerPlan.planOne(peer, nowMs);
    return this.#flights.flush();
  }

  /** What others hold changes all the time: ten times a second is often enough. */
  #reorder(nowMs: number): void {
    if (nowMs - this.#reorderedMs < REORDER_EVERY_MS) return;
    this.#reorderedMs = nowMs;
    for (const track of this.#state.tracks.values()) track.holdersChanged();
  }

  /** Takes back what is prefetched: somebody is about to wait. */
  #recallPrefetch(): void {
    for (const track of this.#state.tracks.values()) {
      track.inOrder();
      for (const chunk of track.begun)
        if (chunk.prefetch !== undefined) this.#flights.cancelAll(track, chunk);
    }
  }

  /** When the origin failed, demands that no peer could meet either are told. */
  #reportHopeless(nowMs: number): void {
    if (!this.#state.origin.isGivenUp(nowMs)) return;
    for (const track of this.#state.tracks.values()) {
      const hopeless = track
        .inOrder()
        .find(
          (chunk) =>
            chunk.prefetch === undefined &&
            !chunk.hasFlights &&
            !this.#state.mayStillCome(track, chunk, nowMs),
        );
      if (hopeless === undefined) continue;
      const demands = track
        .demandsOf(hopeless.chunk)
        .filter((id) => nowMs - (this.#demandedMs.get(id) ?? nowMs) >= GIVE_UP_AFTER_MS);
      if (demands.length > 0) this.#flights.command({ type: 'unavailable', track: track.key, demands });
    }
  }
}
