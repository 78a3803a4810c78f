import type { PeerId } from '@sonantica/wire';

/** Links a listener keeps at most. */
export const MAX_LINKS = 24;
/** This share of them a listener seeks; the rest are left to who comes: a full listener is closed to newcomers. */
const SOUGHT_SHARE = 0.4;
/** This share of them goes to members of the Aula before any track is played: four of 24. */
const WARM_SHARE = 1 / 6;
/** A peer that could not be reached is not tried again for this long, in milliseconds. */
const RETRY_AFTER_MS = 20_000;
/** A peer that had to make room, or had none for us, is left alone for this long, in milliseconds. */
const REST_MS = 60_000;
/** A peer that had no place for us is asked again after this long, in milliseconds. */
const FULL_MS = 15_000;
/** A link over which nothing went for this long makes room when no track of interest is shared, in milliseconds. */
const IDLE_MS = 60_000;
/** The same where one is shared. */
const LONG_IDLE_MS = 180_000;
/** A link is left in peace for this long from its beginning, in milliseconds. */
const SETTLING_MS = 10_000;
/**
 * Least time between two links that are given up for want of use: longer each time until a link is of use, so that those
 * who have nothing for each other do not change places for ever. In milliseconds.
 */
const REPLACE_EVERY_MS = 5_000;
const REPLACE_SELDOM_MS = 3_600_000;

/** Peers that are remembered though nothing links us: the tracker gives a new id with every socket. */
const REMEMBERED = 1_000;

type Tier = 'aula' | 'global';

/** A peer the tracker named. */
export interface Candidate {
  readonly peerId: PeerId;
  readonly tier: Tier;
  /** Whether it holds what this listener lacks: then a link without use gives way to it. Missing: no. */
  readonly offers?: boolean;
}

/** Why links are made: to have some before they are of use, for a track, or because this very peer has what is wanted. */
export type LinkPurpose = 'warm' | 'track' | 'needed';

/** Whom to connect to, and which links to end for it first. */
export interface LinkChoice {
  readonly connect: readonly PeerId[];
  readonly drop: readonly PeerId[];
}

/** A link, or an attempt at one. */
interface Place {
  tier: Tier;
  /** Whether this listener began it. */
  readonly isOurs: boolean;
  /** When the link was made; `undefined` while it is being made. */
  openedMs: number | undefined;
  /** When a block last went over it, either way. */
  usedMs: number;
  /** Whether a track is shared that this listener is not done with. */
  isOfInterest: boolean;
}

/**
 * Which peers to link to. Half of the places are the Aula's as far as it has members to fill them; others give way to
 * them. A link without use gives way to who holds what is wanted; one that was begun by its other end gives way to who
 * comes, where all places are taken. It had its time, and does not come back at once. Pure.
 */
export class LinkPlan {
  readonly #places = new Map<PeerId, Place>();
  /** Newer ids of peers whose older link stands. */
  readonly #aliases = new Map<PeerId, PeerId>();
  readonly #notBefore = new Map<PeerId, number>();
  /** Peers that had to make room: until when they are left alone. */
  readonly #rested = new Map<PeerId, number>();
  /** Peers that had no place for us: until when they are not asked again. */
  readonly #full = new Map<PeerId, number>();
  /** Peers that had none again: until when they are not asked once more. */
  readonly #refusing = new Map<PeerId, number>();
  readonly #banned = new Set<PeerId>();
  readonly #maxLinks: number;
  #aulaMembers: readonly PeerId[] = [];
  #mayReplaceFromMs = Number.NEGATIVE_INFINITY;
  #replaceEveryMs = REPLACE_EVERY_MS;

  constructor(maxLinks = MAX_LINKS) {
    this.#maxLinks = maxLinks;
  }

  /** Links and attempts. */
  get size(): number {
    return this.#places.size;
  }

  /** Links and attempts of a tier. */
  count(tier: Tier): number {
    let count = 0;
    for (const place of this.#places.values()) if (place.tier === tier) count++;
    return count;
  }

  /** Links that a listener begins by itself however many come, so that nobody can keep it from others by coming. */
  get #ownAtLeast(): number {
    return Math.floor(this.mostSought / 2);
  }

  /** Links and attempts that this listener began. */
  get #ours(): number {
    let count = 0;
    for (const { isOurs } of this.#places.values()) if (isOurs) count++;
    return count;
  }

  /** Whether who comes finds no place: the last are kept for links that this listener begins. */
  get #isFullForOthers(): boolean {
    return this.#places.size >= this.#maxLinks - Math.max(0, this.#ownAtLeast - this.#ours);
  }

  /** How many links a listener seeks. */
  get mostSought(): number {
    return Math.ceil(this.#maxLinks * SOUGHT_SHARE);
  }

  /** How many further members of the Aula are linked to before any track is played. Who came by itself counts. */
  get warmSought(): number {
    return Math.max(0, Math.ceil(this.#maxLinks * WARM_SHARE) - this.count('aula'));
  }

  /**
   * How many further links this listener begins by itself for a track. Those count that share it or may yet, attempts
   * too; half of them it begins itself, whoever came. `tier`: only links of that tier are counted.
   */
  sought(nowMs: number, shares: (peerId: PeerId) => boolean, tier?: Tier): number {
    let count = 0;
    let ours = 0;
    for (const [peerId, place] of this.#places) {
      if (tier !== undefined && place.tier !== tier) continue;
      const isNew = place.openedMs === undefined || nowMs - place.openedMs < SETTLING_MS;
      if (!isNew && !shares(peerId)) continue;
      count++;
      if (place.isOurs) ours++;
    }
    return Math.max(0, this.mostSought - count, this.#ownAtLeast - ours);
  }

  /** Which of the tracker's peers to connect to now, in its order; they count as linked from here on. */
  choose(
    candidates: readonly Candidate[],
    want: number,
    nowMs: number,
    purpose: LinkPurpose = 'track',
  ): LinkChoice {
    const connect: PeerId[] = [];
    const drop: PeerId[] = [];
    for (const { peerId, tier, offers } of [...candidates].sort((a, b) => rankOf(a) - rankOf(b))) {
      if (connect.length >= want) break;
      if (this.has(peerId) || this.#banned.has(peerId) || (this.#notBefore.get(peerId) ?? 0) > nowMs)
        continue;
      if (Math.max(this.#full.get(peerId) ?? 0, this.#refusing.get(peerId) ?? 0) > nowMs) continue;
      if (purpose !== 'needed' && (this.#rested.get(peerId) ?? 0) > nowMs) continue;
      if (!this.#hasRoom(tier, nowMs)) {
        const victim = this.#leastOf(tier, purpose === 'needed' || offers === true, nowMs);
        if (victim === undefined) continue;
        this.#giveUp(victim, nowMs);
        drop.push(victim);
      }
      this.#take(peerId, tier, true);
      connect.push(peerId);
    }
    return { connect, drop };
  }

  /** The other end comes to us. Answers whether it is welcome, and which link or attempt ends for it. */
  accept(peerId: PeerId, tier: Tier, nowMs: number): { readonly welcome: boolean; readonly drop?: PeerId } {
    if (this.has(peerId)) return { welcome: true };
    if (this.#banned.has(peerId)) return { welcome: false };
    if (!this.#isFullForOthers && this.#hasRoom(tier, nowMs)) {
      this.#take(peerId, tier, false);
      return { welcome: true };
    }
    // Where all come at once, a place is not kept for who may have none for us: here is one who has.
    const attempt = this.#attemptInsteadOf(tier);
    if (attempt !== undefined) {
      this.#places.delete(attempt);
      this.#take(peerId, tier, false);
      return { welcome: true, drop: attempt };
    }
    const rests = (this.#rested.get(peerId) ?? 0) > nowMs;
    const victim = rests ? undefined : this.#leastOf(tier, true, nowMs, true);
    if (victim === undefined) return { welcome: false };
    this.#giveUp(victim, nowMs);
    this.#take(peerId, tier, false);
    return { welcome: true, drop: victim };
  }

  /** The link was made. */
  opened(peerId: PeerId, nowMs: number): void {
    const place = this.#places.get(peerId);
    if (place === undefined) return;
    place.openedMs = nowMs;
    place.usedMs = nowMs;
    this.#notBefore.delete(peerId);
    this.#full.delete(peerId);
    this.#refusing.delete(peerId);
  }

  /** A block went over the link, either way. */
  used(peerId: PeerId, nowMs: number): void {
    const place = this.#places.get(peerId);
    if (place === undefined) return;
    place.usedMs = nowMs;
    this.#replaceEveryMs = REPLACE_EVERY_MS;
  }

  /** Whether a track is shared with the peer that this listener is not done with. */
  setOfInterest(peerId: PeerId, isOfInterest: boolean): void {
    const place = this.#places.get(peerId);
    if (place !== undefined) place.isOfInterest = isOfInterest;
  }

  /** The tracker's latest word on a peer. */
  setTier(peerId: PeerId, tier: Tier): void {
    const place = this.#places.get(peerId);
    if (place !== undefined) place.tier = tier;
  }

  /** Who else is in the Aula; nobody without one. */
  setAulaMembers(members: readonly PeerId[]): void {
    this.#aulaMembers = members;
  }

  /** A second link to a peer under a newer id ended, for the older stands: the id takes no place of its own. */
  alias(peerId: PeerId, older: PeerId): void {
    this.#places.delete(peerId);
    this.#aliases.set(peerId, older);
  }

  isAlias(peerId: PeerId): boolean {
    return this.#aliases.has(peerId);
  }

  /** The id may be another peer's: it takes a place of its own from here on. */
  dropAlias(peerId: PeerId): void {
    this.#aliases.delete(peerId);
  }

  /** Whether nothing is to be hoped for from a peer while it is not linked: it is banned, or could not be reached. */
  isOut(peerId: PeerId, nowMs: number): boolean {
    return this.#banned.has(peerId) || (this.#notBefore.get(peerId) ?? nowMs) > nowMs;
  }

  /** Whether it lied. */
  isBanned(peerId: PeerId): boolean {
    return this.#banned.has(peerId);
  }

  /** Whether a peer has declined again: it gives nothing for now, whatever it holds; others may have it from it. */
  isRefusing(peerId: PeerId, nowMs: number): boolean {
    return (this.#refusing.get(peerId) ?? nowMs) > nowMs;
  }

  has(peerId: PeerId): boolean {
    return this.#places.has(peerId) || this.#aliases.has(peerId);
  }

  ended(peerId: PeerId): void {
    this.#places.delete(peerId);
    for (const [alias, older] of this.#aliases) if (older === peerId) this.#aliases.delete(alias);
  }

  /** Not linked to again under this id. */
  ban(peerId: PeerId): void {
    this.#banned.add(peerId);
    for (const oldest of this.#banned) {
      if (this.#banned.size <= REMEMBERED) break;
      this.#banned.delete(oldest);
    }
  }

  /** It could not be reached. */
  failed(peerId: PeerId, nowMs: number): void {
    this.#places.delete(peerId);
    remember(this.#notBefore, peerId, nowMs + RETRY_AFTER_MS, nowMs);
  }

  /** It ended the link to make room. */
  turnedAway(peerId: PeerId, nowMs: number): void {
    this.ended(peerId);
    remember(this.#full, peerId, nowMs + REST_MS, nowMs);
  }

  /** It is in reach, and has no place for a link now. */
  declined(peerId: PeerId, nowMs: number): void {
    this.ended(peerId);
    if ((this.#full.get(peerId) ?? Number.NEGATIVE_INFINITY) + RETRY_AFTER_MS > nowMs)
      remember(this.#refusing, peerId, nowMs + RETRY_AFTER_MS, nowMs);
    remember(this.#full, peerId, nowMs + FULL_MS, nowMs);
  }

  /** The attempt of ours that gives its place to who comes by itself; others' before the Aula's. */
  #attemptInsteadOf(tier: Tier): PeerId | undefined {
    // The latest of them, which has come the least far.
    const attempts = [...this.#places].filter(([, place]) => place.isOurs && place.openedMs === undefined);
    const other = attempts.findLast(([, place]) => place.tier === 'global');
    return (other ?? (tier === 'aula' ? attempts.at(-1) : undefined))?.[0];
  }

  /** Whether one more link of this tier fits. */
  #hasRoom(tier: Tier, nowMs: number): boolean {
    if (this.#places.size >= this.#maxLinks) return false;
    return tier === 'aula' || this.count('global') < this.#maxLinks - this.#aulaPlaces(nowMs);
  }

  /** Places that only the Aula fills: half of all, and no more than it has members in reach. */
  #aulaPlaces(nowMs: number): number {
    const half = Math.floor(this.#maxLinks / 2);
    let members = 0;
    for (const peerId of this.#aulaMembers)
      if (!this.isOut(peerId, nowMs) && !this.isRefusing(peerId, nowMs) && ++members >= half) break;
    return members;
  }

  #take(peerId: PeerId, tier: Tier, isOurs: boolean): void {
    this.#rested.delete(peerId);
    this.#places.set(peerId, {
      tier,
      isOurs,
      openedMs: undefined,
      usedMs: Number.NEGATIVE_INFINITY,
      isOfInterest: false,
    });
  }

  #giveUp(peerId: PeerId, nowMs: number): void {
    this.ended(peerId);
    remember(this.#rested, peerId, nowMs + REST_MS, nowMs);
  }

  /**
   * The link that gives way to a newcomer, the longest unused first; `undefined` when none does. Where all places are
   * taken, one in use gives way to who comes by itself: but of those that this listener began it keeps what it sought, so
   * that nobody can take its links from it by coming.
   */
  #leastOf(tier: Tier, isOfUse: boolean, nowMs: number, comes = false): PeerId | undefined {
    const half = Math.floor(this.#maxLinks / 2);
    const aula = this.count('aula');
    // Its own half is the Aula's by right, however useful others are.
    const byRight = tier === 'aula' && aula < half;
    const mayReplace = isOfUse && nowMs >= this.#mayReplaceFromMs;
    const ours = this.#ours;
    const isFull = comes && this.#isFullForOthers;
    let least: { peerId: PeerId; usedMs: number } | undefined;
    for (const [peerId, place] of this.#places) {
      if (place.openedMs === undefined || nowMs - place.openedMs < SETTLING_MS) continue;
      const idleMs = nowMs - place.usedMs;
      const mayGo = isFull && (!place.isOurs || ours > this.mostSought);
      const isUseless = mayGo || idleMs >= (place.isOfInterest ? LONG_IDLE_MS : IDLE_MS);
      const goes =
        byRight && place.tier === 'global'
          ? true
          : mayReplace && isUseless && (place.tier === tier || place.tier === 'global' || aula > half);
      if (goes && (least === undefined || place.usedMs < least.usedMs))
        least = { peerId, usedMs: place.usedMs };
    }
    if (least !== undefined && !byRight) {
      this.#mayReplaceFromMs = nowMs + this.#replaceEveryMs;
      this.#replaceEveryMs = Math.min(REPLACE_SELDOM_MS, 2 * this.#replaceEveryMs);
    }
    return least?.peerId;
  }
}

/** The Aula first, and within a tier who holds what is lacking. */
function rankOf({ tier, offers }: Candidate): number {
  return (tier === 'aula' ? 0 : 2) + (offers === false ? 1 : 0);
}

/** Keeps a peer's time, and forgets times that have passed once there are many. */
function remember(times: Map<PeerId, number>, peerId: PeerId, untilMs: number, nowMs: number): void {
  times.set(peerId, untilMs);
  if (times.size <= REMEMBERED) return;
  for (const [id, at] of times) if (at <= nowMs) times.delete(id);
  for (const oldest of times.keys()) {
    if (times.size <= 2 * REMEMBERED) break;
    times.delete(oldest);
  }
}
