import {
  isPeerId,
  LIMITS,
  NO_DEADLINE_MS,
  type AulaId,
  type ChunkSet,
  type ClaimedReply,
  type ClientMessage,
  type ErrorReply,
  type IceServer,
  type PeerId,
  type PeersReply,
  type PeerTier,
  type TrackerMessage,
  type WelcomeReply,
} from '@sonantica/wire';
import type { Contribution } from './contribution.ts';
import { AnnouncePlan } from './core/announce-plan.ts';
import { DeliveredReport } from './core/delivered-report.ts';
import { HaveNotices } from './core/have-notices.ts';
import { LinkPlan, WARM_LINKS } from './core/link-plan.ts';
import { PeerSession } from './core/peer-session.ts';
import type { Clock, Random, Timers } from './core/env.ts';
import { trackKey, type TrackKey } from './core/track-key.ts';
import type { Delivery } from './delivery.ts';
import type { LinkConnector } from './links/link-connector.ts';
import type { PeerLink } from './links/peer-link.ts';
import type { Logger } from './log.ts';
import type { TierBytes } from './options.ts';
import { PeerSource, type PeerSourceHandler } from './sources/peer-source.ts';
import type { TrackVersion } from './track-version.ts';
import type { TrackerClient } from './tracker/tracker-client.ts';
import type { Uploads } from './uploads.ts';

/** How often links and the tracker are looked after, in milliseconds. */
const TICK_MS = 1_000;
/** The tracker's word on a peer's Aula is good for this long. */
const WORD_LASTS_MS = 60_000;
/** How long those in no hurry wait at the start for a tracker to answer, in milliseconds. */
const TRACKER_WITHIN_MS = 2_000;
/** Peers asked for with an announcement. */
const WANTED_PEERS = 30;
/** All of a swarm the tracker gave up are told the same time to come back: they do so over this share of it. */
const RETRY_SPREAD = 0.5;

/** What a neighbourhood is made of. */
export interface NeighbourhoodParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly nonce: string;
  readonly delivery: Delivery;
  readonly uploads: Uploads;
  readonly connector: LinkConnector;
  readonly contribution: () => Contribution;
  /** What the listener was given so far, by where it came from. */
  readonly delivered: () => TierBytes;
  readonly maxWindowBytes: number;
  /** Links at a time; `undefined` for what listeners have. */
  readonly maxLinks: number | undefined;
  readonly log: Logger;
}

/**
 * The peers this listener knows: who the tracker named, who is linked, what each is told. Started when the
 * listener takes part, closed when not; it is the only place that opens links.
 */
export class Neighbourhood implements PeerSourceHandler {
  readonly #parts: NeighbourhoodParts;
  readonly #plan: LinkPlan;
  readonly #announcements = new AnnouncePlan();
  readonly #haves = new HaveNotices();
  readonly #report = new DeliveredReport();
  #cancelTelling: (() => void) | undefined;
  readonly #versions = new Map<TrackKey, TrackVersion>();
  readonly #links = new Set<PeerSource>();
  readonly #byNonce = new Map<string, PeerSource>();
  /** The tracker's last word on a peer. */
  readonly #words = new Map<PeerId, { tier: PeerTier; atMs: number }>();
  /** A peer under a newer id of the tracker's, whose older link stands. */
  readonly #aliases = new Map<PeerId, PeerId>();
  /** Others in a track's swarm, as the tracker last counted. */
  readonly #listeners = new Map<TrackKey, number>();
  readonly #banned = new Set<string>();
  readonly #startedMs: number;
  readonly #stopTicking: () => void;
  #tracker: TrackerClient | undefined;
  #welcome: WelcomeReply | undefined;
  #aula: AulaId | undefined;
  #closed = false;

  constructor(parts: NeighbourhoodParts) {
    this.#parts = parts;
    this.#plan = new LinkPlan(parts.maxLinks);
    this.#startedMs = parts.clock.nowMs();
    this.#stopTicking = parts.timers.every(TICK_MS, () => this.#tick());
  }

  /** Greeted peers. */
  get peers(): PeerSource[] {
    return [...this.#byNonce.values()];
  }

  peer(nonce: string): PeerSource | undefined {
    return this.#byNonce.get(nonce);
  }

  /** Others in a track's swarm, as the tracker last counted, and whether some are of this Aula. */
  audienceOf(track: TrackKey): { listeners: number; aulas: number } {
    const aulas = this.peers.some((peer) => this.tierOf(peer) === 'aula' && peer.shares(track)) ? 1 : 0;
    return { listeners: this.#listeners.get(track) ?? 0, aulas };
  }

  /** Greeted peers that take part in a track. */
  peersOf(track: TrackKey): number {
    return this.peers.filter((peer) => peer.shares(track)).length;
  }

  tierOf(peer: PeerSource): PeerTier {
    return this.#word(peer)?.tier ?? 'global';
  }

  /** Whether the tracker said within the last minute that the peer is of this Aula. */
  isOfAula(peer: PeerSource): boolean {
    const word = this.#word(peer);
    return word?.tier === 'aula' && this.#parts.clock.nowMs() - word.atMs <= WORD_LASTS_MS;
  }

  get aula(): AulaId | undefined {
    return this.#aula;
  }

  /** How the tracker calls this listener now. */
  get selfId(): PeerId | undefined {
    return this.#welcome?.peerId;
  }

  /** STUN and TURN servers the tracker names. */
  get iceServers(): readonly IceServer[] {
    return this.#welcome?.iceServers ?? [];
  }

  setTracker(tracker: TrackerClient): void {
    this.#tracker = tracker;
  }

  setAula(aulaId: AulaId | undefined): void {
    if (this.#aula === aulaId) return;
    this.#aula = aulaId;
    this.#announcements.setInAula(aulaId !== undefined);
    for (const [peerId, word] of this.#words) this.#words.set(peerId, { ...word, tier: 'global' });
    for (const peer of this.#byNonce.values()) this.#parts.delivery.setTier(peer, 'global');
    if (aulaId === undefined) this.#tracker?.send({ type: 'part' });
    this.#announcements.announceAgain();
    this.#say();
  }

  /** The listener's choice changed: who may see what this one holds is said again. */
  contributionChanged(): void {
    this.#announcements.announceAgain();
    this.#say();
  }

  add(version: TrackVersion): void {
    this.#versions.set(version.key, version);
    this.#announcements.add(version.key);
    for (const peer of this.#byNonce.values()) peer.open(version.manifest, version.held);
    this.#say();
  }

  remove(version: TrackVersion): void {
    if (!this.#versions.delete(version.key)) return;
    this.#announcements.remove(version.key);
    this.#haves.remove(version.key);
    this.#listeners.delete(version.key);
    for (const peer of this.#byNonce.values()) peer.shut(version.key);
    this.#tracker?.send({ type: 'leave', trackId: version.manifest.trackId, root: version.manifest.root });
  }

  gained(version: TrackVersion, chunk: number): void {
    this.#announcements.gained(version.key, chunk);
    if (version.isComplete) this.#announcements.setSearching(version.key, false);
    this.#haves.gained(version.key, chunk);
    this.#tellHaves();
  }

  lost(version: TrackVersion, chunk: number): void {
    this.#announcements.lost(version.key, chunk);
    this.#haves.lost(version.key, chunk);
    this.#tellHaves();
  }

  #tellHaves(): void {
    const { clock, timers } = this.#parts;
    for (const { track, chunks, lost } of this.#haves.due(clock.nowMs()))
      for (const peer of this.#byNonce.values()) peer.tellHave(track, chunks, lost);
    const waitMs = this.#haves.waitMs(clock.nowMs());
    if (waitMs === undefined || this.#cancelTelling !== undefined) return;
    this.#cancelTelling = timers.after(waitMs, () => {
      this.#cancelTelling = undefined;
      this.#tellHaves();
    });
  }

  tellFetching(track: TrackKey, chunk: number, etaMs: number): void {
    for (const peer of this.#byNonce.values())
      peer.tellFetching(track, chunk, Math.min(etaMs, NO_DEADLINE_MS));
  }

  claim(track: TrackKey, chunks: readonly number[]): void {
    const version = this.#versions.get(track);
    if (version === undefined) return;
    const { trackId, root } = version.manifest;
    const have = this.#announcements.takeGained(track);
    this.#tracker?.send({ type: 'claim', trackId, root, chunks, ...(have.length === 0 ? {} : { have }) });
  }

  /** The tracker's claim named this peer as the one who has or fetches a chunk. */
  connect(peerId: string): void {
    if (!isPeerId(peerId)) return;
    const tier = this.#words.get(peerId)?.tier ?? 'global';
    this.#link([{ peerId, tier }], 1);
  }

  /** A peer was caught lying: its links end, and it is not let in again under the same nonce. */
  ban(nonce: string): void {
    this.#banned.add(nonce);
    this.#byNonce.get(nonce)?.close('misbehaved');
  }

  /** Says goodbye to every peer. Resolves when no link keeps the process alive. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTicking();
    this.#cancelTelling?.();
    for (const peer of [...this.#links]) peer.close('done');
    await this.#parts.connector.close();
  }

  // --- The tracker's messages ---

  trackerUp(welcome: WelcomeReply): void {
    this.#welcome = welcome;
    this.#announcements.connected(welcome.announceIntervalMs);
    // A claim is only for who was announced.
    this.#say();
    this.#parts.delivery.setTracker('up');
  }

  trackerDown(): void {
    this.#parts.delivery.setTracker('absent');
  }

  trackerSaid(message: Exclude<TrackerMessage, WelcomeReply>): void {
    switch (message.type) {
      case 'peers':
        return this.#heardOfPeers(message);
      case 'claimed':
        return this.#heardOfClaim(message);
      case 'signal': {
        this.#trackerSays(message.from, message.tier);
        return this.#parts.connector.signal(message.from, message.data);
      }
      case 'error':
        if (message.to !== undefined) this.#parts.connector.abandon(message.to, message.message);
        this.#heardOfRefusal(message);
        return this.#parts.log(`tracker: ${message.code}: ${message.message}`);
    }
  }

  #heardOfPeers({ peers, trackId, root, complete, incomplete }: PeersReply): void {
    for (const { peerId, tier } of peers) this.#trackerSays(peerId, tier);
    if (trackId === undefined || root === undefined) {
      this.#link(peers, WARM_LINKS);
      return;
    }
    const version = this.#versions.get(trackKey(trackId, root));
    if (version === undefined) return;
    this.#listeners.set(version.key, complete + incomplete - 1);
    this.#parts.delivery.setAlone(version.key, complete + incomplete <= 1);
    this.#announcements.setSearching(version.key, !version.isComplete && this.#byNonce.size < peers.length);
    if (version.isComplete) return;
    this.#link(peers, WANTED_PEERS);
  }

  /** A track the tracker has no room for now is announced again when it says, the later by chance. */
  #heardOfRefusal({ re, trackId, root, retryAfterMs }: ErrorReply): void {
    if (re !== 'announce' || trackId === undefined || root === undefined || retryAfterMs === undefined)
      return;
    const { clock, random } = this.#parts;
    const waitMs = retryAfterMs * (1 + RETRY_SPREAD * random.next());
    this.#announcements.refused(trackKey(trackId, root), clock.nowMs(), waitMs);
  }

  #heardOfClaim({ trackId, root, granted, heldBy, ttlMs }: ClaimedReply): void {
    const mine = [...granted];
    const others = new Map<number, PeerId>();
    for (const [chunk, peerId] of heldBy) {
      if (this.#isHopeless(peerId)) mine.push(chunk);
      else others.set(chunk, peerId);
    }
    this.#parts.delivery.claimed(trackKey(trackId, root), mine, others, ttlMs);
  }

  /** Whether who waits for this peer waits in vain: a liar, one that does not give, one out of reach. */
  #isHopeless(peerId: PeerId): boolean {
    const known = this.#aliases.get(peerId) ?? peerId;
    for (const peer of this.#byNonce.values())
      if (peer.peerId === known) return this.#parts.delivery.isHopeless(peer);
    return this.#plan.isOut(peerId);
  }

  #trackerSays(peerId: PeerId, tier: PeerTier): void {
    this.#words.set(peerId, { tier, atMs: this.#parts.clock.nowMs() });
    const known = this.#aliases.get(peerId) ?? peerId;
    for (const peer of this.#byNonce.values())
      if (peer.peerId === known) this.#parts.delivery.setTier(peer, tier);
  }

  #word(peer: PeerSource): { tier: PeerTier; atMs: number } | undefined {
    let latest = this.#words.get(peer.peerId as PeerId);
    for (const [alias, known] of this.#aliases) {
      const word = known === peer.peerId ? this.#words.get(alias) : undefined;
      if (word !== undefined && (latest === undefined || word.atMs > latest.atMs)) latest = word;
    }
    return latest;
  }

  // --- Links ---

  /** Whether a peer that offers a link is welcome; if so it has a place. */
  accepts(peerId: PeerId): boolean {
    return !this.#closed && this.#plan.accept(peerId, this.#words.get(peerId)?.tier ?? 'global');
  }

  /** A link was made, by us or to us. */
  linked(peerId: PeerId, link: PeerLink): void {
    if (this.#closed) return link.close('the listener left');
    const { clock, nonce, delivery } = this.#parts;
    const peer = new PeerSource(peerId, link, new PeerSession(nonce, clock.nowMs()), delivery, this, () =>
      clock.nowMs(),
    );
    this.#links.add(peer);
    peer.start();
  }

  linkFailed(peerId: PeerId, reason: string): void {
    this.#parts.log(`no link to ${peerId}: ${reason}`);
    this.#plan.failed(peerId, this.#parts.clock.nowMs());
  }

  greeted(peer: PeerSource): void {
    const older = this.#byNonce.get(peer.id);
    if (older !== undefined) {
      this.#aliases.set(peer.peerId as PeerId, older.peerId as PeerId);
      return peer.close('duplicate');
    }
    if (this.#banned.has(peer.id)) return peer.close('misbehaved');
    this.#byNonce.set(peer.id, peer);
    this.#parts.log(`linked to ${peer.peerId} (${this.tierOf(peer)})`);
    this.#parts.delivery.addPeer(peer, this.tierOf(peer), { maxBytes: this.#parts.maxWindowBytes });
    for (const version of this.#versions.values()) peer.open(version.manifest, version.held);
  }

  opened(peer: PeerSource, track: TrackKey, held: ChunkSet): void {
    this.#parts.delivery.peerOpened(peer, track, held);
  }

  shut(peer: PeerSource, track: TrackKey): void {
    this.#parts.delivery.peerShut(peer, track);
  }

  have(peer: PeerSource, track: TrackKey, chunks: readonly number[], lost: readonly number[]): void {
    this.#parts.delivery.peerHas(peer, track, chunks, lost);
  }

  fetching(peer: PeerSource, track: TrackKey, chunks: readonly { chunk: number; etaMs: number }[]): void {
    this.#parts.delivery.peerFetching(peer, track, chunks);
  }

  pinged(peer: PeerSource, roundTripMs: number): void {
    this.#parts.delivery.pinged(peer, roundTripMs);
  }

  asked(peer: PeerSource): void {
    this.#parts.uploads.asked(peer);
  }

  drained(peer: PeerSource): void {
    this.#parts.uploads.drained(peer);
  }

  ended(peer: PeerSource, reason: string, fault: boolean): void {
    this.#links.delete(peer);
    this.#parts.uploads.drained(peer);
    if (fault && peer.id !== '') this.#banned.add(peer.id);
    if (fault || this.#banned.has(peer.id)) this.#plan.ban(peer.peerId as PeerId);
    if (!this.#aliases.has(peer.peerId as PeerId)) this.#plan.ended(peer.peerId as PeerId);
    if (this.#byNonce.get(peer.id) !== peer) return;
    this.#parts.log(`link to ${peer.peerId} ended: ${reason}`);
    this.#byNonce.delete(peer.id);
    for (const [alias, known] of this.#aliases) {
      if (known !== peer.peerId) continue;
      this.#aliases.delete(alias);
      this.#plan.ended(alias);
    }
    this.#parts.delivery.removePeer(peer);
  }

  #link(candidates: readonly { peerId: PeerId; tier: PeerTier }[], want: number): void {
    for (const peerId of this.#plan.choose(candidates, want, this.#parts.clock.nowMs())) {
      this.#parts.connector.connect(peerId);
    }
  }

  // --- Time ---

  #tick(): void {
    if (this.#welcome === undefined && this.#parts.clock.nowMs() - this.#startedMs >= TRACKER_WITHIN_MS) {
      this.#parts.delivery.setTracker('absent');
    }
    for (const peer of [...this.#links]) peer.tick();
    this.#forgetOldWords();
    this.#say();
  }

  #forgetOldWords(): void {
    const now = this.#parts.clock.nowMs();
    for (const [peerId, { atMs }] of this.#words) {
      if (now - atMs > 5 * WORD_LASTS_MS && !this.#plan.has(peerId)) this.#words.delete(peerId);
    }
  }

  #say(): void {
    const tracker = this.#tracker;
    if (tracker?.isUp !== true) return;
    for (const notice of this.#announcements.due(this.#parts.clock.nowMs())) {
      const message = this.#messageOf(notice);
      if (message !== undefined) tracker.send(message);
    }
  }

  #messageOf(notice: ReturnType<AnnouncePlan['due']>[number]): ClientMessage | undefined {
    if (notice.type === 'join') {
      return this.#aula === undefined
        ? undefined
        : { type: 'join', aulaId: this.#aula, want: LIMITS.maxWantedPeers };
    }
    const version = this.#versions.get(notice.track);
    if (version === undefined) return undefined;
    const { trackId, root, chunkCount } = version.manifest;
    const news = this.#report.take(this.#parts.delivered());
    const delivered = news === undefined ? {} : { delivered: news };
    if (notice.type === 'have')
      return { type: 'have', trackId, root, chunks: notice.chunks, lost: notice.lost, ...delivered };
    return {
      type: 'announce',
      trackId,
      root,
      chunkCount,
      have: version.held,
      scope: this.#parts.contribution().shareWithAnyUser ? 'global' : 'aula',
      want: WANTED_PEERS,
      ...delivered,
    };
  }
}
