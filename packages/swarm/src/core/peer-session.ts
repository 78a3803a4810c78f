import {
  blockCount,
  blockLength,
  ChunkSet,
  decodePeerFrame,
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
import { trackKey, type TrackKey } from './track-key.ts';

/** A link idle for this long is pinged, in milliseconds. */
const PING_AFTER_MS = 5_000;
/** A link whose ping is not answered for this long is dead. */
const PONG_WITHIN_MS = 5_000;
/** While blocks are due, the round trip is measured this often. */
const PING_WHILE_BUSY_MS = 1_000;

/** What a session asks of its shell, in order. */
export type SessionEffect =
  | { readonly type: 'send'; readonly frame: Uint8Array; readonly lane: 'control' | 'blocks' }
  /** Close the link; a `close` frame was sent before where that makes sense. `fault` says the other end broke the rules. */
  | { readonly type: 'close'; readonly reason: string; readonly fault: boolean }
  /** The other end introduced itself. */
  | { readonly type: 'greeted'; readonly nonce: string }
  | { readonly type: 'opened'; readonly track: TrackKey; readonly held: ChunkSet }
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
  | { readonly type: 'proof'; readonly track: TrackKey; readonly chunk: number; readonly leaves: Uint8Array }
  | {
      readonly type: 'block';
      readonly track: TrackKey;
      readonly chunk: number;
      readonly block: number;
      readonly bytes: Uint8Array;
    }
  | ({ readonly type: 'refused'; readonly track: TrackKey; readonly reason: RefuseReason } & BlockRun)
  /** The other end asks for blocks: serve with {@link PeerSession.sendBlock} or {@link PeerSession.refuse}. */
  | { readonly type: 'asked'; readonly request: IncomingRequest }
  | { readonly type: 'pinged'; readonly roundTripMs: number };

/** A request of the other end that is not yet served to the last block. */
export interface IncomingRequest extends BlockRun {
  readonly track: TrackKey;
  /** The asker's handle, which the answers carry. */
  readonly handle: TrackHandle;
  readonly needsProof: boolean;
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
  readonly geometry: Geometry;
}

interface TheirTrack {
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
  // Asked of the other end: blocks due, and blocks taken back that may still come.
  readonly #due = new Set<string>();
  readonly #takenBack = new Set<string>();
  readonly #proofsDue = new Set<string>();
  // Asked by the other end
  readonly #incoming = new Set<IncomingRequest>();
  #incomingBytes = 0;
  // Liveness
  #heardMs: number;
  #ping: { readonly token: number; readonly sentMs: number } | undefined;
  #pingedMs: number;
  #pingToken = 0;

  /** `nonce`: 16 random bytes of this instance of the library, in hexadecimal. */
  constructor(nonce: string, nowMs: number) {
    this.#nonce = nonce;
    this.#heardMs = nowMs;
    this.#pingedMs = nowMs;
  }

  /** The other instance's nonce, once it introduced itself. */
  get remoteNonce(): string | undefined {
    return this.#remoteNonce;
  }

  /** Tracks that both ends have open. */
  get sharedTracks(): TrackKey[] {
    const keys: TrackKey[] = [];
    for (const theirs of this.#theirs.values()) {
      const own = this.#ownByKey.get(trackKey(theirs.trackId, theirs.root));
      if (own !== undefined) keys.push(own.key);
    }
    return keys;
  }

  /** Requests waiting to be served. */
  get incoming(): ReadonlySet<IncomingRequest> {
    return this.#incoming;
  }

  start(): SessionEffect[] {
    this.#send({ type: 'hello', version: PEER_PROTOCOL_VERSION, nonce: this.#nonce });
    return this.#flush();
  }

  /** Takes part in a track. What the other end holds of it is told at once if it opened it before. */
  open(trackId: TrackId, root: RootHash, geometry: Geometry, held: ChunkSet): SessionEffect[] {
    const key = trackKey(trackId, root);
    if (this.#ownByKey.has(key) || this.#own.size >= LIMITS.maxOpenTracks) return this.#flush();
    const track: OwnTrack = { handle: this.#nextHandle++, key, trackId, root, geometry };
    this.#own.set(track.handle, track);
    this.#ownByKey.set(key, track);
    this.#send({ type: 'open', handle: track.handle, trackId, root, held });
    for (const theirs of this.#theirs.values()) this.#meet(theirs);
    return this.#flush();
  }

  shut(key: TrackKey): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track === undefined) return [];
    this.#own.delete(track.handle);
    this.#ownByKey.delete(key);
    this.#dropDue(track.handle);
    this.#send({ type: 'shut', handle: track.handle });
    return this.#flush();
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

  /** Asks for blocks; `leavesKnown` spares the proof. */
  request(key: TrackKey, run: BlockRun, dueInMs: number, leavesKnown: boolean): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track === undefined) return [];
    const proof = `${track.handle}/${run.chunk}`;
    const needsProof = !leavesKnown && !this.#proofsDue.has(proof);
    if (needsProof) this.#proofsDue.add(proof);
    for (let block = run.first; block < run.first + run.count; block++) {
      const id = blockId(track.handle, run.chunk, block);
      this.#due.add(id);
      this.#takenBack.delete(id);
    }
    const deadlineMs = Number.isFinite(dueInMs)
      ? Math.max(0, Math.min(NO_DEADLINE_MS - 1, Math.round(dueInMs)))
      : NO_DEADLINE_MS;
    this.#send({ type: 'request', handle: track.handle, ...plainRun(run), deadlineMs, needsProof });
    return this.#flush();
  }

  cancel(key: TrackKey, run: BlockRun): SessionEffect[] {
    const track = this.#ownByKey.get(key);
    if (track === undefined) return [];
    for (let block = run.first; block < run.first + run.count; block++) {
      const id = blockId(track.handle, run.chunk, block);
      if (this.#due.delete(id)) this.#takeBack(id);
    }
    this.#send({ type: 'cancel', handle: track.handle, ...plainRun(run) });
    return this.#flush();
  }

  /** Sends the leaf hashes of a request's chunk, ahead of its blocks. */
  sendProof(request: IncomingRequest, leaves: Uint8Array): SessionEffect[] {
    if (!request.cancelled)
      this.#send({ type: 'proof', handle: request.handle, chunk: request.chunk, leaves });
    return this.#flush();
  }

  /** Sends one block of a request. The bytes are copied. */
  sendBlock(request: IncomingRequest, block: number, bytes: Uint8Array): SessionEffect[] {
    if (!request.cancelled) {
      this.#send({ type: 'block', handle: request.handle, chunk: request.chunk, block, bytes }, 'blocks');
    }
    return this.#flush();
  }

  /** A request was served to its last block. */
  served(request: IncomingRequest): void {
    this.#dropIncoming(request);
  }

  refuse(request: IncomingRequest, reason: RefuseReason): SessionEffect[] {
    if (!request.cancelled)
      this.#send({ type: 'refuse', handle: request.handle, ...plainRun(request), reason });
    this.#dropIncoming(request);
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
      this.#accept(decodePeerFrame(bytes), nowMs);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#blame(error.message);
    }
    return this.#flush();
  }

  /** Time passed; called about once a second. */
  tick(nowMs: number): SessionEffect[] {
    if (this.#ended) return [];
    if (this.#ping !== undefined) {
      if (nowMs - this.#ping.sentMs >= PONG_WITHIN_MS) this.#end('no answer to a ping', false);
    } else if (
      nowMs - this.#heardMs >= PING_AFTER_MS ||
      (this.#due.size > 0 && nowMs - this.#pingedMs >= PING_WHILE_BUSY_MS)
    ) {
      this.#ping = { token: ++this.#pingToken >>> 0, sentMs: nowMs };
      this.#pingedMs = nowMs;
      this.#send({ type: 'ping', token: this.#ping.token });
    }
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
        const own = this.#ownByKey.get(trackKey(theirs.trackId, theirs.root));
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
        if (!this.#proofsDue.delete(`${frame.handle}/${frame.chunk}`))
          return this.#blame('a proof that was not asked for');
        this.#effects.push({ type: 'proof', track: own.key, chunk: frame.chunk, leaves: frame.leaves });
        return;
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

  #acceptOpen(frame: OpenTrackFrame): void {
    if (frame.handle <= this.#theirHighest) return this.#blame('a handle was used again');
    this.#theirHighest = frame.handle;
    const refuse = (reason: RefuseReason) =>
      this.#send({ type: 'refuse', handle: frame.handle, chunk: 0, first: 0, count: 0, reason });
    if (this.#theirs.size >= LIMITS.maxOpenTracks) return refuse('too-many-tracks');
    const { trackId, root, held } = frame;
    const theirs = { trackId, root, held };
    this.#theirs.set(frame.handle, theirs);
    if (this.#meet(theirs)) return;
    for (const own of this.#own.values()) {
      if (own.trackId === trackId && !this.#ownByKey.has(trackKey(trackId, root)))
        return refuse('other-version');
    }
  }

  /** Tells the shell of a track that both have open; answers whether they do. */
  #meet(theirs: TheirTrack): boolean {
    const own = this.#ownByKey.get(trackKey(theirs.trackId, theirs.root));
    if (own === undefined) return false;
    if (theirs.held.capacity !== Math.ceil(own.geometry.size / own.geometry.chunkSize)) return false;
    this.#effects.push({ type: 'opened', track: own.key, held: theirs.held.clone() });
    return true;
  }

  #acceptHave(handle: TrackHandle, chunks: readonly number[], lost: readonly number[]): void {
    const theirs = this.#theirs.get(handle);
    if (theirs === undefined) return;
    for (const chunk of [...chunks, ...lost]) {
      if (chunk >= theirs.held.capacity) return this.#blame('a chunk beyond the track');
    }
    for (const chunk of chunks) theirs.held.add(chunk);
    for (const chunk of lost) theirs.held.delete(chunk);
    const own = this.#sharedBy(handle);
    if (own !== undefined) this.#effects.push({ type: 'have', track: own.key, chunks, lost });
  }

  #acceptRequest(frame: RequestFrame, nowMs: number): void {
    const own = this.#sharedBy(frame.handle);
    const refuse = (reason: RefuseReason) =>
      this.#send({ type: 'refuse', handle: frame.handle, ...plainRun(frame), reason });
    if (own === undefined) return refuse('not-held');
    const { geometry } = own;
    if (
      frame.chunk >= Math.ceil(geometry.size / geometry.chunkSize) ||
      frame.first + frame.count > blockCount(geometry, frame.chunk)
    ) {
      return this.#blame('a request beyond the track');
    }
    let bytes = 0;
    for (let i = 0; i < frame.count; i++) bytes += blockLength(geometry, frame.chunk, frame.first + i);
    if (
      this.#incoming.size >= LIMITS.maxOutstandingRequests ||
      this.#incomingBytes + bytes > LIMITS.maxOutstandingBytes
    ) {
      return refuse('busy');
    }
    const request: IncomingRequest = {
      ...plainRun(frame),
      track: own.key,
      handle: frame.handle,
      needsProof: frame.needsProof,
      deadlineMs: frame.deadlineMs === NO_DEADLINE_MS ? Number.POSITIVE_INFINITY : nowMs + frame.deadlineMs,
      bytes,
      cancelled: false,
    };
    this.#incoming.add(request);
    this.#incomingBytes += bytes;
    this.#effects.push({ type: 'asked', request });
  }

  #acceptBlock(frame: BlockFrame): void {
    const own = this.#own.get(frame.handle);
    if (own === undefined) return this.#expectFormer(frame.handle);
    const id = blockId(frame.handle, frame.chunk, frame.block);
    if (this.#due.delete(id)) {
      this.#effects.push({
        type: 'block',
        track: own.key,
        chunk: frame.chunk,
        block: frame.block,
        bytes: frame.bytes,
      });
    } else if (!this.#takenBack.delete(id)) {
      this.#blame('a block that was not asked for');
    }
  }

  #acceptRefusal(handle: TrackHandle, run: BlockRun, reason: RefuseReason): void {
    const own = this.#own.get(handle);
    if (own === undefined) return this.#expectFormer(handle);
    if (run.count === 0) return;
    this.#proofsDue.delete(`${handle}/${run.chunk}`);
    const end = Math.min(run.first + run.count, blockCountOf(own.geometry));
    for (let block = run.first; block < end; block++) this.#due.delete(blockId(handle, run.chunk, block));
    this.#effects.push({ type: 'refused', track: own.key, ...plainRun(run), reason });
  }

  /** Answers to a track that was shut may still be on their way; to one never opened they are a fault. */
  #expectFormer(handle: TrackHandle): void {
    if (handle === 0 || handle >= this.#nextHandle) this.#blame('a handle that was never given');
  }

  #sharedBy(handle: TrackHandle): OwnTrack | undefined {
    const theirs = this.#theirs.get(handle);
    return theirs === undefined ? undefined : this.#ownByKey.get(trackKey(theirs.trackId, theirs.root));
  }

  #takeBack(id: string): void {
    this.#takenBack.add(id);
    if (this.#takenBack.size <= TAKEN_BACK_KEPT) return;
    for (const oldest of this.#takenBack) {
      this.#takenBack.delete(oldest);
      break;
    }
  }

  #dropDue(handle: TrackHandle): void {
    const prefix = `${handle}/`;
    for (const id of this.#due) {
      if (!id.startsWith(prefix)) continue;
      this.#due.delete(id);
      this.#takeBack(id);
    }
  }

  #cancelIncoming(request: IncomingRequest, by?: BlockRun): void {
    this.#dropIncoming(request);
    request.cancelled = true;
    if (by === undefined) return;
    for (const rest of [
      { first: request.first, count: by.first - request.first },
      { first: by.first + by.count, count: request.first + request.count - by.first - by.count },
    ]) {
      if (rest.count <= 0) continue;
      const bytes = Math.min(request.bytes, rest.count * LIMITS.blockBytes);
      const left: IncomingRequest = {
        ...request,
        ...rest,
        needsProof: request.needsProof,
        bytes,
        cancelled: false,
      };
      this.#incoming.add(left);
      this.#incomingBytes += bytes;
      this.#effects.push({ type: 'asked', request: left });
    }
  }

  #dropIncoming(request: IncomingRequest): void {
    if (this.#incoming.delete(request)) this.#incomingBytes -= request.bytes;
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

  #send(frame: PeerFrame, lane: 'control' | 'blocks' = 'control'): void {
    if (!this.#ended) this.#effects.push({ type: 'send', frame: encodePeerFrame(frame), lane });
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

function blockCountOf({ chunkSize }: Geometry): number {
  return chunkSize / LIMITS.blockBytes;
}

function plainRun({ chunk, first, count }: BlockRun): BlockRun {
  return { chunk, first, count };
}
