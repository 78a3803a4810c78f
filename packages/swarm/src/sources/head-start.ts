import { LIMITS } from '@sonantica/wire';
import { getPieces, getWhole, MirrorError, type Http } from './origin-http.ts';

/** What a player wants before it begins, in bytes: six blocks. */
export const HEAD_BYTES = 6 * LIMITS.blockBytes;
/** Leaf hashes of the first chunk, whatever its size up to 1 MiB. */
const LEAF_BYTES = 64 * LIMITS.hashBytes;

/**
 * The first blocks of a track, asked for while its manifest is still under way: one round trip less until the first
 * sound. Nothing of it is proven; whoever takes a block proves it as any other.
 */
export class HeadStart {
  readonly mirror: string;
  readonly sinceMs: number;
  /** The leaf hashes of the first chunk and perhaps more; `undefined` where there are none. */
  readonly leaves: Promise<Uint8Array | undefined>;
  readonly #abort = new AbortController();
  readonly #leavesAbort = new AbortController();
  readonly #blocks: Uint8Array[] = [];
  readonly #filling: Promise<void>;
  #woken: () => void = () => undefined;
  #over = false;

  /** Begins at once. `url` is the track's, without a version: that is not known yet. */
  constructor(http: Http, mirror: string, url: string, sinceMs: number) {
    this.sinceMs = sinceMs;
    this.mirror = mirror;
    const { signal } = this.#leavesAbort;
    this.leaves = getWhole(http, `${url}.leaves`, {
      headers: { Range: `bytes=0-${LEAF_BYTES - 1}` },
      mostBytes: LEAF_BYTES,
      signal,
    }).then(
      ({ status, bytes }) => (status === 206 ? bytes : undefined),
      () => undefined,
    );
    this.#filling = this.#fill(http, url).catch(() => undefined);
  }

  /** The blocks, each as soon as it is whole; ends early where the origin does. Only whole blocks of 16 KiB are given. */
  async *blocks(): AsyncGenerator<Uint8Array, void, void> {
    for (let next = 0; ;) {
      const block = this.#blocks[next];
      if (block !== undefined) {
        next++;
        yield block;
      } else if (this.#over) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#woken = resolve));
      }
    }
  }

  /** Stops the blocks under way; the leaf hashes are asked for on. */
  stopBlocks(): void {
    this.#abort.abort();
  }

  /** Stops all that is under way. Resolves when nothing is. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#leavesAbort.abort();
    await Promise.all([this.#filling, this.leaves]);
  }

  async #fill(http: Http, url: string): Promise<void> {
    const head = new Uint8Array(HEAD_BYTES);
    let filled = 0;
    const accept = ({ status }: Response) => {
      if (status !== 206 && status !== 200) throw new MirrorError(`${url} answered ${status}`, status);
    };
    const headers = { Range: `bytes=0-${HEAD_BYTES - 1}` };
    try {
      for await (const piece of getPieces(http, url, headers, this.#abort.signal, accept)) {
        const taken = piece.subarray(0, HEAD_BYTES - filled);
        head.set(taken, filled);
        filled += taken.length;
        while (filled >= (this.#blocks.length + 1) * LIMITS.blockBytes) {
          const at = this.#blocks.length * LIMITS.blockBytes;
          this.#blocks.push(head.subarray(at, at + LIMITS.blockBytes));
          this.#woken();
        }
        if (filled === HEAD_BYTES) return;
      }
    } finally {
      this.#over = true;
      this.#woken();
    }
  }
}
