import type { TrackId } from '@sonantica/wire';
import type { Timers } from './core/env.ts';
import { endsInMs, fitting, HEAD_AHEAD_MS, nextAfter } from './core/prefetch-plan.ts';
import type { DemandId } from './core/track-demand.ts';
import type { SwarmError } from './errors.ts';
import { Prefetch, type PrefetchOptions } from './prefetch.ts';
import { HEAD_BYTES } from './sources/head-start.ts';
import type { TrackVersion } from './track-version.ts';

/** A player looks at the end of a file before it plays the beginning: an end that seems near is believed after this, in milliseconds. */
const BELIEVED_AFTER_MS = 1_000;

/** What the prefetches of a swarm need of it. */
export interface PrefetchesParts {
  readonly timers: Timers;
  /** The version of a track, whose manifest is asked for if need be. */
  open(trackId: TrackId, signal: AbortSignal): Promise<TrackVersion>;
  /** Wants a whole track ahead of any use. */
  want(version: TrackVersion, fromOrigin: boolean): DemandId;
  unwant(version: TrackVersion, demand: DemandId): void;
  /** Bytes of the listener's storage that are left for these tracks and what is held of them. */
  roomBytes(trackIds: ReadonlySet<TrackId>): number;
  /** Fetches the head of a track that is heard in `dueInMs`; settles when it is there, or not to be had. */
  fetchHead(version: TrackVersion, bytes: number, dueInMs: number): Promise<void>;
}

/** All prefetches of a swarm: gives out the room, and sees to the next head when a track comes to its end. */
export class Prefetches {
  readonly #parts: PrefetchesParts;
  readonly #active = new Set<Prefetch>();
  /** What is likely to be played next. */
  #latest: Prefetch | undefined;
  #playing: TrackVersion | undefined;
  #isSharing = false;
  #shareAgain = false;
  readonly #heads = new Set<TrackVersion>();
  #cancelAlarm: (() => void) | undefined;

  constructor(parts: PrefetchesParts) {
    this.#parts = parts;
  }

  start(trackIds: readonly TrackId[], options: PrefetchOptions): Prefetch {
    const { open, want, unwant } = this.#parts;
    const prefetch = new Prefetch(trackIds, options, {
      open,
      want,
      unwant,
      changed: () => this.share(),
    });
    this.#latest = prefetch;
    if (!prefetch.isOver) this.#active.add(prefetch);
    return prefetch;
  }

  /** Gives out the room anew: what there is of it, or what is prefetched, changed. */
  share(): void {
    this.#shareAgain = true;
    if (this.#isSharing) return;
    this.#isSharing = true;
    while (this.#shareAgain) {
      this.#shareAgain = false;
      for (const prefetch of this.#active) if (prefetch.isOver) this.#active.delete(prefetch);
      const admitted = this.#admitted();
      for (const prefetch of [...this.#active]) prefetch.admit(admitted);
    }
    this.#isSharing = false;
  }

  #admitted(): Set<TrackVersion> {
    const versions = new Set([...this.#active].flatMap((prefetch) => [...prefetch.versions]));
    const room = this.#parts.roomBytes(new Set(Array.from(versions, ({ manifest }) => manifest.trackId)));
    const playing = this.#playing;
    const playingBytes = playing === undefined || versions.has(playing) ? 0 : playing.manifest.size;
    const candidates = Array.from(versions, (version) => ({ version, size: version.manifest.size }));
    return new Set(fitting(candidates, room - playingBytes).map(({ version }) => version));
  }

  /** Whether a version is being prefetched, its head included. */
  has(version: TrackVersion): boolean {
    if (this.#heads.has(version)) return true;
    for (const prefetch of this.#active)
      if (!prefetch.isOver && prefetch.versions.includes(version)) return true;
    return false;
  }

  /** A chunk of a version is held, or no longer. */
  changed(version: TrackVersion): void {
    for (const prefetch of [...this.#active]) prefetch.changed(version);
  }

  /** What comes of a version is not stored: it is not asked for again and again. */
  unstored(version: TrackVersion, error: SwarmError): void {
    for (const prefetch of [...this.#active]) prefetch.fail(version, error);
  }

  /** A player reads: the byte at `offset` of a track is heard in `dueInMs`. */
  reads(version: TrackVersion, offset: number, dueInMs: number): void {
    if (this.#playing !== version) {
      this.#playing = version;
      if (this.#active.size > 0) this.share();
    }
    if (this.#latest === undefined) return;
    const { size, audio, trackId } = version.manifest;
    const endMs = endsInMs({ size, durationSeconds: audio?.durationSeconds }, offset, dueInMs);
    if (endMs === undefined) return;
    this.#cancelAlarm?.();
    const waitMs = Math.max(BELIEVED_AFTER_MS, endMs - HEAD_AHEAD_MS);
    this.#cancelAlarm = this.#parts.timers.after(waitMs, () =>
      this.#fetchHeadAfter(trackId, Math.max(0, endMs - waitMs)),
    );
  }

  close(): void {
    this.#cancelAlarm?.();
    for (const prefetch of [...this.#active]) prefetch.cancel();
  }

  #fetchHeadAfter(playing: TrackId, dueInMs: number): void {
    const latest = this.#latest;
    if (latest === undefined || latest.isCancelled) return;
    const next = nextAfter(
      latest.tracks.map(({ trackId }) => trackId),
      playing,
    );
    const version = latest.versions.find(({ manifest }) => manifest.trackId === next);
    if (version === undefined || version.isComplete || this.#heads.has(version)) return;
    this.#heads.add(version);
    const forget = () => void this.#heads.delete(version);
    const bytes = Math.min(HEAD_BYTES, version.manifest.size);
    this.#parts.fetchHead(version, bytes, dueInMs).then(forget, forget);
  }
}
