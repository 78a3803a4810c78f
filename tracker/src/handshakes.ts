import type { Socket } from 'node:net';

const OLDER = Symbol('older');
const NEWER = Symbol('newer');

/** A connection that knows those before and after it: a list that one leaves in one step, wherever it is. */
interface Handshaking extends Socket {
  [OLDER]?: Handshaking | undefined;
  [NEWER]?: Handshaking | undefined;
}

/**
 * TCP connections that have not become a WebSocket. Beyond `max` of them (0: no bound) the oldest are dropped:
 * who means well is through in a moment, who holds connections half open waits longest.
 */
export class Handshakes {
  readonly #max: number;
  #oldest: Handshaking | undefined;
  #newest: Handshaking | undefined;
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** A connection came. */
  began(socket: Handshaking): void {
    socket[OLDER] = this.#newest;
    if (this.#newest === undefined) this.#oldest = socket;
    else this.#newest[NEWER] = socket;
    this.#newest = socket;
    this.#size++;
    const oldest = this.#oldest;
    if (this.#max === 0 || this.#size <= this.#max || oldest === undefined) return;
    this.ended(oldest);
    oldest.destroy();
  }

  /** It became a WebSocket, or closed; told again, or of one that never began, nothing happens. */
  ended(socket: Handshaking): void {
    const { [OLDER]: older, [NEWER]: newer } = socket;
    if (older === undefined && this.#oldest !== socket) return;
    if (older === undefined) this.#oldest = newer;
    else older[NEWER] = newer;
    if (newer === undefined) this.#newest = older;
    else newer[OLDER] = older;
    // One that is still in use keeps nobody who went.
    socket[OLDER] = undefined;
    socket[NEWER] = undefined;
    this.#size--;
  }
}
