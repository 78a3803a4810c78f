import { LIMITS, type PeerFrame } from '@sonantica/wire';

/**
 * How many control frames a link may bring: each costs an answer or a decision, whatever the line carries. What an honest
 * end never comes near, so that it is not judged by how busy this end was. Pure: frames and the time go in.
 */
export class ControlRate {
  #left: number = LIMITS.maxControlFramesAtOnce;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** A frame arrived; answers whether it may. Blocks are counted by what was asked for. */
  takes({ type }: PeerFrame, nowMs: number): boolean {
    if (type === 'block') return true;
    const more = ((nowMs - this.#atMs) * LIMITS.maxControlFramesPerSecond) / 1000;
    this.#left = Math.min(LIMITS.maxControlFramesAtOnce, this.#left + more);
    this.#atMs = nowMs;
    this.#left -= type === 'ping' ? LIMITS.controlFramesOfPing : 1;
    return this.#left >= 0;
  }
}
