import type { Socket } from 'node:net';

/**
 * TCP connections that have not become a WebSocket. Beyond `max` of them (0: no bound) the oldest are dropped:
 * who means well is through in a moment, who holds connections half open waits longest.
 */
export class Handshakes {
  readonly #max: number;
  /** Oldest first. */
  readonly #sockets = new Set<Socket>();
  /** Goes on where it stopped: from the beginning it would pass all that went since the set was last put in order. */
  readonly #oldest = this.#sockets.values();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#sockets.size;
  }

  began(socket: Socket): void {
    this.#sockets.add(socket);
    if (this.#max === 0 || this.#sockets.size <= this.#max) return;
    // There is always one: whom it passed is out of the set, and the newest it never passed.
    const { value: oldest } = this.#oldest.next();
    if (oldest === undefined) return;
    this.#sockets.delete(oldest);
    oldest.destroy();
  }

  /** It became a WebSocket, or closed. */
  ended(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}
