import type { PlayClock } from '../playback.ts';

/** What travels at once, and what happens when its last byte is through. */
interface Packet {
  readonly bytes: number;
  readonly through: () => void;
}

/** Packets of one flow, waiting for their turn on a line. */
export interface Flow {
  /** Bytes that have not got through. */
  readonly queuedBytes: number;
  push(bytes: number, through: () => void): void;
  /** Forgets what waits; what is on the line still gets through. */
  drop(): void;
}

/**
 * One direction of an access line, held to a rate in user space: store and forward. Small urgent packets go first, in
 * order; flows share the rest in turn, one packet each, as fair queueing does. The same rules as the simulated
 * network's, on the machine's clock.
 */
export class Line {
  readonly #clock: PlayClock;
  readonly #bytesPerMs: number;
  readonly #urgent: Packet[] = [];
  readonly #turns: QueuedFlow[] = [];
  #isBusy = false;

  /** `bytesPerMs` may be infinite. */
  constructor(clock: PlayClock, bytesPerMs: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerMs;
  }

  /** Sends something small ahead of all flows. */
  urgent(bytes: number, through: () => void): void {
    this.#urgent.push({ bytes, through });
    this.#go();
  }

  flow(): Flow {
    return new QueuedFlow((flow) => {
      this.#turns.push(flow);
      this.#go();
    });
  }

  #go(): void {
    if (this.#isBusy) return;
    const packet = this.#urgent.shift() ?? this.#nextInTurn();
    if (packet === undefined) return;
    this.#isBusy = true;
    this.#clock.schedule(packet.bytes / this.#bytesPerMs, () => {
      this.#isBusy = false;
      packet.through();
      this.#go();
    });
  }

  #nextInTurn(): Packet | undefined {
    for (let flow = this.#turns.shift(); flow !== undefined; flow = this.#turns.shift()) {
      const packet = flow.next();
      if (packet === undefined) continue;
      if (flow.isWaiting) this.#turns.push(flow);
      return packet;
    }
    return undefined;
  }
}

class QueuedFlow implements Flow {
  readonly #serve: (flow: QueuedFlow) => void;
  #packets: Packet[] = [];
  queuedBytes = 0;

  /** `serve`: this flow has something again and wants its turn. */
  constructor(serve: (flow: QueuedFlow) => void) {
    this.#serve = serve;
  }

  get isWaiting(): boolean {
    return this.#packets.length > 0;
  }

  push(bytes: number, through: () => void): void {
    this.queuedBytes += bytes;
    const isFirst = this.#packets.length === 0;
    this.#packets.push({
      bytes,
      through: () => {
        this.queuedBytes = Math.max(0, this.queuedBytes - bytes);
        through();
      },
    });
    if (isFirst) this.#serve(this);
  }

  drop(): void {
    this.#packets = [];
    this.queuedBytes = 0;
  }

  next(): Packet | undefined {
    return this.#packets.shift();
  }
}
