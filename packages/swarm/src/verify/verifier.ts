/**
 * Tells right bytes from wrong ones, for one version of a track. Methods answer at once or with a promise; one that
 * rejects says nothing of the bytes, which could not be hashed. The one that production uses is `BlockVerifier`.
 */
export interface Verifier {
  /** Whether blocks of the chunk can be proven now. */
  hasLeaves(chunk: number): boolean;
  /** The proven leaf hashes of a chunk, packed. Not to be changed. */
  leavesOf(chunk: number): Uint8Array | undefined;
  /** Checks packed leaf hashes and remembers them when they are right. */
  acceptLeaves(chunk: number, packed: Uint8Array): boolean | Promise<boolean>;
  /** Whether these are the bytes of a block; `false` while the chunk has no leaves. */
  proveBlock(chunk: number, block: number, bytes: Uint8Array): boolean | Promise<boolean>;
  /** Proves a whole chunk without leaves given: its packed leaf hashes, or `undefined`. */
  proveChunk(chunk: number, bytes: Uint8Array): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Lets go of a chunk's leaf hashes. */
  forget(chunk: number): void;
}
