import { blockLength, type BlockRun, type ByteRange, type ChunkSet, type TrackId } from '@sonantica/wire';
import type { ChunkKeeper } from './chunk-keeper.ts';
import type { ChunkOrder } from './core/chunk-order.ts';
import {
  ChunkScheduler,
  type ClaimAnswer,
  type SchedulerCommand,
  type SourcePolicy,
} from './core/chunk-scheduler.ts';
import type { TrackerState } from './core/origin-choice.ts';
import type { Clock, Random, Timers } from './core/env.ts';
import type { FlowWindowBounds } from './core/flow-window.ts';
import { ORIGIN, type Outlook, type SourceId, type Tier } from './core/source-state.ts';
import type { DemandId } from './core/track-demand.ts';
import type { TrackKey } from './core/track-key.ts';
import type { PrefetchSources } from './core/wanted-chunk.ts';
import type { Logger } from './log.ts';
import type { PeerSource } from './sources/peer-source.ts';
import type { RefusalReason, Source, SourceSink } from './sources/source.ts';
import type { TrackVersion, TrackVersionHandler } from './track-version.ts';

/** How often the scheduler is told the time while something is wanted, in milliseconds. */
const TICK_MS = 100;

/** Chunks that are not whole and that nobody wants any more are kept for whoever comes back to them, so many of all tracks: 16 MiB. */
const MOST_SPARE_PARTS = 64;

/** What a delivery tells those around it. */
export interface DeliveryHandler {
  /** Ask the tracker for leave to fetch `most` of these chunks from the origin. */
  claim(track: TrackKey, chunks: readonly number[], most: number): void;
  /** Give these back: they are no longer fetched. */
  release(track: TrackKey, chunks: readonly number[]): void;
  connect(peerId: string): void;
  /** Peers of the track may wait for this chunk. */
  fetching(track: TrackKey, chunk: number, etaMs: number): void;
  /** A chunk is complete and proven. */
  chunk(version: TrackVersion, chunk: number, bytes: number, source: SourceId): void;
  /** A chunk is no longer held. */
  lost(version: TrackVersion, chunk: number): void;
  block(version: TrackVersion, source: SourceId, bytes: number): void;
  /** A block was proven of a chunk that few peers hold, and that is not whole yet. */
  part(version: TrackVersion, chunk: number, block: number): void;
  /** What was proven of a chunk that is not whole is here no longer. */
  partLost(version: TrackVersion, chunk: number): void;
  /** A source sent what the manifest disproves. */
  rejected(version: TrackVersion, chunk: number, source: SourceId): void;
  unavailable(demands: readonly DemandId[]): void;
}

/** The origin as a source that can be told off. */
export interface OriginLike extends Source {
  distrust(track: TrackKey, chunk: number): void;
  /** Since when the first blocks of a track have been under way for whoever asks for them; `undefined` when they are not. */
  headSinceMs(trackId: TrackId): number | undefined;
  /** Its leaf hashes of a track are wrong: they are not asked for again. */
  distrustLeaves(track: TrackKey): void;
  /** A track is given up: what was noted of it is dropped. */
  forget(track: TrackKey): void;
}

/** What a delivery is made of. */
export interface DeliveryParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** This instance's link nonce. */
  readonly nonce: string;
  readonly policy: SourcePolicy;
  readonly order?: ChunkOrder | undefined;
  readonly keeper: ChunkKeeper;
  readonly handler: DeliveryHandler;
  readonly log: Logger;
}

/**
 * Performs what the scheduler decides, and tells it what became of it: the way of a byte from a source,
 * through its proof, to the keeper.
 */
export class Delivery implements SourceSink, TrackVersionHandler {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #keeper: ChunkKeeper;
  readonly #handler: DeliveryHandler;
  readonly #log: Logger;
  readonly #scheduler: ChunkScheduler;
  readonly #sources = new Map<SourceId, Source>();
  readonly #versions = new Map<TrackKey, TrackVersion>();
  /** Versions of which parts of chunks may be here, the one wanted last at the end. */
  readonly #partly = new Set<TrackVersion>();
  /** Versions that no handle reads: of these no part is kept that nobody wants. */
  readonly #left = new Set<TrackVersion>();
  #origin: OriginLike | undefined;
  #nextDemand: DemandId = 1;
  #stopTicking: (() => void) | undefined;

  constructor({ clock, timers, random, nonce, policy, order, keeper, handler, log }: DeliveryParts) {
    this.#clock = clock;
    this.#timers = timers;
    this.#keeper = keeper;
    this.#handler = handler;
    this.#log = log;
    this.#scheduler = new ChunkScheduler(nonce, policy, random, order);
  }

  setOrigin(origin: OriginLike): void {
    this.#origin = origin;
    this.#sources.set(ORIGIN, origin);
  }

  setPolicy(policy: SourcePolicy): void {
    this.#perform(this.#scheduler.setPolicy(policy, this.#clock.nowMs()));
  }

  setTracker(state: TrackerState): void {
    this.#perform(this.#scheduler.setTracker(state, this.#clock.nowMs()));
  }

  setStoreBehind(isBehind: boolean): void {
    this.#perform(this.#scheduler.setStoreBehind(isBehind, this.#clock.nowMs()));
  }

  setAlone(track: TrackKey, alone: boolean): void {
    this.#perform(this.#scheduler.setAlone(track, alone, this.#clock.nowMs()));
  }

  setOffered(track: TrackKey, held: readonly ChunkSet[], listeners: number): void {
    this.#scheduler.setOffered(track, held, listeners);
  }

  originHasNoLeaves(track: TrackKey): void {
    this.#scheduler.setOriginProvesBlocks(track, false);
    this.#perform(this.#scheduler.tick(this.#clock.nowMs()));
  }

  add(version: TrackVersion): void {
    this.#versions.set(version.key, version);
    this.#scheduler.openTrack(version.key, version.manifest, version.held.clone());
  }

  /** A version is left, and parts of its chunks with it: should it be added again, it begins anew. */
  remove(version: TrackVersion): void {
    this.#perform(this.#scheduler.closeTrack(version.key, this.#clock.nowMs()));
    this.#versions.delete(version.key);
    this.#partly.delete(version);
    this.#left.delete(version);
    for (const chunk of version.begun) version.dropPart(chunk);
    this.#origin?.forget(version.key);
  }

  /** No handle reads a version any more, until it is wanted again. */
  leave(version: TrackVersion): void {
    this.#left.add(version);
    this.#freeParts();
  }

  /** Wants bytes by `dueInMs` from now, or some day when infinite; with `prefetch`, ahead of any use. Ends with {@link unwant}. */
  want(version: TrackVersion, range: ByteRange, dueInMs: number, prefetch?: PrefetchSources): DemandId {
    const id = this.#nextDemand++;
    this.#left.delete(version);
    if (this.#partly.delete(version)) this.#partly.add(version);
    const now = this.#clock.nowMs();
    this.#perform(this.#scheduler.want(version.key, id, range, now + dueInMs, now, prefetch));
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    this.#keepTime();
    return id;
  }

  /** Whether somebody waits for a chunk or for what comes with it. */
  isWanted(track: TrackKey, chunk: number): boolean {
    return this.#scheduler.isWanted(track, chunk);
  }

  /** A demand has what it wanted of a chunk: it is nothing to it whether the chunk stays. */
  met(version: TrackVersion, id: DemandId, chunk: number): void {
    this.#scheduler.met(version.key, id, chunk);
  }

  /** How many linked peers hold a chunk. */
  holders(track: TrackKey, chunk: number): number {
    return this.#scheduler.holders(track, chunk);
  }

  unwant(version: TrackVersion, id: DemandId): void {
    this.#perform(this.#scheduler.unwant(version.key, id, this.#clock.nowMs()));
    this.#freeParts();
  }

  // --- Peers ---

  addPeer(peer: PeerSource, tier: Tier, bounds: FlowWindowBounds): void {
    this.#sources.set(peer.id, peer);
    this.#scheduler.addPeer(peer.id, tier, bounds, this.#clock.nowMs());
  }

  setTier(peer: PeerSource, tier: Tier): void {
    this.#scheduler.setTier(peer.id, tier);
  }

  removePeer(peer: PeerSource): void {
    if (this.#sources.get(peer.id) !== peer) return;
    this.#sources.delete(peer.id);
    for (const version of this.#versions.values()) version.dropUnproven(peer.id);
    this.#perform(this.#scheduler.removePeer(peer.id, this.#clock.nowMs()));
  }

  peerOpened(peer: PeerSource, track: TrackKey, held: ChunkSet): void {
    this.#perform(this.#scheduler.peerOpened(peer.id, track, held, this.#clock.nowMs()));
  }

  peerShut(peer: PeerSource, track: TrackKey): void {
    this.#perform(this.#scheduler.peerShut(peer.id, track, this.#clock.nowMs()));
  }

  peerHas(peer: PeerSource, track: TrackKey, chunks: readonly number[], lost: readonly number[]): void {
    this.#perform(this.#scheduler.peerHas(peer.id, track, chunks, lost, this.#clock.nowMs()));
  }

  /** Somebody is about to wait for a track that is not open yet. */
  makeWay(): void {
    this.#perform(this.#scheduler.makeWay(this.#clock.nowMs()));
  }

  /** Of these peers those of whom a head may be asked, in the order in which they are; if somebody waits, those alone who were tried. */
  askedFirst(peers: readonly PeerSource[], isUrgent: boolean): PeerSource[] {
    const ids = this.#scheduler.askedFirst(
      peers.map(({ id }) => id),
      isUrgent,
      this.#clock.nowMs(),
    );
    return ids.flatMap((id) => peers.find((peer) => peer.id === id) ?? []);
  }

  /** Blocks of a track that has just been opened were asked of a peer before. */
  askedAhead(peer: PeerSource, track: TrackKey, run: BlockRun, sinceMs: number): void {
    this.#scheduler.askedAhead(peer.id, track, run, sinceMs);
  }

  peerFetching(peer: PeerSource, track: TrackKey, chunks: readonly { chunk: number; etaMs: number }[]): void {
    this.#scheduler.peerFetching(peer.id, track, chunks, this.#clock.nowMs());
  }

  peerHasPart(peer: PeerSource, track: TrackKey, run: BlockRun): void {
    this.#perform(this.#scheduler.peerHasPart(peer.id, track, run, this.#clock.nowMs()));
  }

  /** Whether few of the linked peers hold a chunk, so that parts of it are worth passing on. */
  isScarce(track: TrackKey, chunk: number): boolean {
    return this.#scheduler.isScarce(track, chunk);
  }

  /** Whether a peer takes part in a track and does not hold all blocks of a run. */
  lacksRun(peer: PeerSource, track: TrackKey, run: BlockRun): boolean {
    return this.#scheduler.lacksRun(peer.id, track, run);
  }

  /** Whether a linked peer is known to hold a chunk of a track. */
  holds(peer: PeerSource, track: TrackKey, chunk: number): boolean {
    return this.#scheduler.holds(peer.id, track, chunk);
  }

  /** Whether something is wanted that somebody may give. */
  get isBusy(): boolean {
    return this.#scheduler.isBusy;
  }

  /** Whether somebody waits for what was due before now. */
  isLate(): boolean {
    return this.#scheduler.isLate(this.#clock.nowMs());
  }

  /** Bytes a peer gave this listener. */
  gaveBytes(peer: PeerSource): number {
    return this.#scheduler.gaveBytes(peer.id);
  }

  /** Whether a linked peer takes part in a track. */
  hasPeers(track: TrackKey): boolean {
    return this.#scheduler.hasPeers(track);
  }

  /** What is to be hoped for from this peer now. */
  outlook(peer: PeerSource): Outlook {
    return this.#scheduler.outlook(peer.id, this.#clock.nowMs());
  }

  pinged(peer: PeerSource, roundTripMs: number): void {
    this.#scheduler.pinged(peer.id, roundTripMs, this.#clock.nowMs());
  }

  claimed(track: TrackKey, answer: ClaimAnswer): void {
    this.#perform(this.#scheduler.claimed(track, answer, this.#clock.nowMs()));
    this.#keepTime();
  }

  /** A chunk is held no longer: evicted, dropped from memory, or found damaged. */
  chunkLost(track: TrackKey, chunk: number): void {
    const version = this.#versions.get(track);
    if (version === undefined || !version.held.has(chunk)) return;
    version.lost(chunk);
    this.#handler.lost(version, chunk);
    this.#perform(this.#scheduler.chunkLost(track, chunk, this.#clock.nowMs()));
    this.#keepTime();
  }

  close(): void {
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  // --- SourceSink: what sources send ---

  block(source: SourceId, track: TrackKey, chunk: number, block: number, bytes: Uint8Array): void {
    const version = this.#versions.get(track);
    if (version === undefined) return;
    this.#partly.add(version);
    version.acceptBlocks(source, chunk, block, bytes);
  }

  began(_source: SourceId, track: TrackKey, chunk: number, atMs: number): void {
    this.#scheduler.originBegan(track, chunk, atMs);
  }

  proof(source: SourceId, track: TrackKey, chunk: number, leaves: Uint8Array): void {
    this.#versions.get(track)?.acceptProof(source, chunk, leaves);
  }

  refused(source: SourceId, track: TrackKey, run: BlockRun, reason: RefusalReason): void {
    const span = { first: run.first, end: run.first + run.count };
    const now = this.#clock.nowMs();
    this.#perform(
      source === ORIGIN
        ? this.#scheduler.originFailed(track, run.chunk, span, now)
        : this.#scheduler.refused(source, track, run.chunk, span, reason, now),
    );
  }

  // --- TrackVersionHandler: what proofs say ---

  proven(version: TrackVersion, run: BlockRun, source: SourceId): void {
    const { chunk, first, count } = run;
    for (let block = first; block < first + count; block++)
      this.#handler.block(version, source, blockLength(version.manifest, chunk, block));
    if (!version.held.has(chunk) && version.part(chunk) !== undefined && this.isScarce(version.key, chunk))
      for (let block = first; block < first + count; block++) this.#handler.part(version, chunk, block);
    this.#perform(this.#scheduler.blocksProven(version.key, run, source, this.#clock.nowMs()));
  }

  disproved(version: TrackVersion, chunk: number, block: number, source: SourceId): void {
    this.#log(
      `${source} sent wrong ${block < 0 ? 'leaf hashes' : `bytes of block ${block}`} of chunk ${chunk}`,
    );
    this.#handler.rejected(version, chunk, source);
    const now = this.#clock.nowMs();
    if (source === ORIGIN && block < 0) {
      this.#origin?.distrustLeaves(version.key);
    } else if (source === ORIGIN) {
      this.#origin?.distrust(version.key, chunk);
      this.#perform(this.#scheduler.originFailed(version.key, chunk, { first: block, end: block + 1 }, now));
    } else {
      this.#perform(this.#scheduler.lied(version.key, chunk, block, source, now));
    }
  }

  unhashed(version: TrackVersion, chunk: number, source: SourceId, error: unknown): void {
    this.#log(`chunk ${chunk} of ${version.manifest.trackId} cannot be proven: ${String(error)}`);
    this.#perform(this.#scheduler.unhashed(version.key, chunk, source, this.#clock.nowMs()));
  }

  wasted(version: TrackVersion, source: SourceId, bytes: number): void {
    this.#log(`${bytes} bytes of ${version.manifest.trackId} came twice, the second time from ${source}`);
  }

  complete(version: TrackVersion, chunk: number, bytes: Uint8Array, source: SourceId): void {
    this.#keeper.keep(version, chunk, bytes);
    this.#handler.chunk(version, chunk, bytes.length, source);
  }

  load(version: TrackVersion, chunk: number): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    return this.#keeper.load(version, chunk);
  }

  // ---

  /** Frees parts of chunks that nobody wants: all of versions that no handle reads, and of others the oldest beyond a few. */
  #freeParts(): void {
    const spare: { version: TrackVersion; chunk: number }[] = [];
    for (const version of this.#partly) {
      const { begun } = version;
      if (begun.length === 0) this.#partly.delete(version);
      for (const chunk of begun)
        if (!this.#scheduler.isWanted(version.key, chunk)) spare.push({ version, chunk });
    }
    const surplus = spare.length - MOST_SPARE_PARTS;
    for (const [at, { version, chunk }] of spare.entries()) {
      if (at >= surplus && !this.#left.has(version)) continue;
      if (!this.#scheduler.abandon(version.key, chunk)) continue;
      if (version.dropPart(chunk)) this.#handler.partLost(version, chunk);
    }
  }

  #perform(commands: readonly SchedulerCommand[]): void {
    const now = this.#clock.nowMs();
    for (const command of commands) {
      switch (command.type) {
        case 'fetch': {
          const version = this.#versions.get(command.track);
          if (version === undefined) break;
          const { track, chunk, first, count, together } = command;
          const leavesKnown = version.leavesKnown(chunk);
          const dueInMs = command.deadlineMs - now;
          const begunMs = this.#origin?.headSinceMs(version.manifest.trackId);
          if (command.source === ORIGIN && begunMs !== undefined)
            this.#scheduler.originHadBegun(track, chunk, begunMs);
          this.#sources.get(command.source)?.fetch({
            track,
            manifest: version.manifest,
            chunk,
            first,
            count,
            dueInMs,
            leavesKnown,
            together,
          });
          this.#keepTime();
          break;
        }
        case 'cancel':
          this.#sources.get(command.source)?.cancel(command.track, command);
          break;
        case 'nudge':
          this.#sources.get(command.source)?.nudge?.();
          break;
        case 'claim':
          this.#handler.claim(command.track, command.chunks, command.most);
          break;
        case 'release':
          this.#handler.release(command.track, command.chunks);
          break;
        case 'connect':
          this.#handler.connect(command.peerId);
          break;
        case 'fetching':
          this.#handler.fetching(command.track, command.chunk, command.etaMs);
          break;
        case 'unavailable':
          this.#handler.unavailable(command.demands);
          break;
      }
    }
  }

  #keepTime(): void {
    if (this.#stopTicking !== undefined || !this.#scheduler.isBusy) return;
    const now = this.#clock.nowMs();
    // What the origin must be asked for between two ticks is asked for on the moment.
    const nextMs = this.#scheduler.nextDecisionMs(now, now + TICK_MS) ?? now + TICK_MS;
    this.#stopTicking = this.#timers.after(Math.max(1, Math.ceil(nextMs - now)), () => {
      this.#stopTicking = undefined;
      this.#perform(this.#scheduler.tick(this.#clock.nowMs()));
      this.#keepTime();
    });
  }
}
