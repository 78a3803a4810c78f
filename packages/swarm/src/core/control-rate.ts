import type { PeerFrame } from '@sonantica/wire';

/**
 * Control frames that a link may bring a second for long: nobody is made to answer and to plan as fast as a line carries.
 * A link of 60 MB/s asks for 3,662 blocks of it, one by one.
 */
export const CONTROL_FRAMES_PER_SECOND = 16_384;
/** Control frames that may come at once: at 60 MB/s those of 17 s, longer than a link outlives an end that sleeps. */
export const CONTROL_FRAMES_AT_ONCE = 65_536;
/** So many control frames a ping counts as, since it is answered: 256 a second, where honest ends send up to 50. */
export const CONTROL_FRAMES_OF_PING = 64;

/**
 * How many control frames a link may bring: each costs an answer or a decision, whatever the line carries. What an honest
 * end never comes near, so that it is not judged by how busy this end was. Pure: frames and the time go in.
 */
export class ControlRate {
  #left: number = CONTROL_FRAMES_AT_ONCE;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** A frame arrived; answers whether it may. Blocks are counted by what was asked for. */
  takes({ type }: PeerFrame, nowMs: number): boolean {
    if (type === 'block') return true;
    const more = ((nowMs - this.#atMs) * CONTROL_FRAMES_PER_SECOND) / 1000;
    this.#left = Math.min(CONTROL_FRAMES_AT_ONCE, this.#left + more);
    this.#atMs = nowMs;
    this.#left -= type === 'ping' ? CONTROL_FRAMES_OF_PING : 1;
    return this.#left >= 0;
  }
}
