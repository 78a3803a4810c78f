import type { ByteRange, Manifest, TrackId } from '@sonantica/wire';
import { abortWith } from './abort-with.ts';
import type { ChunkKeeper } from './chunk-keeper.ts';
import type { DemandId } from './core/track-demand.ts';
import type { TrackKey } from './core/track-key.ts';
import type { Delivery } from './delivery.ts';
import { SwarmError } from './errors.ts';
import type { OpenVersion } from './open-versions.ts';
import type { TrackVersion } from './track-version.ts';

/** What reads are made of. */
export interface ReadsParts {
  readonly delivery: Delivery;
  readonly keeper: ChunkKeeper;
}

/** Reads and downloads under way: what they want is wanted of the delivery for as long as they last. */
export class Reads {
  readonly #parts: ReadsParts;
  readonly #demands = new Map<DemandId, AbortController>();
  /** Downloads under way, which the listener's storage must hold. */
  readonly #downloads = new Map<AbortController, TrackVersion>();

  constructor(parts: ReadsParts) {
    this.#parts = parts;
  }

  /** Bytes of a range, proven, in memory of the caller's own. Rejects with `origin-unavailable`, `aborted`, or the reason of `signal`. */
  async read(
    version: TrackVersion,
    range: ByteRange,
    dueInMs: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { delivery } = this.#parts;
    const give = new AbortController();
    const demand = delivery.want(version, range, dueInMs);
    this.#demands.set(demand, give);
    const unfollow = abortWith(signal, {
      abort: (reason) => {
        // Now, and not once the read has heard of it: of several that are given up in a row none is asked for in the place
        // of another.
        delivery.unwant(version, demand);
        give.abort(reason);
      },
    });
    try {
      // Awaited here: the demand lasts until the bytes are there.
      return await version.read(range, give.signal, (chunk) => delivery.met(version, demand, chunk));
    } catch (error) {
      throw asSwarmError(error);
    } finally {
      unfollow();
      this.#demands.delete(demand);
      delivery.unwant(version, demand);
    }
  }

  /** Resolves once every chunk is held, proven and stored. Rejects with `store-full` where the listener keeps less. */
  async download({ version, whenComplete }: OpenVersion, signal: AbortSignal): Promise<void> {
    const { delivery, keeper } = this.#parts;
    const { manifest } = version;
    if (!this.#mayKeep(version, this.#downloads.values())) throw tooLarge(manifest);
    const give = new AbortController();
    const demand = delivery.want(version, { start: 0, end: manifest.size }, Number.POSITIVE_INFINITY);
    this.#demands.set(demand, give);
    this.#downloads.set(give, version);
    const unfollow = abortWith(signal, give);
    const either = give.signal;
    try {
      await keeper.refresh();
      // What was kept from before is proven again; what is damaged is dropped here and fetched anew. What is in memory
      // alone, since there was no room for it, is written now.
      for (const chunk of version.held) {
        either.throwIfAborted();
        await keeper.secure(version, chunk);
      }
      do {
        while (!version.isComplete) await completion(whenComplete, either);
        await keeper.settled();
        either.throwIfAborted();
      } while (!version.isComplete);
      if (!keeper.keepsAll(version))
        throw new SwarmError('store-failed', `the store does not hold all of ${manifest.trackId}`);
    } catch (error) {
      throw asSwarmError(error);
    } finally {
      unfollow();
      this.#demands.delete(demand);
      this.#downloads.delete(give);
      delivery.unwant(version, demand);
    }
  }

  /** Nobody gives what these want: their reads reject. */
  unavailable(demands: Iterable<DemandId>): void {
    for (const id of demands) {
      this.#demands
        .get(id)
        ?.abort(new SwarmError('origin-unavailable', 'neither the origin nor a peer gives these bytes'));
    }
  }

  /** The listener's storage changed: downloads it cannot hold reject, the latest first. */
  storageChanged(): void {
    const kept: TrackVersion[] = [];
    for (const [give, version] of this.#downloads) {
      if (this.#mayKeep(version, kept)) kept.push(version);
      else give.abort(tooLarge(version.manifest));
    }
  }

  /** What comes of a version is not stored, and why: its downloads reject, for they would fetch it again and again. */
  unstored(track: TrackKey, error: SwarmError): void {
    for (const [give, { key }] of this.#downloads) if (key === track) give.abort(error);
  }

  /** Bytes of the listener's storage for these tracks, beside what stays in any case: others that are pinned or downloaded. */
  roomBytes(
    trackIds: ReadonlySet<TrackId>,
    downloads: Iterable<TrackVersion> = this.#downloads.values(),
  ): number {
    const { keeper } = this.#parts;
    const counted = new Set(trackIds);
    let bytes = 0;
    for (const { key, manifest } of new Set(downloads)) {
      if (trackIds.has(manifest.trackId) || keeper.hasReader(key)) continue;
      counted.add(manifest.trackId);
      bytes -= manifest.size;
    }
    return Math.max(0, bytes + keeper.roomBytes(counted));
  }

  /**
   * Whether the listener's storage has room for the whole of a track beside what is pinned and these downloads, or it need
   * not be stored.
   */
  #mayKeep({ key, manifest }: TrackVersion, downloads: Iterable<TrackVersion>): boolean {
    if (this.#parts.keeper.hasReader(key)) return true;
    return manifest.size <= this.roomBytes(new Set([manifest.trackId]), downloads);
  }
}

function tooLarge({ trackId, size }: Manifest): SwarmError {
  return new SwarmError(
    'store-full',
    `${trackId} takes ${size} bytes, more than the listener's storage has room for`,
  );
}

/** What a read that was given up rejects with: the reason of the caller's own where it is one. */
export function asSwarmError(error: unknown): unknown {
  if (error instanceof SwarmError) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return new SwarmError('aborted', 'the read was aborted', error);
  return error;
}

function completion(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (next: () => void) => () => {
      waiting.delete(done);
      signal.removeEventListener('abort', stop);
      next();
    };
    const done = settle(resolve);
    const stop = settle(() => reject(signal.reason));
    if (signal.aborted) return stop();
    waiting.add(done);
    signal.addEventListener('abort', stop, { once: true });
  });
}
