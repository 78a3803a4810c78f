import {
  ChunkSet,
  isPeerId,
  LIMITS,
  NO_DEADLINE_MS,
  type AulaId,
  type BlockRun,
  type ClaimedReply,
  type ClientMessage,
  type ErrorReply,
  type HaveText,
  type IceServer,
  type PeerId,
  type PeersReply,
  type PeerTier,
  type TrackId,
  type TrackerMessage,
  type WelcomeReply,
} from '@sonantica/wire';
import type { Contribution } from './contribution.ts';
import { AnnouncePlan } from './core/announce-plan.ts';
import { AulaHead } from './core/aula-head.ts';
import { DeliveredReport } from './core/delivered-report.ts';
import { HaveNotices } from './core/have-notices.ts';
import { headShares } from './core/head-ahead.ts';
import { LinkPlan, type Candidate, type LinkPurpose } from './core/link-plan.ts';
import type { Outlook } from './core/source-state.ts';
import { PeerSession } from './core/peer-session.ts';
import { PeerWords } from './core/peer-words.ts';
import type { Clock, Random, Timers } from './core/env.ts';
import { trackKey, type TrackKey } from './core/track-key.ts';
import type { Delivery } from './delivery.ts';
import type { LinkConnector } from './links/link-connector.ts';
import type { PeerLink } from './links/peer-link.ts';
import type { Logger } from './log.ts';
import type { TierBytes } from './options.ts';
import { HEAD_BYTES } from './sources/head-start.ts';
import { PeerSource, type PeerSourceHandler } from './sources/peer-source.ts';
import type { TrackVersion } from './track-version.ts';
import type { TrackerClient } from './tracker/tracker-client.ts';
import type { Uploads } from './uploads.ts';

/** How often links and the tracker are looked after, in milliseconds. */
const TICK_MS = 1_000;
/** How long those in no hurry wait at the start for a tracker to answer, in milliseconds. */
const TRACKER_WITHIN_MS = 2_000;
/** What a link brought is proven, or not, within this time of its end, in milliseconds. */
const LATE_MS = 5_000;
/** Why a link ends whose other end needs the place. */
const TURNED_AWAY = 'closed by the peer: no-room';
/** Peers asked for with an announcement. */
const WANTED_PEERS = 30;
/** Messages sent before the welcome at most: a tracker keeps no more than 32 while it looks at a token. */
const MOST_BEFORE_WELCOME = 16;
/** Tracks for which others are asked for at a time. */
const MOST_SEARCHES = 3;
/** While links are sought others are asked for when one is declined; the pauses between grow, in milliseconds. */
const SEARCH_PAUSES_MS = { first: 250, longest: 8_000 };
/** A manifest that has not come after this is not waited for here, in milliseconds. */
const EXPECTED_MS = 30_000;
const HEAD_BLOCKS = HEAD_BYTES / LIMITS.blockBytes;
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
  /** Whether the head of what the Aula plays is fetched before anyone asks for it. */
  readonly aulaHead: boolean;
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
  /** Members of the Aula, as the tracker last named them. */
  #members: readonly Candidate[] = [];
  /** Messages sent since hello, before the welcome. */
  #saidEarly = 0;
  #cancelSearch: (() => void) | undefined;
  #searchPauseMs = SEARCH_PAUSES_MS.first;
  readonly #versions = new Map<TrackKey, TrackVersion>();
  readonly #links = new Set<PeerSource>();
  /** Greeted peers, by the name they have as sources. */
  readonly #greeted = new Map<string, PeerSource>();
  readonly #linkedMs = new WeakMap<PeerSource, number>();
  /** Sources whose links ended a moment ago. */
  readonly #left = new Map<string, { readonly peerId: PeerId; readonly atMs: number }>();
  readonly #words = new PeerWords();
  readonly #aulaHead = new AulaHead();
  /** A track whose head somebody waits for, from when it is asked for until its manifest is here. */
  #expected: { readonly trackId: TrackId; readonly sinceMs: number } | undefined;
  /** Others in a track's swarm, as the tracker last counted. */
  readonly #listeners = new Map<TrackKey, number>();
  /** Peers that were given something lately, and what each gave so far. */
  readonly #givenTo = new Set<PeerSource>();
  readonly #gaveBytes = new WeakMap<PeerSource, number>();
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
    return [...this.#greeted.values()];
  }

  peer(source: string): PeerSource | undefined {
    return this.#greeted.get(source);
  }

  /** Whether the manifest of a track that somebody waits for is under way. */
  get #isExpecting(): boolean {
    return this.#expected !== undefined && this.#parts.clock.nowMs() - this.#expected.sinceMs < EXPECTED_MS;
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
    return this.#words.tierOf(peer.peerId as PeerId);
  }

  /** Whether the tracker said within the last minute that the peer is of this Aula. */
  isOfAula(peer: PeerSource): boolean {
    return this.#words.isOfAula(peer.peerId as PeerId, this.#parts.clock.nowMs());
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
    for (const peerId of this.#words.forgetTiers()) this.#plan.setTier(peerId, 'global');
    this.#plan.setAulaMembers([]);
    this.#members = [];
    for (const peer of this.#greeted.values()) this.#parts.delivery.setTier(peer, 'global');
    if (aulaId === undefined) this.#tracker?.send({ type: 'part' });
    this.#announcements.announceAgain();
    this.#say();
  }

  /** The listener's choice changed: who may see what this one holds is said again. */
  contributionChanged(): void {
    this.#announcements.announceAgain();
    this.#say();
  }

  /** The listener takes nothing from peers any more. */
  forgetAulaHead(): void {
    const dropped = this.#aulaHead.drop();
    if (dropped !== undefined) this.dropAhead(dropped);
  }

  add(version: TrackVersion): void {
    this.#versions.set(version.key, version);
    this.#announcements.add(version.key);
    for (const peer of this.#links) this.#open(peer, version);
    this.#say();
  }

  /** A version is about to be used again: it is told to peers if others have taken its place. */
  use(version: TrackVersion): void {
    if (!this.#versions.delete(version.key)) return;
    this.#versions.set(version.key, version);
    for (const peer of this.#links) this.#open(peer, version);
  }

  /** Opens a version on a link, which takes only so many: one that is complete here and not shared makes room. */
  #open(peer: PeerSource, version: TrackVersion): void {
    const { openTracks } = peer;
    if (openTracks.length >= LIMITS.maxOpenTracks && !openTracks.includes(version.key)) {
      const isSpare = (track: TrackKey) => this.#versions.get(track)?.isComplete ?? true;
      const spare =
        openTracks.find((track) => isSpare(track) && !peer.shares(track)) ??
        openTracks.find(isSpare) ??
        openTracks[0];
      if (spare !== undefined) peer.shut(spare);
    }
    peer.open(version.manifest, version.held);
  }

  remove(version: TrackVersion): void {
    if (!this.#versions.delete(version.key)) return;
    this.#announcements.remove(version.key);
    this.#haves.remove(version.key);
    this.#listeners.delete(version.key);
    for (const peer of this.#links) peer.shut(version.key);
    this.#tracker?.send({ type: 'leave', trackId: version.manifest.trackId, root: version.manifest.root });
  }

  gained(version: TrackVersion, chunk: number): void {
    this.#announcements.gained(version.key, chunk);
    if (version.isComplete) this.#announcements.setSearching(version.key, false);
    this.#haves.gained(version.key, chunk);
    this.#tellHaves();
  }

  /** A block was proven of a chunk that few hold and this listener not wholly. */
  proved(version: TrackVersion, chunk: number, block: number): void {
    this.#haves.proved(version.key, chunk, block);
    this.#tellHaves();
  }

  /** What was proven of a chunk that is not whole is here no longer: peers may have been told of it. */
  partLost(version: TrackVersion, chunk: number): void {
    this.#haves.lost(version.key, chunk);
    this.#tellHaves();
  }

  lost(version: TrackVersion, chunk: number): void {
    this.#announcements.lost(version.key, chunk);
    this.#haves.lost(version.key, chunk);
    this.#tellHaves();
  }

  #tellHaves(): void {
    const { clock, timers } = this.#parts;
    for (const { track, chunks, lost, parts } of this.#haves.due(clock.nowMs())) {
      for (const peer of this.#links) {
        const isNews = chunks.some((chunk) => !this.#parts.delivery.holds(peer, track, chunk));
        if (isNews || lost.length > 0) peer.tellHave(track, chunks, lost);
        for (const run of parts)
          if (this.#parts.delivery.lacksRun(peer, track, run)) peer.tellPart(track, run);
      }
    }
    const waitMs = this.#haves.waitMs(clock.nowMs());
    if (waitMs === undefined || this.#cancelTelling !== undefined) return;
    this.#cancelTelling = timers.after(waitMs, () => {
      this.#cancelTelling = undefined;
      this.#tellHaves();
    });
  }

  tellFetching(track: TrackKey, chunk: number, etaMs: number): void {
    for (const peer of this.#links) peer.tellFetching(track, chunk, Math.min(etaMs, NO_DEADLINE_MS));
  }

  claim(track: TrackKey, chunks: readonly number[], most: number): void {
    const version = this.#versions.get(track);
    if (version === undefined) return;
    const { trackId, root } = version.manifest;
    const have = this.#announcements.takeGained(track);
    this.#parts.log(`claims ${most} of ${chunks.join(', ')} of ${trackId}`);
    this.#tracker?.send({
      type: 'claim',
      trackId,
      root,
      chunks,
      ...(have.length === 0 ? {} : { have }),
      ...(most < chunks.length ? { most } : {}),
    });
  }

  /** Gives leave to fetch these back: nobody wants them here any more, and others wait for them. */
  release(track: TrackKey, chunks: readonly number[]): void {
    const version = this.#versions.get(track);
    if (version === undefined) return;
    const { trackId, root } = version.manifest;
    const released = chunks.slice(0, LIMITS.maxClaims);
    this.#parts.log(`gives back ${released.join(', ')} of ${trackId}`);
    this.#tracker?.send({ type: 'have', trackId, root, chunks: [], released });
  }

  /** The tracker's claim named this peer as the one who has or fetches a chunk. */
  connect(peerId: string): void {
    if (!isPeerId(peerId)) return;
    this.#link([{ peerId, tier: this.#words.tierOf(peerId) }], 1, 'needed');
  }

  /**
   * A source was caught lying: its link ends, and it is not let in again under the id that the tracker gave it. Nothing is
   * held against its nonce, which may be another's.
   */
  ban(source: string): void {
    const peer = this.#greeted.get(source);
    const peerId = peer?.peerId ?? this.#left.get(source)?.peerId;
    if (peerId !== undefined) this.#plan.ban(peerId as PeerId);
    peer?.close('misbehaved');
  }

  /** Says goodbye to every peer. Resolves when no link keeps the process alive. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopTicking();
    this.#cancelTelling?.();
    this.#cancelSearch?.();
    for (const peer of [...this.#links]) peer.close('done');
    await this.#parts.connector.close();
  }

  // --- The tracker's messages ---

  trackerGreeted(): void {
    this.#announcements.connected();
    this.#saidEarly = 0;
    this.#searchPauseMs = SEARCH_PAUSES_MS.first;
    // A claim is only for who was announced.
    this.#say();
  }

  trackerUp(welcome: WelcomeReply): void {
    this.#welcome = welcome;
    this.#announcements.setInterval(welcome.announceIntervalMs);
    this.#say();
    this.#parts.delivery.setTracker('up');
  }

  /** The same socket, under the same name. */
  trackerWelcomedAgain(welcome: WelcomeReply): void {
    this.#welcome = { ...welcome, peerId: this.#welcome?.peerId ?? welcome.peerId };
    this.#announcements.setInterval(welcome.announceIntervalMs);
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
        for (const version of this.#versions.values()) this.#parts.delivery.setAlone(version.key, false);
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
    this.#dropFalseAliases();
    if (trackId === undefined || root === undefined) {
      const members = peers.filter(({ tier }) => tier === 'aula');
      this.#plan.setAulaMembers(members.map(({ peerId }) => peerId));
      this.#members = members;
      return this.#warm();
    }
    const version = this.#versions.get(trackKey(trackId, root));
    if (version === undefined) return;
    this.#listeners.set(version.key, complete + incomplete - 1);
    const held = peers.map(({ have }) => heldBy(version, have));
    this.#parts.delivery.setOffered(version.key, held, complete + incomplete);
    this.#parts.delivery.setAlone(version.key, complete + incomplete <= 1);
    const linked = this.peersOf(version.key);
    const isSearching = linked < Math.min(this.#plan.mostSought, peers.length);
    this.#announcements.setSearching(version.key, !version.isComplete && isSearching);
    if (version.isComplete) return;
    const candidates = peers.map(({ peerId, tier }, at) => ({
      peerId,
      tier,
      offers: held[at]?.hasAnyNotIn(version.held) === true,
    }));
    const members = candidates.filter(({ tier }) => tier === 'aula');
    this.#link(members, this.#sought(version, 'aula'), 'track');
    this.#link(candidates, this.#sought(version), 'track');
  }

  /** How many further links are begun for a track. */
  #sought({ key }: TrackVersion, tier?: PeerTier): number {
    const sharing = new Set<string>();
    for (const peer of this.#greeted.values()) if (peer.shares(key)) sharing.add(peer.peerId);
    return this.#plan.sought(this.#parts.clock.nowMs(), (peerId) => sharing.has(peerId), tier);
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
    const heldInVain: number[] = [];
    const others = new Map<number, PeerId>();
    const track = trackKey(trackId, root);
    const hasOthers = this.#parts.delivery.hasPeers(track);
    for (const [chunk, peerId] of heldBy) {
      const outlook = this.#outlook(peerId);
      // Who has no place for us has places for others, and they for us.
      if (outlook === 'none' || (!hasOthers && this.#plan.isRefusing(peerId, this.#parts.clock.nowMs())))
        mine.push(chunk);
      else if (outlook === 'little') heldInVain.push(chunk);
      else others.set(chunk, peerId);
    }
    const elsewhere = Array.from(others, ([chunk, peerId]) => `${chunk} by ${peerId}`);
    const inVain = heldInVain.map((chunk) => `${chunk} in vain`);
    this.#parts.log(`may fetch ${[...mine, ...elsewhere, ...inVain].join(', ') || 'nothing'} of ${trackId}`);
    this.#parts.delivery.claimed(track, { granted: mine, heldBy: others, heldInVain, ttlMs });
  }

  /** What is to be hoped for from a peer, linked or not. */
  #outlook(peerId: PeerId): Outlook {
    const known = this.#words.linkedAs(peerId);
    for (const peer of this.#greeted.values())
      if (peer.peerId === known) return this.#parts.delivery.outlook(peer);
    if (this.#plan.isBanned(peerId)) return 'none';
    return this.#plan.isOut(peerId, this.#parts.clock.nowMs()) ? 'little' : 'gives';
  }

  #trackerSays(peerId: PeerId, tier: PeerTier): void {
    this.#words.says(peerId, tier, this.#parts.clock.nowMs());
    this.#plan.setTier(peerId, tier);
    for (const peer of this.#greeted.values())
      if (peer.peerId === peerId) this.#parts.delivery.setTier(peer, tier);
  }

  /** Who was taken for a peer that is linked already, and is not, may be linked to. */
  #dropFalseAliases(): void {
    for (const [alias, known] of this.#words.aliases) {
      const older = this.peers.find(({ peerId }) => peerId === known);
      if (older !== undefined && !this.#areTwo(older, alias)) continue;
      this.#plan.dropAlias(alias);
      if (this.#words.namesBoth(known, alias)) this.#words.dropAlias(alias);
    }
  }

  #areTwo(older: PeerSource, newer: PeerId): boolean {
    const { clock, delivery } = this.#parts;
    const now = clock.nowMs();
    const peerId = older.peerId as PeerId;
    const linkedMs = this.#linkedMs.get(older) ?? now;
    return this.#words.areTwo({ peerId, linkedMs, gaveBytes: delivery.gaveBytes(older) }, newer, now);
  }

  // --- Links ---

  /** Whether a peer that offers a link is welcome; if so it has a place. */
  accepts(peerId: PeerId): boolean {
    if (this.#closed) return false;
    this.#dropFalseAliases();
    const tier = this.#words.tierOf(peerId);
    const { welcome, drop } = this.#plan.accept(peerId, tier, this.#parts.clock.nowMs());
    if (drop !== undefined) this.#makeRoom(drop);
    return welcome;
  }

  /** A link was made, by us or to us. */
  linked(peerId: PeerId, link: PeerLink): void {
    if (this.#closed) return link.close('the listener left');
    const { clock, nonce, delivery } = this.#parts;
    const peer = new PeerSource(peerId, link, new PeerSession(nonce, clock.nowMs()), delivery, this, () =>
      clock.nowMs(),
    );
    this.#links.add(peer);
    this.#plan.opened(peerId, clock.nowMs());
    peer.start();
    this.#introduce(peer);
  }

  /** The other end has no place for a link now. */
  linkDeclined(peerId: PeerId): void {
    this.#parts.log(`declined by ${peerId}`);
    this.#plan.declined(peerId, this.#parts.clock.nowMs());
    this.#warm();
    this.#searchOn();
  }

  linkFailed(peerId: PeerId, reason: string): void {
    // An attempt that made room is no failure of who was attempted.
    if (!this.#plan.has(peerId)) return;
    this.#parts.log(`no link to ${peerId}: ${reason}`);
    this.#plan.failed(peerId, this.#parts.clock.nowMs());
    this.#searchOn();
  }

  greeted(peer: PeerSource): void {
    const peerId = peer.peerId as PeerId;
    const older = this.peers.find((each) => each.nonce === peer.nonce && !this.#areTwo(each, peerId));
    if (older !== undefined) {
      this.#words.setAlias(peerId, older.peerId as PeerId);
      this.#plan.alias(peerId, older.peerId as PeerId);
      return peer.close('duplicate');
    }
    this.#words.dropAlias(peerId);
    // What another link with this nonce brought is not to be laid to this one's account.
    const lately = this.#left.get(peer.nonce)?.peerId ?? peerId;
    if (this.#greeted.has(peer.nonce) || lately !== peerId) peer.nameApart();
    this.#greeted.set(peer.id, peer);
    this.#linkedMs.set(peer, this.#parts.clock.nowMs());
    this.#parts.log(`linked to ${peer.peerId} (${this.tierOf(peer)})`);
    this.#parts.delivery.addPeer(peer, this.tierOf(peer), { maxBytes: this.#parts.maxWindowBytes });
    peer.ping();
  }

  /** Says what there is here with the first word on a link: it is known half a round trip sooner than after an answer. */
  #introduce(peer: PeerSource): void {
    // The latest first, and of them what is lacking here.
    const latest = [...this.#versions.values()].reverse();
    const lacking = latest.filter(({ isComplete }) => !isComplete);
    const told = [...lacking, ...latest.filter(({ isComplete }) => isComplete)].slice(
      0,
      LIMITS.maxOpenTracks,
    );
    for (const version of told.reverse()) {
      peer.open(version.manifest, version.held);
      this.#tellParts(peer, version);
    }
  }

  proposed(peer: PeerSource, track: TrackKey): void {
    const version = this.#versions.get(track);
    if (version !== undefined) this.#open(peer, version);
  }

  opened(peer: PeerSource, track: TrackKey, held: ChunkSet): void {
    this.#parts.delivery.peerOpened(peer, track, held);
    const version = this.#versions.get(track);
    if (version !== undefined) this.#tellParts(peer, version, held);
  }

  /** Tells what there is here of chunks that few have whole. */
  #tellParts(peer: PeerSource, version: TrackVersion, held?: ChunkSet): void {
    for (const run of version.parts())
      if (this.#parts.delivery.isScarce(version.key, run.chunk) && held?.has(run.chunk) !== true)
        peer.tellPart(version.key, run);
  }

  /**
   * Asks linked peers for the head of a track whose manifest is under way, by what they say of it: nothing of that is
   * believed before the manifest says the same. Once is enough: a page's player asks after the page did.
   */
  askAhead(trackId: TrackId): void {
    this.#expected = { trackId, sinceMs: this.#parts.clock.nowMs() };
    const owing = new Set<PeerSource>();
    if (this.#aulaHead.take(trackId)) {
      this.#parts.delivery.makeWay();
      for (const peer of this.peers) if (peer.owesAhead(trackId)) owing.add(peer);
      for (const peer of owing) peer.dropAhead(trackId);
    }
    // Who had time for it and has not given it is asked again where there is nobody else.
    const others = this.peers.filter((peer) => !owing.has(peer));
    if (!this.#askHead(others, trackId, 0) && owing.size > 0) this.#askHead(this.peers, trackId, 0);
  }

  /** Sees to the head of what the Aula plays. */
  #lookAfterAulaHead(): void {
    const { aulaHead, clock, delivery } = this.#parts;
    if (!aulaHead) return;
    const members = this.peers.filter((peer) => this.tierOf(peer) === 'aula');
    const now = clock.nowMs();
    const view = {
      latestTracks: members.map(({ latestTrack }) => latestTrack),
      mayAsk: () => !this.#isExpecting && !delivery.isBusy,
      isKnown: (trackId: TrackId) =>
        [...this.#versions.values()].some(({ manifest }) => manifest.trackId === trackId),
    };
    const { drop, ask } = this.#aulaHead.tick(view, now);
    if (drop !== undefined) this.dropAhead(drop);
    if (ask === undefined) return;
    // Who claims that something is played gives it.
    const players = members.filter(({ latestTrack }) => latestTrack === ask);
    if (this.#askHead(players, ask, Number.POSITIVE_INFINITY)) this.#aulaHead.asked(ask, now);
  }

  /** Answers whether it is asked for now. `dueInMs`: 0 where somebody waits for it. */
  #askHead(peers: readonly PeerSource[], trackId: TrackId, dueInMs: number): boolean {
    const { delivery, log } = this.#parts;
    if (this.peers.some((peer) => peer.isAskedAhead(trackId))) return false;
    const isUrgent = dueInMs === 0;
    const proposing = peers.filter((peer) => peer.proposal(trackId) !== undefined);
    if (proposing.length === 0) return false;
    if (isUrgent) delivery.makeWay();
    const rootOf = (peer: PeerSource) => peer.proposal(trackId)?.root;
    const shares = headShares(delivery.askedFirst(proposing, isUrgent), rootOf, HEAD_BLOCKS);
    const asked = shares.filter(({ peer, first, count }) =>
      peer.askAhead(trackId, { first, count }, dueInMs),
    );
    if (asked.length > 0) log(`asks for the head of ${trackId}${isUrgent ? '' : ', which the Aula plays'}`);
    return asked.length > 0;
  }

  /** What was asked ahead of a track and is not of the version that was found is not wanted. */
  dropAhead(trackId: TrackId): void {
    if (this.#expected?.trackId === trackId) this.#expected = undefined;
    for (const peer of this.#greeted.values()) peer.dropAhead(trackId);
  }

  askedAhead(peer: PeerSource, track: TrackKey, run: BlockRun, sinceMs: number): void {
    this.#parts.delivery.askedAhead(peer, track, run, sinceMs);
  }

  shut(peer: PeerSource, track: TrackKey): void {
    this.#parts.delivery.peerShut(peer, track);
  }

  have(peer: PeerSource, track: TrackKey, chunks: readonly number[], lost: readonly number[]): void {
    this.#parts.delivery.peerHas(peer, track, chunks, lost);
    // Who had a chunk was not told that it is here too.
    const kept = lost.filter((chunk) => this.#versions.get(track)?.held.has(chunk) === true);
    if (kept.length > 0) peer.tellHave(track, kept);
  }

  fetching(peer: PeerSource, track: TrackKey, chunks: readonly { chunk: number; etaMs: number }[]): void {
    this.#parts.delivery.peerFetching(peer, track, chunks);
  }

  part(peer: PeerSource, track: TrackKey, run: BlockRun): void {
    this.#parts.delivery.peerHasPart(peer, track, run);
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
    if (fault) this.#plan.ban(peer.peerId as PeerId);
    this.#givenTo.delete(peer);
    if (reason === TURNED_AWAY) this.#plan.turnedAway(peer.peerId as PeerId, this.#parts.clock.nowMs());
    if (!this.#plan.isAlias(peer.peerId as PeerId)) this.#plan.ended(peer.peerId as PeerId);
    if (this.#greeted.get(peer.id) !== peer) return;
    this.#parts.log(`link to ${peer.peerId} ended: ${reason}`);
    this.#greeted.delete(peer.id);
    this.#left.set(peer.id, { peerId: peer.peerId as PeerId, atMs: this.#parts.clock.nowMs() });
    if (reason === TURNED_AWAY) this.#searchOn();
    this.#words.ended(peer.peerId as PeerId);
    this.#parts.delivery.removePeer(peer);
  }

  #link(candidates: readonly Candidate[], want: number, purpose: LinkPurpose): void {
    const { connect, drop } = this.#plan.choose(candidates, want, this.#parts.clock.nowMs(), purpose);
    for (const peerId of drop) this.#makeRoom(peerId);
    for (const peerId of connect) this.#parts.connector.connect(peerId);
  }

  /** Links to some members of the Aula before anything is wanted of them. */
  #warm(): void {
    this.#link(this.#members, this.#plan.warmSought, 'warm');
  }

  /** The tracks for which links are sought. */
  get #searching(): TrackVersion[] {
    return [...this.#versions.values()].filter((version) => !version.isComplete && this.#sought(version) > 0);
  }

  /** Asks for others, where those who were named had no place or could not be reached. */
  #searchOn(): void {
    if (this.#closed || this.#cancelSearch !== undefined || this.#searching.length === 0) return;
    this.#cancelSearch = this.#parts.timers.after(this.#searchPauseMs, () => {
      this.#cancelSearch = undefined;
      this.#searchPauseMs = Math.min(SEARCH_PAUSES_MS.longest, 2 * this.#searchPauseMs);
      for (const { manifest } of this.#searching.slice(-MOST_SEARCHES)) {
        const { trackId, root } = manifest;
        this.#tracker?.send({ type: 'find', trackId, root, want: WANTED_PEERS });
      }
    });
  }

  /** Ends a link, or an attempt at one, for the sake of another. */
  #makeRoom(peerId: PeerId): void {
    this.#parts.connector.giveWay(peerId);
    for (const peer of [...this.#links]) if (peer.peerId === peerId) peer.close('no-room');
  }

  /** A peer was given a block. */
  gaveTo(peer: PeerSource): void {
    this.#givenTo.add(peer);
  }

  /** Which links were of use since this was last asked, and which may yet be. */
  #noteUse(): void {
    const now = this.#parts.clock.nowMs();
    const wanted = [...this.#versions.values()].filter(({ isComplete }) => !isComplete);
    for (const peer of this.#greeted.values()) {
      const peerId = peer.peerId as PeerId;
      const gaveBytes = this.#parts.delivery.gaveBytes(peer);
      if (gaveBytes !== this.#gaveBytes.get(peer) || this.#givenTo.has(peer)) this.#plan.used(peerId, now);
      this.#gaveBytes.set(peer, gaveBytes);
      this.#plan.setOfInterest(
        peerId,
        wanted.some(({ key }) => peer.shares(key)),
      );
    }
    this.#givenTo.clear();
  }

  // --- Time ---

  #tick(): void {
    if (this.#welcome === undefined && this.#parts.clock.nowMs() - this.#startedMs >= TRACKER_WITHIN_MS) {
      this.#parts.delivery.setTracker('absent');
    }
    for (const peer of [...this.#links]) peer.tick();
    this.#noteUse();
    this.#lookAfterAulaHead();
    this.#dropFalseAliases();
    const now = this.#parts.clock.nowMs();
    this.#words.forgetOld((peerId) => this.#plan.has(peerId), now);
    for (const [source, { atMs }] of this.#left) if (now - atMs > LATE_MS) this.#left.delete(source);
    this.#say();
  }

  #say(): void {
    const tracker = this.#tracker;
    if (tracker?.isOpen !== true) return;
    const most = tracker.isUp ? Number.POSITIVE_INFINITY : MOST_BEFORE_WELCOME - this.#saidEarly;
    const notices = this.#announcements.due(this.#parts.clock.nowMs(), most);
    if (!tracker.isUp) this.#saidEarly += notices.length;
    for (const notice of notices) {
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
    const { shareWithAnyUser, maxUploadKbps = null } = this.#parts.contribution();
    return {
      type: 'announce',
      trackId,
      root,
      chunkCount,
      have: version.held,
      scope: shareWithAnyUser ? 'global' : 'aula',
      ...(maxUploadKbps === null ? {} : { uploadKbps: Math.min(maxUploadKbps, LIMITS.maxUploadKbps) }),
      want: WANTED_PEERS,
      ...delivered,
    };
  }
}

/** What a peer says it holds; what makes no sense is nothing. */
function heldBy({ manifest: { chunkCount } }: TrackVersion, have: HaveText): ChunkSet {
  try {
    return ChunkSet.fromText(chunkCount, have);
  } catch {
    return ChunkSet.none(chunkCount);
  }
}
