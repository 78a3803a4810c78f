import { offersOf } from './crowd.ts';
import type { OriginLine } from './origin-line.ts';
import { canDeliverBy, UNTRIED_MS } from './source-ranking.ts';
import { ORIGIN, type SourceId, type SourceState } from './source-state.ts';
import type { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';
import type { BlockSpan, Flight, WantedChunk } from './wanted-chunk.ts';

/** Below this much time to the deadline nobody is waited for, in milliseconds. */
export const URGENT_MS = 3_000;
/** How long a peer that gave nothing yet has to show that it does before the origin is asked for the same, in milliseconds. */
const PROBE_MS = 50;
/** A duplicate is asked for when the deadline is nearer than this and the first source is late, in milliseconds. */
const ENDGAME_MS = 1_000;
/** A source is not late before it had this long, in milliseconds. */
const LATE_AFTER_MS = 250;
/** Of a scarce chunk that is due within this time, what did not come for so long is asked of another that has it too, in milliseconds. */
const CROWD_HURRY_MS = 700;
const CROWD_LATE_AFTER_MS = 120;

/** What the choice for a peer depends on beside the peer. */
export interface PeerView {
  readonly policy: { readonly prioritizeAulaMembers: boolean; readonly preferServerOverP2P: boolean };
  readonly tracks: ReadonlyMap<TrackKey, TrackDemand>;
  readonly peers: ReadonlyMap<SourceId, SourceState>;
  readonly origin: OriginLine;
  /** Whether nothing else is wanted, so that tracks may be prefetched. */
  readonly mayPrefetch: boolean;
  /** Whether a chunk waits until the store has caught up. */
  isHeldBack(chunk: WantedChunk, nowMs: number): boolean;
  /** Whether somebody listens to a chunk soon and few hold it. */
  isScarce(track: TrackDemand, chunk: WantedChunk): boolean;
  /** Blocks of a scarce chunk that may be asked of a peer now. */
  scarceRoom(track: TrackDemand, chunk: WantedChunk, peer: SourceState): number;
}

/** Blocks to ask of a peer. */
export interface PeerChoice {
  readonly track: TrackDemand;
  readonly chunk: WantedChunk;
  readonly run: BlockSpan;
}

/** The most pressing run that a peer can give: a chunk already asked of it or of nobody before a shared one. */
export function peerChoice(view: PeerView, peer: SourceState, nowMs: number): PeerChoice | undefined {
  let own: PeerChoice | undefined;
  let shared: PeerChoice | undefined;
  let late: PeerChoice | undefined;
  for (const [key, { held, parts }] of peer.tracks) {
    const track = view.tracks.get(key);
    if (track === undefined) continue;
    for (const chunk of track.inOrder()) {
      if (own !== undefined && chunk.deadlineMs >= own.chunk.deadlineMs) break;
      if (chunk.prefetch !== undefined && !view.mayPrefetch) break;
      if (view.isHeldBack(chunk, nowMs)) continue;
      if (!held.has(chunk.chunk) && !parts.has(chunk.chunk)) continue;
      const run = runFor(view, peer, track, chunk, nowMs);
      if (run === undefined) {
        late ??= lateRun(view, peer, track, chunk, nowMs);
        continue;
      }
      if (isLeftToOrigin(view, chunk, nowMs)) continue;
      if (peer.tier !== 'aula' && aulaWillGive(view, key, chunk, nowMs)) continue;
      if (!chunk.hasFlights || chunk.isAskedOf(peer.id) || chunk.deadlineMs - nowMs < URGENT_MS) {
        own = { track, chunk, run };
        break;
      }
      if (shared === undefined || chunk.deadlineMs < shared.chunk.deadlineMs) shared = { track, chunk, run };
    }
  }
  return own ?? shared ?? late;
}

/**
 * What may be asked of a peer. One not yet tried may not give at all: what is due before that is known, and before the
 * origin could step in, is not staked on it.
 */
function runFor(
  view: PeerView,
  peer: SourceState,
  track: TrackDemand,
  chunk: WantedChunk,
  nowMs: number,
): BlockSpan | undefined {
  const mayHurry = chunk.deadlineMs - nowMs < CROWD_HURRY_MS;
  if (!chunk.hasIdle && !mayHurry) return undefined;
  const { origin } = view;
  const scarce = view.isScarce(track, chunk);
  // Where the origin is slow all is late, and asking twice would only fill the lines.
  const hurries = scarce && mayHurry && !origin.pace.isCongested(track.consumptionBytesPerMs);
  if (!chunk.hasIdle && !hurries) return undefined;
  const part = peer.holds(track.key, chunk.chunk) ? undefined : peer.partOf(track.key, chunk.chunk);
  const soon = chunk.deadlineMs - nowMs < UNTRIED_MS;
  const isTried = !soon || peer.isTried(nowMs);
  // Who told of a part is there, and gets on as we do: it has as long as the origin leaves it.
  const fromMs = soon ? nowMs + origin.pace.leadMs + (part === undefined ? PROBE_MS : 0) : undefined;
  // The rest of the chunk would come in between, to be taken back when what is wanted is there.
  if (!scarce)
    return chunk.mostPressingIdle({
      among: part,
      within: chunk.wanted,
      fromMs: isTried ? undefined : fromMs,
    });
  const room = view.scarceRoom(track, chunk, peer);
  if (room === 0) return undefined;
  // Who wants the same chunk begins elsewhere in it: then they have different blocks to pass on.
  const rotatedBy = track.startIn(chunk);
  const fewestOf = () => offersOf(view.peers.values(), track.key, chunk);
  const run =
    chunk.mostPressingIdle({ among: part, rotatedBy, fewestOf, fromMs }) ??
    (isTried ? chunk.mostPressingIdle({ among: part }) : undefined) ??
    (hurries
      ? chunk.mostPressingIdle({
          among: part,
          rotatedBy,
          fromMs: isTried ? undefined : fromMs,
          doubted: isLateFor(peer, nowMs),
        })
      : undefined);
  return run && { first: run.first, end: Math.min(run.end, run.first + room) };
}

/** Which flights are late, where another peer that has the block too might be asked for it. */
function isLateFor(peer: SourceState, nowMs: number): (flight: Flight) => boolean {
  return ({ source, sinceMs }) =>
    source !== ORIGIN && source !== peer.id && nowMs - sinceMs >= CROWD_LATE_AFTER_MS;
}

/** Endgame: blocks due within a second whose source has not moved for half its time-out. */
function lateRun(
  { peers }: PeerView,
  peer: SourceState,
  track: TrackDemand,
  chunk: WantedChunk,
  nowMs: number,
): PeerChoice | undefined {
  if (chunk.deadlineMs - nowMs > ENDGAME_MS) return undefined;
  const part = peer.holds(track.key, chunk.chunk) ? undefined : peer.partOf(track.key, chunk.chunk);
  const run = chunk.firstUnasked(chunk.wanted, peer.id, part);
  if (run === undefined) return undefined;
  const flights = chunk.flightsOf(run.first);
  const isOverdue =
    flights.length === 1 &&
    flights.every(
      ({ source, sinceMs }) =>
        nowMs - sinceMs > LATE_AFTER_MS && (peers.get(source)?.isDoubted(nowMs) ?? true),
    );
  return isOverdue ? { track, chunk, run: { first: run.first, end: run.first + 1 } } : undefined;
}

/** Whether the listener prefers the origin, and nothing yet says that it will not give this chunk in time. */
function isLeftToOrigin({ policy, origin }: PeerView, chunk: WantedChunk, nowMs: number): boolean {
  if (!policy.preferServerOverP2P || origin.isFailing(nowMs)) return false;
  return chunk.deadlineMs - nowMs >= URGENT_MS;
}

function aulaWillGive(
  { policy, peers }: PeerView,
  key: TrackKey,
  chunk: WantedChunk,
  nowMs: number,
): boolean {
  if (!policy.prioritizeAulaMembers) return false;
  for (const peer of peers.values()) {
    if (
      peer.tier === 'aula' &&
      peer.holds(key, chunk.chunk) &&
      canDeliverBy(peer, chunk.spanBytes(chunk.wanted), chunk.deadlineMs, nowMs)
    )
      return true;
  }
  return false;
}
