import {
  CANDIDATES,
  sessionDescription,
  type Dialect,
  type DialectPeer,
  type JoinEvents,
} from './tracker-dialect.ts';
import type { JoinShape } from './tracker-messages.ts';

/** What of the bare relay's messages the load looks at. */
interface Heard {
  readonly peers?: readonly number[];
  readonly from?: number;
  readonly data?: { readonly type?: 'offer' | 'answer' } | readonly unknown[];
}

/** How peers talk through the bare relay. */
export const wsDialect: Dialect = {
  protocol: undefined,
  joiner: (index, shape, say, events) => new Joiner(index, shape, say, events),
  // It introduces itself too: what `ws` keeps of a first message is part of a socket that was heard.
  idler: (say, ready) => ({
    opened: () => say(JSON.stringify({ room: 'idle', want: 0 })),
    heard: () => ready(),
  }),
};

class Joiner implements DialectPeer {
  readonly #index: number;
  readonly #shape: JoinShape;
  readonly #say: (text: string) => void;
  readonly #events: JoinEvents;
  #expected = 0;

  constructor(index: number, shape: JoinShape, say: (text: string) => void, events: JoinEvents) {
    this.#index = index;
    this.#shape = shape;
    this.#say = say;
    this.#events = events;
  }

  opened(): void {
    const { swarms, offers } = this.#shape;
    this.#say(JSON.stringify({ room: `swarm-${this.#index % swarms}`, want: offers }));
    this.#events.announcing();
  }

  heard(text: string): void {
    const { peers, from, data }: Heard = JSON.parse(text);
    if (peers !== undefined) {
      this.#events.announced();
      this.#expected = peers.length * (this.#shape.candidates ? 2 : 1);
      if (peers.length === 0) this.#events.joined();
      for (const to of peers) this.#describe(to, 'offer');
      return;
    }
    this.#events.relayed();
    if (from === undefined || data === undefined) return;
    if ('type' in data && data.type === 'offer') this.#describe(from, 'answer');
    else if (this.#expected > 0 && --this.#expected === 0) this.#events.joined();
  }

  #describe(to: number, type: 'offer' | 'answer'): void {
    this.#say(JSON.stringify({ to, data: { type, sdp: sessionDescription(this.#index) } }));
    if (this.#shape.candidates) this.#say(JSON.stringify({ to, data: CANDIDATES }));
  }
}
