import type { AulaId, PeerId, RootHash, Scope, TrackId } from '@sonantica/wire';
import type { Rights } from './admission.ts';
import { BitmapSlab } from './bitmap-slab.ts';
import type { TrackerSocket } from './env.ts';
import { PeerMeter } from './rate-limit.ts';
import type { Session } from './session.ts';

/** `Member.row` of one who holds nothing; no bitmap is kept. */
export const HOLDS_NONE = -1;
/** `Member.row` of one who holds every chunk; no bitmap is kept. */
export const HOLDS_ALL = -2;

const NO_LEASES: readonly Lease[] = [];
const NOTHING_GIVEN_BACK: readonly GivenBack[] = [];
/** Shared by all peers that announced nothing: an empty map takes 200 bytes. */
const NO_MEMBERSHIPS: ReadonlyMap<Version, Member> = new Map();

/** A connected client that was welcomed. */
export class Peer {
  readonly id: PeerId;
  /** A small number of its own: names it where keeping the object would keep it alive. */
  readonly serial: number;
  readonly socket: TrackerSocket;
  /** Where it comes from; absent where addresses do not count. Kept here, as the picker looks at it of strangers. */
  readonly address: string | undefined;
  /** The connection it was welcomed on; absent once that is over. */
  session: Session | undefined = undefined;
  /** When its last message came. */
  heardMs: number;
  /** Not heard of for long: in no list, until its next message. */
  isParked = false;
  /** Round trip between it and the tracker, in milliseconds. */
  rttMs: number | null = null;
  uploadKbps: number | null = null;
  aula: Aula | undefined = undefined;
  /** Its place in `aula.listed`, or −1. */
  aulaAt = -1;
  /** Leases it holds, over all swarms; expired ones until the next sweep or claim. */
  leases: readonly Lease[] = NO_LEASES;
  /** Chunks it is not granted again for a while. */
  givenBack: readonly GivenBack[] = NOTHING_GIVEN_BACK;
  /** Leases that ended by time since the last one it honoured. */
  brokenLeases = 0;
  /** No lease is granted to it before. */
  noLeasesUntilMs = 0;
  /** What its token gives; absent on an open tracker. */
  rights: Rights | undefined = undefined;
  /** When it is to be named fresh servers, or 0. */
  freshIceMs = 0;
  /** Serials of peers whose signals it was sent, with the time of the last one. */
  signalledBy: Map<number, number> | undefined = undefined;
  #memberships: Map<Version, Member> | undefined = undefined;
  /** The rate limits of announcements of what it left, as far as they are used. */
  #left: Map<string, number> | undefined = undefined;
  #meter: PeerMeter | undefined = undefined;

  constructor(id: PeerId, serial: number, socket: TrackerSocket, nowMs: number) {
    this.id = id;
    this.serial = serial;
    this.socket = socket;
    this.address = socket.address;
    this.heardMs = nowMs;
  }

  /** The swarms it announced, one for each version of a track. */
  get memberships(): ReadonlyMap<Version, Member> {
    return this.#memberships ?? NO_MEMBERSHIPS;
  }

  /** What it has used of its rates. */
  get meter(): PeerMeter {
    return (this.#meter ??= new PeerMeter());
  }

  /** Takes note of a swarm it announced. */
  addMembership(member: Member): void {
    this.#memberships ??= new Map();
    this.#memberships.set(member.swarm.version, member);
  }

  /** Up to when the allowance to announce a version is used that it is in no swarm of. */
  leftUntilMs(trackId: TrackId, root: RootHash): number {
    return this.#left?.get(root + trackId) ?? 0;
  }

  /** Versions of which an allowance is kept. */
  get keptAllowances(): number {
    return this.#left?.size ?? 0;
  }

  /** Keeps how much of the allowance is used for a version it leaves: who comes back has no new one. */
  keepAllowance({ announcesUntilMs, swarm: { version } }: Member, nowMs: number): void {
    if (announcesUntilMs <= nowMs) return;
    const left = (this.#left ??= new Map());
    const key = version.root + version.trackId;
    // In the order in which they were left: none is kept for longer than the minute that an allowance is of.
    left.delete(key);
    for (const [other, untilMs] of left) {
      if (untilMs > nowMs) break;
      left.delete(other);
    }
    left.set(key, announcesUntilMs);
  }

  /** Takes note that it left a swarm. */
  dropMembership(version: Version): void {
    this.#memberships?.delete(version);
    if (this.#memberships?.size === 0) this.#memberships = undefined;
  }
}

/** A listening room. */
export class Aula {
  readonly id: AulaId;
  /** Members that may be offered, in no order. */
  readonly listed: Peer[] = [];
  /** All members, parked ones included. */
  size = 0;

  constructor(id: AulaId) {
    this.id = id;
  }
}

/** One version of a track: what `find`, `have`, `claim` and `leave` name. */
export class Version {
  readonly trackId: TrackId;
  readonly root: RootHash;
  readonly swarms = new Map<number, Swarm>();

  constructor(trackId: TrackId, root: RootHash) {
    this.trackId = trackId;
    this.root = root;
  }
}

/** The peers of one version that agree on its number of chunks. */
export class Swarm {
  readonly version: Version;
  readonly chunkCount: number;
  readonly bitmaps: BitmapSlab;
  /** Members shown to everyone. */
  readonly open = new MemberList('openAt');
  /** Members of each Aula, whatever their scope. */
  readonly rooms = new Map<Aula, Room>();
  /** All members, listed or not. */
  size = 0;
  readonly leases = new Map<number, Lease[]>();

  constructor(version: Version, chunkCount: number) {
    this.version = version;
    this.chunkCount = chunkCount;
    this.bitmaps = new BitmapSlab(chunkCount);
  }
}

/** The part of a swarm that sits in one Aula. */
export class Room {
  readonly members = new MemberList('roomAt');
  /** How many of them are shown to this Aula alone. */
  scopedComplete = 0;
  scopedIncomplete = 0;
}

/** A peer in a swarm. */
export class Member {
  readonly peer: Peer;
  readonly swarm: Swarm;
  /** Its row of `swarm.bitmaps`, or {@link HOLDS_NONE} or {@link HOLDS_ALL}. */
  row = HOLDS_NONE;
  scope: Scope;
  /** Its place in `swarm.open` and in its room, or −1. */
  openAt = -1;
  roomAt = -1;
  /** The rate limit of its announcements. */
  announcesUntilMs = 0;

  constructor(peer: Peer, swarm: Swarm, scope: Scope) {
    this.peer = peer;
    this.swarm = swarm;
    this.scope = scope;
  }

  get isComplete(): boolean {
    return this.row === HOLDS_ALL;
  }

  /** Whether it holds a chunk. */
  has(chunk: number): boolean {
    return this.row === HOLDS_ALL || (this.row >= 0 && this.swarm.bitmaps.has(this.row, chunk));
  }
}

/** Leave to fetch one chunk from the origin. */
export interface Lease {
  readonly member: Member;
  readonly chunk: number;
  readonly expiresMs: number;
  /** Whether somebody else asked for the chunk meanwhile, and was told to wait. */
  isAwaited: boolean;
}

/** A chunk that a peer had a lease on and gave back without having it, while somebody waited for it. */
export interface GivenBack {
  readonly peer: Peer;
  readonly swarm: Swarm;
  readonly chunk: number;
  /** It is granted to others alone before. */
  readonly untilMs: number;
}

/** Partial members from which a vain search is worth a note. */
const WORTH_NOTING = 64;

/**
 * Members sorted by what they hold, in no order within: added, removed and sampled in constant time. A member
 * changes what it holds only while it is out of its lists.
 */
export class MemberList {
  readonly complete: Member[] = [];
  readonly partial: Member[] = [];
  readonly empty: Member[] = [];
  /** Chunks that some partial member may hold: all of those held, and others not yet looked for in vain. */
  #sought: Uint8Array | undefined = undefined;
  readonly #place: 'openAt' | 'roomAt';

  constructor(place: 'openAt' | 'roomAt') {
    this.#place = place;
  }

  get size(): number {
    return this.complete.length + this.partial.length + this.empty.length;
  }

  add(member: Member): void {
    const list = this.#listOf(member);
    member[this.#place] = list.length;
    list.push(member);
    if (this.#sought !== undefined && member.row >= 0) member.swarm.bitmaps.addTo(this.#sought, member.row);
  }

  remove(member: Member): void {
    const list = this.#listOf(member);
    const at = member[this.#place];
    const last = list.pop();
    if (last !== undefined && last !== member) {
      list[at] = last;
      last[this.#place] = at;
    }
    member[this.#place] = -1;
  }

  /** False when it is known that no partial member holds a chunk. */
  mayHold(chunk: number): boolean {
    return this.#sought === undefined || ((this.#sought[chunk >> 3] ?? 0) & (0x80 >> (chunk & 7))) !== 0;
  }

  /** Takes note that no partial member holds a chunk, so that a long list is not searched for it again. */
  noteUnheld(chunk: number): void {
    const [any] = this.partial;
    if (any === undefined || this.partial.length < WORTH_NOTING) return;
    this.#sought ??= new Uint8Array(any.swarm.bitmaps.rowBytes).fill(0xff);
    this.#sought[chunk >> 3] = (this.#sought[chunk >> 3] ?? 0) & ~(0x80 >> (chunk & 7));
  }

  #listOf(member: Member): Member[] {
    if (member.row === HOLDS_ALL) return this.complete;
    return member.row === HOLDS_NONE ? this.empty : this.partial;
  }
}
