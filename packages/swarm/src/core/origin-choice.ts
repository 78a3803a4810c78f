import { fetcherRank, isLease, originStep } from './origin-claims.ts';
import type { OriginPace } from './origin-pace.ts';
import { canDeliverBy } from './source-ranking.ts';
import { ORIGIN, type PeerHoldings, type SourceId, type SourceState } from './source-state.ts';
import { FETCHING_SLACK_MS } from './swarm-state.ts';
import type { TrackDemand } from './track-demand.ts';
import type { BlockSpan, Flight, WantedChunk } from './wanted-chunk.ts';

/** `awaited`: it is about to be known whether one answers; who is in no hurry waits for that. */
export type TrackerState = 'absent' | 'awaited' | 'up';

/** What a chunk that a peer has just fetched takes to be told of, asked for and passed on, in milliseconds. */
const PASSED_ON_MS = 300;
/** How long past its deadline a block is left to a peer that says it is fetching it, while the origin is slow, in milliseconds. */
export const CONGESTED_PATIENCE_MS = 6_000;
/** How long a peer that never gave has to begin, while only the origin would be in time, in milliseconds. */
export const TRIAL_MS = 160;
/** The same for one that told of a part of the chunk: it is there, and waits for the rest as we do. In milliseconds. */
export const FELLOW_TRIAL_MS = 100;
/** Blocks asked for at the last moment at a time. */
const LAST_BLOCKS = 2;
/** Least time between two ranks of substitutes without a tracker. */
const SUBSTITUTE_AFTER_MS = 1_000;
/** How long a chunk may be somebody else's to give, in milliseconds: longer than a lease of the tracker lasts. */
const ELSEWHERE_MS = 60_000;
/** How long who is alone waits for the answer to its first claim, in milliseconds. */
const FIRST_CLAIM_MS = 300;
/** Where nobody else listens, what is due is asked for together with what is due this many lead times from now: a request costs a round trip. */
const LEADS_AT_ONCE = 2;

/** A linked peer that takes part in a track, and what it holds of it. */
export interface TrackPeer {
  readonly peer: SourceState;
  readonly holdings: PeerHoldings;
}

/** What the choice of the origin depends on beside the chunk. */
export interface OriginView {
  readonly policy: { readonly allowDownloadFromPeers: boolean; readonly preferServerOverP2P: boolean };
  readonly tracker: TrackerState;
  readonly pace: OriginPace;
  /** This instance's link nonce, the same that peers know it by. */
  readonly ownId: string;
  /** Whether what is under way from a peer may not come: nothing ever did, or nothing has for a while. */
  isDoubted(source: SourceId): boolean;
  /** How long a peer that never gave has to begin with a chunk, while only the origin would be in time, in milliseconds. */
  trialMs(source: SourceId, track: TrackDemand, chunk: WantedChunk): number;
  /** How long what was asked of a peer is waited for before it should have been here, in milliseconds. */
  waitMs(source: SourceId): number;
  /** Linked peers that take part in the track. */
  peersOf(track: TrackDemand): readonly TrackPeer[];
}

/**
 * What to take from the origin at once because somebody would wait otherwise; `whole` when the chunk is this listener's to
 * fetch. Or to wait, because somebody else gives it.
 */
export type UrgentChoice =
  | { readonly type: 'fetch'; readonly run: BlockSpan; readonly whole: boolean }
  | { readonly type: 'wait' };

/** Whether to take what is left of a chunk from the origin, to ask the tracker for leave, or to wait for others. */
export type PatientChoice = { readonly type: 'fetch' | 'ask' | 'wait' };

const WAIT = { type: 'wait' } as const;
const PATIENT = { type: 'fetch' } as const;

/** What is due so soon that only the origin can give it in time, and that nobody better placed is fetching. */
export function urgentChoice(
  view: OriginView,
  track: TrackDemand,
  chunk: WantedChunk,
  nowMs: number,
): UrgentChoice {
  const { pace } = view;
  if (chunk.deadlineMs - nowMs >= pace.leadMs) return WAIT;
  const whole = !track.originProvesBlocks || isMine(view, track, chunk, nowMs);
  const leads = track.alone ? LEADS_AT_ONCE : 1;
  const congested = pace.isCongested(track.consumptionBytesPerMs);
  // A slow origin is not asked for what is on its way, however long it takes.
  const last = congested ? undefined : lastChance(view, chunk, nowMs);
  if (last !== undefined) return { type: 'fetch', run: last, whole };
  const isInVain = ({ source, firstMs }: Flight) =>
    view.isDoubted(source) && nowMs - firstMs >= view.trialMs(source, track, chunk);
  const run = chunk.mostPressingIdle({
    beforeMs: whole ? undefined : nowMs + leads * pace.leadMs,
    doubted: congested ? undefined : isInVain,
  });
  if (run === undefined) return WAIT;
  const dueMs = chunk.dueMs(run.first);
  if (!whole && dueMs - nowMs >= pace.leadMs) return WAIT;
  const { allowDownloadFromPeers, preferServerOverP2P } = view.policy;
  // Who never gave may be waited for once, and not for long.
  const inVain = chunk.flightsOf(run.first).some(isInVain);
  for (const { peer, holdings } of allowDownloadFromPeers && !preferServerOverP2P
    ? view.peersOf(track)
    : []) {
    const isTrusted = congested || !inVain || !view.isDoubted(peer.id);
    if (isTrusted && holdings.held.has(chunk.chunk) && canDeliverBy(peer, chunk.spanBytes(run), dueMs, nowMs))
      return WAIT;
    const etaMs = holdings.fetching.get(chunk.chunk);
    if (etaMs === undefined || nowMs >= etaMs + FETCHING_SLACK_MS) continue;
    const patience = congested ? CONGESTED_PATIENCE_MS : 0;
    if (Math.max(etaMs, nowMs) + PASSED_ON_MS <= dueMs + patience) return WAIT;
  }
  // A slow origin gets slower for everybody when all ask it for the same: who was told to wait for another waits.
  const elsewhere = chunk.claim.state === 'elsewhere' && !waitedLong(chunk, nowMs);
  if (congested && !whole && elsewhere && nowMs < dueMs + CONGESTED_PATIENCE_MS) return WAIT;
  if (congested && !whole && isPassedOn(view, track, chunk, nowMs, run.first)) return WAIT;
  return { type: 'fetch', run, whole };
}

/** What peers have had under way for a while and should have given: the origin's would just be in time. */
function lastChance(view: OriginView, chunk: WantedChunk, nowMs: number): BlockSpan | undefined {
  if (!chunk.hasFlights) return undefined;
  const doubted = ({ source, firstMs }: Flight) =>
    source !== ORIGIN && nowMs - firstMs >= view.waitMs(source);
  const run = chunk.mostPressingIdle({ beforeMs: nowMs + view.pace.latestMs, doubted });
  if (run === undefined || chunk.flightsOf(run.first).length === 0) return undefined;
  return { first: run.first, end: Math.min(run.end, run.first + LAST_BLOCKS) };
}

/** What nobody is in a hurry for: only what no peer holds or fetches, and only by leave. */
export function patientChoice(
  view: OriginView,
  track: TrackDemand,
  chunk: WantedChunk,
  nowMs: number,
): PatientChoice {
  if (!chunk.hasIdle) return WAIT;
  if (isMine(view, track, chunk, nowMs)) return PATIENT;
  const isSlow = view.pace.isCongested(track.consumptionBytesPerMs);
  if (isSlow && isPassedOn(view, track, chunk, nowMs)) return WAIT;
  const dueMs = chunk.deadlineMs + (isSlow ? CONGESTED_PATIENCE_MS : 0);
  // Of a hundred chunks most have no holder: what is looked for first costs least.
  let bytes: number | undefined;
  for (const { peer, holdings } of view.peersOf(track)) {
    if (holdings.held.has(chunk.chunk)) {
      bytes ??=
        dueMs === Number.POSITIVE_INFINITY ? 0 : chunk.spanBytes(chunk.mostPressingIdle() ?? chunk.wanted);
      if (givesInTime(peer, bytes, dueMs, nowMs)) return WAIT;
    }
    const etaMs = holdings.fetching.get(chunk.chunk);
    if (etaMs !== undefined && nowMs < etaMs + FETCHING_SLACK_MS) return WAIT;
  }
  if (waitedLong(chunk, nowMs)) return PATIENT;
  if (view.tracker === 'awaited') return WAIT;
  if (view.tracker === 'absent') return electedChoice(view, track, chunk, nowMs);
  const step = originStep(chunk.claim, nowMs);
  return step === 'fetch' ? PATIENT : { type: step };
}

/**
 * Whether several hold a chunk, or one block of it, who give: a crowd passes it on, and a slow origin would only be asked
 * for it again.
 */
function isPassedOn(
  { peersOf }: OriginView,
  track: TrackDemand,
  { chunk }: WantedChunk,
  nowMs: number,
  block?: number,
): boolean {
  let holders = 0;
  for (const { peer, holdings } of peersOf(track))
    if (
      (holdings.held.has(chunk) || (block !== undefined && holdings.parts.get(chunk)?.[block] === 1)) &&
      peer.outlook(nowMs) === 'gives' &&
      ++holders > 1
    )
      return true;
  return false;
}

/** Whether a holder gives it in time; where nobody is in a hurry also one that is busy or was silent once. */
function givesInTime(peer: SourceState, bytes: number, deadlineMs: number, nowMs: number): boolean {
  if (deadlineMs === Number.POSITIVE_INFINITY) return peer.outlook(nowMs) === 'gives';
  return canDeliverBy(peer, bytes, deadlineMs, nowMs);
}

/** Whether the whole chunk is this listener's to fetch: by leave, by choice, or because there is nobody else. */
function isMine(view: OriginView, track: TrackDemand, chunk: WantedChunk, nowMs: number): boolean {
  const { allowDownloadFromPeers, preferServerOverP2P } = view.policy;
  if (preferServerOverP2P || !allowDownloadFromPeers) return true;
  // Of several who come at once the first is told that it is alone; what they claimed says better.
  const { firstClaimMs } = track;
  const isKnown = track.hasClaimed || firstClaimMs === undefined || nowMs - firstClaimMs >= FIRST_CLAIM_MS;
  const isAlone = (track.alone && chunk.claim.state !== 'elsewhere' && isKnown) || view.tracker === 'absent';
  if (isAlone && view.peersOf(track).length === 0) return true;
  return chunk.claim.state === 'granted' && isLease(chunk.claim, nowMs);
}

function waitedLong(chunk: WantedChunk, nowMs: number): boolean {
  return chunk.elsewhereSinceMs !== undefined && nowMs - chunk.elsewhereSinceMs >= ELSEWHERE_MS;
}

/** Without a tracker those connected rank themselves; each rank waits a second longer for the ones before. */
function electedChoice(
  { ownId, peersOf }: OriginView,
  track: TrackDemand,
  chunk: WantedChunk,
  nowMs: number,
): PatientChoice {
  const others = peersOf(track).map(({ peer }) => peer.id);
  const rank = fetcherRank(ownId, others, `${track.key}/${chunk.chunk}`);
  if (rank === 0) return PATIENT;
  if (chunk.claim.state !== 'asked') chunk.claim = { state: 'asked', sinceMs: nowMs };
  return nowMs - chunk.claim.sinceMs >= rank * SUBSTITUTE_AFTER_MS ? PATIENT : WAIT;
}
