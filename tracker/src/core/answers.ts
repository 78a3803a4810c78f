import {
  ChunkSet,
  encodeRelayedSignal,
  encodeTrackerMessage,
  LIMITS,
  ProtocolError,
  type AnnounceRequest,
  type ClaimRequest,
  type DeliveredBytes,
  type ErrorReply,
  type FindRequest,
  type HaveReport,
  type JoinRequest,
  type LeaveRequest,
  type ListedPeer,
  type PeerId,
  type ReceivedClientMessage,
  type ReceivedSignal,
  type RootHash,
  type TrackerErrorCode,
  type TrackerMessage,
  type TrackId,
} from '@sonantica/wire';
import { mayAnnounce, mayEnter } from './admission.ts';
import type { Claims } from './claims.ts';
import type { TrackerEnv } from './env.ts';
import { pickAulaMembers, pickHolder, pickMembers, type PickContext } from './peer-picker.ts';
import type { PeerRegistry } from './peer-registry.ts';
import { spend } from './rate-limit.ts';
import { HOLDS_ALL, HOLDS_NONE, type Member, type Peer } from './roster.ts';
import { isFreshTarget, maySignal, rememberSignal, tierBetween } from './signaling.ts';
import type { TrackerOptions } from './tracker-options.ts';

/** What an error tells of the message that was not followed. */
export interface Refused {
  readonly type?: ReceivedClientMessage['type'] | undefined;
  readonly trackId?: TrackId;
  readonly root?: RootHash;
  readonly to?: PeerId;
}

/** What the answers need of the tracker they are part of. */
export interface AnswersContext {
  readonly env: TrackerEnv;
  readonly options: TrackerOptions;
  readonly registry: PeerRegistry;
  readonly claims: Claims;
  /** Answers with an error and counts it. */
  error(peer: Peer, code: Exclude<TrackerErrorCode, 'other'>, text: string, about: Partial<ErrorReply>): void;
  /** Tells a peer to slow down, or ends it when it was told too often. */
  tooFast(peer: Peer, message: Refused, retryAfterMs: number, nowMs: number): void;
  /** Whether memory is so short that no swarm may be founded and no bitmap added. */
  isShortOfMemory(): boolean;
}

/** Any message but `hello`. */
export type FollowedMessage = Exclude<ReceivedClientMessage, { readonly type: 'hello' }>;

/** Messages followed since the start, by kind, and what came of them. */
export interface AnswerTotals {
  joins: number;
  announces: number;
  haves: number;
  finds: number;
  claims: number;
  signals: number;
  granted: number;
}

/** Peers are listed up to this size of an answer, which is a message like any other. */
const MAX_LISTED_BYTES = 60_000;
/** One peer in an answer, without its bitmap. */
const LISTED_PEER_BYTES = 140;
/** When one told `busy` may ask again, in milliseconds. */
export const BUSY_RETRY_MS = 30_000;

/** Follows what welcomed peers say, and answers it. */
export class Answers {
  readonly totals: AnswerTotals = {
    joins: 0,
    announces: 0,
    haves: 0,
    finds: 0,
    claims: 0,
    signals: 0,
    granted: 0,
  };
  readonly #delivered = { cache: 0, aula: 0, global: 0, origin: 0 };
  readonly #context: AnswersContext;
  readonly #pick: { -readonly [Field in keyof PickContext]: PickContext[Field] };

  constructor(context: AnswersContext) {
    this.#context = context;
    const { env, options } = context;
    this.#pick = {
      nowMs: 0,
      staleAfterMs: options.staleAfterMs,
      maxShareOfOneAddress: options.maxShareOfOneAddress,
      random: () => env.random(),
    };
  }

  /** Bytes clients reported, by source. A copy. */
  get delivered(): DeliveredBytes {
    return { ...this.#delivered };
  }

  /** Follows one message, at the time `nowMs`. */
  follow(peer: Peer, message: FollowedMessage, nowMs: number): void {
    this.#pick.nowMs = nowMs;
    switch (message.type) {
      case 'signal':
        return this.#signal(peer, message, nowMs);
      case 'announce':
        return this.#announce(peer, message, nowMs);
      case 'claim':
        return this.#claim(peer, message, nowMs);
      case 'have':
        return this.#have(peer, message, nowMs);
      case 'find':
        return this.#find(peer, message);
      case 'join':
        return this.#join(peer, message);
      case 'part':
        return this.#context.registry.leaveAula(peer);
      case 'leave': {
        const member = this.#announced(peer, message);
        if (member !== undefined) this.dismiss(member, nowMs);
      }
    }
  }

  /** Takes a member out of its swarm, with its leases. */
  dismiss(member: Member, nowMs: number): void {
    this.#context.claims.endMember(member, nowMs);
    member.peer.keepAllowance(member, nowMs);
    this.#context.registry.leave(member);
  }

  #join(peer: Peer, { aulaId, want = LIMITS.defaultWantedPeers }: JoinRequest): void {
    if (!mayEnter(peer.rights, aulaId)) {
      return this.#context.error(peer, 'forbidden', 'not an Aula of this token', { re: 'join' });
    }
    const aula = this.#context.registry.enterAula(peer, aulaId);
    this.totals.joins++;
    const peers = pickAulaMembers(peer, aula, want, this.#pick).map((member) => listed(peer, member, 'none'));
    send(peer, { type: 'peers', aulaId, peers, complete: 0, incomplete: aula.listed.length });
  }

  #announce(peer: Peer, message: AnnounceRequest, nowMs: number): void {
    const { options, registry, claims } = this.#context;
    const { trackId, root, have, scope = 'global', uploadKbps, want = LIMITS.defaultWantedPeers } = message;
    const known = registry.member(peer, trackId, root);
    if (known === undefined && !this.#mayAdd(peer, message)) return;
    const untilMs = spend(
      options.rates.announcesPerTrack,
      known?.announcesUntilMs ?? peer.leftUntilMs(trackId, root),
      nowMs,
    );
    if (untilMs < 0) return this.#context.tooFast(peer, message, -untilMs, nowMs);
    const isNew = known?.swarm.chunkCount !== message.chunkCount;
    const isPartial = !have.isFull && !have.isEmpty;
    const isShort = this.#context.isShortOfMemory();
    if (isShort && isNew && registry.isNewSwarm(trackId, root, message.chunkCount))
      return this.#busy(peer, message);
    if (isNew && known !== undefined) claims.endMember(known, nowMs);
    // Whose bitmap has no room is noted as holding nothing, so that nobody asks it for what it lacks.
    const isUnnoted = isShort && isPartial && (isNew || known.row < 0);
    const member = registry.announce(
      peer,
      message,
      isUnnoted ? ChunkSet.none(message.chunkCount) : have,
      scope,
    );
    member.announcesUntilMs = untilMs;
    if (uploadKbps !== undefined) peer.uploadKbps = uploadKbps;
    if (peer.leases.length > 0) claims.endHeld(member);
    this.totals.announces++;
    this.#addDelivered(message.delivered);
    this.#sendMembers(member, want, undefined);
  }

  /** Whether a peer may have one more track, and this one. */
  #mayAdd(peer: Peer, { trackId, root }: AnnounceRequest): boolean {
    const { error, options } = this.#context;
    const about = { re: 'announce', trackId, root };
    const { maxTracksPerPeer } = options;
    if (maxTracksPerPeer > 0 && peer.memberships.size >= maxTracksPerPeer) {
      error(peer, 'too-many-tracks', `at most ${maxTracksPerPeer} tracks`, about);
      return false;
    }
    if (mayAnnounce(peer.rights, trackId) && options.allowsTrack(trackId)) return true;
    error(peer, 'forbidden', 'not a track of this token or tracker', about);
    return false;
  }

  #have(peer: Peer, message: HaveReport, nowMs: number): void {
    const member = this.#announced(peer, message);
    if (member === undefined) return;
    const { chunks, lost = [], released = [] } = message;
    if (![chunks, lost, released].every((list) => this.#areOfTrack(member, 'have', list))) return;
    const { claims } = this.#context;
    const isNoted = this.#update(member, chunks, lost, nowMs);
    claims.release(member, released, nowMs);
    if (!isNoted) return this.#busy(peer, message);
    this.totals.haves++;
    this.#addDelivered(message.delivered);
  }

  /**
   * Takes note of chunks gained and lost, and ends the leases on what is held. False while memory is short where that takes
   * a new bitmap: the leases on what was gained are over all the same, so that nobody waits for them.
   */
  #update(member: Member, gained: readonly number[], lost: readonly number[], nowMs: number): boolean {
    const { registry, claims } = this.#context;
    if (this.#context.isShortOfMemory() && wantsBitmap(member, gained, lost)) {
      claims.release(member, gained, nowMs);
      if (member.row === HOLDS_NONE) return false;
      registry.holdNothing(member);
      return true;
    }
    registry.update(member, gained, lost);
    claims.endHeld(member);
    return true;
  }

  #busy(peer: Peer, { type, trackId, root }: AnnounceRequest | HaveReport): void {
    const about = { re: type, trackId, root, retryAfterMs: BUSY_RETRY_MS };
    this.#context.error(peer, 'busy', 'memory is short', about);
  }

  #find(peer: Peer, message: FindRequest): void {
    const member = this.#announced(peer, message);
    if (member === undefined) return;
    const { needs, want = LIMITS.defaultWantedPeers, trackId, root } = message;
    let bitmap: Uint8Array | undefined;
    try {
      bitmap = needs === undefined ? undefined : ChunkSet.fromText(member.swarm.chunkCount, needs).toBitmap();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const about = { re: 'find', trackId, root };
      return this.#context.error(peer, 'bad-message', `needs: ${error.message}`, about);
    }
    this.totals.finds++;
    this.#sendMembers(member, want, bitmap);
  }

  #claim(peer: Peer, message: ClaimRequest, nowMs: number): void {
    const member = this.#announced(peer, message);
    if (member === undefined) return;
    const { claims } = this.#context;
    const { trackId, root, chunks, have = [], most = Number.POSITIVE_INFINITY } = message;
    if (!this.#areOfTrack(member, 'claim', chunks) || !this.#areOfTrack(member, 'claim', have)) return;
    // A claim is answered all the same: who may not fetch from the origin would wait for nothing.
    if (have.length > 0) this.#update(member, have, [], nowMs);
    const holderOf = (chunk: number) => pickHolder(member, chunk, this.#pick);
    const { granted, heldBy } = claims.claim(member, chunks, most, holderOf, nowMs);
    this.totals.claims++;
    this.totals.granted += granted.length;
    send(peer, { type: 'claimed', trackId, root, granted, heldBy, ttlMs: claims.ttlMs });
  }

  #signal(from: Peer, message: ReceivedSignal, nowMs: number): void {
    const { registry, options, error, tooFast } = this.#context;
    const { to, dataText } = message;
    const receiver = registry.peer(to);
    if (receiver === undefined || !maySignal(from, receiver, nowMs)) {
      return error(from, 'not-visible', 'no such peer here', { re: 'signal', to });
    }
    if (isFreshTarget(from, receiver, nowMs)) {
      const waitMs = from.meter.wait('freshTargets', options.rates, nowMs);
      if (waitMs > 0) return tooFast(from, message, waitMs, nowMs);
    }
    rememberSignal(from, receiver, nowMs);
    this.totals.signals++;
    receiver.socket.send(encodeRelayedSignal(from.id, tierBetween(from, receiver), dataText));
  }

  #sendMembers(asker: Member, want: number, needs: Uint8Array | undefined): void {
    const { version, bitmaps } = asker.swarm;
    const atMost = Math.floor(MAX_LISTED_BYTES / (LISTED_PEER_BYTES + (bitmaps.rowBytes * 4) / 3));
    const members = want > 0 ? pickMembers(asker, Math.min(want, atMost), needs, this.#pick) : [];
    send(asker.peer, {
      type: 'peers',
      trackId: version.trackId,
      root: version.root,
      peers: members.map((member) => listed(asker.peer, member.peer, haveText(member))),
      ...this.#context.registry.counts(asker),
    });
  }

  #announced(
    peer: Peer,
    message: HaveReport | FindRequest | ClaimRequest | LeaveRequest,
  ): Member | undefined {
    const { type, trackId, root } = message;
    const member = this.#context.registry.member(peer, trackId, root);
    if (member === undefined) {
      this.#context.error(peer, 'not-announced', 'announce this version first', { re: type, trackId, root });
    }
    return member;
  }

  #areOfTrack(member: Member, re: string, chunks: readonly number[]): boolean {
    const { chunkCount, version } = member.swarm;
    for (const chunk of chunks) {
      if (chunk < chunkCount) continue;
      const text = `chunk ${chunk} of ${chunkCount}`;
      const { trackId, root } = version;
      this.#context.error(member.peer, 'bad-message', text, { re, trackId, root });
      return false;
    }
    return true;
  }

  #addDelivered(bytes: DeliveredBytes | undefined): void {
    if (bytes === undefined) return;
    this.#delivered.cache += bytes.cache;
    this.#delivered.aula += bytes.aula;
    this.#delivered.global += bytes.global;
    this.#delivered.origin += bytes.origin;
  }
}

function send(peer: Peer, message: TrackerMessage): void {
  peer.socket.send(encodeTrackerMessage(message));
}

function listed(asker: Peer, peer: Peer, have: string): ListedPeer {
  const { id, uploadKbps, rttMs } = peer;
  return { peerId: id, tier: tierBetween(asker, peer), have, uploadKbps, rttMs };
}

/** Whether what a member gains and loses takes a bitmap that it does not have yet. */
function wantsBitmap({ row, swarm }: Member, gained: readonly number[], lost: readonly number[]): boolean {
  if (row >= 0) return false;
  const changed = new Set(row === HOLDS_ALL ? lost : gained);
  if (row === HOLDS_NONE) for (const chunk of lost) changed.delete(chunk);
  return changed.size > 0 && changed.size < swarm.chunkCount;
}

function haveText(member: Member): string {
  if (member.row === HOLDS_ALL) return 'all';
  return member.row === HOLDS_NONE ? 'none' : member.swarm.bitmaps.text(member.row);
}
