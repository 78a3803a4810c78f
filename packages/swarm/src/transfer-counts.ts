import type { TierBytes } from './options.ts';

/** Seconds over which the rate is averaged. */
const RATE_OVER_MS = 3_000;

/** Counts bytes by where they came from, and how fast they come. */
export class TransferCounts {
  cache = 0;
  aula = 0;
  global = 0;
  origin = 0;
  rejectedBlocks = 0;
  #recent: { atMs: number; bytes: number }[] = [];

  add(tier: keyof TierBytes, bytes: number, nowMs: number): void {
    this[tier] += bytes;
    if (tier === 'cache') return;
    const last = this.#recent.at(-1);
    if (last !== undefined && nowMs - last.atMs < 100) last.bytes += bytes;
    else this.#recent.push({ atMs: nowMs, bytes });
    this.#forget(nowMs);
  }

  get bytes(): TierBytes {
    const { cache, aula, global, origin } = this;
    return { cache, aula, global, origin };
  }

  bytesPerSecond(nowMs: number): number {
    this.#forget(nowMs);
    const first = this.#recent[0];
    if (first === undefined) return 0;
    const total = this.#recent.reduce((sum, { bytes }) => sum + bytes, 0);
    return (total * 1000) / Math.max(1_000, nowMs - first.atMs);
  }

  #forget(nowMs: number): void {
    while (this.#recent[0] !== undefined && nowMs - this.#recent[0].atMs > RATE_OVER_MS) this.#recent.shift();
  }
}
