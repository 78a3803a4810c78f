import {
  ChunkSet,
  clientMessageType,
  encodeRelayedSignal,
  encodeTrackerMessage,
  LIMITS,
  parseClientMessage,
  ProtocolError,
  TRACKER_CLOSE,
  type AnnounceRequest,
  type ClaimRequest,
  type ErrorReply,
  type FindRequest,
  type HaveReport,
  type JoinRequest,
  type LeaveRequest,
  type PeerId,
  type ListedPeer,
  type ReceivedClientMessage,
  type ReceivedSignal,
  type RootHash,
  type TrackerErrorCode,
  type TrackerMessage,
  type TrackId,
} from '@sonantica/wire';
import { Claims } from './claims.ts';
import type { TrackerEnv, TrackerSocket } from './env.ts';
import { pickAulaMembers, pickHolder, pickMembers, type PickContext } from './peer-picker.ts';
import { PeerRegistry, type SwarmCounts } from './peer-registry.ts';
import { spend, type MeteredKind } from './rate-limit.ts';
import { HOLDS_ALL, HOLDS_NONE, type Member, type Peer } from './roster.ts';
import { Session, SESSION_OVER, type SessionEvents, type TrackerSession } from './session.ts';
import { maySignal, rememberSignal, tierBetween } from './signaling.ts';
import {
  DEFAULT_TRACKER_OPTIONS,
  limitsOf,
  type TrackerOptions,
  type TrackerStats,
} from './tracker-options.ts';

/** What an error tells of the message that was not followed. */
interface Refused {
  readonly type?: ReceivedClientMessage['type'] | undefined;
  readonly trackId?: TrackId;
  readonly root?: RootHash;
  readonly to?: PeerId;
}

/** Peers are listed up to this size of an answer, which is a message like any other. */
const MAX_LISTED_BYTES = 60_000;
/** One peer in an answer, without its bitmap. */
const LISTED_PEER_BYTES = 140;
/** How often peers that fell silent are looked for, in milliseconds. */
const SWEEP_EVERY_MS = 2_000;

/**
 * The tracker without its sockets: text comes in, text goes out, and time passes only through `env` and
 * {@link Tracker.tick}. One seed and one order of messages always give the same answers.
 */
export class Tracker {
  readonly options: TrackerOptions;
  readonly #env: TrackerEnv;
  readonly #registry = new PeerRegistry();
  readonly #claims: Claims;
  readonly #pick: { -readonly [Field in keyof PickContext]: PickContext[Field] };
  /** Sockets without `hello`, oldest first. */
  readonly #pending = new Set<Session>();
  readonly #sessions = new Map<Peer, Session>();
  readonly #events: SessionEvents = {
    receive: (session, text) => this.#receive(session, text),
    refuse: (session, code, reason) => this.#refuse(session, code, reason),
    end: (session) => this.#end(session),
  };
  #sweptMs: number;
  readonly #totals = {
    joins: 0,
    announces: 0,
    haves: 0,
    finds: 0,
    claims: 0,
    signals: 0,
    granted: 0,
    refused: 0,
  };

  constructor(env: TrackerEnv, options: Partial<TrackerOptions> = {}) {
    this.#env = env;
    this.options = { ...DEFAULT_TRACKER_OPTIONS, ...options };
    this.#claims = new Claims(this.options.leaseTtlMs, LIMITS.maxClaims);
    this.#sweptMs = this.#nowMs();
    this.#pick = {
      nowMs: 0,
      staleAfterMs: this.options.staleAfterMs,
      random: () => env.random(),
    };
  }

  /** Takes in a connection. Its first message must be `hello`, within `helloTimeoutMs`. */
  connect(socket: TrackerSocket): TrackerSession {
    const session = new Session(this.#events, socket, this.#nowMs());
    this.#pending.add(session);
    return session;
  }

  /** Lets time pass: closes what was late, parks and forgets the silent. To be called about once a second. */
  tick(): void {
    const nowMs = this.#nowMs();
    for (const session of this.#pending) {
      if (nowMs - session.sinceMs < this.options.helloTimeoutMs) break;
      this.#refuse(session, TRACKER_CLOSE.timedOut, 'no hello in time');
    }
    this.#claims.sweep(nowMs);
    if (nowMs - this.#sweptMs < SWEEP_EVERY_MS) return;
    this.#sweptMs = nowMs;
    for (const [peer, session] of this.#sessions) {
      const silentMs = nowMs - peer.heardMs;
      if (silentMs >= this.options.forgetAfterMs) {
        this.#refuse(session, TRACKER_CLOSE.timedOut, 'nothing heard for too long');
      } else if (silentMs >= this.options.staleAfterMs) this.#registry.park(peer);
    }
  }

  stats(): TrackerStats {
    return {
      peers: this.#registry.peerCount,
      pending: this.#pending.size,
      swarms: this.#registry.swarmCount,
      members: this.#registry.memberCount,
      aulas: this.#registry.aulaCount,
      leases: this.#claims.size,
      ...this.#totals,
    };
  }

  /** Peers of a track that are shown to everyone, over all its versions. */
  trackCounts(trackId: TrackId): SwarmCounts {
    return this.#registry.openCounts(trackId);
  }

  #receive(session: Session, text: string): void {
    if (session.state.phase === 'over') return;
    const nowMs = this.#nowMs();
    let message: ReceivedClientMessage;
    try {
      message = parseClientMessage(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#onUnreadable(session, text, error, nowMs);
      return;
    }
    const { state } = session;
    if (state.phase === 'pending') {
      if (message.type === 'hello') this.#welcome(session, nowMs);
      else this.#refuse(session, TRACKER_CLOSE.notAuthorised, 'hello comes first');
      return;
    }
    const { peer } = state;
    peer.heardMs = nowMs;
    if (peer.isParked) this.#registry.unpark(peer);
    if (this.#isTooFast(session, peer, meteredAs(message.type), message, nowMs)) return;
    this.#pick.nowMs = nowMs;
    this.#follow(session, peer, message, nowMs);
  }

  #follow(session: Session, peer: Peer, message: ReceivedClientMessage, nowMs: number): void {
    switch (message.type) {
      case 'signal':
        return this.#signal(peer, message, nowMs);
      case 'announce':
        return this.#announce(session, peer, message, nowMs);
      case 'claim':
        return this.#claim(peer, message, nowMs);
      case 'have':
        return this.#have(peer, message);
      case 'find':
        return this.#find(peer, message);
      case 'join':
        return this.#join(peer, message);
      case 'part':
        return this.#registry.leaveAula(peer);
      case 'leave': {
        const member = this.#announced(peer, message);
        if (member === undefined) return;
        this.#claims.endMember(member);
        this.#registry.leave(member);
        return;
      }
      case 'hello':
        return this.#error(peer, 'already-welcome', 'hello was said', { re: 'hello' });
    }
  }

  #welcome(session: Session, nowMs: number): void {
    const peer = this.#registry.add(this.#env.newPeerId(), session.socket, nowMs);
    this.#pending.delete(session);
    this.#sessions.set(peer, session);
    session.state = { phase: 'welcome', peer };
    this.#send(peer, {
      type: 'welcome',
      peerId: peer.id,
      iceServers: this.options.iceServers,
      announceIntervalMs: this.options.announceIntervalMs,
      serverTimeMs: this.#env.wallMs(),
      limits: limitsOf(this.options.rates),
    });
  }

  #join(peer: Peer, { aulaId, want = LIMITS.defaultWantedPeers }: JoinRequest): void {
    const aula = this.#registry.enterAula(peer, aulaId);
    this.#totals.joins++;
    const peers = pickAulaMembers(peer, aula, want, this.#pick).map((member) => listed(peer, member, 'none'));
    this.#send(peer, { type: 'peers', aulaId, peers, complete: 0, incomplete: aula.listed.length });
  }

  #announce(session: Session, peer: Peer, message: AnnounceRequest, nowMs: number): void {
    const { trackId, root, have, scope = 'global', uploadKbps, want = LIMITS.defaultWantedPeers } = message;
    const known = this.#registry.member(peer, trackId, root);
    if (known === undefined && peer.memberships.size >= LIMITS.maxAnnouncedTracks) {
      const text = `at most ${LIMITS.maxAnnouncedTracks} tracks`;
      return this.#error(peer, 'too-many-tracks', text, { re: 'announce', trackId, root });
    }
    const rate = this.options.rates.announcesPerTrack;
    const untilMs = spend(rate, known?.announcesUntilMs ?? 0, nowMs);
    if (untilMs < 0) return this.#slowDown(session, peer, message, -untilMs, nowMs);
    if (known !== undefined && known.swarm.chunkCount !== message.chunkCount) this.#claims.endMember(known);
    const member = this.#registry.announce(peer, message, have, scope);
    member.announcesUntilMs = untilMs;
    if (uploadKbps !== undefined) peer.uploadKbps = uploadKbps;
    if (peer.leases.length > 0) this.#claims.endHeld(member);
    this.#totals.announces++;
    this.#sendMembers(member, want, undefined);
  }

  #have(peer: Peer, message: HaveReport): void {
    const member = this.#announced(peer, message);
    if (member === undefined) return;
    const { chunks, lost = [] } = message;
    if (!this.#areOfTrack(member, 'have', chunks) || !this.#areOfTrack(member, 'have', lost)) return;
    this.#registry.update(member, chunks, lost);
    this.#claims.endHeld(member);
    this.#totals.haves++;
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
      return this.#error(peer, 'bad-message', `needs: ${error.message}`, { re: 'find', trackId, root });
    }
    this.#totals.finds++;
    this.#sendMembers(member, want, bitmap);
  }

  #claim(peer: Peer, message: ClaimRequest, nowMs: number): void {
    const member = this.#announced(peer, message);
    if (member === undefined) return;
    const { trackId, root, chunks, have = [] } = message;
    if (!this.#areOfTrack(member, 'claim', chunks) || !this.#areOfTrack(member, 'claim', have)) return;
    if (have.length > 0) {
      this.#registry.update(member, have, []);
      this.#claims.endHeld(member);
    }
    const holderOf = (chunk: number) => pickHolder(member, chunk, this.#pick);
    const { granted, heldBy } = this.#claims.claim(member, chunks, holderOf, nowMs);
    this.#totals.claims++;
    this.#totals.granted += granted.length;
    this.#send(peer, { type: 'claimed', trackId, root, granted, heldBy, ttlMs: this.#claims.ttlMs });
  }

  #signal(from: Peer, { to, dataText }: ReceivedSignal, nowMs: number): void {
    const receiver = this.#registry.peer(to);
    if (receiver === undefined || !maySignal(from, receiver, nowMs)) {
      return this.#error(from, 'not-visible', 'no such peer here', { re: 'signal', to });
    }
    rememberSignal(from, receiver, nowMs);
    this.#totals.signals++;
    receiver.socket.send(encodeRelayedSignal(from.id, tierBetween(from, receiver), dataText));
  }

  #sendMembers(asker: Member, want: number, needs: Uint8Array | undefined): void {
    const { version, bitmaps } = asker.swarm;
    const atMost = Math.floor(MAX_LISTED_BYTES / (LISTED_PEER_BYTES + (bitmaps.rowBytes * 4) / 3));
    const members = want > 0 ? pickMembers(asker, Math.min(want, atMost), needs, this.#pick) : [];
    this.#send(asker.peer, {
      type: 'peers',
      trackId: version.trackId,
      root: version.root,
      peers: members.map((member) => listed(asker.peer, member.peer, haveText(member))),
      ...this.#registry.counts(asker),
    });
  }

  #announced(
    peer: Peer,
    message: HaveReport | FindRequest | ClaimRequest | LeaveRequest,
  ): Member | undefined {
    const { type, trackId, root } = message;
    const member = this.#registry.member(peer, trackId, root);
    if (member === undefined) {
      this.#error(peer, 'not-announced', 'announce this version first', { re: type, trackId, root });
    }
    return member;
  }

  #areOfTrack(member: Member, re: string, chunks: readonly number[]): boolean {
    const { chunkCount, version } = member.swarm;
    for (const chunk of chunks) {
      if (chunk < chunkCount) continue;
      const text = `chunk ${chunk} of ${chunkCount}`;
      const { trackId, root } = version;
      this.#error(member.peer, 'bad-message', text, { re, trackId, root });
      return false;
    }
    return true;
  }

  #onUnreadable(session: Session, text: string, error: ProtocolError, nowMs: number): void {
    if (error.code === 'bad-json') return this.#refuse(session, TRACKER_CLOSE.malformed, 'not a message');
    if (error.code === 'too-large' && error.path === undefined) {
      return this.#refuse(session, TRACKER_CLOSE.tooLarge, error.message);
    }
    if (session.state.phase !== 'welcome') {
      return this.#refuse(session, TRACKER_CLOSE.notAuthorised, 'hello comes first');
    }
    const { peer } = session.state;
    peer.heardMs = nowMs;
    if (peer.isParked) this.#registry.unpark(peer);
    const type = clientMessageType(text);
    if (this.#isTooFast(session, peer, 'others', { type }, nowMs)) return;
    const code =
      error.code === 'bad-type' ? 'unknown-type' : error.code === 'too-large' ? 'too-large' : 'bad-message';
    this.#error(peer, code, error.message, type === undefined ? {} : { re: type });
  }

  #isTooFast(session: Session, peer: Peer, kind: MeteredKind, message: Refused, nowMs: number): boolean {
    const waitMs = peer.meter.wait(kind, this.options.rates, nowMs);
    if (waitMs === 0) return false;
    this.#slowDown(session, peer, message, waitMs, nowMs);
    return true;
  }

  #slowDown(session: Session, peer: Peer, message: Refused, retryAfterMs: number, nowMs: number): void {
    if (peer.meter.wait('refusals', this.options.rates, nowMs) > 0) {
      return this.#refuse(session, TRACKER_CLOSE.tooFast, 'too fast');
    }
    const { type, trackId, root, to } = message;
    this.#error(peer, 'too-fast', 'too fast', {
      ...(type === undefined ? {} : { re: type }),
      ...(trackId === undefined ? {} : { trackId }),
      ...(root === undefined ? {} : { root }),
      ...(to === undefined ? {} : { to }),
      retryAfterMs,
    });
  }

  #error(peer: Peer, code: TrackerErrorCode, text: string, about: Partial<ErrorReply>): void {
    this.#totals.refused++;
    this.#send(peer, { ...about, type: 'error', code, message: text });
  }

  #refuse(session: Session, code: number, reason: string): void {
    if (session.state.phase === 'over') return;
    this.#totals.refused++;
    this.#end(session);
    session.socket.close(code, reason);
  }

  #end(session: Session): void {
    this.#pending.delete(session);
    if (session.state.phase === 'welcome') {
      const { peer } = session.state;
      this.#claims.endPeer(peer);
      this.#registry.remove(peer);
      this.#sessions.delete(peer);
    }
    session.state = SESSION_OVER;
  }

  #send(peer: Peer, message: TrackerMessage): void {
    peer.socket.send(encodeTrackerMessage(message));
  }

  /** Whole milliseconds: they are kept in great numbers, and small integers cost nothing. */
  #nowMs(): number {
    return Math.floor(this.#env.nowMs());
  }
}

function meteredAs(type: ReceivedClientMessage['type']): MeteredKind {
  if (type === 'signal') return 'signals';
  if (type === 'announce') return 'announces';
  return type === 'claim' ? 'claims' : 'others';
}

function listed(asker: Peer, peer: Peer, have: string): ListedPeer {
  const { id, uploadKbps, rttMs } = peer;
  return { peerId: id, tier: tierBetween(asker, peer), have, uploadKbps, rttMs };
}

function haveText(member: Member): string {
  if (member.row === HOLDS_ALL) return 'all';
  return member.row === HOLDS_NONE ? 'none' : member.swarm.bitmaps.text(member.row);
}
