import type { ByteRange, Manifest } from '@sonantica/wire';
import { abortWith, unlessAborted } from './abort-with.ts';
import type { Clock } from './core/env.ts';
import { bytesPerSecond, dueAtPlayhead, Playhead } from './core/playhead.ts';
import { SwarmError } from './errors.ts';
import { Emitter, type Unsubscribe } from './events.ts';
import type { TrackEvents, TrackStats } from './options.ts';
import type { Playable } from './playback/playback.ts';
import type { RangeReader } from './playback/range-reader.ts';
import { asSwarmError } from './reads.ts';
import { HEAD_BYTES } from './sources/head-start.ts';
import type { TrackVersion } from './track-version.ts';

/** How a read is hurried or given up. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  /**
   * When the bytes are needed, in milliseconds from now, the time until the manifest is known included. Without it, when the playhead reaches them; where no player said
   * where it is, nobody is in a hurry.
   */
  readonly deadlineMs?: number;
}

/** What is going to be wanted of a track that is opened. */
export interface OpenHint {
  /** Its beginning, at once. */
  readonly head: boolean;
}

/** What a track needs of its swarm. */
export interface TrackHost {
  readonly clock: Clock;
  /** The verified manifest and what is held of that version. */
  open(signal: AbortSignal, hint: OpenHint): Promise<TrackVersion>;
  /** The beginning is about to be read: it is asked for beside the manifest where nobody linked could give it. */
  expectHead(): void;
  /** Bytes, proven, into memory of the caller's own. */
  read(version: TrackVersion, range: ByteRange, dueInMs: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Resolves once every chunk is held and proven. */
  download(version: TrackVersion, signal: AbortSignal): Promise<void>;
  stats(version: TrackVersion | undefined): TrackStats;
  /** A URL for a player, and who answers it. */
  playable(track: Track): Promise<Playable>;
  closed(track: Track): void;
}

/** A read without a deadline is wanted about this soon, in milliseconds. */
const UNHURRIED_MS = 15_000;
/** A read that is due sooner than this is one to begin with, in milliseconds. */
const AT_ONCE_MS = 500;

/** A track as a player sees it: bytes by range, as a stream, as a Blob. Opened with `swarm.open`. */
export class Track {
  readonly trackId: string;
  /** Where its player is. Readers that serve a player take their deadlines from here. */
  readonly playhead: Playhead;
  readonly #host: TrackHost;
  readonly #events = new Emitter<TrackEvents>();
  readonly #closing = new AbortController();
  #opening: Promise<TrackVersion> | undefined;
  #version: TrackVersion | undefined;

  /** Tracks are made by `swarm.open`. */
  constructor(trackId: string, host: TrackHost) {
    this.trackId = trackId;
    this.#host = host;
    this.playhead = new Playhead(host.clock);
  }

  /** The verified manifest. Rejects with `track-not-found`, `manifest-invalid` or `origin-unavailable`. */
  async manifest(): Promise<Manifest> {
    return (await this.#open()).manifest;
  }

  /**
   * The bytes of a range, the end exclusive, in memory of the caller's own; proven. Rejects with
   * `invalid-argument` for a range beyond the track, `origin-unavailable` when nobody gives the bytes,
   * `aborted` or `closed`.
   */
  async read(range: ByteRange, { signal, deadlineMs }: ReadOptions = {}): Promise<Uint8Array> {
    const { start, end } = range;
    const atOnce =
      (deadlineMs ?? UNHURRIED_MS) <= AT_ONCE_MS && start >= 0 && start < Math.min(end, HEAD_BYTES);
    const askedMs = this.#host.clock.nowMs();
    const version = await this.#openUnless(signal, { head: atOnce });
    if (Number.isNaN(deadlineMs)) throw new SwarmError('invalid-argument', 'a deadline that is no number');
    if (
      !Number.isInteger(start) ||
      !Number.isInteger(end) ||
      start < 0 ||
      end < start ||
      end > version.manifest.size
    ) {
      throw new SwarmError(
        'invalid-argument',
        `bytes ${start}–${end} of a track of ${version.manifest.size} bytes`,
      );
    }
    const waitedMs = this.#host.clock.nowMs() - askedMs;
    const dueInMs =
      deadlineMs === undefined ? this.#dueInMs(start, version.manifest) : Math.max(0, deadlineMs - waitedMs);
    return this.#until(signal, (either) => this.#host.read(version, range, dueInMs, either));
  }

  /**
   * Where the player is, in seconds from the beginning: what it hears soon is wanted first. Call it as often as the player
   * tells (`timeupdate`, `seeking`); players that say nothing are estimated from the bitrate and what they take. Throws
   * `invalid-argument` for what is no place.
   */
  setPlayhead(seconds: number): void {
    if (!Number.isFinite(seconds) || seconds < 0)
      throw new SwarmError('invalid-argument', `${seconds} is no place in a track`);
    this.playhead.set(seconds);
  }

  /**
   * The track, or a range of it, in order, each piece wanted by when a player hears it. Cancelling the stream stops what it
   * asked for. Its reads reject as `read` does.
   */
  stream(range?: ByteRange): ReadableStream<Uint8Array> {
    let reader: RangeReader | undefined;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (reader === undefined) {
        const [manifest, { RangeReader: Reader }] = await Promise.all([
          this.manifest(),
          import('./playback/range-reader.ts'),
        ]);
        const start = range?.start ?? 0;
        const end = Math.max(start, Math.min(range?.end ?? manifest.size, manifest.size));
        reader = new Reader(this, manifest, { start, end });
        if (stopped) return reader.cancel();
      }
      const bytes = await reader.next();
      if (bytes === undefined) controller.close();
      else controller.enqueue(bytes);
    };
    let stopped = false;
    const cancel = () => {
      stopped = true;
      reader?.cancel();
    };
    return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
  }

  /** The whole track in memory, with its media type. */
  async blob(): Promise<Blob> {
    const { mime, size } = await this.manifest();
    const bytes = await this.read({ start: 0, end: size });
    return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: mime });
  }

  /**
   * A URL for the `src` of a player, valid until the track is closed; what {@link playable} says, without who answers it.
   */
  async url(): Promise<string> {
    return (await this.playable()).url;
  }

  /**
   * A URL for a player, and who answers it: the page's service worker; else, below 50 MB, a Blob fetched whole; else
   * the origin. The worker's is given at once: what is wrong with the track, the player hears as of any URL, and
   * {@link manifest} says. The others reject as `manifest` does, or with `origin-unavailable` when none can answer.
   */
  async playable(): Promise<Playable> {
    this.#closing.signal.throwIfAborted();
    return this.#host.playable(this);
  }

  /** A player is about to read the beginning; called by who answers it. */
  expectHead(): void {
    if (this.#version === undefined && !this.#closing.signal.aborted) this.#host.expectHead();
  }

  /** Resolves once every chunk is verified and stored. */
  async download({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const version = await this.#openUnless(signal);
    await this.#until(signal, (either) => this.#host.download(version, either));
  }

  /** The numbers of the chunks held now, in order; none before the manifest is known. */
  get heldChunks(): readonly number[] {
    return this.#version === undefined ? [] : [...this.#version.held];
  }

  stats(): TrackStats {
    return this.#host.stats(this.#version);
  }

  on<Name extends keyof TrackEvents>(name: Name, listener: (event: TrackEvents[Name]) => void): Unsubscribe {
    return this.#events.on(name, listener);
  }

  /** Tells this track's listeners; called by the swarm. */
  emit<Name extends keyof TrackEvents>(name: Name, event: TrackEvents[Name]): void {
    this.#events.emit(name, event);
  }

  /** Whether this handle reads that version. */
  isOf(version: TrackVersion): boolean {
    return this.#version?.key === version.key;
  }

  /**
   * Ends this handle: reads under way reject with `closed`; other handles of the track go on. Chunks that are held stay and
   * are given on; with the last handle parts of others are let go. Idempotent.
   */
  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new SwarmError('closed', `${this.trackId} was closed`));
    this.#events.clear();
    this.#host.closed(this);
  }

  #open(hint: OpenHint = { head: false }): Promise<TrackVersion> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason as Error);
    this.#opening ??= this.#host.open(this.#closing.signal, hint).then(
      (version) => (this.#version = version),
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** As soon as the caller gives up it hears so; what is under way is left to others. */
  async #openUnless(signal: AbortSignal | undefined, hint?: OpenHint): Promise<TrackVersion> {
    if (signal === undefined) return this.#open(hint);
    try {
      signal.throwIfAborted();
      return await unlessAborted(this.#open(hint), signal);
    } catch (error) {
      throw asSwarmError(error);
    }
  }

  /** When the playhead reaches a byte; some time soon, where nobody said where it is. */
  #dueInMs(byte: number, manifest: Manifest): number {
    const placeMs = this.playhead.placeMs();
    return placeMs === undefined
      ? UNHURRIED_MS
      : dueAtPlayhead(placeMs, byte, bytesPerSecond(manifest) / 1000);
  }

  /** Acts under a signal that is aborted with the caller's and with this handle, and follows neither when it is done. */
  async #until<T>(signal: AbortSignal | undefined, act: (either: AbortSignal) => Promise<T>): Promise<T> {
    if (signal === undefined) return act(this.#closing.signal);
    const either = new AbortController();
    const unfollow = [signal, this.#closing.signal].map((each) => abortWith(each, either));
    try {
      return await act(either.signal);
    } finally {
      for (const stop of unfollow) stop();
    }
  }
}
