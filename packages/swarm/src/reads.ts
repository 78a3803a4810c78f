import type { ByteRange, Manifest, TrackId } from '@sonantica/wire';
import { abortWith } from './abort-with.ts';
import type { ChunkKeeper } from './chunk-keeper.ts';
import type { DemandId } from './core/track-demand.ts';
import type { Delivery } from './delivery.ts';
import { SwarmError } from './errors.ts';
import type { OpenVersion } from './open-versions.ts';
import type { TrackVersion } from './track-version.ts';

/** What reads are made of. */
export interface ReadsParts {
  readonly delivery: Delivery;
  readonly keeper: ChunkKeeper;
  /** What the listener's storage may hold at present, in bytes. */
  storageBytes(): number;
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
      return await version.read(range, give.signal);
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
    if (!this.#mayKeep(version)) throw tooLarge(manifest);
    const give = new AbortController();
    const demand = delivery.want(version, { start: 0, end: manifest.size }, Number.POSITIVE_INFINITY);
    this.#demands.set(demand, give);
    this.#downloads.set(give, version);
    try {
      const either = AbortSignal.any([signal, give.signal]);
      // What was kept from before is proven again; what is damaged is dropped here and fetched anew.
      for (const chunk of version.held) {
        either.throwIfAborted();
        await keeper.load(version, chunk);
      }
      while (!version.isComplete) await completion(whenComplete, either);
      await keeper.settled();
    } catch (error) {
      throw asSwarmError(error);
    } finally {
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

  /** The listener's storage changed: downloads it cannot hold reject. */
  storageChanged(): void {
    for (const [give, version] of this.#downloads)
      if (!this.#mayKeep(version)) give.abort(tooLarge(version.manifest));
  }

  /** Bytes of storage that downloads under way are going to fill, of other tracks than these. */
  downloadingBytes(except: ReadonlySet<TrackId>): number {
    let bytes = 0;
    for (const { key, manifest } of new Set(this.#downloads.values()))
      if (!except.has(manifest.trackId) && !this.#parts.keeper.hasReader(key)) bytes += manifest.size;
    return bytes;
  }

  /** Whether the listener's storage has room for the whole of a track, or it need not be stored. */
  #mayKeep({ key, manifest }: TrackVersion): boolean {
    return this.#parts.keeper.hasReader(key) || manifest.size <= this.#parts.storageBytes();
  }
}

function tooLarge({ trackId, size }: Manifest): SwarmError {
  return new SwarmError('store-full', `${trackId} takes ${size} bytes, more than the listener keeps`);
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
