/** The SHA-256 of a file that is read piece by piece. One use. */
export interface StreamHasher {
  /** Adds the next bytes; they are consumed before it returns. */
  update(bytes: Uint8Array): void;
  /** The hash of all bytes so far, in lower-case hexadecimal. Called once, at the end. */
  digestHex(): string;
}
