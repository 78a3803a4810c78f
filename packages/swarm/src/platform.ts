import type { Hasher, VerifySignature } from '@sonantica/wire';
import type { RtcImplementation } from './links/rtc-types.ts';
import type { OpenWebSocket } from './tracker/tracker-client.ts';

/** What differs between Node and browsers; chosen by the package's `imports` conditions. */
export interface Platform {
  readonly hasher: Hasher;
  readonly verifySignature: VerifySignature;
  readonly openWebSocket: OpenWebSocket;
  /** Rejects with `rtc-unavailable` where no WebRTC is to be had. */
  loadRtc(): Promise<RtcImplementation>;
}
