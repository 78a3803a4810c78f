import {
  BLOCK_HEADER_BYTES,
  LIMITS,
  type BlockRun,
  type ChunkSet,
  type CloseReason,
  type Manifest,
  type RefuseReason,
  type RootHash,
  type TrackId,
} from '@sonantica/wire';
import type { IncomingRequest, PeerSession, SessionEffect } from '../core/peer-session.ts';
import type { TrackKey } from '../core/track-key.ts';
import type { PeerLink } from '../links/peer-link.ts';
import type { BlockRequest, RefusalReason, Source, SourceSink } from './source.ts';

/** What a peer tells beside the blocks it sends. */
export interface PeerSourceHandler {
  /** The peer introduced itself: from here on it is a source, named by its nonce. */
  greeted(peer: PeerSource): void;
  opened(peer: PeerSource, track: TrackKey, held: ChunkSet): void;
  /** It takes part in a track that is not open here. */
  proposed(peer: PeerSource, track: TrackKey): void;
  shut(peer: PeerSource, track: TrackKey): void;
  have(peer: PeerSource, track: TrackKey, chunks: readonly number[], lost: readonly number[]): void;
  fetching(peer: PeerSource, track: TrackKey, chunks: readonly { chunk: number; etaMs: number }[]): void;
  /** It holds these blocks of a chunk that it does not hold whole. */
  part(peer: PeerSource, track: TrackKey, run: BlockRun): void;
  /** These blocks were asked of it before the track was opened. */
  askedAhead(peer: PeerSource, track: TrackKey, run: BlockRun, sinceMs: number): void;
  pinged(peer: PeerSource, roundTripMs: number): void;
  /** It asks for blocks; whoever gives takes them from {@link PeerSource.nextRequest}. */
  asked(peer: PeerSource): void;
  /** The link has room again. */
  drained(peer: PeerSource): void;
  /** The link ended; called once. `fault`: the peer broke the protocol. */
  ended(peer: PeerSource, reason: string, fault: boolean): void;
}

/** A linked peer: gives blocks like any source, and asks for some. Joins a link to its session. */
export class PeerSource implements Source {
  /** As the tracker named the peer when the link was made. */
  readonly peerId: string;
  readonly #link: PeerLink;
  readonly #session: PeerSession;
  readonly #sink: SourceSink;
  readonly #handler: PeerSourceHandler;
  readonly #nowMs: () => number;
  #ended = false;
  #name: string | undefined;

  constructor(
    peerId: string,
    link: PeerLink,
    session: PeerSession,
    sink: SourceSink,
    handler: PeerSourceHandler,
    nowMs: () => number,
  ) {
    this.peerId = peerId;
    this.#link = link;
    this.#session = session;
    this.#sink = sink;
    this.#handler = handler;
    this.#nowMs = nowMs;
  }

  /** How it is known as a source: by its nonce, unless it was named apart. Empty until it introduced itself. */
  get id(): string {
    return this.#name ?? this.nonce;
  }

  /** What the peer says of itself, the same whatever link leads to it. Empty until it introduced itself. */
  get nonce(): string {
    return this.#session.remoteNonce ?? '';
  }

  /** Another source has this one's nonce: it goes by the tracker's id as well. Only as it introduces itself. */
  nameApart(): void {
    this.#name = `${this.nonce}/${this.peerId}`;
  }

  /** Tracks that this end has open on the link, the longest open first. */
  get openTracks(): readonly TrackKey[] {
    return this.#session.openTracks;
  }

  /** Whether both ends have the track open. */
  shares(track: TrackKey): boolean {
    return this.#session.shares(track);
  }

  start(): void {
    this.#link.start({
      frame: (bytes) => this.#perform(this.#session.receive(bytes, this.#nowMs())),
      drain: () => this.#handler.drained(this),
      closed: (reason) => this.#end(reason, false),
    });
    this.#perform(this.#session.start());
  }

  fetch({ track, chunk, first, count, dueInMs, leavesKnown, together }: BlockRequest): void {
    this.#perform(this.#session.request(track, { chunk, first, count }, dueInMs, leavesKnown, together));
  }

  cancel(track: TrackKey, run: BlockRun): void {
    this.#perform(this.#session.cancel(track, run));
  }

  open({ trackId, root, size, chunkSize }: Manifest, held: ChunkSet): void {
    this.#perform(this.#session.open(trackId, root, { size, chunkSize }, held, this.#nowMs()));
  }

  /** The version of a track that it takes part in whose beginning can be asked of it before the manifest is known. */
  proposal(trackId: TrackId): { readonly root: RootHash } | undefined {
    return this.#ended ? undefined : this.#session.proposal(trackId);
  }

  /** The track it came to last, of those it takes part in. */
  get latestTrack(): TrackId | undefined {
    return this.#session.latestTrack;
  }

  /**
   * Asks for the first blocks of what it proposes: {@link open} tells what came of it. Answers whether it could be asked,
   * which it cannot with too many tracks open.
   */
  askAhead(trackId: TrackId, { first, count }: Omit<BlockRun, 'chunk'>, dueInMs: number): boolean {
    const effects = this.#session.askAhead(trackId, { first, count }, this.#nowMs(), dueInMs);
    this.#perform(effects);
    return effects.length > 0;
  }

  /** Whether that was done, and the manifest is still under way. */
  isAskedAhead(trackId: TrackId): boolean {
    return !this.#ended && this.#session.isAskedAhead(trackId);
  }

  /** Whether something is missing yet of what it was asked for early. */
  owesAhead(trackId: TrackId): boolean {
    return !this.#ended && this.#session.owesAhead(trackId);
  }

  dropAhead(trackId: TrackId): void {
    this.#perform(this.#session.dropAhead(trackId));
  }

  shut(track: TrackKey): void {
    this.#perform(this.#session.shut(track));
  }

  tellHave(track: TrackKey, chunks: readonly number[], lost: readonly number[] = []): void {
    this.#perform(this.#session.have(track, chunks, lost));
  }

  tellFetching(track: TrackKey, chunk: number, etaMs: number): void {
    this.#perform(this.#session.fetching(track, chunk, etaMs));
  }

  tellPart(track: TrackKey, run: BlockRun): void {
    this.#perform(this.#session.part(track, run));
  }

  /** The peer's request that is due first, or `undefined`. */
  get nextRequest(): IncomingRequest | undefined {
    return this.#session.nextRequest;
  }

  /** Whether blocks may be sent now. */
  get sendable(): boolean {
    return !this.#ended && this.#link.sendable();
  }

  /** Bytes handed to the link that have not left yet. */
  get bufferedBytes(): number {
    return this.#ended ? 0 : this.#link.bufferedBytes;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  sendProof(request: IncomingRequest, leaves: Uint8Array): void {
    this.#perform(this.#session.sendProof(request, leaves));
  }

  /** How many blocks of a request may be sent in one frame. */
  blocksInFrame({ together }: IncomingRequest): number {
    const fit = Math.floor((this.#link.maxFrameBytes - BLOCK_HEADER_BYTES) / LIMITS.blockBytes);
    return together ? Math.max(1, Math.min(LIMITS.maxBlocksInFrame, fit)) : 1;
  }

  /** Sends blocks in a row, the first of them `block`, in one frame. */
  sendBlocks(request: IncomingRequest, block: number, bytes: Uint8Array): void {
    this.#perform(this.#session.sendBlocks(request, block, bytes));
  }

  served(request: IncomingRequest): void {
    this.#session.served(request);
  }

  refuse(request: IncomingRequest, reason: RefuseReason): void {
    this.#perform(this.#session.refuse(request, reason));
  }

  ping(): void {
    this.#perform(this.#session.ping(this.#nowMs()));
  }

  nudge(): void {
    this.#perform(this.#session.nudge());
  }

  tick(): void {
    this.#perform(this.#session.tick(this.#nowMs()));
  }

  close(reason: CloseReason): void {
    this.#perform(this.#session.close(reason));
  }

  #perform(effects: readonly SessionEffect[]): void {
    for (const effect of effects) {
      if (this.#ended) return;
      this.#performOne(effect);
    }
  }

  #performOne(effect: SessionEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#link.send(effect.frame, effect.lane);
      case 'close':
        return this.#end(effect.reason, effect.fault);
      case 'greeted':
        return this.#handler.greeted(this);
      case 'opened':
        return this.#handler.opened(this, effect.track, effect.held);
      case 'proposed':
        return this.#handler.proposed(this, effect.track);
      case 'shut':
        return this.#handler.shut(this, effect.track);
      case 'have':
        return this.#handler.have(this, effect.track, effect.chunks, effect.lost);
      case 'fetching':
        return this.#handler.fetching(this, effect.track, effect.chunks);
      case 'part':
        return this.#handler.part(this, effect.track, effect.run);
      case 'asked-ahead':
        return this.#handler.askedAhead(this, effect.track, effect.run, effect.sinceMs);
      case 'proof':
        return this.#sink.proof(this.id, effect.track, effect.chunk, effect.leaves);
      case 'block':
        return this.#sink.block(this.id, effect.track, effect.chunk, effect.block, effect.bytes);
      case 'refused':
        return this.#sink.refused(this.id, effect.track, effect, refusalOf(effect.reason));
      case 'asked':
        return this.#handler.asked(this);
      case 'pinged':
        return this.#handler.pinged(this, effect.roundTripMs);
    }
  }

  #end(reason: string, fault: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#link.close(reason);
    this.#handler.ended(this, reason, fault);
  }
}

function refusalOf(reason: RefuseReason): RefusalReason {
  if (reason === 'not-held' || reason === 'busy') return reason;
  return 'not-giving';
}
