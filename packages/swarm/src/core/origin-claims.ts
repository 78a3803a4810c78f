import { LIMITS } from '@sonantica/wire';
import type { ClaimState } from './wanted-chunk.ts';

/** How long the tracker has to answer a claim before its silence counts as leave, in milliseconds. */
const ANSWER_WITHIN_MS = 3_000;
/** How long to wait for somebody else's fetch before asking the tracker again, in milliseconds. */
const ASK_AGAIN_MS = 1_500;

/** What to do about a chunk that nobody in reach holds. */
export type OriginStep = 'fetch' | 'ask' | 'wait';

/** The next step towards the origin for a chunk that no peer in reach holds or is fetching, while a tracker answers. */
export function originStep(claim: ClaimState, nowMs: number): OriginStep {
  switch (claim.state) {
    case 'none':
      return 'ask';
    case 'asked':
      return nowMs - claim.sinceMs >= ANSWER_WITHIN_MS ? 'fetch' : 'wait';
    case 'granted':
      return nowMs < claim.untilMs ? 'fetch' : 'ask';
    case 'elsewhere':
      return nowMs < claim.untilMs ? 'wait' : 'ask';
  }
}

/** The tracker let this listener fetch the chunk, for `ttlMs`. */
export function granted(ttlMs: number, nowMs: number): ClaimState {
  return { state: 'granted', untilMs: nowMs + ttlMs };
}

/** The tracker named somebody else. */
export function elsewhere(nowMs: number): ClaimState {
  return { state: 'elsewhere', untilMs: nowMs + ASK_AGAIN_MS };
}

/** Whether a claim takes one of the places that the tracker allows: it is being asked for, or granted and not over. */
export function isLease(claim: ClaimState, nowMs: number): boolean {
  if (claim.state === 'asked') return nowMs - claim.sinceMs < ANSWER_WITHIN_MS;
  return claim.state === 'granted' && nowMs < claim.untilMs;
}

/** Chunks that one of several listeners fetches at a time: what all want next then comes in by many lines, and goes out by many. */
const SHARED_CLAIMS = 1;

/** Chunks that a lone listener tells of: it fetches them at once, and who comes meanwhile takes others. */
const LONE_CLAIMS = 4;

/**
 * How many further chunks may be claimed while `active` are asked for or granted. `shared`: others give what they fetch;
 * `unshared`: others are there and do not give.
 */
export function claimsLeft(active: number, company: 'alone' | 'shared' | 'unshared'): number {
  const most = { alone: LONE_CLAIMS, shared: SHARED_CLAIMS, unshared: LIMITS.maxClaims }[company];
  return Math.max(0, most - active);
}

/**
 * Rendezvous hashing (Thaler and Ravishankar 1998) over those connected: everybody computes the same
 * ranking of a chunk's fetchers. Answers this listener's rank, 0 being the one to fetch.
 */
export function fetcherRank(own: string, others: Iterable<string>, trackAndChunk: string): number {
  const score = fnv1a(`${own}/${trackAndChunk}`);
  let rank = 0;
  for (const other of others) if (fnv1a(`${other}/${trackAndChunk}`) > score) rank++;
  return rank;
}

/** FNV-1a, 32 bits, with a final mix (MurmurHash3's) so that close inputs rank apart. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
