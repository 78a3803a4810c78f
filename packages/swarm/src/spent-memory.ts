/** What a frame has beside its blocks, in bytes: `BLOCK_HEADER_BYTES`, whose codec a page without links need not load. */
const HEADER_BYTES = 11;

/**
 * Frees what peers sent as soon as all of it was put elsewhere. Left to the browser's garbage collector, the memory of
 * hundreds of frames is freed in one task of 30 to 100 ms, and each new frame meanwhile gets memory that was never touched:
 * both cost more than handing over does.
 */
export class SpentMemory {
  /** Bytes of a buffer that are of no use any more, where others in it still are. */
  readonly #spentBytes = new WeakMap<ArrayBuffer, number>();
  #drain: MessagePort | undefined;

  /** A block was copied, or is of no use; nobody looks at it again. Told once of each. */
  readonly spent = ({ buffer, byteLength }: Uint8Array): void => {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return;
    const bytes = (this.#spentBytes.get(buffer) ?? 0) + byteLength;
    // What a frame has beside its blocks was read when it came.
    if (bytes >= buffer.byteLength - HEADER_BYTES) this.#free(buffer);
    else this.#spentBytes.set(buffer, bytes);
  };

  /** What is handed to a port whose other end is closed goes nowhere, and is freed there and then. */
  #free(buffer: ArrayBuffer): void {
    if (this.#drain === undefined) {
      const { port1, port2 } = new MessageChannel();
      port2.close();
      this.#drain = port1;
    }
    this.#drain.postMessage(undefined, [buffer]);
    // Where a port that knows of its other end's closing takes nothing, the next one is told too early to know.
    if (buffer.byteLength > 0) this.#drain = undefined;
  }
}
