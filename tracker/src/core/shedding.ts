import type { Member, Peer } from './roster.ts';

/** Swarms up to these sizes are given up, the smaller before the larger: they help the fewest. */
const SHED_SIZES = [1, 2, 4, 8];
/** Bitmaps of one peer that it may keep, in bytes: of a hundred tracks of an hour each it has not half as many. */
export const MODEST_BYTES = 65_536;

/**
 * Whom to take out of a swarm while memory is short, one after the other: each is to be taken out before the next is
 * asked for. First the largest bitmaps of the peers who keep the most, down to half of the most each time, until all
 * are modest; then the smallest swarms. `undefined` is a step that found nobody.
 */
export function* membersToShed(registry: { readonly peers: Iterable<Peer> }): Generator<Member | undefined> {
  let most = 0;
  for (const peer of registry.peers) {
    most = Math.max(most, bitmapBytes(peer));
    yield undefined;
  }
  while (most > MODEST_BYTES) {
    most = Math.max(most / 2, MODEST_BYTES);
    for (const peer of registry.peers) {
      yield* largestOf(peer, most);
      yield undefined;
    }
  }
  for (const size of SHED_SIZES) {
    for (const peer of registry.peers) {
      for (const member of peer.memberships.values()) if (member.swarm.size <= size) yield member;
      yield undefined;
    }
  }
}

/** Members with the largest bitmaps of a peer, until those that are left take so many bytes. */
function* largestOf(peer: Peer, leftBytes: number): Generator<Member> {
  let bytes = bitmapBytes(peer);
  if (bytes <= leftBytes) return;
  const members = [...peer.memberships.values()].filter((member) => rowBytes(member) > 0);
  members.sort((a, b) => rowBytes(b) - rowBytes(a));
  for (const member of members) {
    if (bytes <= leftBytes) return;
    // Others were heard meanwhile: it may have left, or hold something else.
    if (peer.memberships.get(member.swarm.version) !== member) continue;
    bytes -= rowBytes(member);
    yield member;
  }
}

function bitmapBytes(peer: Peer): number {
  let bytes = 0;
  for (const member of peer.memberships.values()) bytes += rowBytes(member);
  return bytes;
}

function rowBytes({ row, swarm }: Member): number {
  return row < 0 ? 0 : swarm.bitmaps.rowBytes;
}
