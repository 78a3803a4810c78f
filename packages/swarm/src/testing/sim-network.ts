import type { Task, VirtualClock } from './virtual-clock.ts';

/** Bytes of one flow that may be between the sender's line and the end of the receiver's, at least. */
const LEAST_IN_NETWORK_BYTES = 131_072;

/** What travels at once: at most one block and its header. */
export interface Packet {
  readonly bytes: number;
  /** Called when the last byte left the sender's line. */
  sent?(): void;
  /** Called when the last byte left the receiver's line. */
  arrived(): void;
}

/** What a line passes. */
interface Passing {
  readonly bytes: number;
  /** Called when the last byte left the line. */
  passed(): void;
}

/** One end of the network: a listener, the origin or the tracker. Rates in bytes a millisecond; may be infinite. */
export interface NodeOptions {
  readonly name: string;
  readonly upBytesPerMs: number;
  readonly downBytesPerMs: number;
  /** Round trip to a node without distance of its own. Between two nodes half of each counts. */
  readonly rttMs: number;
}

/** A node of a {@link SimNetwork}. */
export class SimNode {
  readonly name: string;
  /** How many nodes of its network came before it. */
  readonly index: number;
  readonly rttMs: number;
  readonly up: Line;
  readonly down: Line;
  /** Nothing leaves or reaches it any more, and nobody is told. */
  isDown = false;
  /** What fell due while the machine slept. */
  #late: (() => void)[] | undefined;

  constructor(
    clock: VirtualClock,
    index: number,
    { name, upBytesPerMs, downBytesPerMs, rttMs }: NodeOptions,
  ) {
    this.index = index;
    this.name = name;
    this.rttMs = rttMs;
    this.up = new Line(clock, upBytesPerMs);
    this.down = new Line(clock, downBytesPerMs);
  }

  /** The machine stands still: nothing reaches it, and its timers fall due when it wakes. */
  sleep(): void {
    this.isDown = true;
    this.#late ??= [];
  }

  /** It goes on where it stood: what fell due meanwhile runs now, late. */
  wake(): void {
    this.isDown = false;
    const late = this.#late ?? [];
    this.#late = undefined;
    for (const run of late) run();
  }

  /** Runs something of this machine's: now, when it wakes, or never. */
  run(run: () => void): void {
    if (this.#late !== undefined) this.#late.push(run);
    else if (!this.isDown) run();
  }
}

/** A queue that takes from its front in constant time. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#first];
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (this.#first < this.#items.length) this.#items[this.#first++] = undefined;
    if (this.#first > 64 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#first = 0;
  }
}

/** What a line serves in turn: one packet of each at a time. */
interface Queue {
  /** The next packet that may go now. */
  next(): Passing | undefined;
}

/**
 * One direction of a node's access line: store and forward at its rate. Small urgent packets go first, in order;
 * flows share the rest in turn, one packet each, as fair queueing does.
 */
class Line implements Task {
  readonly #clock: VirtualClock;
  readonly #bytesPerMs: number;
  readonly #urgent = new Fifo<Passing>();
  readonly #turns = new Fifo<Queue>();
  readonly #waiting = new Set<Queue>();
  #passing: Passing | undefined;

  constructor(clock: VirtualClock, bytesPerMs: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerMs;
  }

  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  pass(packet: Passing): void {
    this.#urgent.push(packet);
    this.#go();
  }

  /** A queue has something to send; it stays in turn until it has not. */
  serve(queue: Queue): void {
    if (this.#waiting.has(queue)) return;
    this.#waiting.add(queue);
    this.#turns.push(queue);
    this.#go();
  }

  #go(): void {
    if (this.#passing !== undefined) return;
    this.#passing = this.#urgent.shift() ?? this.#nextInTurn();
    if (this.#passing !== undefined) this.#clock.post(this.#passing.bytes / this.#bytesPerMs, this);
  }

  /** What was passing has passed. */
  run(): void {
    const packet = this.#passing;
    this.#passing = undefined;
    packet?.passed();
    this.#go();
  }

  #nextInTurn(): Passing | undefined {
    for (;;) {
      const queue = this.#turns.shift();
      if (queue === undefined) return undefined;
      const packet = queue.next();
      if (packet === undefined) {
        this.#waiting.delete(queue);
        continue;
      }
      this.#turns.push(queue);
      return packet;
    }
  }
}

/**
 * Packets from one node to another, none of them lost while both are there: a bounded number of bytes in the network as
 * congestion control would have it, the rest waiting with the sender.
 */
export class SimFlow implements Queue {
  readonly #network: SimNetwork;
  readonly #from: SimNode;
  readonly #to: SimNode;
  readonly #windowBytes: number;
  readonly #isOrdered: boolean;
  readonly #queue = new Fifo<Packet>();
  readonly #arriving = new Fifo<Travelling>();
  readonly #delayMs: number;
  #queuedBytes = 0;
  #inNetworkBytes = 0;

  constructor(network: SimNetwork, from: SimNode, to: SimNode, isOrdered: boolean) {
    this.#network = network;
    this.#isOrdered = isOrdered;
    this.#from = from;
    this.#to = to;
    const rttMs = network.rttMs(from, to);
    this.#delayMs = rttMs / 2;
    const rate = Math.min(from.up.bytesPerMs, to.down.bytesPerMs);
    this.#windowBytes = Math.max(LEAST_IN_NETWORK_BYTES, Number.isFinite(rate) ? 2 * rate * rttMs : 1 << 24);
  }

  /** Bytes that have not left the sender. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  send(packet: Packet): void {
    this.#queue.push(packet);
    this.#queuedBytes += packet.bytes;
    this.#from.up.serve(this);
  }

  /** Drops what has not left the sender. */
  drop(): void {
    this.#queue.clear();
    this.#queuedBytes = 0;
  }

  next(): Passing | undefined {
    const packet = this.#queue.peek();
    if (packet === undefined || this.#inNetworkBytes + packet.bytes > this.#windowBytes) return undefined;
    this.#queue.shift();
    this.#inNetworkBytes += packet.bytes;
    return new Travelling(this, packet);
  }

  /** The last byte of a packet left the sender. */
  left(travelling: Travelling): void {
    const { packet } = travelling;
    const network = this.#network;
    network.isQuiet = true;
    this.#queuedBytes = Math.max(0, this.#queuedBytes - packet.bytes);
    packet.sent?.();
    network.clock.post(this.#delayMs + (this.#isOrdered ? 0 : network.jitterMs()), travelling);
  }

  /** A packet has come to the receiver's line. */
  came(travelling: Travelling): void {
    this.#network.isQuiet = true;
    this.#arriving.push(travelling);
    this.#to.down.serve(this.#tail);
  }

  /** The last byte of a packet is there. */
  arrived(packet: Packet): void {
    this.#inNetworkBytes -= packet.bytes;
    if (this.#queue.length > 0) this.#from.up.serve(this);
    if (this.#network.reaches(this.#from, this.#to)) packet.arrived();
  }

  readonly #tail: Queue = {
    next: () => this.#arriving.shift(),
  };
}

/** A packet of a flow on its way: on the sender's line first, then on the receiver's. */
class Travelling implements Passing, Task {
  readonly bytes: number;
  readonly packet: Packet;
  readonly #flow: SimFlow;
  #hasLeft = false;

  constructor(flow: SimFlow, packet: Packet) {
    this.bytes = packet.bytes;
    this.packet = packet;
    this.#flow = flow;
  }

  passed(): void {
    if (this.#hasLeft) return this.#flow.arrived(this.packet);
    this.#hasLeft = true;
    this.#flow.left(this);
  }

  run(): void {
    this.#flow.came(this);
  }
}

/** Something small on its way: on the sender's line first, then on the receiver's. */
class Urgent implements Passing, Task {
  readonly bytes: number;
  readonly #network: SimNetwork;
  readonly #from: SimNode;
  readonly #to: SimNode;
  readonly #arrived: () => void;
  #hasLeft = false;

  constructor(network: SimNetwork, from: SimNode, to: SimNode, bytes: number, arrived: () => void) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.bytes = bytes;
    this.#arrived = arrived;
  }

  passed(): void {
    const network = this.#network;
    if (this.#hasLeft) {
      if (network.reaches(this.#from, this.#to)) this.#arrived();
      return;
    }
    this.#hasLeft = true;
    network.isQuiet = true;
    network.clock.post(network.rttMs(this.#from, this.#to) / 2, this);
  }

  run(): void {
    this.#network.isQuiet = true;
    this.#to.down.pass(this);
  }
}

/** Lines and distances between nodes, in virtual time. */
export class SimNetwork {
  readonly clock: VirtualClock;
  /** What ran last stayed within the network: no listener heard of it, so no promise can have settled. */
  isQuiet = false;
  /** Whether a byte of the first reaches the second now; a partition says no. */
  isCut: (from: SimNode, to: SimNode) => boolean = () => false;
  /** Milliseconds that a packet of a flow takes longer than the last; above 0 packets overtake each other. */
  jitterMs: () => number = () => 0;
  #nodes = 0;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  node(options: NodeOptions): SimNode {
    return new SimNode(this.clock, this.#nodes++, options);
  }

  rttMs(a: SimNode, b: SimNode): number {
    return (a.rttMs + b.rttMs) / 2;
  }

  reaches(from: SimNode, to: SimNode): boolean {
    return !from.isDown && !to.isDown && !this.isCut(from, to);
  }

  /** `isOrdered`: its packets never overtake each other. */
  flow(from: SimNode, to: SimNode, isOrdered: boolean): SimFlow {
    return new SimFlow(this, from, to, isOrdered);
  }

  /** Sends something small ahead of all flows. Nothing is told of what does not arrive. */
  sendUrgent(from: SimNode, to: SimNode, bytes: number, arrived: () => void): void {
    if (from.isDown) return;
    from.up.pass(new Urgent(this, from, to, bytes, arrived));
  }
}
