import type { BlockRun, TrackId } from '@sonantica/wire';

/** A head is asked for ahead of so many peers side by side at most. */
const MOST_PEERS = 3;
/** URLs asked for sooner after each other than this are those of a list, in milliseconds. */
const ONE_OF_A_LIST_MS = 1_000;

/** Which part of a head is asked of whom. */
export interface HeadShare<Peer> extends Omit<BlockRun, 'chunk'> {
  readonly peer: Peer;
}

/**
 * Parts of a head of so many blocks for peers that propose its track, the first to be asked first: only those that
 * propose the version that the first of them does, as one manifest says one.
 */
export function headShares<Peer>(
  peers: readonly Peer[],
  rootOf: (peer: Peer) => string | undefined,
  blocks: number,
): HeadShare<Peer>[] {
  const [best] = peers;
  if (best === undefined) return [];
  const root = rootOf(best);
  const alike = peers.filter((peer) => rootOf(peer) === root).slice(0, MOST_PEERS);
  const each = Math.ceil(blocks / alike.length);
  return alike.map((peer, at) => ({ peer, first: at * each, count: Math.min(each, blocks - at * each) }));
}

/**
 * What the members of an Aula play, by the track that each came to last: that of most of them, of equals the one named
 * before, else the one that was met first. `undefined` where nobody plays.
 */
export function playedBy(
  latest: Iterable<TrackId | undefined>,
  before: TrackId | undefined,
): TrackId | undefined {
  const players = new Map<TrackId, number>();
  for (const trackId of latest)
    if (trackId !== undefined) players.set(trackId, (players.get(trackId) ?? 0) + 1);
  let most = before;
  for (const [trackId, count] of players)
    if (most === undefined || count > (players.get(most) ?? 0)) most = trackId;
  return players.size === 0 ? undefined : most;
}

/** Whether the URL of a track is about to be played, or is one of a list that a page makes. */
export class ExpectedPlayer {
  #last: { readonly trackId: TrackId; readonly atMs: number } | undefined;

  /** A track's URL is given out; answers whether a player is expected at once. */
  urlGiven(trackId: TrackId, nowMs: number): boolean {
    const last = this.#last;
    this.#last = { trackId, atMs: nowMs };
    return last === undefined || last.trackId === trackId || nowMs - last.atMs >= ONE_OF_A_LIST_MS;
  }

  /** A player asks for a track: its URL was no mere entry of a list. */
  asks(trackId: TrackId): void {
    if (this.#last?.trackId === trackId) this.#last = undefined;
  }
}
