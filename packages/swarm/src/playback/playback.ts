import type { ByteRange } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { answerMedia, refusal, servedType } from './media-answer.ts';
import { bytesPerSecond, mediaFacts, statusOf, type PlayableTrack } from './playable-track.ts';
import { RangeReader } from './range-reader.ts';
import { WorkerHost } from './worker-host.ts';

/** How a player gets at a track. */
export interface Playable {
  /** For the `src` of a player. */
  readonly url: string;
  /**
   * Who answers it. `worker`: the page's service worker, out of the swarm. `blob`: the track, fetched whole from
   * the swarm into memory. `origin`: the origin itself, without the swarm.
   */
  readonly via: 'worker' | 'blob' | 'origin';
}

/** What playback is made of. */
export interface PlaybackParts {
  /** The service worker to register. Missing: one the page has already, if it is of this library. */
  readonly serviceWorker: string | undefined;
  /** Where the origin has a track. */
  originUrl(trackId: string): string | undefined;
}

/** Up to this size, in bytes, a track is put into memory where no worker answers. */
const MOST_BLOB_BYTES = 50_000_000;
/** Wanted early, wherever the playhead is: players look for seek tables and tags at the end. */
const END_CHUNKS = 2;
const END_DUE_MS = 3_000;

/** Gives tracks to players by URL and by `fetch`. One a swarm. */
export class Playback {
  readonly #parts: PlaybackParts;
  readonly #open = new Map<PlayableTrack, { root: string; blobUrl?: string; stop: AbortController }>();
  #host: WorkerHost | undefined;
  #connecting: Promise<string | undefined> | undefined;
  #connected = false;

  constructor(parts: PlaybackParts) {
    this.#parts = parts;
  }

  /** A URL for a player. Valid until the track is closed. Rejects as `manifest` does, or with `origin-unavailable`. */
  async playable(track: PlayableTrack): Promise<Playable> {
    const manifest = await track.manifest();
    const { root, size, mime } = manifest;
    const version = root.slice(0, 16);
    const open = this.#open.get(track) ?? { root, stop: new AbortController() };
    this.#open.set(track, open);
    const prefix = await this.#connect();
    if (prefix !== undefined) {
      this.#wantEnds(track, manifest, open.stop.signal);
      return { url: `${prefix}${encodeURIComponent(track.trackId)}?v=${version}`, via: 'worker' };
    }
    if (size < MOST_BLOB_BYTES) {
      open.blobUrl ??= URL.createObjectURL(new Blob([await track.blob()], { type: servedType(mime) }));
      return { url: open.blobUrl, via: 'blob' };
    }
    const origin = this.#parts.originUrl(track.trackId);
    if (origin === undefined)
      throw new SwarmError('origin-unavailable', `no worker answers and no origin has ${track.trackId}`);
    return { url: `${origin}?v=${version}`, via: 'origin' };
  }

  /** Answers a request for a track as a server would: 200, 206 or 416, the body as it is proven. */
  async fetch(track: PlayableTrack, request: Request): Promise<Response> {
    try {
      const manifest = await track.manifest();
      const { method, headers, signal } = request;
      const answer = answerMedia(mediaFacts(manifest), {
        method,
        range: headers.get('range'),
        ifRange: headers.get('if-range'),
      });
      const body = answer.body === undefined ? null : mediaStream(track, manifest, answer.body, signal);
      return new Response(body, { status: answer.status, headers: answer.headers });
    } catch (error) {
      if (request.signal.aborted) throw request.signal.reason;
      return refusal(statusOf(error), error instanceof Error ? error.message : String(error));
    }
  }

  /** A track was closed: its URLs are no more. */
  closed(track: PlayableTrack): void {
    const open = this.#open.get(track);
    if (open === undefined) return;
    open.stop.abort(new SwarmError('closed', 'the track was closed'));
    if (open.blobUrl !== undefined) URL.revokeObjectURL(open.blobUrl);
    this.#open.delete(track);
  }

  close(): void {
    for (const track of [...this.#open.keys()]) this.closed(track);
    this.#host?.close();
  }

  /** Asked again while there is none: a worker may be installed later. */
  async #connect(): Promise<string | undefined> {
    const container = typeof navigator === 'undefined' ? undefined : navigator.serviceWorker;
    if (container === undefined) return undefined;
    if (this.#connected && container.controller === null) this.#connecting = undefined;
    this.#host ??= new WorkerHost(container, (trackId, version) => this.#find(trackId, version));
    this.#connecting ??= this.#host.connect(this.#parts.serviceWorker);
    const prefix = await this.#connecting;
    this.#connected = prefix !== undefined;
    if (prefix === undefined) this.#connecting = undefined;
    return prefix;
  }

  #find(trackId: string, version: string): PlayableTrack | undefined {
    for (const [track, { root }] of this.#open)
      if (track.trackId === trackId && root.startsWith(version)) return track;
    return undefined;
  }

  #wantEnds(
    track: PlayableTrack,
    { size, chunkSize }: { readonly size: number; readonly chunkSize: number },
    signal: AbortSignal,
  ): void {
    const lastChunk = Math.ceil(size / chunkSize) - 1;
    const start = Math.max(0, lastChunk - END_CHUNKS + 1) * chunkSize;
    // Best effort: whoever plays hears of what is missing.
    track.read({ start, end: size }, { signal, deadlineMs: END_DUE_MS }).catch(() => undefined);
  }
}

/** A range of a track in order, wanted as fast as it is taken. Cancelling it takes back what is wanted. */
export function mediaStream(
  track: Pick<PlayableTrack, 'read'>,
  manifest: Parameters<typeof bytesPerSecond>[0],
  range: ByteRange,
  signal?: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = new RangeReader({
    read: (part, options) => track.read(part, options),
    range,
    bytesPerSecond: bytesPerSecond(manifest),
    nowMs: () => performance.now(),
  });
  signal?.addEventListener('abort', () => reader.cancel(), { once: true });
  return new ReadableStream(
    {
      pull: async (controller) => {
        const bytes = await reader.next();
        if (bytes === undefined) controller.close();
        else controller.enqueue(bytes as Uint8Array<ArrayBuffer>);
      },
      cancel: () => reader.cancel(),
    },
    { highWaterMark: 0 },
  );
}
