import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { mayBecomeUpgrade, readPlainUpgrade, type PlainUpgrade } from './plain-upgrade.ts';

/** Whom the front hands connections to, and how long it waits. */
export interface FrontRules {
  /** A new connection may take this long to say what it wants, in milliseconds; 0 for ever. */
  readonly silentMs: number;
  readonly nowMs: () => number;
  /** Takes a connection that asked for a WebSocket; `head` came after the request. */
  upgrade(request: PlainUpgrade, socket: Socket, head: Buffer): void;
}

/**
 * Stands before an HTTP server's connections and looks at the first bytes of each, waiting for the end of what begins
 * as a request for a WebSocket may: a plain one is taken from it, all else is the HTTP server's. To be heard by an HTTP
 * server costs a connection about as much as five messages, and 600 bytes for as long as it lives.
 */
export class Front {
  readonly #rules: FrontRules;
  /** Connections that have said nothing yet, or only the beginning of a request, oldest first. */
  readonly #silent = new Map<Socket, number>();

  constructor(server: Server, rules: FrontRules) {
    this.#rules = rules;
    const toHttp = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket) => {
      this.#listen(socket, (said) => {
        socket.unshift(said);
        for (const take of toHttp) take.call(server, socket);
        socket.resume();
      });
    });
  }

  /** Lets time pass: drops who says nothing or never ends, and forgets who went. To be called about once a second. */
  sweep(): void {
    const { silentMs } = this.#rules;
    const nowMs = this.#rules.nowMs();
    for (const [socket, sinceMs] of this.#silent) {
      if (silentMs > 0 && nowMs - sinceMs >= silentMs) socket.destroy();
      if (socket.destroyed) this.#silent.delete(socket);
    }
  }

  /** Drops whom it still waits for. */
  close(): void {
    for (const socket of this.#silent.keys()) socket.destroy();
  }

  #listen(socket: Socket, toHttp: (said: Buffer) => void): void {
    this.#silent.set(socket, this.#rules.nowMs());
    let begun: Buffer | undefined;
    const hear = (bytes: Buffer) => {
      const said = begun === undefined ? bytes : Buffer.concat([begun, bytes]);
      if (mayBecomeUpgrade(said)) {
        begun = said;
        return;
      }
      this.#silent.delete(socket);
      socket.off('data', hear);
      socket.off('end', drop);
      socket.off('error', drop);
      // Nobody listens until it was taken.
      socket.pause();
      const request = readPlainUpgrade(said);
      if (request === undefined) toHttp(said);
      else this.#rules.upgrade(request, socket, said.subarray(request.length));
    };
    socket.on('data', hear);
    socket.on('end', drop);
    socket.on('error', drop);
  }
}

function drop(this: Socket): void {
  this.destroy();
}
