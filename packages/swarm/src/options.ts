import type { IceServer, Manifest } from '@sonantica/wire';
import type { Contribution } from './contribution.ts';
import type { EvictionPolicy } from './core/eviction.ts';
import type { Logger } from './log.ts';
import type { RtcImplementation } from './links/rtc-types.ts';
import type { Fetch, OriginLocation } from './sources/origin-http.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import type { TokenSource } from './tracker/tracker-client.ts';

/** How a swarm is made. Everything but `origin` can be left out. */
export interface SwarmOptions {
  /**
   * The tracker's WebSocket URL, or several in order of preference: where one is out of reach, the next is asked.
   * Without any the origin is the only source.
   */
  readonly tracker?: string | readonly string[];
  /** The origin's base URL, several mirrors in order, or a function of the track id. */
  readonly origin?: OriginLocation;
  /** The Aula to join at once. */
  readonly aulaId?: string;
  /**
   * Whether the head of what most of the Aula opened last, 96 KiB, is fetched from its members while nothing is wanted: it then
   * begins at once. It takes part in nothing else until the track is opened. Default: true.
   */
  readonly aulaHead?: boolean;
  /** What a listener who has not chosen gives; fields left out are those of `DEFAULT_CONTRIBUTION`. */
  readonly contribution?: Partial<Contribution>;
  /**
   * What the listener says of this run alone: outranks the stored choice, field by field, and is never stored. What they
   * choose while it lasts outranks it in turn. `{ p2pEnabled: false }`: the origin and what is kept, no peer, no tracker.
   */
  readonly contributionForThisRun?: Partial<Contribution>;
  /** A bearer token for the tracker, or how to get one, if there is one. */
  readonly token?: TokenSource;
  /** Base64 Ed25519 keys, 32 bytes each. With any, only manifests signed by one of them are believed. */
  readonly publisherKeys?: readonly string[];
  /** A WebRTC implementation; else the browser's, `@roamhq/wrtc` or `werift`. */
  readonly rtc?: RtcImplementation;
  /** Where chunks are kept; unless given, IndexedDB in browsers and memory in Node. The swarm closes it. */
  readonly store?: ChunkStore;
  /**
   * What goes first when the listener's storage is full. `priority`: the track that fewest need, counted as 10 a
   * listener, 5 an Aula and 100 for use just now, which fades over 100 minutes. `lru`: the track used longest ago.
   * Default: `priority`.
   */
  readonly eviction?: EvictionPolicy;
  /** STUN and TURN servers, in place of the tracker's. */
  readonly iceServers?: readonly IceServer[];
  /** `relay` hides this listener's addresses behind TURN. */
  readonly iceTransportPolicy?: 'all' | 'relay';
  /**
   * The URL of the page's service worker, registered when a player first asks for a URL: the package's
   * `sonantica-worker.js`, or one of your own that calls `installSonantica`. Left out where the page registers it itself.
   */
  readonly serviceWorker?: string;
  /** For headers and signed URLs of the origin. */
  readonly fetch?: Fetch;
  /** Hears one line an event; else `DEBUG=sonantica:*`. */
  readonly logger?: Logger;
}

/** Bytes by where they came from. `cache` is what was kept from before. */
export interface TierBytes {
  readonly cache: number;
  readonly aula: number;
  readonly global: number;
  readonly origin: number;
}

/** What came of one track so far. Sizes in bytes. */
export interface TrackStats {
  readonly bytes: TierBytes;
  readonly chunks: { readonly held: number; readonly total: number };
  /** Linked peers that take part in this track. */
  readonly peers: number;
  /** Proven bytes a second over the last seconds. */
  readonly bytesPerSecond: number;
  /** Blocks and proofs that the manifest disproved. */
  readonly rejectedBlocks: number;
}

/** What came of everything so far. Sizes in bytes. */
export interface SwarmStats {
  readonly bytes: TierBytes;
  /** Block and proof bytes given to peers. */
  readonly uploadedBytes: number;
  /** Upload left of today's budget. */
  readonly uploadLeftBytes: number;
  readonly storedBytes: number;
  readonly links: number;
  readonly tracks: number;
  readonly rejectedBlocks: number;
  /** 1 − bytes from the origin / bytes delivered; 0 before anything was. */
  readonly offload: number;
  readonly trackerUp: boolean;
}

/** A chunk became complete. */
export interface ChunkEvent {
  readonly index: number;
  /** Where its last block came from. */
  readonly tier: 'aula' | 'global' | 'origin';
  /** The peer, as this instance knows it; `undefined` for the origin. */
  readonly peerId: string | undefined;
  readonly bytes: number;
}

/** A block was proven. */
export interface BlockEvent {
  readonly tier: 'aula' | 'global' | 'origin';
  readonly peerId: string | undefined;
  readonly bytes: number;
}

/** A source sent what the manifest disproves. */
export interface RejectedEvent {
  readonly chunk: number;
  readonly tier: 'aula' | 'global' | 'origin';
  readonly peerId: string | undefined;
}

/** What a track tells. */
export interface TrackEvents {
  readonly block: BlockEvent;
  readonly chunk: ChunkEvent;
  readonly rejected: RejectedEvent;
  /** Every chunk is held. */
  readonly complete: Manifest;
}

/** What a swarm tells. */
export interface SwarmEvents {
  /** A tracker admitted this listener, or is gone; `url` says which. */
  readonly tracker: { readonly up: boolean; readonly reason?: string; readonly url?: string };
  /**
   * The store is full or fails: chunks live in memory alone until it recovers. Where it cannot be opened, the listener's
   * choice is out of reach too, and no part is taken until there is one.
   */
  readonly storage: { readonly reason: 'store-full' | 'store-failed'; readonly message: string };
  readonly contribution: Contribution;
}
