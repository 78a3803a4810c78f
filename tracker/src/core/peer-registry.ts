import type { AulaId, ChunkSet, PeerId, RootHash, Scope, TrackId } from '@sonantica/wire';
import type { TrackerSocket } from './env.ts';
import { Aula, HOLDS_ALL, HOLDS_NONE, Member, Peer, Room, Swarm, Version } from './roster.ts';

/** How many hold the whole track, and how many do not. */
export interface SwarmCounts {
  readonly complete: number;
  readonly incomplete: number;
}

/**
 * Who is here, in which Aula, in which swarms, holding what. Each change takes constant time, a peer's
 * departure as many steps as it has swarms. Empty swarms and Aulas are forgotten at once.
 */
export class PeerRegistry {
  readonly #peers = new Map<PeerId, Peer>();
  readonly #aulas = new Map<AulaId, Aula>();
  readonly #tracks = new Map<TrackId, Map<RootHash, Version>>();
  #serial = 0;
  #swarms = 0;
  #members = 0;
  #aulaPeers = 0;

  get peerCount(): number {
    return this.#peers.size;
  }

  get aulaCount(): number {
    return this.#aulas.size;
  }

  /** Peers that are in an Aula. */
  get aulaPeerCount(): number {
    return this.#aulaPeers;
  }

  get swarmCount(): number {
    return this.#swarms;
  }

  /** Peers over all swarms, one in two swarms counted twice. */
  get memberCount(): number {
    return this.#members;
  }

  get peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  peer(id: PeerId): Peer | undefined {
    return this.#peers.get(id);
  }

  /** Takes in a socket under a new name. */
  add(id: PeerId, socket: TrackerSocket, nowMs: number): Peer {
    const peer = new Peer(id, this.#serial++, socket, nowMs);
    this.#peers.set(id, peer);
    return peer;
  }

  /** Forgets a peer with all it announced. */
  remove(peer: Peer): void {
    this.leaveAula(peer);
    for (const member of peer.memberships.values()) this.leave(member);
    this.#peers.delete(peer.id);
  }

  /** Moves a peer to an Aula; entering the one it is in changes nothing. */
  enterAula(peer: Peer, aulaId: AulaId): Aula {
    if (peer.aula?.id === aulaId) return peer.aula;
    this.#unlistMembers(peer);
    this.#departAula(peer);
    let aula = this.#aulas.get(aulaId);
    if (aula === undefined) {
      aula = new Aula(aulaId);
      this.#aulas.set(aulaId, aula);
    }
    aula.size++;
    this.#aulaPeers++;
    peer.aula = aula;
    if (!peer.isParked) listInAula(peer, aula);
    this.#listMembers(peer);
    return aula;
  }

  leaveAula(peer: Peer): void {
    if (peer.aula === undefined) return;
    this.#unlistMembers(peer);
    this.#departAula(peer);
    this.#listMembers(peer);
  }

  /** Whether an announcement would found a swarm. */
  isNewSwarm(trackId: TrackId, root: RootHash, chunkCount: number): boolean {
    return this.#tracks.get(trackId)?.get(root)?.swarms.has(chunkCount) !== true;
  }

  /** What this peer announced of a version, if anything. */
  member(peer: Peer, trackId: TrackId, root: RootHash): Member | undefined {
    const version = this.#tracks.get(trackId)?.get(root);
    return version && peer.memberships.get(version);
  }

  /**
   * Enters a swarm or says anew what the peer holds there and whom it is shown to. A version announced with
   * another number of chunks is another swarm: the peer leaves the first.
   */
  announce(
    peer: Peer,
    track: { readonly trackId: TrackId; readonly root: RootHash; readonly chunkCount: number },
    have: ChunkSet,
    scope: Scope,
  ): Member {
    const known = this.member(peer, track.trackId, track.root);
    if (known?.swarm.chunkCount === track.chunkCount) {
      unlist(known);
      this.#hold(known, have);
      known.scope = scope;
      list(known);
      return known;
    }
    if (known !== undefined) this.leave(known);
    const swarm = this.#swarm(track.trackId, track.root, track.chunkCount);
    const member = new Member(peer, swarm, scope);
    if (known !== undefined) member.announcesUntilMs = known.announcesUntilMs;
    swarm.size++;
    this.#members++;
    peer.addMembership(member);
    this.#hold(member, have);
    list(member);
    return member;
  }

  /** Takes note of chunks gained and lost; each below the swarm's count. A chunk in both is lost. */
  update(member: Member, gained: readonly number[], lost: readonly number[]): void {
    if (gained.length === 0 && lost.length === 0) return;
    const { bitmaps, chunkCount } = member.swarm;
    unlist(member);
    const row = this.#rowOf(member);
    for (const chunk of gained) bitmaps.add(row, chunk);
    for (const chunk of lost) bitmaps.delete(row, chunk);
    const size = bitmaps.size(row);
    if (size === 0 || size === chunkCount) {
      bitmaps.release(row);
      member.row = size === 0 ? HOLDS_NONE : HOLDS_ALL;
    }
    list(member);
  }

  /** Takes note that a member holds nothing, without a bitmap. */
  holdNothing(member: Member): void {
    unlist(member);
    if (member.row >= 0) member.swarm.bitmaps.release(member.row);
    member.row = HOLDS_NONE;
    list(member);
  }

  leave(member: Member): void {
    member.peer.dropMembership(member.swarm.version);
    this.#withdraw(member);
  }

  /** Takes a peer nobody hears of out of every list. */
  park(peer: Peer): void {
    if (peer.isParked) return;
    this.#unlistMembers(peer);
    if (peer.aula !== undefined) unlistInAula(peer, peer.aula);
    peer.isParked = true;
  }

  /** Lists a parked peer again. */
  unpark(peer: Peer): void {
    if (!peer.isParked) return;
    peer.isParked = false;
    if (peer.aula !== undefined) listInAula(peer, peer.aula);
    this.#listMembers(peer);
  }

  /** Peers of a swarm that a member may see, itself included. */
  counts(asker: Member): SwarmCounts {
    const { open, rooms } = asker.swarm;
    const { aula } = asker.peer;
    const room = aula && rooms.get(aula);
    let complete = open.complete.length + (room?.scopedComplete ?? 0);
    let incomplete = open.partial.length + open.empty.length + (room?.scopedIncomplete ?? 0);
    if (asker.openAt < 0 && asker.roomAt < 0) {
      if (asker.isComplete) complete++;
      else incomplete++;
    }
    return { complete, incomplete };
  }

  /** Peers of all versions of a track that are shown to everyone. */
  openCounts(trackId: TrackId): SwarmCounts {
    let complete = 0;
    let incomplete = 0;
    for (const version of this.#tracks.get(trackId)?.values() ?? []) {
      for (const { open } of version.swarms.values()) {
        complete += open.complete.length;
        incomplete += open.partial.length + open.empty.length;
      }
    }
    return { complete, incomplete };
  }

  #swarm(trackId: TrackId, root: RootHash, chunkCount: number): Swarm {
    let versions = this.#tracks.get(trackId);
    if (versions === undefined) {
      versions = new Map();
      this.#tracks.set(trackId, versions);
    }
    let version = versions.get(root);
    if (version === undefined) {
      version = new Version(trackId, root);
      versions.set(root, version);
    }
    let swarm = version.swarms.get(chunkCount);
    if (swarm === undefined) {
      swarm = new Swarm(version, chunkCount);
      version.swarms.set(chunkCount, swarm);
      this.#swarms++;
    }
    return swarm;
  }

  /** Undoes a membership, which its peer no longer has. */
  #withdraw(member: Member): void {
    const { swarm } = member;
    unlist(member);
    if (member.row >= 0) swarm.bitmaps.release(member.row);
    member.row = HOLDS_NONE;
    this.#members--;
    swarm.size--;
    if (swarm.size > 0) return;
    this.#swarms--;
    const { version } = swarm;
    version.swarms.delete(swarm.chunkCount);
    if (version.swarms.size > 0) return;
    const versions = this.#tracks.get(version.trackId);
    versions?.delete(version.root);
    if (versions?.size === 0) this.#tracks.delete(version.trackId);
  }

  #hold(member: Member, have: ChunkSet): void {
    const { bitmaps } = member.swarm;
    if (have.isFull || have.isEmpty) {
      if (member.row >= 0) bitmaps.release(member.row);
      member.row = have.isFull ? HOLDS_ALL : HOLDS_NONE;
      return;
    }
    if (member.row < 0) member.row = bitmaps.allocate();
    bitmaps.write(member.row, have.toBitmap());
  }

  /** The member's bitmap, made for it where it had none. */
  #rowOf(member: Member): number {
    const { bitmaps, chunkCount } = member.swarm;
    if (member.row >= 0) return member.row;
    const row = bitmaps.allocate();
    if (member.row === HOLDS_ALL) for (let chunk = 0; chunk < chunkCount; chunk++) bitmaps.add(row, chunk);
    member.row = row;
    return row;
  }

  #departAula(peer: Peer): void {
    const { aula } = peer;
    if (aula === undefined) return;
    if (!peer.isParked) unlistInAula(peer, aula);
    peer.aula = undefined;
    this.#aulaPeers--;
    aula.size--;
    if (aula.size === 0) this.#aulas.delete(aula.id);
  }

  #listMembers(peer: Peer): void {
    for (const member of peer.memberships.values()) list(member);
  }

  #unlistMembers(peer: Peer): void {
    for (const member of peer.memberships.values()) unlist(member);
  }
}

/** Whether `asker` may know that `member` is in its swarm; the asker is in that swarm itself. */
export function isShownTo(asker: Peer, member: Member): boolean {
  return member.scope === 'global' || (asker.aula !== undefined && asker.aula === member.peer.aula);
}

/** Whether `asker` may know of `other`: they share an Aula, or a swarm where `other` is shown to `asker`. */
export function isVisibleTo(asker: Peer, other: Peer): boolean {
  if (asker.aula !== undefined && asker.aula === other.aula) return true;
  if (asker.memberships.size <= other.memberships.size) {
    for (const version of asker.memberships.keys()) {
      const member = other.memberships.get(version);
      if (member !== undefined && shares(asker, member)) return true;
    }
    return false;
  }
  for (const member of other.memberships.values()) if (shares(asker, member)) return true;
  return false;
}

function shares(asker: Peer, member: Member): boolean {
  return asker.memberships.get(member.swarm.version)?.swarm === member.swarm && isShownTo(asker, member);
}

function list(member: Member): void {
  const { peer, swarm } = member;
  if (peer.isParked) return;
  if (member.scope === 'global') swarm.open.add(member);
  if (peer.aula === undefined) return;
  let room = swarm.rooms.get(peer.aula);
  if (room === undefined) {
    room = new Room();
    swarm.rooms.set(peer.aula, room);
  }
  room.members.add(member);
  if (member.scope === 'aula') countScoped(room, member, 1);
}

function unlist(member: Member): void {
  const { peer, swarm } = member;
  if (member.openAt >= 0) swarm.open.remove(member);
  if (member.roomAt < 0 || peer.aula === undefined) return;
  const room = swarm.rooms.get(peer.aula);
  if (room === undefined) return;
  room.members.remove(member);
  if (member.scope === 'aula') countScoped(room, member, -1);
  if (room.members.size === 0) swarm.rooms.delete(peer.aula);
}

function countScoped(room: Room, member: Member, by: 1 | -1): void {
  if (member.isComplete) room.scopedComplete += by;
  else room.scopedIncomplete += by;
}

function listInAula(peer: Peer, aula: Aula): void {
  peer.aulaAt = aula.listed.length;
  aula.listed.push(peer);
}

function unlistInAula(peer: Peer, aula: Aula): void {
  const last = aula.listed.pop();
  if (last !== undefined && last !== peer) {
    aula.listed[peer.aulaAt] = last;
    last.aulaAt = peer.aulaAt;
  }
  peer.aulaAt = -1;
}
