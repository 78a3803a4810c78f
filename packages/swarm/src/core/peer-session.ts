import {
  BLOCK_HEADER_BYTES,
  blockCount,
  blockLength,
  chunkCount,
  ChunkSet,
  decodePeerFrame,
  encodeBlockFrame,
  encodePeerFrame,
  LIMITS,
  NO_DEADLINE_MS,
  PEER_PROTOCOL_VERSION,
  ProtocolError,
  type BlockFrame,
  type BlockRun,
  type CloseReason,
  type Geometry,
  type OpenTrackFrame,
  type PeerFrame,
  type RefuseReason,
  type RequestFrame,
  type RootHash,
  type TrackHandle,
  type TrackId,
} from '@sonantica/wire';
import { ControlRate } from './control-rate.ts';
import { DueBlocks } from './due-blocks.ts';
import { trackKey, type TrackKey } from './track-key.ts';

/** A link idle for this long is pinged, in milliseconds. */
const PING_AFTER_MS = 5_000;
/** A link whose ping is not answered for this long is dead. */
const PONG_WITHIN_MS = 5_000;
/** Pings that measure nothing, and the token they carry, which no other has. */
const NUDGE_PINGS = 3;
const NUDGE_TOKEN = 0;
/** While blocks are due, the round trip is measured at the first tick after this long: about once a second. */
const PING_WHILE_BUSY_MS = 900;

/** What block frames are written into, those of all sessions: memory for each would be 48 KiB a link, and seldom in a cache. */
const blockMemory = new Uint8Array(BLOCK_HEADER_BYTES + LIMITS.maxBlocksInFrame * LIMITS.blockBytes);

/** What a session asks of its shell, in order. */
export type SessionEffect =
  /** A frame of a block is memory that all sessions share: to be sent or copied before anything else is asked of one. */
  | { readonly type: 'send'; readonly frame: Uint8Array; readonly lane: 'control' | 'blocks' }
  /** Close the link; a `close` frame was sent before where that makes sense. `fault` says the other end broke the rules. */
  | { readonly type: 'close'; readonly reason: string; readonly fault: boolean }
  /** The other end introduced itself. */
  | { readonly type: 'greeted'; readonly nonce: string }
  | { readonly type: 'opened'; readonly track: TrackKey; readonly held: ChunkSet }
  /** The other end takes part in a track that this one has not opened on the link. */
  | { readonly type: 'proposed'; readonly track: TrackKey }
  | { readonly type: 'shut'; readonly track: TrackKey }
  | {
      readonly type: 'have';
      readonly track: TrackKey;
      readonly chunks: readonly number[];
      readonly lost: readonly number[];
    }
  | {
      readonly type: 'fetching';
      readonly track: TrackKey;
      readonly chunks: readonly { chunk: number; etaMs: number }[];
    }
  | { readonly type: 'part'; readonly track: TrackKey; readonly run: BlockRun }
  | { readonly type: 'proof'; readonly track: TrackKey; readonly chunk: number; readonly leaves: Uint8Array }
  | {
      readonly type: 'block';
      readonly track: TrackKey;
      readonly chunk: number;
      /** The first of several in a row, if the frame had so many. */
      readonly block: number;
      readonly bytes: Uint8Array;
    }
  /** Blocks that were asked for before the track was opened are due since `sinceMs`; what came of them follows. */
  | {
      readonly type: 'asked-ahead';
      readonly track: TrackKey;
      readonly run: BlockRun;
      readonly sinceMs: number;
    }
  | ({ readonly type: 'refused'; readonly track: TrackKey; readonly reason: RefuseReason } & BlockRun)
  /** The other end asks for blocks: serve with {@link PeerSession.sendBlocks} or {@link PeerSession.refuse}. */
  | { readonly type: 'asked'; readonly request: IncomingRequest }
  | { readonly type: 'pinged'; readonly roundTripMs: number };

/** A request of the other end that is not yet served to the last block. */
export interface IncomingRequest extends BlockRun {
  readonly track: TrackKey;
  /** The asker's handle, which the answers carry. */
  readonly handle: TrackHandle;
  /** Whether the leaf hashes of the chunk are still to be sent. */
  needsProof: boolean;
  /** Whether several blocks may be sent in one frame. */
  readonly together: boolean;
  /** The first block that was not yet handed to the link; blocks are sent in order. */
  nextBlock: number;
  /** When the asker needs it, on this session's clock; infinite when nobody waits. */
  readonly deadlineMs: number;
  readonly bytes: number;
  /** Set when the asker took it back: nothing more is to be sent of it. */
  cancelled: boolean;
}

interface OwnTrack {
  readonly handle: TrackHandle;
  readonly key: TrackKey;
  readonly trackId: TrackId;
  readonly root: RootHash;
  geometry: Geometry;
  /** What was asked for while nothing is known of the track but what the other end says: see {@link PeerSession.askAhead}. */
  ahead: Ahead | undefined;
}

interface Ahead {
  readonly run: BlockRun;
  readonly sinceMs: number;
  /** Whether nobody waits for it yet. */
  readonly isEarly: boolean;
  /** What came of it, for when the track is opened. */
  readonly effects: SessionEffect[];
}

interface TheirTrack {
  readonly key: TrackKey;
  readonly trackId: TrackId;
  readonly root: RootHash;
  readonly held: ChunkSet;
}

/**
 * One link's protocol: who opened what, which blocks were asked of whom, and whether the other end is
 * alive and keeps the rules of `PEER-PROTOCOL.md`. Pure: frames and the time go in, effects come out.
 */
export class PeerSession {
  readonly #nonce: string;
  #remoteNonce: string | undefined;
  #ended = false;
  #effects: SessionEffect[] = [];
  // Tracks
  #nextHandle: TrackHandle = 1;
  readonly #own = new Map<TrackHandle, OwnTrack>();
  readonly #ownByKey = new Map<TrackKey, OwnTrack>();
  readonly #theirs = new Map<TrackHandle, TheirTrack>();
  #theirHighest = 0;
  /** A head that was asked for early, all of it. */
  #aside: (OwnTrack & { readonly ahead: Ahead }) | undefined;
  // Asked of the other end: what is due, and how many copies of blocks and proofs taken back may still come.
  readonly #due = new DueBlocks();
  readonly #takenBack = new Map<string, number>();
  // Asked by the other end.
  readonly #incoming = new Set<IncomingRequest>();
  #incomingBytes = 0;
  /** The one of {@link #incoming} that is due first, as far as it was looked for since. */
  #next: IncomingRequest | undefined;
  readonly #control: ControlRate;
  // Liveness
  #heardMs: number;
  #ping: { readonly token: number; readonly sentMs: number } | undefined;
  #pingedMs: number;
  #pingToken = 0;

  /** `nonce`: 16 random bytes of this instance of the library, in hexadecimal. */
  constructor(nonce: string, nowMs: number) {
    this.#nonce = nonce;
    this.#control = new ControlRate(nowMs);
    this.#heardMs = nowMs;
    this.#pingedMs = nowMs;
  }

  /** The other instance's nonce, once it introduced itself. */
  get remoteNonce(): string | undefined {
    return this.#remoteNonce;
  }

  /** Tracks that this end has open, the longest open first. */
  get openTracks(): TrackKey[] {
    return [...this.#ownByKey.keys()];
  }

  /** Tracks that both ends have open. */
  get sharedTracks(): TrackKey[] {
    const keys: TrackKey[] = [];
    for (const theirs of this.#theirs.values()) {
      const own = this.#ownOf(theirs);
      if (own !== undefined) keys.push(own.key);
    }
    return keys;
  }

  /** Whether both ends have a track open. */
  shares(key: TrackKey): boolean {
    for (const theirs of this.#theirs.values()) if (this.#ownOf(theirs)?.key === key) return true;
    return false;
  }

  /** Requests waiting to be served. */
  get incoming(): ReadonlySet<IncomingRequest> {
    return this.#incoming;
  }

  /** Of the requests waiting to be served the one that is due first, of equals the one that came first. */
  get nextRequest(): IncomingRequest | undefined {
    if (this.#next !== undefined) return this.#next;
    for (const request of this.#incoming) {
      if (this.#next === undefined || request.deadlineMs < this.#next.deadlineMs) this.#next = request;
    }
    return this.#next;
  }

  start(): SessionEffect[] {
    this.#send({ type: 'hello', version: PEER_PROTOCOL_VERSION, nonce: this.#nonce });
    return this.#flush();
  }

  /** Takes part in a track. What the other end holds of it is told at once if it opened it before. */
  open(trackId: TrackId, root: RootHash, geometry: Geometry, held: ChunkSet, nowMs: number): SessionEffect[] {
    const key = trackKey(trackId, root);
    const asked = this.#ownByKey.get(key);
    if (asked?.ahead !== undefined && this.#openAsked(asked, asked.ahead, geometry, held, nowMs))
      return this.#flush();
    if (this.#ownByKey.has(key) || this.#own.size >= LIMITS.maxOpenTracks) return this.#flush();
    this.#meetAll(this.#take(trackId, root, geometry, held));
    const aside = this.#aside;
    if (aside?.key === key) {
      this.#aside = undefined;
      if (chunkCount(geometry) === chunkCount(aside.geometry)) this.#tellAhead(key, aside.ahead, nowMs);
    }
    return this.#flush();
  }

  /**
   * Asks for the first blocks of the version of a track that the other end says it takes part in, if it holds them, while
   * the manifest is still under way: {@link open} tells what came of it, and {@link dropAhead} takes it back. Their size is
   * known without it where there are several chunks. `dueInMs`: 0 where somebody waits for them. What is asked for early is
   * laid aside once it is here, and no part is taken in its track until that is opened; what is refused of it is forgotten.
   */
  askAhead(
    trackId: TrackId,
    { first, count }: Omit<BlockRun, 'chunk'>,
    nowMs: number,
    dueInMs = 0,
  ): SessionEffect[] {
    const theirs = this.proposal(trackId);
    if (theirs === undefined || this.#own.size >= LIMITS.maxOpenTracks) return [];
    const { root, held } = theirs;
    const chunkSize = LIMITS.maxChunkBytes;
    const geometry = { size: held.capacity * chunkSize, chunkSize };
    const track = this.#take(trackId, root, geometry, ChunkSet.none(held.capacity));
    const run = { chunk: 0, first, count };
    track.ahead = { run, sinceMs: nowMs, isEarly: dueInMs > 0, effects: [] };
    return this.request(track.key, run, dueInMs, false);
  }

  /** The version of a track that the other end takes part in whose beginning can be asked of it before its manifest is known. */
  proposal(trackId: TrackId): { readonly root: RootHash; readonly held: ChunkSet } | undefined {
    if (this.#aside?.trackId === trackId) return undefined;
    for (const own of this.#own.values()) if (own.trackId === trackId) return undefined;
    for (const theirs of this.#theirs.values())
      if (theirs.trackId === trackId && theirs.held.capacity > 1 && theirs.held.has(0)) return theirs;
    return undefined;
  }

  /** The track that the other end came to last, of those it takes part in. */
  get latestTrack(): TrackId | undefined {
    let latest: TrackId | undefined;
    for (const { trackId } of this.#theirs.values()) latest = trackId;
    return latest;
  }

  /** Whether the beginning of a track was asked for and its manifest is still under way. */
  isAskedAhead(trackId: TrackId): boolean {
    if (this.#aside?.trackId === trackId) return true;
    for (const own of this.#own.values()) if (own.trackId === trackId && own.ahead !== undefined) return true;
    return false;
  }

  /** Whether something is missing yet of what was asked for early of a track. */
  owesAhead(trackId: TrackId): boolean {
    for (const own of this.#own.values())
      if (own.trackId === trackId && own.ahead?.isEarly === true) return true;
    return false;
  }

  /** Takes back what was asked ahead of a track: it turned out to be another version, or nothing. */
  dropAhead(trackId: TrackId): SessionEffect[] {
    if (this.#aside?.trackId === trackId) this.#aside = undefined;
    for (const track of this.#own.values())
      if (track.trackId === trackId && track.ahead !== undefined) return this.shut(track.key);
    return [];
  }

  /** Opens what was asked for before; answers false, and takes it back, when the other end has another number of chunks. */
  #openAsked(track: OwnTrack, ahead: Ahead, geometry: Geometry, held: ChunkSet, nowMs: number): boolean {
    if (chunkCount(geometry) !== chunkCount(track.geometry)) {
      this.#leave(track);
      return false;
    }
    track.geometry = geometry;
    track.ahead = undefined;
    if (!held.isEmpty) this.#send({ type: 'have', handle: track.handle, chunks: [...held], lost: [] });
    this.#meetAll(track);
    this.#tellAhead(track.key, ahead, nowMs);
    return true;
  }

  #tellAhead(track: TrackKey, { run, effects, sinceMs, isEarly }: Ahead, nowMs: number): void {
    // Nobody waited for what was asked for early: it is nobody's fault how long that took.
    const begunMs = isEarly ? nowMs : sinceMs;
    this.#effects.push({ type: 'asked-ahead', track, run, sinceMs: begunMs }, ...effects);
  }

  /** What came early of a head, once all of it is here, needs no part in its track. */
  #layAside(track: OwnTrack): void {
    const { ahead, handle } = track;
    if (ahead?.isEarly !== true || this.#due.hasBlocks(handle, ahead.run.chunk)) return;
    if (!ahead.effects.some(({ type }) => type === 'proof')) return;
    this.#leave(track);
    this.#aside = { ...track, ahead };
  }

  #take(trackId: TrackId, root: RootHash, geometry: Geometry, held: ChunkSet): OwnTrack {
    const key = trackKey(trackId, root);
    const track: OwnTrack = { handle: this.#nextHandle++, key, trackId, root, geometry, ahead: undefined };
    this.#own.set(track.handle, track);
    this.#ownByKey.set(key, track);
    this.#send({ type: 'open', handle: track.handle, trackId, root, held });
    return track;
  }

  #meetAll(track: OwnTrack): void {
    for (const theirs of this.#theirs.values()) if (this.#ownOf(theirs) === track) this.#meet(track, theirs);
  }

  shut(key: TrackKey): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track === undefined) return [];
    this.#leave(track);
    return this.#flush();
  }

  #leave({ handle, key }: OwnTrack): void {
    this.#own.delete(handle);
    this.#ownByKey.delete(key);
    this.#dropDue(handle);
    this.#send({ type: 'shut', handle });
  }

  /** Tells of chunks proven and chunks evicted. */
  have(key: TrackKey, chunks: readonly number[], lost: readonly number[] = []): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track !== undefined) this.#send({ type: 'have', handle: track.handle, chunks, lost });
    return this.#flush();
  }

  fetching(key: TrackKey, chunk: number, etaMs: number): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track !== undefined)
      this.#send({ type: 'fetching', handle: track.handle, chunks: [{ chunk, etaMs }] });
    return this.#flush();
  }

  /** Tells of blocks proven of a chunk that is not whole yet. */
  part(key: TrackKey, run: BlockRun): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track !== undefined) this.#send({ type: 'part', handle: track.handle, ...plainRun(run) });
    return this.#flush();
  }

  /** Asks for blocks; `leavesKnown` spares the proof, `together` lets several come in one frame. */
  request(
    key: TrackKey,
    run: BlockRun,
    dueInMs: number,
    leavesKnown: boolean,
    together = false,
  ): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track === undefined) return [];
    const needsProof = !leavesKnown && this.#due.askProof(track.handle, run.chunk);
    this.#due.ask(track.handle, run);
    const deadlineMs = Number.isFinite(dueInMs)
      ? Math.max(0, Math.min(NO_DEADLINE_MS - 1, Math.round(dueInMs)))
      : NO_DEADLINE_MS;
    const { handle } = track;
    const { chunk, first, count } = run;
    this.#send({ type: 'request', handle, chunk, first, count, deadlineMs, needsProof, together });
    return this.#flush();
  }

  cancel(key: TrackKey, run: BlockRun): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track === undefined) return [];
    this.#takeBackRun(track.handle, run);
    this.#send({ type: 'cancel', handle: track.handle, ...plainRun(run) });
    return this.#flush();
  }

  /** Sends the leaf hashes of a request's chunk, ahead of its blocks. */
  sendProof(request: IncomingRequest, leaves: Uint8Array): SessionEffect[] {
    if (!request.cancelled) {
      request.needsProof = false;
      this.#send({ type: 'proof', handle: request.handle, chunk: request.chunk, leaves });
    }
    return this.#flush();
  }

  /**
   * Sends one block of a request, or several in a row if it allows that. The bytes are copied, into a frame that holds
   * until the next is sent by any session.
   */
  sendBlocks(request: IncomingRequest, block: number, bytes: Uint8Array): SessionEffect[] {
    if (!request.cancelled) {
      request.nextBlock = block + Math.ceil(bytes.length / LIMITS.blockBytes);
      if (!this.#ended) {
        const { handle, chunk } = request;
        const frame = encodeBlockFrame({ type: 'block', handle, chunk, block, bytes }, blockMemory);
        this.#effects.push({ type: 'send', frame, lane: 'blocks' });
      }
    }
    return this.#flush();
  }

  /** A request was served to its last block. */
  served(request: IncomingRequest): void {
    this.#dropIncoming(request);
  }

  /** Declines what was not yet sent of a request. */
  refuse(request: IncomingRequest, reason: RefuseReason): SessionEffect[] {
    const { handle, chunk, nextBlock: first } = request;
    const count = request.first + request.count - first;
    if (!request.cancelled && count > 0) this.#send({ type: 'refuse', handle, chunk, first, count, reason });
    this.#dropIncoming(request);
    this.#passProofOn(request);
    return this.#flush();
  }

  /** Says goodbye; the shell then closes the link. */
  close(reason: CloseReason): SessionEffect[] {
    if (!this.#ended) {
      this.#send({ type: 'close', reason });
      this.#end(reason, false);
    }
    return this.#flush();
  }

  /** A frame arrived. Its bytes become the session's: blocks and proofs in the effects are views of them. */
  receive(bytes: Uint8Array, nowMs: number): SessionEffect[] {
    if (this.#ended) return [];
    this.#heardMs = nowMs;
    try {
      const frame = decodePeerFrame(bytes);
      if (this.#control.takes(frame, nowMs)) this.#accept(frame, nowMs);
      else this.#blame('too many control frames');
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#blame(error.message);
    }
    return this.#flush();
  }

  /** Asks how long the path is by itself: best before anything is under way. */
  ping(nowMs: number): SessionEffect[] {
    if (!this.#ended && this.#ping === undefined) this.#sendPing(nowMs);
    return this.#flush();
  }

  /**
   * Makes the other end send something now: what comes after a packet that was lost tells the transport so. Three, each
   * in a packet of its own, are what SCTP takes for a loss (RFC 9260, 7.2.4).
   */
  nudge(): SessionEffect[] {
    for (let i = 0; i < NUDGE_PINGS; i++) this.#send({ type: 'ping', token: NUDGE_TOKEN });
    return this.#flush();
  }

  /** Time passed; called about once a second. */
  tick(nowMs: number): SessionEffect[] {
    if (this.#ended) return [];
    if (this.#ping !== undefined) {
      // On a slow line the pong waits behind blocks; whatever arrives is a sign of life.
      if (nowMs - Math.max(this.#ping.sentMs, this.#heardMs) >= PONG_WITHIN_MS)
        this.#end('no answer to a ping', false);
    } else if (
      nowMs - this.#heardMs >= PING_AFTER_MS ||
      (this.#due.blocks > 0 && nowMs - this.#pingedMs >= PING_WHILE_BUSY_MS)
    )
      this.#sendPing(nowMs);
    return this.#flush();
  }

  #accept(frame: PeerFrame, nowMs: number): void {
    if (this.#remoteNonce === undefined && frame.type !== 'hello' && frame.type !== 'close') {
      // Lanes keep no order between them, but everything except blocks travels on one.
      this.#blame('the first frame is hello');
      return;
    }
    switch (frame.type) {
      case 'hello':
        return this.#acceptHello(frame.nonce, frame.version);
      case 'open':
        return this.#acceptOpen(frame);
      case 'shut': {
        const theirs = this.#theirs.get(frame.handle);
        if (theirs === undefined) return;
        this.#theirs.delete(frame.handle);
        for (const request of this.#incoming)
          if (request.handle === frame.handle) this.#cancelIncoming(request);
        const asked = this.#ownByKey.get(theirs.key);
        if (asked?.ahead !== undefined) this.#leave(asked);
        const own = this.#ownOf(theirs);
        if (own !== undefined) {
          this.#dropDue(own.handle);
          this.#effects.push({ type: 'shut', track: own.key });
        }
        return;
      }
      case 'have':
        return this.#acceptHave(frame.handle, frame.chunks, frame.lost);
      case 'fetching': {
        const own = this.#sharedBy(frame.handle);
        if (own !== undefined) this.#effects.push({ type: 'fetching', track: own.key, chunks: frame.chunks });
        return;
      }
      case 'part': {
        const own = this.#sharedBy(frame.handle);
        if (own === undefined) return;
        if (isBeyond(own.geometry, frame)) return this.#blame('a part beyond the track');
        this.#effects.push({ type: 'part', track: own.key, run: plainRun(frame) });
        return;
      }
      case 'request':
        return this.#acceptRequest(frame, nowMs);
      case 'cancel': {
        for (const request of this.#incoming) {
          if (
            request.handle === frame.handle &&
            request.chunk === frame.chunk &&
            request.first < frame.first + frame.count &&
            frame.first < request.first + request.count
          ) {
            this.#cancelIncoming(request, frame);
          }
        }
        return;
      }
      case 'proof': {
        const own = this.#own.get(frame.handle);
        if (own === undefined) return this.#expectFormer(frame.handle);
        if (!this.#due.landProof(frame.handle, frame.chunk))
          return this.#wasTakenBack(proofId(frame.handle, frame.chunk))
            ? undefined
            : this.#blame('a proof that was not asked for');
        this.#tell(own, { type: 'proof', track: own.key, chunk: frame.chunk, leaves: frame.leaves });
        return this.#layAside(own);
      }
      case 'block':
        return this.#acceptBlock(frame);
      case 'refuse':
        return this.#acceptRefusal(frame.handle, frame, frame.reason);
      case 'ping':
        return this.#send({ type: 'pong', token: frame.token });
      case 'pong':
        if (this.#ping?.token === frame.token) {
          this.#effects.push({ type: 'pinged', roundTripMs: nowMs - this.#ping.sentMs });
          this.#ping = undefined;
        }
        return;
      case 'close':
        return this.#end(`closed by the peer: ${frame.reason}`, false);
    }
  }

  #acceptHello(nonce: string, version: number): void {
    if (this.#remoteNonce !== undefined) return this.#blame('a second hello');
    if (version !== PEER_PROTOCOL_VERSION) {
      this.#send({ type: 'close', reason: 'version' });
      return this.#end(`peer protocol ${version}`, false);
    }
    this.#remoteNonce = nonce;
    if (nonce === this.#nonce) {
      this.#send({ type: 'close', reason: 'self' });
      return this.#end('a link to oneself', false);
    }
    this.#effects.push({ type: 'greeted', nonce });
  }

  #sendPing(nowMs: number): void {
    this.#ping = { token: ++this.#pingToken >>> 0, sentMs: nowMs };
    this.#pingedMs = nowMs;
    this.#send({ type: 'ping', token: this.#ping.token });
  }

  #acceptOpen(frame: OpenTrackFrame): void {
    if (frame.handle <= this.#theirHighest) return this.#blame('a handle was used again');
    this.#theirHighest = frame.handle;
    const refuse = (reason: RefuseReason) =>
      this.#send({ type: 'refuse', handle: frame.handle, chunk: 0, first: 0, count: 0, reason });
    if (this.#theirs.size >= LIMITS.maxOpenTracks) return refuse('too-many-tracks');
    const { trackId, root, held } = frame;
    const theirs = { key: trackKey(trackId, root), trackId, root, held };
    this.#theirs.set(frame.handle, theirs);
    const shared = this.#ownOf(theirs);
    if (shared !== undefined) return this.#meet(shared, theirs);
    for (const own of this.#own.values())
      if (own.trackId === trackId && own.ahead === undefined) return refuse('other-version');
    this.#effects.push({ type: 'proposed', track: theirs.key });
  }

  /** Tells the shell what came of a track, now or once it is opened. */
  #tell({ ahead }: OwnTrack, effect: SessionEffect): void {
    (ahead?.effects ?? this.#effects).push(effect);
  }

  /** Tells the shell of a track that both have open. */
  #meet(own: OwnTrack, theirs: TheirTrack): void {
    this.#effects.push({ type: 'opened', track: own.key, held: theirs.held.clone() });
  }

  #acceptHave(handle: TrackHandle, chunks: readonly number[], lost: readonly number[]): void {
    const theirs = this.#theirs.get(handle);
    if (theirs === undefined) return;
    const { held } = theirs;
    const isBeyondTrack = (chunk: number) => chunk >= held.capacity;
    if (chunks.some(isBeyondTrack) || lost.some(isBeyondTrack))
      return this.#blame('a chunk beyond the track');
    for (const chunk of chunks) held.add(chunk);
    for (const chunk of lost) held.delete(chunk);
    const own = this.#ownOf(theirs);
    if (own !== undefined) this.#effects.push({ type: 'have', track: own.key, chunks, lost });
  }

  #acceptRequest(frame: RequestFrame, nowMs: number): void {
    const own = this.#sharedBy(frame.handle);
    const refuse = (reason: RefuseReason) =>
      this.#send({ type: 'refuse', handle: frame.handle, ...plainRun(frame), reason });
    if (own === undefined) return refuse('not-held');
    const { geometry } = own;
    if (isBeyond(geometry, frame)) return this.#blame('a request beyond the track');
    let bytes = 0;
    for (let i = 0; i < frame.count; i++) bytes += blockLength(geometry, frame.chunk, frame.first + i);
    if (
      this.#incoming.size >= LIMITS.maxOutstandingRequests ||
      this.#incomingBytes + bytes > LIMITS.maxOutstandingBytes
    ) {
      return refuse('busy');
    }
    // With every few blocks: spreading would take five times as long.
    const { handle, chunk, first, count, needsProof, together } = frame;
    const request: IncomingRequest = {
      chunk,
      first,
      count,
      track: own.key,
      handle,
      needsProof,
      together,
      nextBlock: first,
      deadlineMs: frame.deadlineMs === NO_DEADLINE_MS ? Number.POSITIVE_INFINITY : nowMs + frame.deadlineMs,
      bytes,
      cancelled: false,
    };
    this.#addIncoming(request);
    this.#effects.push({ type: 'asked', request });
  }

  #acceptBlock(frame: BlockFrame): void {
    const own = this.#own.get(frame.handle);
    if (own === undefined) return this.#expectFormer(frame.handle);
    const { handle, chunk, block: first, bytes } = frame;
    // Told of together: what is decided after each block costs more than its proof.
    let from = 0;
    const tellUntil = (to: number) => {
      if (to <= from) return;
      const block = first + from / LIMITS.blockBytes;
      this.#tell(own, { type: 'block', track: own.key, chunk, block, bytes: bytes.subarray(from, to) });
    };
    for (let at = 0; at < bytes.length; at += LIMITS.blockBytes) {
      const block = first + at / LIMITS.blockBytes;
      if (this.#due.land(handle, chunk, block)) continue;
      tellUntil(at);
      from = at + LIMITS.blockBytes;
      if (this.#wasTakenBack(blockId(handle, chunk, block))) continue;
      this.#blame('a block that was not asked for');
      return;
    }
    tellUntil(bytes.length);
    this.#layAside(own);
  }

  #acceptRefusal(handle: TrackHandle, run: BlockRun, reason: RefuseReason): void {
    const own = this.#own.get(handle);
    if (own === undefined) return this.#expectFormer(handle);
    if (own.ahead?.isEarly === true) return this.#leave(own);
    if (run.count === 0) return;
    const count = Math.min(run.count, blockCountOf(own.geometry));
    // Who refuses what is not due, as what was taken back meanwhile, tells nothing; each refusal that tells costs planning.
    if (!this.#takeBackRun(handle, { ...plainRun(run), count })) return;
    this.#tell(own, { type: 'refused', track: own.key, ...plainRun(run), reason });
  }

  /** Answers to a track that was shut may still be on their way; to one never opened they are a fault. */
  #expectFormer(handle: TrackHandle): void {
    if (handle === 0 || handle >= this.#nextHandle) this.#blame('a handle that was never given');
  }

  #sharedBy(handle: TrackHandle): OwnTrack | undefined {
    const theirs = this.#theirs.get(handle);
    return theirs === undefined ? undefined : this.#ownOf(theirs);
  }

  /** The track of ours that is the same version as one of theirs: same id, root and chunk count. */
  #ownOf({ key, held }: TheirTrack): OwnTrack | undefined {
    const own = this.#ownByKey.get(key);
    if (own === undefined || own.ahead !== undefined) return undefined;
    return chunkCount(own.geometry) === held.capacity ? own : undefined;
  }

  /**
   * Blocks of a run are due no longer, though they may be under way; so may the proof when none is left of its chunk.
   * Answers whether one of them was due.
   */
  #takeBackRun(handle: TrackHandle, { chunk, first, count }: BlockRun): boolean {
    let wasDue = false;
    for (let block = first; block < first + count; block++) {
      if (!this.#due.land(handle, chunk, block)) continue;
      wasDue = true;
      this.#takeBack(blockId(handle, chunk, block));
    }
    if (!this.#due.hasBlocks(handle, chunk) && this.#due.landProof(handle, chunk))
      this.#takeBack(proofId(handle, chunk));
    return wasDue;
  }

  #takeBack(id: string): void {
    this.#takenBack.set(id, (this.#takenBack.get(id) ?? 0) + 1);
    if (this.#takenBack.size <= TAKEN_BACK_KEPT) return;
    for (const oldest of this.#takenBack.keys()) {
      this.#takenBack.delete(oldest);
      break;
    }
  }

  /** Whether this may be a late copy of what was taken back; it counts once. */
  #wasTakenBack(id: string): boolean {
    const copies = this.#takenBack.get(id);
    if (copies === undefined) return false;
    if (copies > 1) this.#takenBack.set(id, copies - 1);
    else this.#takenBack.delete(id);
    return true;
  }

  #dropDue(handle: TrackHandle): void {
    const { blocks, proofs } = this.#due.drop(handle);
    for (const { chunk, block } of blocks) this.#takeBack(blockId(handle, chunk, block));
    for (const chunk of proofs) this.#takeBack(proofId(handle, chunk));
  }

  /** Takes back a request, or part of it: what is neither sent nor taken back of it is asked anew. */
  #cancelIncoming(request: IncomingRequest, by?: BlockRun): void {
    this.#dropIncoming(request);
    request.cancelled = true;
    const geometry = this.#ownByKey.get(request.track)?.geometry;
    if (by === undefined || geometry === undefined) return;
    const { chunk, nextBlock } = request;
    for (const { first, end } of [
      { first: nextBlock, end: by.first },
      { first: Math.max(nextBlock, by.first + by.count), end: request.first + request.count },
    ]) {
      if (end <= first) continue;
      let bytes = 0;
      for (let block = first; block < end; block++) bytes += blockLength(geometry, chunk, block);
      const left: IncomingRequest = {
        ...request,
        first,
        count: end - first,
        nextBlock: first,
        needsProof: false,
        bytes,
        cancelled: false,
      };
      this.#addIncoming(left);
      this.#effects.push({ type: 'asked', request: left });
    }
    this.#passProofOn(request);
  }

  /** The leaf hashes that a request was to bring come with another one of the same chunk. */
  #passProofOn({ needsProof, handle, chunk }: IncomingRequest): void {
    if (!needsProof) return;
    for (const other of this.#incoming) {
      if (other.handle !== handle || other.chunk !== chunk) continue;
      other.needsProof = true;
      return;
    }
  }

  #addIncoming(request: IncomingRequest): void {
    this.#incoming.add(request);
    this.#incomingBytes += request.bytes;
    if (this.#next !== undefined && request.deadlineMs < this.#next.deadlineMs) this.#next = request;
  }

  #dropIncoming(request: IncomingRequest): void {
    if (!this.#incoming.delete(request)) return;
    this.#incomingBytes -= request.bytes;
    if (this.#next === request) this.#next = undefined;
  }

  #blame(reason: string): void {
    this.#send({ type: 'close', reason: 'misbehaved' });
    this.#end(reason, true);
  }

  #end(reason: string, fault: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#effects.push({ type: 'close', reason, fault });
  }

  #send(frame: PeerFrame): void {
    if (!this.#ended) this.#effects.push({ type: 'send', frame: encodePeerFrame(frame), lane: 'control' });
  }

  #flush(): SessionEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

/** Blocks taken back that are remembered, so that late ones are not held against the sender. */
const TAKEN_BACK_KEPT = 4_096;

function blockId(handle: TrackHandle, chunk: number, block: number): string {
  return `${handle}/${chunk}/${block}`;
}

function proofId(handle: TrackHandle, chunk: number): string {
  return `${handle}/${chunk}/proof`;
}

function blockCountOf({ chunkSize }: Geometry): number {
  return chunkSize / LIMITS.blockBytes;
}

function isBeyond(geometry: Geometry, { chunk, first, count }: BlockRun): boolean {
  return chunk >= chunkCount(geometry) || first + count > blockCount(geometry, chunk);
}

function plainRun({ chunk, first, count }: BlockRun): BlockRun {
  return { chunk, first, count };
}
