import type { PeerId } from '@sonantica/wire';

/** Links a listener keeps at most. */
export const MAX_LINKS = 24;
/** Aula members linked to before any track is played. */
export const WARM_LINKS = 4;
/** A peer that could not be reached is not tried again for this long, in milliseconds. */
const RETRY_AFTER_MS = 20_000;

/** Banned ids that are remembered: the tracker gives a new one with every socket. */
const BANNED_KEPT = 1_000;

/** A peer the tracker named. */
export interface Candidate {
  readonly peerId: PeerId;
  readonly tier: 'aula' | 'global';
}

/**
 * Which peers to link to. Half of the links are kept for the Aula while it can fill them. Pure.
 */
export class LinkPlan {
  readonly #links = new Map<PeerId, 'aula' | 'global'>();
  readonly #notBefore = new Map<PeerId, number>();
  readonly #banned = new Set<PeerId>();
  readonly #maxLinks: number;

  constructor(maxLinks = MAX_LINKS) {
    this.#maxLinks = maxLinks;
  }

  get size(): number {
    return this.#links.size;
  }

  /** Which of the tracker's peers to connect to now, in its order; they count as linked from here on. */
  choose(candidates: readonly Candidate[], want: number, nowMs: number): PeerId[] {
    const chosen: PeerId[] = [];
    for (const candidate of [...candidates].sort((a, b) => rankOf(a) - rankOf(b))) {
      if (chosen.length >= want) break;
      if (this.#banned.has(candidate.peerId) || (this.#notBefore.get(candidate.peerId) ?? 0) > nowMs)
        continue;
      if (this.#links.has(candidate.peerId) || !this.hasRoom(candidate.tier)) continue;
      this.#links.set(candidate.peerId, candidate.tier);
      chosen.push(candidate.peerId);
    }
    return chosen;
  }

  /** Whether one more link of this tier fits. */
  hasRoom(tier: 'aula' | 'global'): boolean {
    if (this.#links.size >= this.#maxLinks) return false;
    if (tier === 'aula') return true;
    let global = 0;
    for (const linked of this.#links.values()) if (linked === 'global') global++;
    return global < this.#maxLinks / 2;
  }

  /** Whether nothing is to be hoped for from a peer while it is not linked: it is banned, or could not be reached. */
  isOut(peerId: PeerId): boolean {
    return this.#banned.has(peerId) || this.#notBefore.has(peerId);
  }

  has(peerId: PeerId): boolean {
    return this.#links.has(peerId);
  }

  /** The other end came to us. Answers whether there is room. */
  accept(peerId: PeerId, tier: 'aula' | 'global'): boolean {
    if (this.#links.has(peerId)) return true;
    if (this.#banned.has(peerId)) return false;
    if (!this.hasRoom(tier)) return false;
    this.#links.set(peerId, tier);
    return true;
  }

  ended(peerId: PeerId): void {
    this.#links.delete(peerId);
  }

  /** Not linked to again under this id. */
  ban(peerId: PeerId): void {
    this.#banned.add(peerId);
    for (const oldest of this.#banned) {
      if (this.#banned.size <= BANNED_KEPT) break;
      this.#banned.delete(oldest);
    }
  }

  failed(peerId: PeerId, nowMs: number): void {
    this.#links.delete(peerId);
    this.#notBefore.set(peerId, nowMs + RETRY_AFTER_MS);
    if (this.#notBefore.size > 1_000)
      for (const [id, at] of this.#notBefore) if (at <= nowMs) this.#notBefore.delete(id);
  }
}

function rankOf({ tier }: Candidate): number {
  return tier === 'aula' ? 0 : 1;
}
