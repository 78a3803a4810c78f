import type { TrackId } from '@sonantica/wire';
import type { TrackKey } from './core/track-key.ts';
import type { TrackVersion } from './track-version.ts';
import { TransferCounts } from './transfer-counts.ts';

/** A version of a track that is known here, and what came of it. */
export interface OpenVersion {
  readonly version: TrackVersion;
  readonly counts: TransferCounts;
  /** Called once each when every chunk is held. */
  readonly whenComplete: Set<() => void>;
}

/** The versions of tracks that are wanted, given on or kept here. */
export class OpenVersions {
  readonly #versions = new Map<TrackKey, OpenVersion>();

  get size(): number {
    return this.#versions.size;
  }

  /** In the order in which they were taken up; may be changed meanwhile. */
  get versions(): TrackVersion[] {
    return Array.from(this.#versions.values(), ({ version }) => version);
  }

  get(track: TrackKey): OpenVersion | undefined {
    return this.#versions.get(track);
  }

  /** The version of a track that was taken up first. */
  ofTrack(trackId: TrackId): TrackVersion | undefined {
    for (const { version } of this.#versions.values())
      if (version.manifest.trackId === trackId) return version;
    return undefined;
  }

  add(version: TrackVersion): void {
    this.#versions.set(version.key, { version, counts: new TransferCounts(), whenComplete: new Set() });
  }

  delete(track: TrackKey): void {
    this.#versions.delete(track);
  }
}
