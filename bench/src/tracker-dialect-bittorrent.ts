import { sessionDescription, type Dialect, type DialectPeer, type JoinEvents } from './tracker-dialect.ts';
import type { JoinShape } from './tracker-messages.ts';

/** What of bittorrent-tracker's messages the load looks at. */
interface Heard {
  readonly complete?: number;
  readonly incomplete?: number;
  readonly offer?: object;
  readonly answer?: object;
  readonly offer_id?: string;
  readonly peer_id?: string;
  readonly 'failure reason'?: string;
}

/**
 * The WebSocket protocol of WebTorrent's trackers: the offers travel in the announcement and are handed to
 * peers of the tracker's choice. It has no signals for candidates.
 */
export const bittorrentDialect: Dialect = {
  protocol: undefined,
  joiner: (index, shape, say, events) => new Joiner(index, shape, say, events),
  idler: (_say, ready) => ({ opened: ready, heard: () => {} }),
};

class Joiner implements DialectPeer {
  readonly #index: number;
  readonly #shape: JoinShape;
  readonly #infoHash: string;
  readonly #peerId: string;
  readonly #say: (text: string) => void;
  readonly #events: JoinEvents;
  #expected = 0;
  /** Answers can overtake the answer to the announcement, which says how many there will be. */
  #answered = 0;

  constructor(index: number, shape: JoinShape, say: (text: string) => void, events: JoinEvents) {
    this.#index = index;
    this.#shape = shape;
    this.#infoHash = `swarm-${index % shape.swarms}`.padEnd(20, '.');
    this.#peerId = `-WW0001-${index}`.padEnd(20, '.');
    this.#say = say;
    this.#events = events;
  }

  opened(): void {
    const { offers } = this.#shape;
    this.#say(
      JSON.stringify({
        ...announcementOf(this.#infoHash, this.#peerId, this.#index),
        event: 'started',
        offers: Array.from({ length: offers }, (_, i) => ({
          offer: { type: 'offer', sdp: sessionDescription(this.#index) },
          offer_id: `${i}-${this.#index}`.padEnd(20, '.'),
        })),
      }),
    );
    this.#events.announcing();
  }

  heard(text: string): void {
    const message: Heard = JSON.parse(text);
    if (message['failure reason'] !== undefined) throw new Error(`the rival refused: ${text}`);
    if (message.offer !== undefined) {
      this.#events.relayed();
      this.#say(
        JSON.stringify({
          action: 'announce',
          info_hash: this.#infoHash,
          peer_id: this.#peerId,
          to_peer_id: message.peer_id,
          offer_id: message.offer_id,
          answer: { type: 'answer', sdp: sessionDescription(this.#index) },
        }),
      );
    } else if (message.answer !== undefined) {
      this.#events.relayed();
      if (++this.#answered === this.#expected) this.#events.joined();
    } else if (message.complete !== undefined) {
      this.#events.announced();
      const others = message.complete + (message.incomplete ?? 0) - 1;
      this.#expected = Math.min(this.#shape.offers, others);
      if (this.#answered >= this.#expected) this.#events.joined();
    }
  }
}

/** What every announcement says. */
export function announcementOf(infoHash: string, peerId: string, index: number): object {
  return {
    action: 'announce',
    info_hash: infoHash,
    peer_id: peerId,
    numwant: 5,
    uploaded: 0,
    downloaded: 0,
    left: index % 10 === 0 ? 0 : 30_000_000,
  };
}
