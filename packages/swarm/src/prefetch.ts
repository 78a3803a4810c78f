import type { TrackId } from '@sonantica/wire';
import type { DemandId } from './core/track-demand.ts';
import { SwarmError } from './errors.ts';
import { Emitter, type Unsubscribe } from './events.ts';
import type { TrackVersion } from './track-version.ts';

/** How tracks are prefetched. */
export interface PrefetchOptions {
  /** Whether the origin may be asked for what no peer gives. Default: no; peers alone. */
  readonly origin?: boolean;
  /** Cancels it. */
  readonly signal?: AbortSignal;
}

/** How far a track has come. */
export interface PrefetchProgress {
  readonly trackId: string;
  /**
   * `opening`: its manifest is asked for. `fetching`: what it lacks is wanted, by whoever gives it. `no-room`: it does
   * not fit into the listener's storage now. The others are ends: `complete`, `failed`, `cancelled`.
   */
  readonly state: 'opening' | 'fetching' | 'no-room' | 'complete' | 'failed' | 'cancelled';
  readonly heldBytes: number;
  /** Bytes of the whole track; `undefined` before its manifest is known. */
  readonly totalBytes: number | undefined;
  /** Why it failed. */
  readonly error?: SwarmError;
}

/** What a prefetch tells. */
export interface PrefetchEvents {
  /** A track came further, or its state changed. */
  readonly progress: PrefetchProgress;
}

/** What a prefetch needs of its swarm. */
export interface PrefetchHost {
  open(trackId: TrackId, signal: AbortSignal): Promise<TrackVersion>;
  want(version: TrackVersion, fromOrigin: boolean): DemandId;
  unwant(version: TrackVersion, demand: DemandId): void;
  /** A track was opened or the prefetch is over: room is to be given out anew. */
  changed(): void;
}

interface Entry {
  readonly trackId: TrackId;
  version: TrackVersion | undefined;
  /** While it is wanted; kept until the whole prefetch is over, so that its tracks do not push each other out. */
  demand: DemandId | undefined;
  state: PrefetchProgress['state'];
  error: SwarmError | undefined;
}

/** Tracks that are fetched ahead of any use, while nothing else is wanted. Made by `swarm.prefetch`. */
export class Prefetch {
  /**
   * Resolves with what became of each track, in their order, once none of them is opening or fetching. What no peer
   * gives stays wanted: bound it with {@link cancel} or the signal. Never rejects.
   */
  readonly finished: Promise<readonly PrefetchProgress[]>;
  readonly fromOrigin: boolean;
  readonly #host: PrefetchHost;
  readonly #entries: readonly Entry[];
  readonly #events = new Emitter<PrefetchEvents>();
  readonly #stop = new AbortController();
  #finish: (outcome: readonly PrefetchProgress[]) => void = () => undefined;
  #isOver = false;

  /** Made by `swarm.prefetch`. */
  constructor(trackIds: readonly TrackId[], { origin = false, signal }: PrefetchOptions, host: PrefetchHost) {
    this.#host = host;
    this.fromOrigin = origin;
    this.#entries = [...new Set(trackIds)].map((trackId) => ({
      trackId,
      version: undefined,
      demand: undefined,
      state: 'opening',
      error: undefined,
    }));
    this.finished = new Promise((resolve) => (this.#finish = resolve));
    const cancel = () => this.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    void this.finished.then(() => signal?.removeEventListener('abort', cancel));
    if (signal?.aborted === true) this.cancel();
    else for (const entry of this.#entries) void this.#open(entry);
    this.#endIfDone();
  }

  /** How far each track has come, in their order. */
  get tracks(): readonly PrefetchProgress[] {
    return this.#entries.map(progressOf);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isCancelled(): boolean {
    return this.#stop.signal.aborted;
  }

  /** The tracks whose manifests are known, in their order. */
  get versions(): readonly TrackVersion[] {
    return this.#entries.flatMap(({ version }) => (version === undefined ? [] : [version]));
  }

  on<Name extends keyof PrefetchEvents>(
    name: Name,
    listener: (event: PrefetchEvents[Name]) => void,
  ): Unsubscribe {
    return this.#events.on(name, listener);
  }

  /** Asks for nothing more; what came stays, as far as storage has room for it. Idempotent. */
  cancel(): void {
    this.#stop.abort(new SwarmError('aborted', 'the prefetch was cancelled'));
    if (this.#isOver) return;
    for (const entry of this.#entries)
      if (entry.state !== 'complete' && entry.state !== 'failed') this.#enter(entry, 'cancelled');
    this.#endIfDone();
  }

  /** Called by the swarm: these tracks have room, others have not. */
  admit(admitted: ReadonlySet<TrackVersion>): void {
    for (const entry of this.#entries) {
      const { version, state } = entry;
      if (version === undefined || (state !== 'opening' && state !== 'fetching' && state !== 'no-room'))
        continue;
      if (version.isComplete) {
        this.#enter(entry, 'complete');
      } else if (!admitted.has(version)) {
        this.#unwant(entry);
        this.#enter(entry, 'no-room');
      } else if (entry.demand === undefined) {
        this.#enter(entry, 'fetching');
        entry.demand = this.#host.want(version, this.fromOrigin);
      }
    }
    this.#endIfDone();
  }

  /** Called by the swarm: a chunk of this version is held, or no longer. */
  changed(version: TrackVersion): void {
    for (const entry of this.#entries) {
      if (entry.version !== version || entry.state !== 'fetching') continue;
      this.#enter(entry, version.isComplete ? 'complete' : 'fetching');
    }
    this.#endIfDone();
  }

  /** Called by the swarm: what comes of this version is not stored. */
  fail(version: TrackVersion, error: SwarmError): void {
    for (const entry of this.#entries) {
      if (entry.version !== version || entry.state !== 'fetching') continue;
      this.#unwant(entry);
      entry.error = error;
      this.#enter(entry, 'failed');
    }
    this.#endIfDone();
  }

  async #open(entry: Entry): Promise<void> {
    try {
      entry.version = await this.#host.open(entry.trackId, this.#stop.signal);
    } catch (error) {
      if (entry.state !== 'opening') return;
      entry.error = error instanceof SwarmError ? error : new SwarmError('origin-unavailable', String(error));
      this.#enter(entry, 'failed');
      this.#endIfDone();
      return;
    }
    if (!this.#isOver) this.#host.changed();
  }

  #enter(entry: Entry, state: Entry['state']): void {
    const isNews = entry.state !== state || state === 'fetching';
    entry.state = state;
    if (isNews) this.#events.emit('progress', progressOf(entry));
  }

  #endIfDone(): void {
    if (this.#isOver || this.#entries.some(({ state }) => state === 'opening' || state === 'fetching'))
      return;
    this.#isOver = true;
    for (const entry of this.#entries) this.#unwant(entry);
    this.#finish(this.tracks);
    this.#events.clear();
    this.#host.changed();
  }

  #unwant(entry: Entry): void {
    if (entry.demand === undefined || entry.version === undefined) return;
    this.#host.unwant(entry.version, entry.demand);
    entry.demand = undefined;
  }
}

function progressOf({ trackId, version, state, error }: Entry): PrefetchProgress {
  return {
    trackId,
    state,
    heldBytes: version === undefined ? 0 : version.heldBytes,
    totalBytes: version?.manifest.size,
    ...(error === undefined ? {} : { error }),
  };
}
