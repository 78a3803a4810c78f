import type { Socket } from 'node:net';

/**
 * TCP connections that have not become a WebSocket. Beyond `max` of them (0: no bound) the oldest are dropped:
 * who means well is through in a moment, who holds connections half open waits longest.
 */
export class Handshakes {
  readonly #max: number;
  /** Oldest first; closed ones until the next sweep. */
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
    if (this.#max === 0) return;
    // One comes, one goes: those that closed by themselves are not looked for among thousands each time.
    while (this.#sockets.size > this.#max) {
      const { value: oldest } = this.#oldest.next();
      // There is always one: whom it passed is out of the set, and the newest it never passed.
      if (oldest === undefined) return;
      this.#sockets.delete(oldest);
      oldest.destroy();
    }
  }

  ended(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /** Forgets what closed; to be called about once a second. */
  sweep(): void {
    for (const socket of this.#sockets) if (socket.destroyed) this.#sockets.delete(socket);
  }
}
