import { SwarmError } from '../errors.ts';
import { answerMedia, refusal, servedType } from './media-answer.ts';
import { mediaFacts, statusOf, type PlayableTrack } from './playable-track.ts';
import { streamRange } from './range-reader.ts';
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

/** Gives tracks to players by URL and by `fetch`. One a swarm. */
export class Playback {
  readonly #parts: PlaybackParts;
  readonly #open = new Map<PlayableTrack, { root: string; blobUrl?: string }>();
  #host: WorkerHost | undefined;
  #connecting: Promise<string | undefined> | undefined;
  #connected = false;

  constructor(parts: PlaybackParts) {
    this.#parts = parts;
  }

  /** A URL for a player. Valid until the track is closed. Rejects as `manifest` does, or with `origin-unavailable`. */
  async playable(track: PlayableTrack): Promise<Playable> {
    const { root, size, mime } = await track.manifest();
    const version = root.slice(0, 16);
    const open = this.#open.get(track) ?? { root };
    this.#open.set(track, open);
    const prefix = await this.#connect();
    if (prefix !== undefined)
      return { url: `${prefix}${encodeURIComponent(track.trackId)}?v=${version}`, via: 'worker' };
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
      const body = answer.body === undefined ? null : streamRange(track, manifest, answer.body, signal);
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
}
