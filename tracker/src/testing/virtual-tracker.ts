import {
  ChunkSet,
  encodeClientMessage,
  parseAulaId,
  parsePeerId,
  parseRootHash,
  parseTrackerMessage,
  parseTrackId,
  type AnnounceRequest,
  type ClientMessage,
  type PeerId,
  type PeersReply,
  type TrackerMessage,
} from '@sonantica/wire';
import type { TrackerSession } from '../core/session.ts';
import { Tracker } from '../core/tracker.ts';
import type { TrackerOptions } from '../core/tracker-options.ts';

export const SONG = parseTrackId('song');
export const ROOT = parseRootHash('a0'.repeat(32));
export const OTHER_ROOT = parseRootHash('b1'.repeat(32));
export const CHUNKS = 20;

/** A tracker on a clock that moves when told, with seeded chance and names that count up. */
export class VirtualTracker {
  nowMs = 1_000;
  readonly tracker: Tracker;
  #names = 0;
  #seed: number;

  constructor(options: Partial<TrackerOptions> = {}, seed = 1) {
    this.#seed = seed;
    this.tracker = new Tracker(
      {
        nowMs: () => this.nowMs,
        wallMs: () => 1_700_000_000_000 + this.nowMs,
        random: () => this.#random(),
        newPeerId: () => parsePeerId(String(this.#names++).padStart(22, 'p')),
      },
      options,
    );
  }

  /** A client that has not said hello. */
  connect(address?: string): VirtualClient {
    return new VirtualClient(this.tracker, address);
  }

  /** A client that was welcomed. */
  client(address?: string): VirtualClient {
    const client = this.connect(address);
    client.say({ type: 'hello' });
    client.take('welcome');
    return client;
  }

  /** A client in an Aula. */
  member(aulaId: string): VirtualClient {
    const client = this.client();
    client.join(aulaId);
    return client;
  }

  /** Lets time pass in steps of half a second, as the shell does. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 500) {
      this.nowMs += Math.min(left, 500);
      this.tracker.tick();
    }
  }

  /** Mulberry32. */
  #random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
}

/** A plain object in a socket's place. */
export class VirtualClient {
  readonly session: TrackerSession;
  readonly inbox: TrackerMessage[] = [];
  closedWith: number | undefined = undefined;
  #id: PeerId | undefined = undefined;

  constructor(tracker: Tracker, address?: string) {
    this.session = tracker.connect({
      address,
      send: (text) => {
        const message = parseTrackerMessage(text);
        if (message.type === 'welcome') this.#id = message.peerId;
        this.inbox.push(message);
      },
      close: (code) => {
        this.closedWith ??= code;
      },
    });
  }

  get id(): PeerId {
    if (this.#id === undefined) throw new Error('not welcomed');
    return this.#id;
  }

  say(message: ClientMessage): void {
    this.session.receive(encodeClientMessage(message));
  }

  /** Sends JSON that need not be a message. */
  sayAnything(value: unknown): void {
    this.session.receive(JSON.stringify(value));
  }

  /** The oldest message not taken yet, which must be of this type. */
  take<Type extends TrackerMessage['type']>(type: Type): Extract<TrackerMessage, { type: Type }> {
    const message = this.inbox.shift();
    if (message === undefined || !isOfType(message, type)) {
      throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
    }
    return message;
  }

  join(aulaId: string, want?: number): PeersReply {
    this.say({ type: 'join', aulaId: parseAulaId(aulaId), ...(want === undefined ? {} : { want }) });
    return this.take('peers');
  }

  announce(have: 'all' | 'none' | readonly number[], more: Partial<AnnounceRequest> = {}): PeersReply {
    const chunkCount = more.chunkCount ?? CHUNKS;
    const set =
      typeof have === 'string' ? ChunkSet.fromText(chunkCount, have) : ChunkSet.of(chunkCount, have);
    this.say({ type: 'announce', trackId: SONG, root: ROOT, chunkCount, have: set, ...more });
    return this.take('peers');
  }

  find(more: { needs?: readonly number[]; want?: number } = {}): PeersReply {
    const { needs, ...rest } = more;
    const bitmap = needs === undefined ? {} : { needs: ChunkSet.of(CHUNKS, needs).toText() };
    this.say({ type: 'find', trackId: SONG, root: ROOT, ...rest, ...bitmap });
    return this.take('peers');
  }

  claim(chunks: readonly number[], have?: readonly number[], most?: number) {
    this.say({
      type: 'claim',
      trackId: SONG,
      root: ROOT,
      chunks,
      ...(have === undefined ? {} : { have }),
      ...(most === undefined ? {} : { most }),
    });
    const { granted, heldBy } = this.take('claimed');
    return { granted, heldBy: Object.fromEntries(heldBy) };
  }

  have(chunks: readonly number[], lost: readonly number[] = []): void {
    this.say({ type: 'have', trackId: SONG, root: ROOT, chunks, lost });
  }

  leave(): void {
    this.say({ type: 'leave', trackId: SONG, root: ROOT });
  }

  signal(to: PeerId, data: unknown = { sdp: 'v=0' }): void {
    this.say({ type: 'signal', to, data });
  }
}

/** The names in an answer, in order. */
export function namesIn({ peers }: PeersReply): PeerId[] {
  return peers.map(({ peerId }) => peerId);
}

function isOfType<Type extends TrackerMessage['type']>(
  message: TrackerMessage,
  type: Type,
): message is Extract<TrackerMessage, { type: Type }> {
  return message.type === type;
}
