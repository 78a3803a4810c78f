import type { OpenWebSocket, WebSocketLike } from '../tracker/tracker-client.ts';
import type { SimNetwork, SimNode } from './sim-network.ts';

/** Round trips until a WebSocket is open: TCP, TLS 1.3, the upgrade. */
const SETUP_ROUND_TRIPS = 3;

/** The part of the tracker's core that sockets are plugged into. */
export interface SimTrackerCore {
  connect(socket: { send(text: string): void; close(code: number, reason: string): void }): {
    receive(text: string): void;
    roundTrip(ms: number): void;
    closed(): void;
  };
}

/** Carries text between listeners and a tracker at another node. */
export class SimTrackerSockets {
  readonly #network: SimNetwork;
  readonly #node: SimNode;
  readonly #tracker: SimTrackerCore;
  readonly #cuts = new Set<() => void>();
  readonly #count: (client: SimNode, bytes: number) => void;

  /** `count` hears of the bytes of every message, either way. */
  constructor(
    network: SimNetwork,
    node: SimNode,
    tracker: SimTrackerCore,
    count: (client: SimNode, bytes: number) => void,
  ) {
    this.#network = network;
    this.#node = node;
    this.#tracker = tracker;
    this.#count = count;
  }

  /** Opens sockets for a listener at this node. */
  openFor(client: SimNode): OpenWebSocket {
    return () => this.#open(client);
  }

  /** The tracker's process ends: its sockets close, and no new one opens. */
  kill(): void {
    for (const cut of this.#cuts) cut();
    this.#node.isDown = true;
  }

  #open(client: SimNode): WebSocketLike {
    const network = this.#network;
    const listeners = new Map<string, ((event: never) => void)[]>();
    const emit = (type: string, event: unknown) => {
      for (const listener of listeners.get(type) ?? []) (listener as (event: unknown) => void)(event);
    };
    let readyState = 0;
    let session: ReturnType<SimTrackerCore['connect']> | undefined;
    const closed = (code: number, reason: string) => {
      this.#cuts.delete(cut);
      if (readyState === 3) return;
      readyState = 3;
      emit('close', { code, reason });
    };
    const rttMs = network.rttMs(client, this.#node);
    const cut = () => void network.clock.schedule(rttMs / 2, () => closed(1006, ''));
    this.#cuts.add(cut);
    network.clock.schedule(SETUP_ROUND_TRIPS * rttMs, () => {
      if (readyState !== 0) return;
      if (!network.reaches(client, this.#node)) {
        network.clock.schedule(3_000, () => closed(1006, ''));
        return;
      }
      readyState = 1;
      session = this.#tracker.connect({
        send: (text) => this.#carry(this.#node, client, text, () => emit('message', { data: text })),
        close: (code, reason) => this.#carry(this.#node, client, '', () => closed(code, reason)),
      });
      session.roundTrip(rttMs);
      emit('open', undefined);
    });
    return {
      get readyState() {
        return readyState;
      },
      send: (text) => this.#carry(client, this.#node, text, () => session?.receive(text)),
      close: () => {
        if (readyState === 1) this.#carry(client, this.#node, '', () => session?.closed());
        closed(1000, '');
      },
      addEventListener: (type: string, listener: (event: never) => void) => {
        listeners.set(type, [...(listeners.get(type) ?? []), listener]);
      },
    };
  }

  #carry(from: SimNode, to: SimNode, text: string, arrived: () => void): void {
    const client = from === this.#node ? to : from;
    const bytes = text.length + 8;
    this.#count(client, bytes);
    this.#network.sendUrgent(from, to, bytes, arrived);
  }
}
