import { LIMITS } from '@sonantica/wire';
import { shareOf } from './crowd.ts';
import type { Flights } from './flights.ts';
import {
  FELLOW_TRIAL_MS,
  TRIAL_MS,
  patientChoice,
  urgentChoice,
  type OriginView,
  type TrackPeer,
} from './origin-choice.ts';
import { claimsLeft, isLease, originStep } from './origin-claims.ts';
import { ORIGIN } from './source-state.ts';
import type { SwarmState } from './swarm-state.ts';
import type { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { BlockSpan, WantedChunk } from './wanted-chunk.ts';

/** Chunks under way from the origin at a time; while somebody waits, only what is waited for. */
const ORIGIN_CHUNKS = 4;
/** What is due soon is asked of the origin a little ahead of its last answer, in bytes, so that the line is never idle. */
const URGENT_AHEAD_BYTES = 32_768;
/** Who has wanted nothing by a deadline for this long leaves the line to what nobody waits for, in milliseconds. */
const QUIET_MS = 1_000;
/** A lone listener tells the tracker what it fetches at most this often, in milliseconds. */
const TELL_EVERY_MS = 150;

/** What is asked of the origin, and of the tracker for leave to ask it. */
export class OriginPlan {
  readonly #state: SwarmState;
  readonly #flights: Flights;
  readonly #view: OriginView;
  /** The time of the plan being made, and the peers it has looked up. */
  #nowMs = 0;
  readonly #peersOf = new Map<TrackKey, readonly TrackPeer[]>();

  constructor(state: SwarmState, flights: Flights) {
    this.#state = state;
    this.#flights = flights;
    this.#view = this.#originView();
  }

  /** Asks for all that is the origin's to give now. */
  plan(nowMs: number): void {
    if (this.#state.origin.isPaused(nowMs)) return;
    const view = this.#view;
    this.#nowMs = nowMs;
    this.#peersOf.clear();
    let leases = 0;
    for (const track of this.#state.tracks.values())
      for (const chunk of track.begun) if (chunk.isWanted && isLease(chunk.claim, nowMs)) leases++;
    for (const track of this.#byUrgency()) {
      const ask: WantedChunk[] = [];
      // After a restart of the tracker those linked are at first unknown to it.
      const isAlone = track.alone && view.peersOf(track).length === 0;
      const left = claimsLeft(
        leases,
        isAlone ? 'alone' : this.#state.othersGive(nowMs) ? 'shared' : 'unshared',
      );
      const telling = this.#state.tracker === 'up' && isAlone && nowMs >= track.tellAgainMs;
      const order = track.inOrder();
      const breaksOff =
        leases === 0 && order.at(-1)?.prefetch === undefined && this.#isGiven(view, track, nowMs);
      for (const chunk of order) {
        // Nobody waits for this chunk nor for any after it, and each would be left to who holds them all.
        if (breaksOff && chunk.deadlineMs === Number.POSITIVE_INFINITY) break;
        if (this.#state.isHeldBack(chunk, nowMs)) continue;
        if (chunk.prefetch === 'peers' || (chunk.prefetch === 'any' && !this.#mayPrefetchFromOrigin(chunk)))
          break;
        if (chunk.deadlineMs !== Number.POSITIVE_INFINITY) {
          this.#takeUrgent(view, track, chunk, nowMs);
          this.#takeShare(track, chunk, nowMs);
        }
        const choice = patientChoice(view, track, chunk, nowMs);
        if (choice.type === 'fetch') this.#takePatient(track, chunk, nowMs);
        else if (chunk.prefetch !== undefined && leases + ask.length > 0) break;
        const told = telling && originStep(chunk.claim, nowMs) === 'ask';
        if (choice.type === 'ask' || told) ask.push(chunk);
      }
      const most = Math.min(ask.length, left);
      if (most === 0 || nowMs < track.claimAgainMs) continue;
      ask.length = Math.min(ask.length, LIMITS.maxClaims);
      leases += most;
      if (telling) track.tellAgainMs = nowMs + TELL_EVERY_MS;
      track.firstClaimMs ??= nowMs;
      for (const chunk of ask) chunk.claim = { state: 'asked', sinceMs: nowMs };
      this.#flights.command({ type: 'claim', track: track.key, chunks: ask.map(({ chunk }) => chunk), most });
    }
  }

  /** Whether a peer that gives holds the whole track, so that nothing that nobody waits for is the origin's to give, but by leave. */
  #isGiven(view: OriginView, track: TrackDemand, nowMs: number): boolean {
    const { allowDownloadFromPeers, preferServerOverP2P } = view.policy;
    if (!allowDownloadFromPeers || preferServerOverP2P) return false;
    return view
      .peersOf(track)
      .some(({ peer, holdings }) => holdings.held.isFull && peer.outlook(nowMs) === 'gives');
  }

  /** One chunk at a time, so that who comes to wait finds the line free. */
  #mayPrefetchFromOrigin(chunk: WantedChunk): boolean {
    return this.#state.mayPrefetch && (this.#state.origin.size === 0 || this.#state.origin.has(chunk));
  }

  /** The track that somebody waits for first comes first. */
  #byUrgency(): TrackDemand[] {
    const tracks: TrackDemand[] = [];
    for (const track of this.#state.tracks.values()) if (track.inOrder().length > 0) tracks.push(track);
    if (tracks.length < 2) return tracks;
    const dueMs = (track: TrackDemand) => track.inOrder()[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
    return tracks.sort((a, b) => (dueMs(a) < dueMs(b) ? -1 : 1));
  }

  #originView(): OriginView {
    const state = this.#state;
    return {
      get policy() {
        return state.policy;
      },
      get tracker() {
        return state.tracker;
      },
      pace: state.origin.pace,
      ownId: state.ownId,
      waitMs: (source) => Math.max(TRIAL_MS, 1.5 * (state.peers.get(source)?.window.pingMs ?? 0)),
      trialMs: (source, track, chunk) =>
        state.peers.get(source)?.partOf(track.key, chunk.chunk) === undefined ? TRIAL_MS : FELLOW_TRIAL_MS,
      isDoubted: (source) => state.peers.get(source)?.isDoubted(this.#nowMs) ?? false,
      peersOf: ({ key }) => {
        let known = this.#peersOf.get(key);
        if (known === undefined) this.#peersOf.set(key, (known = this.#peersNow(key)));
        return known;
      },
    };
  }

  /** Linked peers that take part in a track, but for liars. */
  #peersNow(key: TrackKey): TrackPeer[] {
    const peers: TrackPeer[] = [];
    for (const peer of this.#state.peers.values()) {
      const holdings = peer.health.banned ? undefined : peer.tracks.get(key);
      if (holdings !== undefined) peers.push({ peer, holdings });
    }
    return peers;
  }

  /** Blocks due soon, one run after another, the line kept free for the one due first. */
  #takeUrgent(view: OriginView, track: TrackDemand, chunk: WantedChunk, nowMs: number): void {
    for (;;) {
      // Where only whole chunks can be proven, a part under way is worth nothing without the rest.
      const completes = !track.originProvesBlocks && chunk.isAskedOf(ORIGIN);
      const urgentBytes = this.#state.origin.urgentBytes(nowMs);
      if (!completes && urgentBytes >= this.#mostUrgentBytes(track, nowMs)) return;
      const choice = urgentChoice(view, track, chunk, nowMs);
      if (choice.type !== 'fetch') return;
      // What others may give is not asked for further ahead than must be.
      if (!completes && !choice.whole && urgentBytes >= URGENT_AHEAD_BYTES) return;
      const isUnheard = chunk.dueMs(choice.run.first) === Number.POSITIVE_INFINITY;
      if (isUnheard && track.originProvesBlocks && this.#givesInOrder(track, nowMs)) return;
      this.#askOrigin(track, chunk, choice.run, choice.whole, nowMs);
    }
  }

  /** How much of what is due soon may be under way: who is fed by the origin alone has two answers' worth, as over plain HTTP. */
  #mostUrgentBytes(track: TrackDemand, nowMs: number): number {
    if (!this.#givesInOrder(track, nowMs)) return URGENT_AHEAD_BYTES;
    return Math.max(URGENT_AHEAD_BYTES, this.#state.origin.pace.aheadBytes);
  }

  /** Something to pass on, while nobody is there who could give it. */
  #takeShare(track: TrackDemand, chunk: WantedChunk, nowMs: number): void {
    if (chunk.isShareDrawn || this.#state.hasPeers(track.key)) return;
    const share = shareOf(track, chunk, this.#state.origin.pace, nowMs);
    if (share === undefined || this.#state.origin.urgentBytes(nowMs) > 0) return;
    if (!this.#state.isScarce(track, chunk)) return;
    chunk.isShareDrawn = true;
    if (share !== 'none') this.#askOrigin(track, chunk, share, false, nowMs);
  }

  /** The rest of a chunk that is this listener's to fetch, while nobody waits for anything of the origin. */
  #takePatient(track: TrackDemand, chunk: WantedChunk, nowMs: number): void {
    const origin = this.#state.origin;
    const another = !origin.has(chunk);
    if (another && (origin.size >= ORIGIN_CHUNKS || origin.urgentBytes(nowMs) > 0)) return;
    const inOrder = this.#givesInOrder(track, nowMs);
    for (let run = chunk.mostPressingIdle(); run !== undefined; run = chunk.mostPressingIdle()) {
      if (inOrder && chunk.dueMs(run.first) === Number.POSITIVE_INFINITY) return;
      if (inOrder && origin.bytesDueBefore(Number.POSITIVE_INFINITY) > origin.pace.aheadBytes) return;
      this.#askOrigin(track, chunk, run, true, nowMs);
    }
  }

  /** Whether the origin alone feeds a listener: then nothing takes from the line before its turn, as over plain HTTP. */
  #givesInOrder(track: TrackDemand, nowMs: number): boolean {
    if (this.#state.peers.size > 0) return false;
    return (
      nowMs - this.#state.listenedMs < QUIET_MS || track.inOrder()[0]?.deadlineMs !== Number.POSITIVE_INFINITY
    );
  }

  #askOrigin(track: TrackDemand, chunk: WantedChunk, run: BlockSpan, whole: boolean, nowMs: number): void {
    this.#flights.ask(ORIGIN, track, chunk, run, nowMs);
    this.#state.origin.asked(chunk, nowMs);
    if (!whole) return;
    const etaMs = this.#state.origin.pace.etaMs(chunk.spanBytes({ first: 0, end: chunk.blocks }));
    this.#flights.command({ type: 'fetching', track: track.key, chunk: chunk.chunk, etaMs });
  }
}
