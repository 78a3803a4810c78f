import type { Socket } from 'node:net';
import type { AddressLimits, Allowance } from './address-limits.ts';
import { clientAddress, type ClientAddress } from './client-address.ts';
import type { RefusalReason } from './core/refusal.ts';
import { NEWCOMERS } from './front.ts';
import type { UpgradeRequest } from './handshake.ts';
import { inTurns } from './in-turns.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** Who asks to come in. */
export interface Arrival {
  readonly request: UpgradeRequest;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly from: ClientAddress;
}

/** What the door goes by, and whom it hands arrivals to. */
export interface DoorRules {
  readonly limits: AddressLimits;
  /** Proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: number;
  /** Web origins admitted; all where there are none. */
  readonly origins: readonly string[];
  /** Takes over an arrival that may come in. */
  admit(arrival: Arrival): void;
  /** Takes note of one that may not. */
  refused(reason: RefusalReason, from: ClientAddress): void;
}

/** Looks at upgrade requests: admits them, some in each turn, or answers why not. */
export class Door {
  /** Nobody comes in while there is no memory left. */
  isOutOfMemory = false;
  /** Nobody comes in any more. */
  isStopping = false;
  readonly #rules: DoorRules;
  readonly #origins: ReadonlySet<string>;
  readonly #asking = inTurns<Arrival>((arrival) => this.#open(arrival), NEWCOMERS);

  constructor(rules: DoorRules) {
    this.#rules = rules;
    this.#origins = new Set(rules.origins.map((origin) => origin.toLowerCase()));
  }

  /** Takes over an upgrade request. */
  upgrade(request: UpgradeRequest, socket: Socket, head: Buffer): void {
    const from = clientAddress({ headers: request.headers, socket }, this.#rules.trustProxy);
    // Until a WebSocket takes over, an error of the socket would end the process.
    socket.on('error', destroyed);
    this.#asking({ request, socket, head, from });
  }

  #open(arrival: Arrival): void {
    const { request, socket, from } = arrival;
    if (socket.destroyed) return;
    const reason = this.#whyNot(request);
    if (reason !== undefined) return this.#refuse(arrival, reason);
    const allowance = this.#rules.limits.mayConnect(from.key);
    if ('then' in allowance) void allowance.then((later) => this.#decide(arrival, later));
    else this.#decide(arrival, allowance);
  }

  #decide(arrival: Arrival, allowance: Allowance): void {
    if (!allowance.allowed) {
      return this.#refuse(arrival, 'too-many-connections', allowance.retryAfterSeconds);
    }
    arrival.socket.off('error', destroyed);
    this.#rules.admit(arrival);
  }

  #whyNot({ headers: { origin } }: UpgradeRequest): RefusalReason | undefined {
    if (this.isStopping) return 'stopping';
    if (this.isOutOfMemory) return 'memory';
    if (this.#origins.size === 0 || origin === undefined) return undefined;
    return this.#origins.has(origin.toLowerCase()) ? undefined : 'origin';
  }

  #refuse({ socket, from }: Arrival, reason: RefusalReason, retryAfterSeconds?: number): void {
    this.#rules.refused(reason, from);
    refuseUpgrade(socket, reason, retryAfterSeconds);
  }
}

function destroyed(this: Socket): void {
  this.destroy();
}
