import type { PeerLinkHandler } from './peer-link.ts';

/** Bytes kept for an owner that has not called `start` yet: a peer that sends more is cut off. */
const MAX_EARLY_BYTES = 1024 * 1024;

/**
 * The receiving half of a link: keeps frames until the owner starts, hands them over in order, and tells of
 * the end once, after the last frame.
 */
export class FrameInbox {
  #handler: PeerLinkHandler | undefined;
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #endReason: string | undefined;
  #told = false;

  start(handler: PeerLinkHandler): void {
    this.#handler = handler;
    queueMicrotask(() => {
      for (let frame = this.#early.shift(); frame !== undefined; frame = this.#early.shift()) {
        handler.frame(frame);
      }
      this.#tellEnd();
    });
  }

  /** Hands over a frame, or keeps it. Answers whether there was room; nothing is kept after the end. */
  take(frame: Uint8Array): boolean {
    if (this.#endReason !== undefined) return true;
    if (this.#handler !== undefined && this.#early.length === 0) {
      this.#handler.frame(frame);
      return true;
    }
    this.#early.push(frame);
    this.#earlyBytes += frame.byteLength;
    return this.#earlyBytes <= MAX_EARLY_BYTES;
  }

  drain(): void {
    this.#handler?.drain();
  }

  /** Forgets what is kept: the owner wants no more. */
  forget(): void {
    this.#early = [];
  }

  /** The link ended: the owner is told soon, after what is kept. Only the first reason counts. */
  end(reason: string): void {
    this.#endReason ??= reason;
    if (this.#early.length === 0) queueMicrotask(() => this.#tellEnd());
  }

  #tellEnd(): void {
    if (this.#endReason === undefined || this.#handler === undefined || this.#told) return;
    this.#told = true;
    this.#handler.closed(this.#endReason);
  }
}
