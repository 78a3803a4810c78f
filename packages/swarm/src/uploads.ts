import { blockLength, LIMITS, type RefuseReason } from '@sonantica/wire';
import type { IncomingRequest } from './core/peer-session.ts';
import type { TrackKey } from './core/track-key.ts';
import type { PeerSource } from './sources/peer-source.ts';
import type { TrackVersion } from './track-version.ts';

/** The day's upload, kept so that it is never exceeded, by a crash or a restart. */
export interface UploadBudget {
  /**
   * Takes bytes off the day's budget before they are sent; answers false when they do not fit. What must
   * be written down first is written before the promise resolves.
   */
  reserve(bytes: number): boolean | Promise<boolean>;
}

/** What giving needs to know. */
export interface UploadsParts {
  readonly budget: UploadBudget;
  version(track: TrackKey): TrackVersion | undefined;
  /** A held chunk, proven. */
  load(version: TrackVersion, chunk: number): Promise<Uint8Array | undefined>;
  /** Whether the listener's choices let this peer be served now. */
  mayServe(peer: PeerSource): boolean;
  /** Block and proof bytes handed to a link. */
  sent(peer: PeerSource, track: TrackKey, bytes: number): void;
}

/** Serves what peers ask for: one request a peer at a time, the one due first, as the link takes it. */
export class Uploads {
  readonly #parts: UploadsParts;
  readonly #serving = new Set<PeerSource>();
  readonly #waiting = new Map<PeerSource, () => void>();

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** A peer asks for something. */
  asked(peer: PeerSource): void {
    if (this.#serving.has(peer)) return;
    this.#serving.add(peer);
    void this.#serve(peer);
  }

  /** A link has room again, or ended. */
  drained(peer: PeerSource): void {
    this.#waiting.get(peer)?.();
    this.#waiting.delete(peer);
  }

  async #serve(peer: PeerSource): Promise<void> {
    for (let request = peer.nextRequest; request !== undefined && !peer.isEnded; request = peer.nextRequest) {
      const refusal = await this.#answer(peer, request);
      if (refusal === undefined) peer.served(request);
      else peer.refuse(request, refusal);
    }
    // In the same turn as the last look: a request that comes any later starts the serving anew.
    this.#serving.delete(peer);
  }

  /** Sends a request's proof and blocks, or says why not. */
  async #answer(peer: PeerSource, request: IncomingRequest): Promise<RefuseReason | undefined> {
    const { budget } = this.#parts;
    const version = this.#parts.version(request.track);
    if (!this.#parts.mayServe(peer)) return 'not-sharing';
    if (version?.held.has(request.chunk) !== true) return 'not-held';
    const bytes = await this.#parts.load(version, request.chunk);
    if (bytes === undefined) return 'not-held';
    if (request.needsProof) {
      const leaves = await version.leavesOf(request.chunk, bytes);
      if (leaves === undefined) return 'not-held';
      if (request.cancelled || peer.isEnded) return undefined;
      if (!(await budget.reserve(leaves.length))) return 'over-budget';
      if (request.cancelled || peer.isEnded) return undefined;
      peer.sendProof(request, leaves);
      this.#parts.sent(peer, request.track, leaves.length);
    }
    for (let block = request.first; block < request.first + request.count; block++) {
      if (!peer.sendable && !peer.isEnded) await this.#room(peer);
      if (request.cancelled || peer.isEnded) return undefined;
      if (!this.#parts.mayServe(peer)) return 'not-sharing';
      const length = blockLength(version.manifest, request.chunk, block);
      const reserved = budget.reserve(length);
      if (!(reserved instanceof Promise ? await reserved : reserved)) return 'over-budget';
      if (request.cancelled || peer.isEnded) return undefined;
      const at = block * LIMITS.blockBytes;
      peer.sendBlock(request, block, bytes.subarray(at, at + length));
      this.#parts.sent(peer, request.track, length);
    }
    return undefined;
  }

  #room(peer: PeerSource): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(peer, resolve));
  }
}
