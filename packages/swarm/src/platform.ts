import type { Hasher, VerifySignature } from '@sonantica/wire';
import type { RtcImplementation } from './links/rtc-types.ts';
import type { Logger } from './log.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import type { OpenWebSocket } from './tracker/tracker-client.ts';

/** Hears of a page's life. */
export interface PageWatcher {
  /** The page is gone, or put aside: for good, as far as it knows. */
  left(): void;
  /** It is back, as it was. */
  returned(): void;
}

/** What differs between Node and browsers; chosen by the package's `imports` conditions. */
export interface Platform {
  readonly hasher: Hasher;
  readonly verifySignature: VerifySignature;
  readonly openWebSocket: OpenWebSocket;
  readonly log: Logger;
  /** Memory for bytes that are all written before they are read; what it holds before does not matter. Missing: zeros. */
  readonly memory?: (bytes: number) => Uint8Array;
  /** A block that a peer sent is of no use any more: its memory may be freed at once. Missing: the garbage collector does. */
  readonly spent?: (block: Uint8Array) => void;
  /** How much of what the store holds is kept in memory too, in bytes. Missing: as much as there is room for. */
  readonly storedInMemoryBytes?: number;
  readonly openStore?: () => ChunkStore;
  readonly watchPage?: (watcher: PageWatcher) => () => void;
  /** Rejects with `rtc-unavailable` where no WebRTC is to be had. */
  loadRtc(): Promise<RtcImplementation>;
}
