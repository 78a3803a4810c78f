/** A hint: `control` frames are small and urgent, `blocks` are large. No order is promised between lanes. */
export type Lane = 'control' | 'blocks';

/** What a link tells its owner. Handlers are called from message events, never from timers. */
export interface PeerLinkHandler {
  /** A frame arrived. The bytes are the handler's to keep. */
  frame(bytes: Uint8Array): void;
  /** `sendable()` is true again after it was false. */
  drain(): void;
  /** The link ended; called exactly once, whoever ended it. `reason` is for people. */
  closed(reason: string): void;
}

/**
 * One open connection to one peer. It is handed over connected; frames that arrive before `start` are
 * kept. Reliable: a frame arrives whole and once, unless the link ends while it is under way.
 */
export interface PeerLink {
  /** The largest frame that may be sent, at most 65,536 bytes. */
  readonly maxFrameBytes: number;
  /** Begins delivery. Called once. */
  start(handler: PeerLinkHandler): void;
  /**
   * Whether the send buffer has room for blocks. A ceiling against overflow, not the flow control: the
   * receiver's requests decide what is sent.
   */
  sendable(): boolean;
  /** Bytes handed over that have not left yet: what is sent now comes after them. */
  readonly bufferedBytes: number;
  /**
   * Sends a frame of 1 to `maxFrameBytes` bytes; they are copied or consumed before it returns. A frame that
   * cannot be sent ends the link: `closed` follows and nothing is thrown. Ignored after the link ended.
   */
  send(frame: Uint8Array, lane: Lane): void;
  /**
   * Ends the link and frees its resources. `closed` follows if it had not been called, and no frame. What was
   * sent on the `control` lane still arrives where the other end can be reached. Idempotent.
   */
  close(reason: string): void;
}
