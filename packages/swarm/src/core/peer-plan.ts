import { LIMITS } from '@sonantica/wire';
import type { Flights } from './flights.ts';
import { peerChoice } from './peer-choice.ts';
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
    const peers: SourceState[] = [];
    for (const peer of all.values()) if (peer.isWorthAsking && peer.isUsable(nowMs)) peers.push(peer);
    if (peers.length > 1) peers.sort(askedBefore(policy.prioritizeAulaMembers));
    let again = true;
    for (let turn = 0; again && turn < MOST_TURNS; turn++) {
      again = false;
      for (const peer of peers) if (this.#fill(peer, peers.length, nowMs)) again = true;
    }
  }

  /** As {@link plan}, where nothing changed but what one peer can give. */
  planOne(peer: SourceState, nowMs: number): void {
    const { peers, policy } = this.#state;
    if (!policy.allowDownloadFromPeers || !peer.isUsable(nowMs) || !peer.isWorthAsking) return;
    for (let turn = 0; turn < MOST_TURNS; turn++) if (!this.#fill(peer, peers.size, nowMs)) break;
  }

  /** Asks a peer for as much as its window takes; answers whether others should be asked before it is asked again. */
  #fill(peer: SourceState, among: number, nowMs: number): boolean {
    while (peer.roomBytes >= LIMITS.blockBytes) {
      const next = peerChoice(this.#state, peer, nowMs);
      if (next === undefined) return false;
      const { track, chunk } = next;
      if (chunk.deadlineMs >= nowMs + SOON_MS && this.#keepsLineFree(nowMs)) return false;
      const { first } = next.run;
      let end = first;
      let bytes = 0;
      // On a fast link a chunk is asked for in one request, though it goes a little over the window.
      const room = Math.max(peer.roomBytes, peer.window.bytes / 4);
      // Blocks that somebody is about to hear come from several peers side by side.
      const spread = among > 1 && chunk.dueMs(first) - nowMs < SPREAD_WITHIN_MS;
      const runEnd = spread ? Math.min(next.run.end, first + SPREAD_BLOCKS) : next.run.end;
      while (end < runEnd && bytes + chunk.blockBytes(end) <= room) bytes += chunk.blockBytes(end++);
      if (end === first) return false;
      this.#flights.ask(peer.id, track, chunk, { first, end }, nowMs, peer.window.isFast);
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
      const first = track.inOrder()[0];
      // Where the origin is slow all are late for long, and get on by what they give each other.
      if (this.#state.origin.pace.isCongested(track.consumptionBytesPerMs)) continue;
      if (first !== undefined && first.deadlineMs < nowMs + SOON_MS) return true;
    }
    return false;
  }
}
