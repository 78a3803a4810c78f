import {
  ChunkSet,
  encodeClientMessage,
  parseRootHash,
  parseTrackId,
  TRACKER_SUBPROTOCOL,
  type AnnounceRequest,
  type PeerId,
} from '@sonantica/wire';
import {
  CANDIDATES,
  sessionDescription,
  type Dialect,
  type DialectPeer,
  type JoinEvents,
} from './tracker-dialect.ts';
import type { JoinShape } from './tracker-messages.ts';

/** Chunks of a four-minute lossless track. */
export const CHUNKS = 115;

/** What of our tracker's messages the load looks at; the tracker is ours and trusted here. */
interface Heard {
  readonly type: string;
  readonly peers?: readonly { readonly peerId: PeerId }[];
  readonly from?: PeerId;
  readonly data?: { readonly type?: 'offer' | 'answer' } | readonly unknown[];
}

/** `sonantica.v1`, as TRACKER-PROTOCOL.md says. */
export const sonanticaDialect: Dialect = {
  protocol: TRACKER_SUBPROTOCOL,
  joiner: (index, shape, say, events) => new Joiner(index, shape, say, events),
  idler: (say, ready) => ({ opened: () => say(HELLO), heard: () => ready() }),
};

const HELLO = encodeClientMessage({ type: 'hello' });

class Joiner implements DialectPeer {
  readonly #index: number;
  readonly #shape: JoinShape;
  readonly #say: (text: string) => void;
  readonly #events: JoinEvents;
  /** Signals still to come until it has joined. */
  #expected = 0;

  constructor(index: number, shape: JoinShape, say: (text: string) => void, events: JoinEvents) {
    this.#index = index;
    this.#shape = shape;
    this.#say = say;
    this.#events = events;
  }

  /** Announces without waiting for the welcome, as the library does. */
  opened(): void {
    this.#say(HELLO);
    const { swarms, offers } = this.#shape;
    this.#say(encodeClientMessage(announcementOf(this.#index % swarms, this.#index, offers)));
    this.#events.announcing();
  }

  heard(text: string): void {
    const message: Heard = JSON.parse(text);
    switch (message.type) {
      case 'peers':
        this.#events.announced();
        return this.#offer(message.peers ?? []);
      case 'signal':
        this.#events.relayed();
        if (message.from !== undefined) this.#signalled(message.from, message.data);
        return;
      case 'error':
        throw new Error(`our tracker refused: ${text}`);
    }
  }

  #offer(peers: readonly { readonly peerId: PeerId }[]): void {
    const { candidates } = this.#shape;
    this.#expected = peers.length * (candidates ? 2 : 1);
    if (peers.length === 0) return this.#events.joined();
    for (const { peerId } of peers) {
      this.#signal(peerId, { type: 'offer', sdp: sessionDescription(this.#index) });
      if (candidates) this.#signal(peerId, CANDIDATES);
    }
  }

  #signalled(from: PeerId, data: Heard['data']): void {
    if (data !== undefined && 'type' in data && data.type === 'offer') {
      this.#signal(from, { type: 'answer', sdp: sessionDescription(this.#index) });
      if (this.#shape.candidates) this.#signal(from, CANDIDATES);
    } else if (this.#expected > 0 && --this.#expected === 0) this.#events.joined();
  }

  #signal(to: PeerId, data: unknown): void {
    this.#say(encodeClientMessage({ type: 'signal', to, data }));
  }
}

/** The announcement of the peer of this number: one in ten is complete, the others hold some or nothing. */
export function announcementOf(swarm: number, index: number, want: number): AnnounceRequest {
  return {
    type: 'announce',
    trackId: parseTrackId(`track-${swarm}`),
    root: ROOT,
    chunkCount: CHUNKS,
    have: index % 10 === 0 ? ALL : index % 2 === 0 ? SOME : NONE,
    want,
  };
}

const ROOT = parseRootHash('5e1f'.repeat(16));
const ALL = ChunkSet.all(CHUNKS);
const NONE = ChunkSet.none(CHUNKS);
const SOME = ChunkSet.of(
  CHUNKS,
  Array.from({ length: 40 }, (_, chunk) => chunk),
);
