import { LIMITS } from '@sonantica/wire';
import type { Flights } from './flights.ts';
import { peerChoice, type PeerView } from './peer-choice.ts';
import { askedBefore } from './source-ranking.ts';
import type { SourceState } from './source-state.ts';
import type { SwarmState } from './swarm-state.ts';

/** Blocks due sooner than this are spread over peers, a few of each. */
const SPREAD_WITHIN_MS = 1_000;
const SPREAD_BLOCKS = 2;
/** While something is due sooner than this, no more than so much is asked of peers that is not: it would come first. In milliseconds, bytes. */
const SOON_MS = 1_500;
const FREE_LINE_BYTES = 131_072;
/** How often each peer is asked for a few such blocks within one decision. */
const MOST_TURNS = 8;

/** What is asked of peers. */
export class PeerPlan {
  readonly #state: SwarmState;
  readonly #flights: Flights;

  constructor(state: SwarmState, flights: Flights) {
    this.#state = state;
    this.#flights = flights;
  }

  /** Asks each peer for as much as it takes, in turn where they are to share. */
  plan(nowMs: number): void {
    const { peers: all, policy } = this.#state;
    if (!policy.allowDownloadFromPeers) return;
    const peers = [...all.values()].filter((peer) => peer.isUsable(nowMs) && peer.isWorthAsking);
    const view = this.#peerView();
    peers.sort(askedBefore(policy.prioritizeAulaMembers));
    let again = true;
    for (let turn = 0; again && turn < MOST_TURNS; turn++) {
      again = false;
      for (const peer of peers) if (this.#fill(view, peer, peers.length, nowMs)) again = true;
    }
  }

  /** As {@link plan}, where nothing changed but what one peer can give. */
  planOne(peer: SourceState, nowMs: number): void {
    const { peers, policy } = this.#state;
    if (!policy.allowDownloadFromPeers || !peer.isUsable(nowMs) || !peer.isWorthAsking) return;
    const view = this.#peerView();
    for (let turn = 0; turn < MOST_TURNS; turn++) if (!this.#fill(view, peer, peers.size, nowMs)) break;
  }

  /** Asks a peer for as much as its window takes; answers whether others should be asked before it is asked again. */
  #fill(view: PeerView, peer: SourceState, among: number, nowMs: number): boolean {
    while (peer.roomBytes >= LIMITS.blockBytes) {
      const next = peerChoice(view, peer, nowMs);
      if (next === undefined) return false;
      const { track, chunk } = next;
      if (chunk.deadlineMs >= nowMs + SOON_MS && this.#keepsLineFree(nowMs)) return false;
      const run = { ...next.run };
      let end = run.first;
      let bytes = 0;
      // On a fast link a chunk is asked for in one request, though it goes a little over the window.
      const room = Math.max(peer.roomBytes, peer.window.bytes / 4);
      // Blocks that somebody is about to hear come from several peers side by side.
      const spread = among > 1 && chunk.dueMs(run.first) - nowMs < SPREAD_WITHIN_MS;
      if (spread) run.end = Math.min(run.end, run.first + SPREAD_BLOCKS);
      while (end < run.end && bytes + chunk.blockBytes(end) <= room) bytes += chunk.blockBytes(end++);
      if (end === run.first) return false;
      this.#flights.ask(peer.id, track, chunk, { first: run.first, end }, nowMs);
      if (peer.outstandingBytes === 0) {
        peer.lastProgressMs = nowMs;
        peer.window.begun(nowMs);
      }
      peer.outstandingBytes += bytes;
      peer.window.requested(peer.outstandingBytes, nowMs);
      if (spread || this.#state.isScarce(track, chunk)) return true;
    }
    return false;
  }

  /** Whether something is due so soon that what nobody waits for may not fill the line before it. */
  #keepsLineFree(nowMs: number): boolean {
    let bytes = 0;
    for (const peer of this.#state.peers.values()) bytes += peer.outstandingBytes;
    if (bytes < FREE_LINE_BYTES) return false;
    for (const track of this.#state.tracks.values()) {
      const [first] = track.inOrder();
      // Where the origin is slow all are late for long, and get on by what they give each other.
      if (this.#state.origin.pace.isCongested(track.consumptionBytesPerMs)) continue;
      if (first !== undefined && first.deadlineMs < nowMs + SOON_MS) return true;
    }
    return false;
  }

  #peerView(): PeerView {
    return {
      policy: this.#state.policy,
      tracks: this.#state.tracks,
      peers: this.#state.peers,
      origin: this.#state.origin,
      mayPrefetch: this.#state.mayPrefetch,
      isScarce: (track, chunk) => this.#state.isScarce(track, chunk),
      scarceRoom: (track, chunk, peer) => this.#state.scarceRoom(track, chunk, peer),
    };
  }
}
