import {
  LIMITS,
  blockCount,
  chunkCount,
  chunkRange,
  type BlockRun,
  type Manifest,
  type TrackId,
} from '@sonantica/wire';
import { ORIGIN } from '../core/source-state.ts';
import type { TrackKey } from '../core/track-key.ts';
import { HeadStart } from './head-start.ts';
import {
  audioUrl,
  getPieces,
  getWhole,
  MirrorError,
  mirrorsOf,
  type Http,
  type OriginLocation,
} from './origin-http.ts';
import type { BlockRequest, Source, SourceSink } from './source.ts';

/** A mirror that failed is passed over for this long, unless all have failed. */
const MIRROR_PAUSE_MS = 10_000;
/** Leaf hashes fetched at once grow from one chunk's to those of this many chunks. */
const MOST_LEAF_CHUNKS = 64;

/** What the origin source needs of its surroundings. */
export interface OriginSourceOptions {
  readonly location: OriginLocation;
  readonly http: Http;
  readonly sink: SourceSink;
  readonly nowMs: () => number;
  /** The origin has no leaf hashes of a track: it can only be proven by whole chunks. */
  readonly onNoLeaves: (track: TrackKey) => void;
  readonly log: (message: string) => void;
}

interface Transfer {
  readonly request: BlockRequest;
  readonly abort: AbortController;
  /** Blocks still wanted of the run. */
  readonly wanted: Set<number>;
  next: number;
}

interface LeafState {
  has: boolean;
  ahead: number;
  readonly fetched: Map<number, Promise<void>>;
}

/**
 * Blocks over HTTP, by Range, from the first mirror that serves them. Knows the mirrors' failings: other
 * statuses, short bodies, a 200 in answer to a Range, silence.
 */
export class OriginSource implements Source {
  readonly id = ORIGIN;
  readonly #options: OriginSourceOptions;
  readonly #transfers = new Set<Transfer>();
  readonly #leaves = new Map<TrackKey, LeafState>();
  readonly #pausedUntilMs = new Map<string, number>();
  readonly #lastMirror = new Map<string, string>();
  readonly #closing = new AbortController();
  readonly #headStarts = new Map<TrackId, HeadStart>();
  /** Those being given on. */
  readonly #takenHeads = new Set<HeadStart>();
  /** Mirrors whose files are not at the tracks' own addresses: what is asked for before the manifest is not there. */
  readonly #headless = new Set<string>();

  constructor(options: OriginSourceOptions) {
    this.#options = options;
  }

  fetch(request: BlockRequest): void {
    const transfer: Transfer = {
      request,
      abort: new AbortController(),
      wanted: new Set(Array.from({ length: request.count }, (_, i) => request.first + i)),
      next: request.first,
    };
    this.#transfers.add(transfer);
    void this.#run(transfer).finally(() => this.#transfers.delete(transfer));
  }

  /** Asks for the first blocks of a track whose manifest is not known yet; {@link fetch} gives them on. */
  startHead(trackId: TrackId): void {
    const [mirror] = this.#mirrors(trackId);
    if (mirror === undefined || this.#headless.has(mirror) || this.#headStarts.has(trackId)) return;
    const { http, nowMs } = this.#options;
    this.#headStarts.set(trackId, new HeadStart(http, mirror, `${mirror}/${trackId}`, nowMs()));
  }

  /** Since when the head of a track has been under way for whoever fetches it; `undefined` when it is not. */
  headSinceMs(trackId: TrackId): number | undefined {
    return this.#headStarts.get(trackId)?.sinceMs;
  }

  /** The head is not wanted after all. */
  dropHead(trackId: TrackId): void {
    void this.#headStarts.get(trackId)?.close();
    this.#headStarts.delete(trackId);
  }

  cancel(track: TrackKey, run: BlockRun): void {
    for (const transfer of this.#transfers) {
      if (transfer.request.track !== track || transfer.request.chunk !== run.chunk) continue;
      for (let block = run.first; block < run.first + run.count; block++) transfer.wanted.delete(block);
      if (transfer.wanted.size === 0) transfer.abort.abort();
    }
  }

  /** What this source sent of a chunk was wrong: the mirror it came from is passed over for a while. */
  distrust(track: TrackKey, chunk: number): void {
    const mirror = this.#lastMirror.get(`${track}/${chunk}`);
    if (mirror === undefined) return;
    this.#options.log(`origin ${mirror} sent wrong bytes of chunk ${chunk}`);
    this.#pause(mirror);
  }

  /** The leaf hashes it gave are wrong: whole chunks are proven from here on. */
  distrustLeaves(track: TrackKey): void {
    const state = this.#leaves.get(track);
    if (state?.has !== true) return;
    state.has = false;
    this.#options.onNoLeaves(track);
  }

  forget(track: TrackKey): void {
    this.#leaves.delete(track);
    for (const id of this.#lastMirror.keys()) if (id.startsWith(`${track}/`)) this.#lastMirror.delete(id);
    for (const transfer of this.#transfers) if (transfer.request.track === track) transfer.abort.abort();
  }

  close(): void {
    this.#closing.abort();
    for (const transfer of this.#transfers) transfer.abort.abort();
    for (const trackId of [...this.#headStarts.keys()]) this.dropHead(trackId);
    for (const head of this.#takenHeads) void head.close();
  }

  async #run(transfer: Transfer): Promise<void> {
    const { request } = transfer;
    if (request.chunk === 0 && request.first === 0) await this.#takeHead(transfer);
    for (const mirror of this.#mirrors(request.manifest.trackId)) {
      if (transfer.wanted.size === 0) return;
      this.#lastMirror.set(`${request.track}/${request.chunk}`, mirror);
      try {
        const leaves = request.leavesKnown ? undefined : this.#fetchLeaves(mirror, request);
        await this.#transfer(mirror, transfer);
        await leaves;
        if (transfer.wanted.size === 0) return;
      } catch (error) {
        if (transfer.abort.signal.aborted) return;
        this.#options.log(error instanceof Error ? error.message : String(error));
        this.#pause(mirror);
      }
    }
    const left = [...transfer.wanted];
    const first = left[0];
    const last = left.at(-1);
    if (first === undefined || last === undefined) return;
    this.#options.sink.refused(
      ORIGIN,
      request.track,
      { chunk: request.chunk, first, count: last - first + 1 },
      'not-held',
    );
  }

  /** Gives on what was asked for before the manifest was known. */
  async #takeHead(transfer: Transfer): Promise<void> {
    const { track, manifest, first, count, leavesKnown } = transfer.request;
    const head = this.#headStarts.get(manifest.trackId);
    if (head === undefined) return;
    this.#headStarts.delete(manifest.trackId);
    transfer.abort.signal.addEventListener('abort', () => head.stopBlocks(), { once: true });
    this.#takenHeads.add(head);
    if (manifest.file !== undefined) this.#headless.add(head.mirror);
    this.#lastMirror.set(`${track}/0`, head.mirror);
    const leafBytes = blockCount(manifest, 0) * LIMITS.hashBytes;
    if (!leavesKnown) {
      const state = this.#leafStateOf(track);
      const fetching = head.leaves.then((leaves) => {
        state.fetched.delete(0);
        if (leaves !== undefined && leaves.length >= leafBytes)
          this.#options.sink.proof(ORIGIN, track, 0, leaves.slice(0, leafBytes));
        else if (!this.#closing.signal.aborted) return this.#fetchLeaves(head.mirror, transfer.request);
      });
      state.fetched.set(0, fetching);
    }
    const whole = Math.floor(manifest.size / LIMITS.blockBytes);
    for await (const bytes of head.blocks()) {
      if (transfer.wanted.size === 0) break;
      if (transfer.next >= Math.min(first + count, whole)) break;
      this.#deliver(transfer, bytes);
    }
    head.stopBlocks();
    void head.leaves.then(() => this.#takenHeads.delete(head));
  }

  async #transfer(mirror: string, transfer: Transfer): Promise<void> {
    const { request } = transfer;
    const { manifest } = request;
    const chunkStart = chunkRange(manifest, request.chunk).start;
    const first = transfer.next;
    const start = chunkStart + first * LIMITS.blockBytes;
    const end = Math.min(
      chunkStart + (request.first + request.count) * LIMITS.blockBytes,
      chunkRange(manifest, request.chunk).end,
    );
    const url = audioUrl(mirror, manifest);
    let skip = 0;
    const accept = (response: Response) => {
      if (response.status === 206) checkContentRange(response, start, end, manifest.size, url);
      else if (response.status === 200) skip = start;
      else throw new MirrorError(`${url} answered ${response.status}`, response.status);
    };
    const cut = new BlockCutter(Math.min(LIMITS.blockBytes, end - start));
    let left = end - start;
    let begunMs: number | undefined;
    const headers = { Range: `bytes=${start}-${end - 1}` };
    for await (let piece of getPieces(this.#options.http, url, headers, transfer.abort.signal, accept)) {
      if (skip > 0) {
        const skipped = Math.min(skip, piece.length);
        skip -= skipped;
        piece = piece.subarray(skipped);
      }
      if (piece.length > left) piece = piece.subarray(0, left);
      left -= piece.length;
      begunMs ??= this.#options.nowMs();
      for (const bytes of cut.push(piece, left)) {
        if (transfer.next === first && this.#options.nowMs() > begunMs)
          this.#options.sink.began?.(ORIGIN, request.track, request.chunk, begunMs);
        this.#deliver(transfer, bytes);
      }
      if (left === 0) return;
    }
    throw new MirrorError(`${url} ended ${left} bytes early`);
  }

  #deliver(transfer: Transfer, bytes: Uint8Array): void {
    const block = transfer.next++;
    if (!transfer.wanted.delete(block)) return;
    const { track, chunk } = transfer.request;
    this.#options.sink.block(ORIGIN, track, chunk, block, bytes);
  }

  /** Sees that the leaf hashes of a chunk are on their way: those of more chunks at once the more are asked for. */
  async #fetchLeaves(mirror: string, { track, manifest, chunk }: BlockRequest): Promise<void> {
    const state = this.#leafStateOf(track);
    if (!state.has) return;
    const under = state.fetched.get(chunk);
    if (under !== undefined) return under;
    const end = Math.min(chunk + state.ahead, chunkCount(manifest));
    state.ahead = Math.min(state.ahead * 2, MOST_LEAF_CHUNKS);
    const fetching = this.#getLeaves(mirror, track, manifest, chunk, end, state).finally(() => {
      for (let i = chunk; i < end; i++) state.fetched.delete(i);
    });
    for (let i = chunk; i < end; i++) state.fetched.set(i, fetching);
    return fetching;
  }

  #leafStateOf(track: TrackKey): LeafState {
    const known = this.#leaves.get(track);
    if (known !== undefined) return known;
    const state: LeafState = { has: true, ahead: 1, fetched: new Map() };
    this.#leaves.set(track, state);
    return state;
  }

  async #getLeaves(
    mirror: string,
    track: TrackKey,
    manifest: Manifest,
    first: number,
    end: number,
    state: LeafState,
  ): Promise<void> {
    const from = ((first * manifest.chunkSize) / LIMITS.blockBytes) * LIMITS.hashBytes;
    const to = from + leavesOf(manifest, first, end) * LIMITS.hashBytes;
    const url = `${mirror}/${manifest.trackId}.leaves?v=${manifest.root.slice(0, 16)}`;
    let packed: Uint8Array;
    try {
      const { status, bytes } = await getWhole(this.#options.http, url, {
        headers: { Range: `bytes=${from}-${to - 1}` },
        mostBytes: Math.ceil(manifest.size / LIMITS.blockBytes) * LIMITS.hashBytes,
        signal: this.#closing.signal,
      });
      packed = status === 200 ? bytes.subarray(from, to) : bytes;
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      // Blocks that were asked for in the hope of leaf hashes can now be proven by the whole chunk only.
      if (error instanceof MirrorError && error.status >= 400 && error.status < 500) state.has = false;
      return this.#options.onNoLeaves(track);
    }
    let at = 0;
    for (let chunk = first; chunk < end; chunk++) {
      const bytes = blockCount(manifest, chunk) * LIMITS.hashBytes;
      if (at + bytes > packed.length) return this.#options.onNoLeaves(track);
      this.#options.sink.proof(ORIGIN, track, chunk, packed.slice(at, at + bytes));
      at += bytes;
    }
  }

  /** The mirrors of a track, those that failed of late last; none where the author's function names none now. */
  #mirrors(trackId: TrackId): string[] {
    let mirrors: string[];
    try {
      mirrors = mirrorsOf(this.#options.location, trackId);
    } catch (error) {
      this.#options.log(String(error));
      return [];
    }
    const now = this.#options.nowMs();
    const rested = mirrors.filter((mirror) => (this.#pausedUntilMs.get(mirror) ?? 0) <= now);
    return rested.length > 0
      ? [...rested, ...mirrors.filter((mirror) => !rested.includes(mirror))]
      : [...mirrors];
  }

  #pause(mirror: string): void {
    this.#pausedUntilMs.set(mirror, this.#options.nowMs() + MIRROR_PAUSE_MS);
  }
}

function checkContentRange(response: Response, start: number, end: number, size: number, url: string): void {
  const header = response.headers.get('content-range');
  if (header === null) return;
  if (header !== `bytes ${start}-${end - 1}/${size}` && header !== `bytes ${start}-${end - 1}/*`) {
    throw new MirrorError(
      `${url} sent ${header} where bytes ${start}-${end - 1}/${size} were asked for`,
      206,
    );
  }
}

function leavesOf(manifest: Manifest, first: number, end: number): number {
  let leaves = 0;
  for (let chunk = first; chunk < end; chunk++) leaves += blockCount(manifest, chunk);
  return leaves;
}

/** Cuts a stream of pieces into blocks of 16 KiB; the last may be short. */
class BlockCutter {
  #block: Uint8Array;
  #filled = 0;

  constructor(blockBytes: number) {
    this.#block = new Uint8Array(blockBytes);
  }

  /** `left`: bytes still to come after this piece. */
  push(piece: Uint8Array, left: number): Uint8Array[] {
    const blocks: Uint8Array[] = [];
    let at = 0;
    while (at < piece.length) {
      const taken = Math.min(this.#block.length - this.#filled, piece.length - at);
      this.#block.set(piece.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled < this.#block.length) break;
      blocks.push(this.#block);
      this.#filled = 0;
      this.#block = new Uint8Array(Math.min(LIMITS.blockBytes, left + piece.length - at));
    }
    return blocks;
  }
}
