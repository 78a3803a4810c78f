/** What is measured. */
export interface RawChannelSettings {
  readonly rtc: 'wrtc' | 'werift';
  /** Bytes of one message. */
  readonly frameBytes: number;
  /** Bytes the receiver has asked for and not yet got, at most; at least one frame. */
  readonly windowBytes: number;
  /** Decimal megabytes to move, rounded up to whole frames. */
  readonly megabytes: number;
  /** Whether the receiver keeps what comes, in pieces of new memory, as whoever wants it does. */
  readonly keeps?: boolean;
}

/** A description with its candidates inside. */
export interface PeerSignal {
  readonly type: 'signal';
  readonly description: { readonly type: 'offer' | 'answer'; readonly sdp: string };
}

/** What the measuring process tells a peer. */
export type ToPeer =
  | { readonly type: 'begin'; readonly role: 'sender' | 'receiver'; readonly settings: RawChannelSettings }
  | PeerSignal;

/** What a peer tells the measuring process; `done` comes from the receiver alone. */
export type FromPeer =
  | PeerSignal
  | { readonly type: 'done'; readonly bytes: number; readonly ms: number }
  | { readonly type: 'failed'; readonly message: string };
