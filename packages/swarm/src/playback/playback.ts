import type { Manifest } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { answerMedia, beginsAnew, beginsAtHead, refusal, servedType } from './media-answer.ts';
import { mediaFacts, statusOf, type PlayableTrack } from './playable-track.ts';
import { streamRange } from './range-reader.ts';
import { SharedTracks, type ClosableTrack } from './shared-tracks.ts';
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
  /** Tells this page's URLs from any other's. */
  readonly pageId: string;
  /** A handle of a track. */
  open(trackId: string): ClosableTrack;
  /** Where the origin has this version of a track. Throws where it names none. */
  originUrl(manifest: Manifest): string | undefined;
}

/** Up to this size, in bytes, a track is put into memory where no worker answers. */
const MOST_BLOB_BYTES = 50_000_000;

/** Gives tracks to players by URL and by `fetch`. One a swarm. */
export class Playback {
  readonly #parts: PlaybackParts;
  readonly #open = new Map<PlayableTrack, { readonly handle: string; blobUrl?: string }>();
  /** For who fetches. */
  readonly #shared: SharedTracks;
  #handles = 0;
  #host: WorkerHost | undefined;
  #connecting: Promise<string | undefined> | undefined;
  #connected = false;

  constructor(parts: PlaybackParts) {
    this.#parts = parts;
    this.#shared = new SharedTracks((trackId) => parts.open(trackId));
  }

  /**
   * A URL for a player. Valid until the track is closed. Where a worker answers it the manifest is asked for and not
   * waited for: a player gets ready meanwhile, and hears from the worker what is wrong. Otherwise rejects as `manifest`
   * does, or with `origin-unavailable`.
   */
  async playable(track: PlayableTrack): Promise<Playable> {
    const open = this.#open.get(track) ?? { handle: `${this.#parts.pageId}.${++this.#handles}` };
    this.#open.set(track, open);
    const arriving = track.manifest();
    // Whoever waits for it hears of a failure.
    arriving.catch(() => undefined);
    const prefix = await this.#connect();
    if (prefix !== undefined)
      return { url: `${prefix}${encodeURIComponent(track.trackId)}?h=${open.handle}`, via: 'worker' };
    const manifest = await arriving;
    if (manifest.size < MOST_BLOB_BYTES) {
      const type = servedType(manifest.mime);
      const blob = await track.blob();
      // Another may have made one meanwhile: one is revoked with the handle.
      open.blobUrl ??= URL.createObjectURL(new Blob([blob], { type }));
      return { url: open.blobUrl, via: 'blob' };
    }
    const url = this.#parts.originUrl(manifest);
    if (url === undefined)
      throw new SwarmError('origin-unavailable', `no worker answers and no origin has ${track.trackId}`);
    return { url, via: 'origin' };
  }

  /** Answers a request for a track as a server would: 200, 206 or 416, the body as it is proven. */
  async fetch(trackId: string, request: Request): Promise<Response> {
    const { method, headers, signal } = request;
    const wanted = { method, range: headers.get('range'), ifRange: headers.get('if-range') };
    const { track, done } = this.#shared.take(trackId, beginsAnew(wanted));
    try {
      if (beginsAtHead(wanted)) track.expectHead();
      const manifest = await track.manifest();
      signal.throwIfAborted();
      const answer = answerMedia(mediaFacts(manifest), wanted);
      const { status } = answer;
      if (answer.body !== undefined) {
        const body = streamRange(track, manifest, answer.body, signal, done);
        return new Response(body, { status, headers: answer.headers });
      }
      done();
      return new Response(null, { status, headers: answer.headers });
    } catch (error) {
      done();
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
    this.#shared.close();
  }

  /** Asked again while there is none: a worker may be installed later. */
  async #connect(): Promise<string | undefined> {
    const container = typeof navigator === 'undefined' ? undefined : navigator.serviceWorker;
    if (container === undefined) return undefined;
    if (this.#connected && container.controller === null) this.#connecting = undefined;
    this.#host ??= new WorkerHost(container, (trackId, handle) => this.#find(trackId, handle));
    this.#connecting ??= this.#host.connect(this.#parts.serviceWorker);
    const prefix = await this.#connecting;
    this.#connected = prefix !== undefined;
    if (prefix === undefined) this.#connecting = undefined;
    return prefix;
  }

  #find(trackId: string, wanted: string): PlayableTrack | undefined {
    for (const [track, { handle }] of this.#open)
      if (track.trackId === trackId && (wanted === '' || wanted === handle)) return track;
    return undefined;
  }
}
