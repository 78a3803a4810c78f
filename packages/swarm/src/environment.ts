import type { Hasher, Manifest, VerifySignature } from '@sonantica/wire';
import { platform } from '#platform';
import type { ChunkOrder } from './core/chunk-order.ts';
import type { Clock, Random, Timers } from './core/env.ts';
import type { LinkConnector } from './links/link-connector.ts';
import type { RtcConnectorOptions } from './links/rtc-connector.ts';
import type { RtcImplementation } from './links/rtc-types.ts';
import type { Network } from './network.ts';
import type { PageWatcher } from './platform.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { randomBytes, systemClock, systemRandom, systemTimers } from './system.ts';
import type { OpenWebSocket } from './tracker/tracker-client.ts';
import { BlockVerifier } from './verify/block-verifier.ts';
import type { Verifier } from './verify/verifier.ts';

/** How links are made, and how many bytes one bears under way. */
export interface LinkMaker {
  readonly maxWindowBytes: number;
  /** Links at a time; missing: what listeners have. */
  readonly maxLinks?: number;
  connector(options: Omit<RtcConnectorOptions, 'rtc'>): LinkConnector;
}

/**
 * All that a swarm takes from the world besides its options. Production's is {@link systemEnvironment}; a
 * simulator brings virtual time, links of its own and proofs that hash no bytes.
 */
export interface Environment {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly verifySignature: VerifySignature;
  readonly openWebSocket: OpenWebSocket;
  randomBytes(length: number): Uint8Array;
  /** Proves what comes of one version of a track. */
  verifier(manifest: Manifest): Verifier;
  /** Memory for a chunk that comes together; nothing is read of it that was not written. */
  memory(bytes: number): Uint8Array;
  /** A block that a peer sent is of no use any more. Missing: the garbage collector sees to it. */
  readonly spent?: ((block: Uint8Array) => void) | undefined;
  /** In which order chunks are asked for: a simulation compares others with what listeners run. Missing: `swarm`. */
  readonly chunkOrder?: ChunkOrder | undefined;
  /** How much of what the store holds is kept in memory too, in bytes. Missing: as much as there is room for. */
  readonly storedInMemoryBytes?: number | undefined;
  /** Where chunks are kept unless the author says so. Missing: memory. */
  readonly openStore?: () => ChunkStore;
  /** Tells when the page is left and when it is returned to; answers how to stop telling. Missing: nothing is left. */
  readonly watchPage?: (watcher: PageWatcher) => () => void;
  /** What meets other listeners: loaded when the listener first takes part. */
  network(): Promise<typeof Network>;
  /** `given`: the implementation the author chose. Rejects with `rtc-unavailable` where there is none. */
  links(given: RtcImplementation | undefined): Promise<LinkMaker>;
}

/** The runtime's own clocks, timers, hashes, sockets and WebRTC. */
export const systemEnvironment: Environment = {
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  hasher: platform.hasher,
  verifySignature: platform.verifySignature,
  openWebSocket: platform.openWebSocket,
  storedInMemoryBytes: platform.storedInMemoryBytes,
  ...(platform.openStore === undefined ? {} : { openStore: platform.openStore }),
  ...(platform.watchPage === undefined ? {} : { watchPage: platform.watchPage }),
  randomBytes,
  verifier: (manifest) => new BlockVerifier(platform.hasher, manifest, manifest.chunkHashes),
  memory: platform.memory ?? ((bytes) => new Uint8Array(bytes)),
  spent: platform.spent,
  network: async () => (await import('./network.ts')).Network,
  links: async (given) => {
    // Who opted out loads nothing of it.
    const [{ RtcConnector }, rtc] = await Promise.all([
      import('./links/rtc-connector.ts'),
      given ?? platform.loadRtc(),
    ]);
    return {
      maxWindowBytes: rtc.maxWindowBytes ?? 1_048_576,
      connector: (options) => new RtcConnector({ ...options, rtc }),
    };
  },
};
