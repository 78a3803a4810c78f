/** Every way in which the library can fail; each is explained in the package README. */
export type SwarmErrorCode =
  /** The origin answered that it has no such track. */
  | 'track-not-found'
  /** The manifest is inconsistent, unsigned where keys are configured, or signed by a stranger. */
  | 'manifest-invalid'
  /** No mirror gave what was asked for, and no peer had it. */
  | 'origin-unavailable'
  /** An argument makes no sense: a range beyond the track, a negative limit. */
  | 'invalid-argument'
  /** Another process has the store open. */
  | 'store-locked'
  /** The store cannot be read or written. */
  | 'store-failed'
  /** The disk or the quota is full. */
  | 'store-full'
  /** No WebRTC implementation is installed. */
  | 'rtc-unavailable'
  /** A link could not be made or was lost. */
  | 'link-failed'
  /** The other end broke the protocol. */
  | 'peer-misbehaved'
  /** The track or the swarm was closed. */
  | 'closed'
  /** The caller's `AbortSignal` fired. */
  | 'aborted';

/** The library's one error. `cause` carries what lay beneath, converted at the edge where it came in. */
export class SwarmError extends Error {
  override readonly name = 'SwarmError';
  readonly code: SwarmErrorCode;

  constructor(code: SwarmErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
