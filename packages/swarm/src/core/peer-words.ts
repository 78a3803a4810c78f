import type { PeerId, PeerTier } from '@sonantica/wire';

/** The tracker's word on a peer's Aula is good for this long, in milliseconds. */
export const WORD_LASTS_MS = 60_000;

/** What the tracker said of a peer. */
interface Word {
  readonly tier: PeerTier;
  readonly atMs: number;
  /** When it was first heard of. */
  readonly sinceMs: number;
}

/**
 * What the tracker says of peers by the ids it gave them, one to a socket: nobody can take another's. A nonce is only
 * what a peer says of itself, and is told to everybody: it is believed where it makes two links one, never where it
 * would give a peer another's standing. Pure.
 */
export class PeerWords {
  /** The latest spoken of last. */
  readonly #words = new Map<PeerId, Word>();
  /** Ids whose links said the nonce of an older link that stands, and the id of that. */
  readonly #aliases = new Map<PeerId, PeerId>();

  /** The tracker named a peer. */
  says(peerId: PeerId, tier: PeerTier, nowMs: number): void {
    const sinceMs = this.#words.get(peerId)?.sinceMs ?? nowMs;
    this.#words.delete(peerId);
    this.#words.set(peerId, { tier, atMs: nowMs, sinceMs });
  }

  tierOf(peerId: PeerId): PeerTier {
    return this.#words.get(peerId)?.tier ?? 'global';
  }

  /**
   * Whether the tracker said lately that a peer is of this Aula. Who was of it under the id of its link still is when its
   * newer id is: nobody comes to be, or ceases to be, by what another says.
   */
  isOfAula(peerId: PeerId, nowMs: number): boolean {
    if (this.tierOf(peerId) !== 'aula') return false;
    const isNew = (id: PeerId) => this.tierOf(id) === 'aula' && this.#isFresh(id, nowMs);
    if (isNew(peerId)) return true;
    for (const [alias, known] of this.#aliases) if (known === peerId && isNew(alias)) return true;
    return false;
  }

  /** The listener is in another Aula: who of the others is, the tracker says anew. */
  forgetTiers(): PeerId[] {
    for (const [peerId, word] of this.#words) this.#words.set(peerId, { ...word, tier: 'global' });
    return [...this.#words.keys()];
  }

  /** Whether the tracker named the older id when it knew the newer: then their sockets are two, and the peers as well. */
  namesBoth(older: PeerId, newer: PeerId): boolean {
    const word = this.#words.get(older);
    const newcomer = this.#words.get(newer);
    return word !== undefined && newcomer !== undefined && word.atMs >= newcomer.sinceMs;
  }

  /**
   * Whether two ids whose links say one nonce are of two peers, one of which lies. Surely so where the tracker names both.
   * And taken for so where it has not spoken of the older for a while, and the link of that gave nothing in all its time or
   * has not the tier of the newcomer: who takes another's nonce and leaves the tracker keeps nobody out for ever.
   */
  areTwo(
    older: { readonly peerId: PeerId; readonly linkedMs: number; readonly gaveBytes: number },
    newer: PeerId,
    nowMs: number,
  ): boolean {
    if (older.peerId === newer) return false;
    if (this.namesBoth(older.peerId, newer)) return true;
    if (nowMs - older.linkedMs <= WORD_LASTS_MS || this.#isFresh(older.peerId, nowMs)) return false;
    return older.gaveBytes === 0 || (this.tierOf(newer) === 'aula' && this.tierOf(older.peerId) === 'global');
  }

  /** A link under `newer` ended as another of the peer linked under `older`. */
  setAlias(newer: PeerId, older: PeerId): void {
    this.#aliases.set(newer, older);
  }

  /** They are two, after all. */
  dropAlias(newer: PeerId): void {
    this.#aliases.delete(newer);
  }

  /** Newer ids, and the ids of the links that stand for them. */
  get aliases(): readonly (readonly [newer: PeerId, older: PeerId])[] {
    return [...this.#aliases];
  }

  /** The id under which a peer is linked, if it is. */
  linkedAs(peerId: PeerId): PeerId {
    return this.#aliases.get(peerId) ?? peerId;
  }

  /** The link under this id ended. */
  ended(peerId: PeerId): void {
    for (const [alias, known] of this.#aliases) if (known === peerId) this.#aliases.delete(alias);
  }

  /** Forgets whom the tracker has long not spoken of, unless they are kept. */
  forgetOld(isKept: (peerId: PeerId) => boolean, nowMs: number): void {
    for (const [peerId, { atMs }] of this.#words) {
      if (nowMs - atMs <= 5 * WORD_LASTS_MS) return;
      if (!isKept(peerId)) this.#words.delete(peerId);
    }
  }

  #isFresh(peerId: PeerId, nowMs: number): boolean {
    const word = this.#words.get(peerId);
    return word !== undefined && nowMs - word.atMs <= WORD_LASTS_MS;
  }
}
