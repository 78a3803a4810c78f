import type { Aula, Member, MemberList, Peer } from './roster.ts';
import { HOLDS_ALL, HOLDS_NONE } from './roster.ts';

/** What a choice of peers depends on besides the swarm. */
export interface PickContext {
  readonly nowMs: number;
  /** Peers not heard of for this long are never offered. */
  readonly staleAfterMs: number;
  /** Share of one address in an answer, outside the asker's Aula; 0 for any. One peer is always allowed. */
  readonly maxShareOfOneAddress: number;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** Members looked at for one answer, however large the swarm; twice the number wanted where that is more. */
const SAMPLE = 32;
/** Of an answer that cannot name the whole room, this share is named by chance alone. */
const SHARE_BY_CHANCE = 0.25;
/** Members passed over in one answer because their address has enough in it. */
const MAX_PASSED_OVER = 1_024;
/** Round trips to the tracker are a coarse measure: peers in one of these steps, in milliseconds, are equal. */
const ROUND_TRIP_STEPS_MS = [60, 180, 450];
/** The step of those not measured: neither favoured nor avoided. */
const UNKNOWN_STEP = 1;
const STEPS = ROUND_TRIP_STEPS_MS.length + 1;

/**
 * Chooses up to `want` members to introduce to one of their swarm: those of its Aula, then others; of each,
 * the useful ones are chosen first, and the answer is ordered by round trip and then by use. Useful is who
 * holds something of `needs` (a bitmap of the swarm's chunks) or, without, something the asker lacks; to a
 * complete asker, who lacks something. It looks at a bounded sample, spread over the swarm by chance.
 */
export function pickMembers(
  asker: Member,
  want: number,
  needs: Uint8Array | undefined,
  context: PickContext,
): Member[] {
  const { aula } = asker.peer;
  const picked: Member[] = [];
  const room = aula && asker.swarm.rooms.get(aula);
  if (room !== undefined) pickFrom(room.members, asker, want, needs, context, false, picked);
  const fromAula = picked.length;
  if (fromAula < want) pickFrom(asker.swarm.open, asker, want, needs, context, true, picked);
  return context.maxShareOfOneAddress > 0
    ? withoutCrowds(picked, fromAula, context.maxShareOfOneAddress)
    : picked;
}

/** Leaves out of an answer, after its first `exempt`, whom one address has beyond its share of what stays. */
function withoutCrowds(picked: Member[], exempt: number, share: number): Member[] {
  for (;;) {
    const atMost = Math.max(1, Math.floor(picked.length * share));
    const counts = new Map<string, number>();
    const kept = picked.filter(({ peer: { address } }, i) => {
      if (i < exempt || address === undefined) return true;
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      return count <= atMost;
    });
    if (kept.length === picked.length) return kept;
    picked = kept;
  }
}

/**
 * Chooses up to `want` members of an asker's Aula by chance, nearer ones first. Of a room that is larger a quarter of the
 * answer is whoever was drawn, near or not: that somebody is of the room is known from these answers alone.
 */
export function pickAulaMembers(asker: Peer, aula: Aula, want: number, context: PickContext): Peer[] {
  const sample: Peer[] = [];
  drawFrom(aula.listed, Math.max(SAMPLE, want * 2), context.random, (peer) => {
    if (peer !== asker && isFresh(peer, context)) sample.push(peer);
    return true;
  });
  const anyhow = sample.length > want ? Math.floor(want * SHARE_BY_CHANCE) : 0;
  const nearerFirst = (a: Peer, b: Peer) => roundTripStep(a) - roundTripStep(b);
  const nearest = sample.slice(anyhow).toSorted(nearerFirst);
  return [...sample.slice(0, anyhow), ...nearest.slice(0, want - anyhow)].toSorted(nearerFirst);
}

/** Somebody a member may see who holds a chunk, of its Aula where possible; chosen by chance. */
export function pickHolder(asker: Member, chunk: number, context: PickContext): Peer | undefined {
  const { aula } = asker.peer;
  const room = aula && asker.swarm.rooms.get(aula);
  return (
    (room && holderIn(room.members, asker, chunk, context)) ??
    holderIn(asker.swarm.open, asker, chunk, context)
  );
}

function holderIn(list: MemberList, asker: Member, chunk: number, context: PickContext): Peer | undefined {
  const complete = freshHolderAmong(list.complete, asker, chunk, context);
  if (complete !== undefined || !list.mayHold(chunk)) return complete;
  const partial = freshHolderAmong(list.partial, asker, chunk, context);
  if (partial === undefined && !list.partial.some((member) => member.has(chunk))) list.noteUnheld(chunk);
  return partial;
}

/** The first one heard of lately who holds a chunk, from a random start. */
function freshHolderAmong(
  members: readonly Member[],
  asker: Member,
  chunk: number,
  context: PickContext,
): Peer | undefined {
  const { length } = members;
  const first = Math.floor(context.random() * length);
  for (let i = 0; i < length; i++) {
    const member = members[(first + i) % length];
    if (member === undefined || member === asker || !member.has(chunk)) continue;
    if (isFresh(member.peer, context)) return member.peer;
  }
  return undefined;
}

function pickFrom(
  list: MemberList,
  asker: Member,
  want: number,
  needs: Uint8Array | undefined,
  context: PickContext,
  isOpen: boolean,
  picked: Member[],
): void {
  const sample: Member[] = [];
  /** For each of the sample, by use first and round trip second: with nothing to give none is a source. */
  const ranks: number[] = [];
  /** How many of the sample each address has, and may have. */
  let crowds: Map<string, number> | undefined;
  const countsCrowds = isOpen && context.maxShareOfOneAddress > 0;
  const atMost = Math.max(1, Math.floor(want * context.maxShareOfOneAddress));
  let passedOver = 0;
  const take = (member: Member): boolean => {
    if (member === asker || !isFresh(member.peer, context)) return true;
    if (isOpen && member.peer.aula !== undefined && member.peer.aula === asker.peer.aula) return true;
    const { address } = member.peer;
    if (countsCrowds && address !== undefined) {
      crowds ??= new Map();
      const count = (crowds.get(address) ?? 0) + 1;
      if (count > atMost) return ++passedOver > MAX_PASSED_OVER;
      crowds.set(address, count);
    }
    const step = roundTripStep(member.peer);
    sample.push(member);
    ranks.push(isUseful(member, asker, needs) ? step : STEPS + step);
    return true;
  };
  let left = Math.max(SAMPLE, want * 2);
  const [first, second, last] = asker.isComplete
    ? [list.partial, list.empty, list.complete]
    : [list.complete, list.partial, list.empty];
  const half = Math.max(left >> 1, left - second.length);
  left -= drawFrom(first, half, context.random, take);
  left -= drawFrom(second, left, context.random, take);
  drawFrom(last, left, context.random, take);

  const wanted = want - picked.length;
  const chosen: { member: Member; rank: number }[] = [];
  for (let rank = 0; rank < 2 * STEPS && chosen.length < wanted; rank++) {
    for (let i = 0; i < sample.length; i++) {
      const member = sample[i];
      if (member !== undefined && ranks[i] === rank && chosen.length < wanted) chosen.push({ member, rank });
    }
  }
  chosen.sort((a, b) => listedAs(a.rank) - listedAs(b.rank));
  for (const { member } of chosen) picked.push(member);
}

/** A rank as a place in the answer: by round trip first and use second. */
function listedAs(rank: number): number {
  return rank < STEPS ? rank * 2 : (rank - STEPS) * 2 + 1;
}

function isUseful(member: Member, asker: Member, needs: Uint8Array | undefined): boolean {
  if (asker.row === HOLDS_ALL) return member.row !== HOLDS_ALL;
  if (member.row === HOLDS_ALL) return true;
  if (member.row === HOLDS_NONE) return false;
  const { bitmaps } = asker.swarm;
  if (needs !== undefined) return bitmaps.hasAnyOf(member.row, needs);
  return asker.row === HOLDS_NONE || bitmaps.hasAnyNotIn(member.row, asker.row);
}

function isFresh(peer: Peer, { nowMs, staleAfterMs }: PickContext): boolean {
  return staleAfterMs === 0 || nowMs - peer.heardMs < staleAfterMs;
}

function roundTripStep({ rttMs }: Peer): number {
  if (rttMs === null) return UNKNOWN_STEP;
  let step = 0;
  for (const belowMs of ROUND_TRIP_STEPS_MS) {
    if (rttMs < belowMs) return step;
    step++;
  }
  return step;
}

/**
 * Visits different elements until `visit` answered `true` for `count` of them, all where there are no more, in
 * an order that differs from call to call: a random start and a random stride that shares no factor with the
 * length. Answers for how many.
 */
function drawFrom<T>(
  list: readonly T[],
  count: number,
  random: () => number,
  visit: (element: T) => boolean,
): number {
  const { length } = list;
  if (count <= 0 || length === 0) return 0;
  let at = Math.floor(random() * length);
  let stride = 1 + Math.floor(random() * (length - 1));
  while (greatestCommonDivisor(stride, length) !== 1) stride = (stride % length) + 1;
  let drawn = 0;
  for (let visited = 0; visited < length && drawn < count; visited++) {
    const element = list[at];
    if (element !== undefined && visit(element)) drawn++;
    at = (at + stride) % length;
  }
  return drawn;
}

function greatestCommonDivisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
