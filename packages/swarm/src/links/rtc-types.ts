/**
 * The part of WebRTC this library uses, by shape, so that a browser's own classes, `@roamhq/wrtc`, `werift`
 * and a test's double all fit. Events arrive as `unknown`: the implementations disagree on their classes,
 * so each reader takes what it needs and checks it.
 */

/** A STUN or TURN server, as `RTCPeerConnection` takes it. */
export interface RtcIceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

/** What a connection is made with. */
export interface RtcConfiguration {
  iceServers: RtcIceServer[];
  /** `'relay'` hides this machine's addresses behind TURN. */
  iceTransportPolicy?: 'all' | 'relay';
}

/** An offer or an answer. */
export interface RtcDescription {
  type: 'offer' | 'answer';
  sdp: string;
}

/** An ICE candidate as it travels in a signal. */
export interface RtcCandidate {
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
  usernameFragment?: string;
}

/** One data channel. */
export interface RtcDataChannel {
  readonly readyState: string;
  readonly bufferedAmount: number;
  /** Missing in wrtc, whose channels have no low-water event. */
  bufferedAmountLowThreshold?: number;
  /** Missing in werift, whose channels always give buffers. */
  binaryType?: string;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
  addEventListener(type: string, listener: (event: unknown) => void): void;
}

/** One connection. */
export interface RtcPeerConnection {
  readonly connectionState: string;
  readonly iceGatheringState: string;
  readonly remoteDescription: { readonly sdp: string } | null;
  createDataChannel(
    label: string,
    options: { negotiated: boolean; id: number; ordered: boolean },
  ): RtcDataChannel;
  createOffer(options?: { iceRestart?: boolean }): Promise<{ readonly sdp?: string }>;
  createAnswer(): Promise<{ readonly sdp?: string }>;
  setLocalDescription(description: RtcDescription): Promise<unknown>;
  setRemoteDescription(description: RtcDescription): Promise<unknown>;
  addIceCandidate(candidate: RtcCandidate): Promise<unknown>;
  close(): unknown;
  addEventListener(type: string, listener: (event: unknown) => void): void;
}

/**
 * A WebRTC implementation: its class, and the facts about it that change what is best. In a browser
 * `{ RTCPeerConnection }` is enough.
 */
export interface RtcImplementation {
  readonly RTCPeerConnection: new (configuration: RtcConfiguration) => RtcPeerConnection;
  /** For logs and reports: `wrtc`, `werift`. */
  readonly name?: string;
  /** More bytes than this outstanding on one link make it slower, not faster. Missing: no such bound. */
  readonly maxWindowBytes?: number;
  /** Whether `.local` names of other peers' candidates can be resolved. Missing means yes, as in browsers. */
  readonly resolvesMdns?: boolean;
  /** Whether a restart of ICE brings a silent connection back. Missing means yes, as the standard has it. */
  readonly restartsIce?: boolean;
  /**
   * The addresses that may be shown to other peers as host candidates. Missing: all of them, for browsers
   * hide addresses by themselves.
   */
  hostAddresses?(): Promise<readonly string[]>;
}

/** Runs `run` once after `delayMs` and gives back what cancels it: `setTimeout`, or a virtual clock's twin. */
export type Schedule = (delayMs: number, run: () => void) => () => void;

/** The real timers. */
export const scheduleTimeout: Schedule = (delayMs, run) => {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
};
