import {
  clientMessageType,
  encodeTrackerMessage,
  LIMITS,
  parseClientMessage,
  ProtocolError,
  TRACKER_CLOSE,
  type ErrorReply,
  type HelloRequest,
  type IceServer,
  type ReceivedClientMessage,
  type TrackerErrorCode,
  type TrackerMessage,
  type TrackId,
} from '@sonantica/wire';
import { mayAnnounce, mayEnter, type Rights, type Verdict } from './admission.ts';
import { Answers, BUSY_RETRY_MS, type Refused } from './answers.ts';
import { Claims } from './claims.ts';
import type { TrackerEnv, TrackerSocket } from './env.ts';
import { PeerRegistry, type SwarmCounts } from './peer-registry.ts';
import type { MeteredKind } from './rate-limit.ts';
import { Refusals, type RefusalReason } from './refusal.ts';
import type { Member, Peer } from './roster.ts';
import { membersToShed } from './shedding.ts';
import { Session, SESSION_OVER, type SessionEvents, type TrackerSession } from './session.ts';
import {
  DEFAULT_TRACKER_OPTIONS,
  limitsOf,
  type TrackerOptions,
  type TrackerStats,
} from './tracker-options.ts';

/** How often peers that fell silent are looked for, in milliseconds. */
const SWEEP_EVERY_MS = 2_000;
/** Share of their life after which servers are named afresh, and by how much of it at random that is sooner. */
const FRESH_ICE_AT_SHARE = 0.5;
const FRESH_ICE_SPREAD = 0.1;
/** Messages kept while a token is looked at. */
const MAX_WAITING = 32;
/** Memberships given up in one tick while memory is short, at most. */
const SHED_PER_TICK = 1_000;

/**
 * The tracker without its sockets: text comes in, text goes out, and time passes only through `env` and
 * {@link Tracker.tick}. One seed and one order of messages always give the same answers.
 */
export class Tracker {
  readonly options: TrackerOptions;
  readonly #env: TrackerEnv;
  readonly #registry = new PeerRegistry();
  readonly #claims: Claims;
  readonly #answers: Answers;
  readonly #refusals = new Refusals();
  readonly #maxMessageBytes: number;
  /** Sockets without a valid `hello`, oldest first. */
  readonly #pending = new Set<Session>();
  readonly #events: SessionEvents = {
    receive: (session, text) => this.#receive(session, text),
    refuse: (session, code, text, reason) => this.#refuse(session, code, text, reason),
    end: (session) => this.#end(session),
  };
  #sweptMs: number;
  /** Set by whoever measures: meanwhile nothing new is kept, and {@link shedding} gives up what there is. */
  isShortOfMemory = false;

  constructor(env: TrackerEnv, options: Partial<TrackerOptions> = {}) {
    this.#env = env;
    this.options = { ...DEFAULT_TRACKER_OPTIONS, ...options };
    this.#maxMessageBytes = this.options.maxMessageBytes || Number.MAX_SAFE_INTEGER;
    this.#claims = new Claims(this.options.leaseTtlMs, LIMITS.maxClaims);
    this.#sweptMs = this.#nowMs();
    this.#answers = new Answers({
      env,
      options: this.options,
      registry: this.#registry,
      claims: this.#claims,
      error: (peer, code, text, about) => this.#error(peer, code, text, about),
      tooFast: (peer, message, waitMs, nowMs) => this.#slowDown(peer, message, waitMs, nowMs),
      isShortOfMemory: () => this.isShortOfMemory,
    });
  }

  /** Takes in a connection. Its first message must be `hello`, within `helloTimeoutMs`. */
  connect(socket: TrackerSocket): TrackerSession {
    const session = new Session(this.#events, socket, this.#nowMs());
    this.#pending.add(session);
    return session;
  }

  /** All of {@link shedding} and {@link duties} at once. */
  tick(): void {
    for (const duty of [this.shedding(), this.duties()]) while (duty.next().done !== true);
  }

  /**
   * While memory is short, gives up memberships: large bitmaps of who keeps many, and the smallest swarms. Their members
   * are told, and may try again later. To be begun about twice a second, and when memory becomes short; each step gives
   * up one at most.
   */
  *shedding(): Generator<undefined> {
    if (!this.isShortOfMemory) return;
    let left = SHED_PER_TICK;
    for (const member of membersToShed(this.#registry)) {
      if (member !== undefined) {
        this.#shedMember(member);
        if (--left === 0) return;
      }
      yield;
      if (!this.isShortOfMemory) return;
    }
  }

  /**
   * Lets time pass: closes what was late and whose token expired, parks and forgets the silent, names fresh servers. To be begun about twice
   * a second; it need not be done in one go, and each step closes or greets one connection at most.
   */
  *duties(): Generator<undefined> {
    const nowMs = this.#nowMs();
    const { helloTimeoutMs } = this.options;
    for (const session of this.#pending) {
      if (helloTimeoutMs === 0 || nowMs - session.sinceMs < helloTimeoutMs) break;
      this.#refuse(session, TRACKER_CLOSE.timedOut, 'no hello in time', 'timed-out');
      yield;
    }
    this.#claims.sweep(nowMs);
    if (this.options.admission !== undefined) yield* this.#endExpired();
    if (nowMs - this.#sweptMs < SWEEP_EVERY_MS) return;
    this.#sweptMs = nowMs;
    for (const peer of this.#registry.peers) {
      const { session } = peer;
      if (session === undefined) continue;
      const silentMs = nowMs - peer.heardMs;
      const { forgetAfterMs, staleAfterMs } = this.options;
      if (forgetAfterMs !== 0 && silentMs >= forgetAfterMs) {
        this.#refuse(session, TRACKER_CLOSE.timedOut, 'nothing heard for too long', 'timed-out');
        yield;
        continue;
      }
      if (staleAfterMs !== 0 && silentMs >= staleAfterMs) this.#registry.park(peer);
      if (peer.freshIceMs > 0 && peer.freshIceMs <= nowMs) {
        this.#greet(peer);
        yield;
      }
    }
  }

  stats(): TrackerStats {
    return {
      peers: this.#registry.peerCount,
      pending: this.#pending.size,
      swarms: this.#registry.swarmCount,
      members: this.#registry.memberCount,
      aulas: this.#registry.aulaCount,
      aulaPeers: this.#registry.aulaPeerCount,
      leases: this.#claims.size,
      ...this.#answers.totals,
      refused: this.#refusals.total,
      refusedBy: this.#refusals.counts,
      delivered: this.#answers.delivered,
    };
  }

  /** Peers of a track that are shown to everyone, over all its versions. */
  trackCounts(trackId: TrackId): SwarmCounts {
    return this.#registry.openCounts(trackId);
  }

  /** Counts what was refused before a message could be: a connection, a page. */
  countRefusal(reason: RefusalReason): void {
    this.#refusals.add(reason);
  }

  #receive(session: Session, text: string): void {
    const { state } = session;
    if (state.phase === 'over') return;
    if (state.phase === 'admitting') {
      if (state.waiting.length < MAX_WAITING) state.waiting.push(text);
      else this.#refuse(session, TRACKER_CLOSE.tooFast, 'wait for welcome', 'too-fast');
      return;
    }
    const nowMs = this.#nowMs();
    let message: ReceivedClientMessage;
    try {
      message = parseClientMessage(text, this.#maxMessageBytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#onUnreadable(session, text, error, nowMs);
      return;
    }
    if (state.phase === 'pending') {
      if (message.type === 'hello') this.#hello(session, message);
      else this.#refuse(session, TRACKER_CLOSE.notAuthorised, 'hello comes first', 'not-authorised');
      return;
    }
    const { peer } = state;
    if (this.#isExpired(peer)) return this.#refuseExpired(session);
    peer.heardMs = nowMs;
    if (peer.isParked) this.#registry.unpark(peer);
    const waitMs = peer.meter.wait(meteredAs(message.type), this.options.rates, nowMs);
    if (waitMs > 0) this.#slowDown(peer, message, waitMs, nowMs);
    else if (message.type === 'hello') this.#renew(session, peer, message);
    else this.#answers.follow(peer, message, nowMs);
  }

  #hello(session: Session, { token }: HelloRequest): void {
    const { admission } = this.options;
    if (admission === undefined) return this.#welcome(session, undefined);
    const waiting: string[] = [];
    session.state = { phase: 'admitting', waiting };
    admission.admit(token, (verdict) => {
      if (session.state.phase !== 'admitting') return;
      if (!verdict.admitted) {
        return this.#refuse(session, TRACKER_CLOSE.notAuthorised, verdict.reason, 'not-authorised');
      }
      this.#welcome(session, verdict.rights);
      for (const text of waiting) this.#receive(session, text);
    });
  }

  #welcome(session: Session, rights: Rights | undefined): void {
    const peer = this.#registry.add(this.#env.newPeerId(), session.socket, this.#nowMs());
    peer.rights = rights;
    this.#pending.delete(session);
    peer.session = session;
    session.state = { phase: 'welcome', peer };
    this.#greet(peer);
  }

  #greet(peer: Peer): void {
    const { announceIntervalMs } = this.options;
    const wallMs = this.#env.wallMs();
    this.#send(peer, {
      type: 'welcome',
      peerId: peer.id,
      iceServers: this.#iceServersOf(peer, wallMs),
      announceIntervalMs,
      serverTimeMs: wallMs,
      limits: limitsOf(this.options),
      ...(peer.rights === undefined ? {} : { tokenExpiresMs: peer.rights.expiresMs }),
    });
  }

  /** The servers a peer is named. Of those that end before its token does, it is to be named fresh ones in time. */
  #iceServersOf(peer: Peer, wallMs: number): readonly IceServer[] {
    const { iceServers, iceServersFor, iceLifeMs } = this.options;
    if (iceServersFor === undefined) return iceServers;
    const { subject, expiresMs = Number.POSITIVE_INFINITY } = peer.rights ?? {};
    // What ends with the token is made anew with the token.
    peer.freshIceMs = iceLifeMs > 0 && wallMs + iceLifeMs < expiresMs ? this.#halfOf(iceLifeMs) : 0;
    return [...iceServers, ...iceServersFor(subject, wallMs, expiresMs)];
  }

  /** When about half of so long will have passed: for those who came together, at different times. */
  #halfOf(lifeMs: number): number {
    const share = FRESH_ICE_AT_SHARE - FRESH_ICE_SPREAD * this.#env.random();
    return this.#nowMs() + Math.floor(lifeMs * share);
  }

  /** A later `hello`: with a fresh token of the same bearer it renews the rights. */
  #renew(session: Session, peer: Peer, { token }: HelloRequest): void {
    const { admission } = this.options;
    if (admission === undefined || token === undefined) {
      return this.#error(peer, 'already-welcome', 'hello was said', { re: 'hello' });
    }
    admission.admit(token, (verdict: Verdict) => {
      if (session.state.phase !== 'welcome') return;
      if (!verdict.admitted) return this.#error(peer, 'forbidden', verdict.reason, { re: 'hello' });
      if (verdict.rights.subject !== peer.rights?.subject) {
        return this.#error(peer, 'forbidden', 'the token is of somebody else', { re: 'hello' });
      }
      peer.rights = verdict.rights;
      this.#withdrawForbidden(peer);
      this.#greet(peer);
    });
  }

  /** Takes a peer out of where its rights no longer let it be. */
  #withdrawForbidden(peer: Peer): void {
    if (peer.aula !== undefined && !mayEnter(peer.rights, peer.aula.id)) this.#registry.leaveAula(peer);
    for (const member of peer.memberships.values()) {
      if (!mayAnnounce(peer.rights, member.swarm.version.trackId))
        this.#answers.dismiss(member, this.#nowMs());
    }
  }

  #isExpired({ rights }: Peer): boolean {
    return rights !== undefined && rights.expiresMs <= this.#env.wallMs();
  }

  *#endExpired(): Generator<undefined> {
    for (const peer of this.#registry.peers) {
      if (peer.session === undefined || !this.#isExpired(peer)) continue;
      this.#refuseExpired(peer.session);
      yield;
    }
  }

  #refuseExpired(session: Session): void {
    this.#refuse(session, TRACKER_CLOSE.notAuthorised, 'the token expired', 'token-expired');
  }

  #shedMember(member: Member): void {
    const { trackId, root } = member.swarm.version;
    this.#answers.dismiss(member, this.#nowMs());
    const about = { re: 'announce', trackId, root, retryAfterMs: BUSY_RETRY_MS };
    this.#error(member.peer, 'busy', 'memory is short', about);
  }

  #onUnreadable(session: Session, text: string, error: ProtocolError, nowMs: number): void {
    if (error.code === 'bad-json') {
      return this.#refuse(session, TRACKER_CLOSE.malformed, 'not a message', 'malformed');
    }
    if (error.code === 'too-large' && error.path === undefined) {
      return this.#refuse(session, TRACKER_CLOSE.tooLarge, error.message, 'too-large');
    }
    if (session.state.phase !== 'welcome') {
      return this.#refuse(session, TRACKER_CLOSE.notAuthorised, 'hello comes first', 'not-authorised');
    }
    const { peer } = session.state;
    if (this.#isExpired(peer)) return this.#refuseExpired(session);
    peer.heardMs = nowMs;
    if (peer.isParked) this.#registry.unpark(peer);
    const type = clientMessageType(text);
    const waitMs = peer.meter.wait('others', this.options.rates, nowMs);
    if (waitMs > 0) return this.#slowDown(peer, { type }, waitMs, nowMs);
    const code =
      error.code === 'bad-type' ? 'unknown-type' : error.code === 'too-large' ? 'too-large' : 'bad-message';
    this.#error(peer, code, error.message, type === undefined ? {} : { re: type });
  }

  #slowDown(peer: Peer, message: Refused, retryAfterMs: number, nowMs: number): void {
    if (peer.meter.wait('refusals', this.options.rates, nowMs) > 0) {
      const { session } = peer;
      if (session !== undefined) this.#refuse(session, TRACKER_CLOSE.tooFast, 'too fast', 'too-fast');
      return;
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

  #error(
    peer: Peer,
    code: Exclude<TrackerErrorCode, 'other'>,
    text: string,
    about: Partial<ErrorReply>,
  ): void {
    this.#refusals.add(code);
    peer.socket.refused?.(code, about.re);
    this.#send(peer, { ...about, type: 'error', code, message: text });
  }

  #refuse(session: Session, code: number, text: string, reason: RefusalReason): void {
    if (session.state.phase === 'over') return;
    this.#refusals.add(reason);
    this.#end(session);
    session.socket.refused?.(reason, undefined);
    session.socket.close(code, text);
  }

  #end(session: Session): void {
    this.#pending.delete(session);
    if (session.state.phase === 'welcome') {
      const { peer } = session.state;
      this.#claims.endPeer(peer);
      this.#registry.remove(peer);
      peer.session = undefined;
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
