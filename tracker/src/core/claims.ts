import type { PeerId } from '@sonantica/wire';
import { isShownTo } from './peer-registry.ts';
import type { GivenBack, Lease, Member, Peer } from './roster.ts';

/** Full sets of leases that may lapse in a row. */
const MAX_BROKEN_SETS = 2;
/** How long one who let so many lapse is granted no more, in milliseconds. */
export const NO_LEASES_MS = 60_000;

/** What a `claim` is answered with. */
export interface Claimed {
  readonly granted: readonly number[];
  readonly heldBy: ReadonlyMap<number, PeerId>;
}

/**
 * Who fetches from the origin what nobody holds. A lease lasts `ttlMs` and ends earlier with the chunk, the
 * swarm or the socket. What a peer shows to its Aula alone, its leases too, others do not see: they are
 * granted the same chunk.
 *
 * Who gives a chunk back while another waits for it makes way: for `ttlMs` it is granted to others alone. Else one who
 * gives back and claims in one breath would keep it from all for ever.
 */
export class Claims {
  readonly ttlMs: number;
  readonly #maxLeases: number;
  /** Oldest first, and so in the order in which they expire. */
  readonly #leases = new Set<Lease>();
  /** The same of what was given back while somebody waited. */
  readonly #givenBack = new Set<GivenBack>();

  constructor(ttlMs: number, maxLeases: number) {
    this.ttlMs = ttlMs;
    this.#maxLeases = maxLeases;
  }

  /** Leases that have not ended; expired ones until the next sweep. */
  get size(): number {
    return this.#leases.size;
  }

  /**
   * Grants what it can, `most` of it at most. `holderOf` names somebody the claimer may see who holds a chunk. A lease of the
   * claimer's own is granted again without lasting longer: silence cannot keep a chunk for ever.
   */
  claim(
    claimer: Member,
    chunks: readonly number[],
    most: number,
    holderOf: (chunk: number) => Peer | undefined,
    nowMs: number,
  ): Claimed {
    this.#endExpired(claimer.peer, nowMs);
    const granted: number[] = [];
    const heldBy = new Map<number, PeerId>();
    for (const chunk of new Set(chunks)) {
      if (claimer.has(chunk)) continue;
      const holder = holderOf(chunk) ?? this.#fetcher(claimer, chunk, nowMs);
      if (holder !== undefined && holder !== claimer.peer) heldBy.set(chunk, holder.id);
      else if (granted.length >= most) continue;
      else if (holder === claimer.peer) granted.push(chunk);
      else if (this.#mayHave(claimer, chunk, nowMs)) {
        this.#grant({ member: claimer, chunk, expiresMs: nowMs + this.ttlMs, isAwaited: false });
        granted.push(chunk);
      }
    }
    return { granted, heldBy };
  }

  /** Ends a member's leases on chunks it now holds. */
  endHeld(member: Member): void {
    for (const lease of member.peer.leases) {
      if (lease.member !== member || !member.has(lease.chunk)) continue;
      member.peer.brokenLeases = 0;
      this.#end(lease);
    }
  }

  /** Ends a member's leases on chunks that it no longer fetches; of long ones as of those that lapse. */
  release(member: Member, chunks: readonly number[], nowMs: number): void {
    for (const lease of member.peer.leases)
      if (lease.member === member && chunks.includes(lease.chunk)) this.#giveBack(lease, nowMs);
  }

  /** Ends all leases of a member that leaves its swarm, as if it gave them back: it may enter it again at once. */
  endMember(member: Member, nowMs: number): void {
    for (const lease of member.peer.leases) if (lease.member === member) this.#giveBack(lease, nowMs);
  }

  /** Ends all leases of a peer that is gone. */
  endPeer(peer: Peer): void {
    for (const lease of peer.leases) this.#end(lease);
  }

  /** Ends what expired. */
  sweep(nowMs: number): void {
    for (const given of this.#givenBack) {
      if (given.untilMs > nowMs) break;
      this.#givenBack.delete(given);
      given.peer.givenBack = given.peer.givenBack.filter((other) => other !== given);
    }
    for (const lease of this.#leases) {
      if (lease.expiresMs > nowMs) return;
      this.#lapse(lease, nowMs);
    }
  }

  /** Who is fetching a chunk, the claimer itself before others. */
  #fetcher(claimer: Member, chunk: number, nowMs: number): Peer | undefined {
    let shown: Lease | undefined;
    for (const lease of claimer.swarm.leases.get(chunk) ?? []) {
      if (lease.expiresMs <= nowMs) continue;
      if (lease.member === claimer) return claimer.peer;
      if (isShownTo(claimer.peer, lease.member)) shown = lease;
    }
    if (shown !== undefined) shown.isAwaited = true;
    return shown?.member.peer;
  }

  /** Whether one more lease may go to a claimer, and this one. */
  #mayHave({ peer, swarm }: Member, chunk: number, nowMs: number): boolean {
    if (peer.leases.length >= this.#maxLeases || peer.noLeasesUntilMs > nowMs) return false;
    return !peer.givenBack.some(
      (given) => given.swarm === swarm && given.chunk === chunk && given.untilMs > nowMs,
    );
  }

  #grant(lease: Lease): void {
    const { swarm, peer } = lease.member;
    this.#leases.add(lease);
    peer.leases = [...peer.leases, lease];
    const others = swarm.leases.get(lease.chunk);
    if (others === undefined) swarm.leases.set(lease.chunk, [lease]);
    else others.push(lease);
  }

  #end(lease: Lease): void {
    const { swarm, peer } = lease.member;
    this.#leases.delete(lease);
    peer.leases = peer.leases.filter((other) => other !== lease);
    const left = swarm.leases.get(lease.chunk)?.filter((other) => other !== lease) ?? [];
    if (left.length === 0) swarm.leases.delete(lease.chunk);
    else swarm.leases.set(lease.chunk, left);
  }

  #giveBack(lease: Lease, nowMs: number): void {
    const { peer, swarm } = lease.member;
    if (lease.expiresMs - nowMs < this.ttlMs / 2) this.#lapse(lease, nowMs);
    else this.#end(lease);
    if (!lease.isAwaited) return;
    const given = { peer, swarm, chunk: lease.chunk, untilMs: nowMs + this.ttlMs };
    this.#givenBack.add(given);
    peer.givenBack = [...peer.givenBack, given];
  }

  #endExpired(peer: Peer, nowMs: number): void {
    for (const lease of peer.leases) if (lease.expiresMs <= nowMs) this.#lapse(lease, nowMs);
  }

  /** Ends a lease that was not honoured. Who goes on honouring none keeps chunks from others no longer. */
  #lapse(lease: Lease, nowMs: number): void {
    const { peer } = lease.member;
    this.#end(lease);
    if (++peer.brokenLeases < MAX_BROKEN_SETS * this.#maxLeases) return;
    peer.brokenLeases = 0;
    peer.noLeasesUntilMs = nowMs + NO_LEASES_MS;
  }
}
