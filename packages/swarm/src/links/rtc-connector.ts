import type { PeerId } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { usableServers } from './ice-servers.ts';
import type { LinkConnector } from './link-connector.ts';
import type { PeerLink } from './peer-link.ts';
import { RtcNegotiation } from './rtc-negotiation.ts';
import { readSignal, type ReadSignal, type SignalItem } from './rtc-signals.ts';
import { scheduleTimeout, type RtcIceServer, type RtcImplementation, type Schedule } from './rtc-types.ts';

/** How long a connection may take, slow networks and TURN included. */
const CONNECT_TIMEOUT_MS = 15_000;
/** Connections at once: strangers cannot make us open without end. */
const MAX_CONNECTIONS = 100;
/** Each peer is told no once within this time, and no more peers than this. */
const DECLINED_LATELY_MS = 15_000;
const MOST_DECLINED = 100;
/**
 * A peer's offers that make a connection within this time. An honest one begins anew once, when offers cross or a link is
 * lost, and then waits longer than this.
 */
const OFFERS_LATELY_MS = 15_000;
const MOST_OFFERS = 4;

/** Whom an {@link RtcConnector} tells. */
export interface RtcConnectorHandler {
  /** Carries a signal to a peer: JSON, at most 16 KiB. Best effort; what is lost ends in a time-out. */
  send(to: PeerId, data: SignalItem[]): void;
  /** A link is open, whoever began it. It is the handler's now: `start` it before this returns. */
  link(peerId: PeerId, link: PeerLink): void;
  /** An attempt, ours or theirs, came to nothing. `link-failed`. */
  failed(peerId: PeerId, error: SwarmError): void;
  /** The other end has no place for a link now. It is in reach, and may have one later. */
  declined?(peerId: PeerId): void;
  /** Whether a stranger's offer is welcome. Missing: always, within `maxConnections` and a few of each peer. */
  accepts?(peerId: PeerId): boolean;
}

/** What an {@link RtcConnector} needs. */
export interface RtcConnectorOptions {
  readonly rtc: RtcImplementation;
  readonly handler: RtcConnectorHandler;
  /** Our own id at the tracker as it is now; of two offers that cross, the lower id's stands. */
  readonly selfId: () => PeerId | undefined;
  /** Asked for each new connection, for the tracker may tell of them later. */
  readonly iceServers?: () => readonly RtcIceServer[];
  readonly iceTransportPolicy?: 'all' | 'relay';
  readonly timeoutMs?: number;
  readonly maxConnections?: number;
  readonly schedule?: Schedule;
}

/**
 * Makes links by WebRTC, the signals travelling by whatever the handler has. A peer is named by its id at
 * the tracker, which only counts while a link is being made: an open link outlives the ids of both ends.
 * One connection to a peer id at a time; what a newer offer of it replaces counts until it is closed.
 */
export class RtcConnector implements LinkConnector {
  readonly #options: RtcConnectorOptions;
  readonly #byPeer = new Map<PeerId, RtcNegotiation>();
  /** All whose resources are still held, those being closed included. */
  readonly #held = new Set<RtcNegotiation>();
  /** Whom there was no place for of late. */
  readonly #declinedLately = new Set<PeerId>();
  #cancelForgetting: (() => void) | undefined;
  /** How many of a peer's offers made a connection of late. */
  readonly #offersLately = new Map<PeerId, number>();
  #cancelRecount: (() => void) | undefined;
  #closed = false;
  #whenReleased: (() => void) | undefined;

  constructor(options: RtcConnectorOptions) {
    this.#options = options;
  }

  /** Connections open, being made or being closed. */
  get size(): number {
    return this.#held.size;
  }

  /** Whether a link to this peer is open or being made. */
  has(peerId: PeerId): boolean {
    return this.#byPeer.has(peerId);
  }

  /** Begins a connection, unless there is one to this peer. Ends in the handler's `link` or `failed`. */
  connect(peerId: PeerId): void {
    if (this.#closed || this.#byPeer.has(peerId)) return;
    if (this.#held.size >= this.#maxConnections) {
      queueMicrotask(() =>
        this.#options.handler.failed(peerId, new SwarmError('link-failed', 'too many connections')),
      );
      return;
    }
    this.#begin(peerId)?.offer();
  }

  /** Takes a signal that the tracker says is from `from`. Whatever it holds, nothing is thrown. */
  signal(from: PeerId, data: unknown): void {
    if (this.#closed) return;
    const current = this.#byPeer.get(from);
    let signal: ReadSignal;
    try {
      signal = readSignal(data);
    } catch (error) {
      if (current !== undefined && !current.isOpen) {
        current.end(`bad signal: ${error instanceof Error ? error.message : String(error)}`);
      }
      return;
    }
    const { description, declined } = signal;
    if (declined !== undefined) {
      if (current !== undefined && !current.isOpen && current.begunWith === declined)
        this.#declined(from, current);
      return;
    }
    if (description?.type !== 'offer' || current?.knows(description)) {
      current?.receive(signal);
      return;
    }
    if (current?.awaitsAnswer) {
      const self = this.#options.selfId();
      if (self !== undefined && self < from) return;
    }
    // What it replaces holds its place until it is closed.
    if (!this.#welcomes(from, current)) return this.#decline(from, description.ufrag);
    this.#countOffer(from);
    // Their offer stands, or they began anew: whatever we had with them is over.
    this.#byPeer.delete(from);
    current?.end('the other end began anew');
    this.#begin(from)?.receive(signal);
  }

  /** Gives up an attempt, for instance when the tracker cannot reach the peer. An open link stays. */
  abandon(peerId: PeerId, reason: string): void {
    const current = this.#byPeer.get(peerId);
    if (current !== undefined && !current.isOpen) current.end(reason);
  }

  giveWay(peerId: PeerId): void {
    const current = this.#byPeer.get(peerId);
    if (current === undefined || current.isOpen) return;
    if (current.begunWith !== undefined) this.#decline(peerId, current.begunWith);
    current.end('its place was needed');
  }

  /**
   * Closes every link and attempt. Resolves when all their resources are free, within about a second: a
   * process that holds a connection does not exit.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelForgetting?.();
    this.#cancelRecount?.();
    const released = new Promise<void>((resolve) => {
      this.#whenReleased = resolve;
    });
    for (const negotiation of this.#held) negotiation.end('closed here');
    if (this.#held.size > 0) await released;
  }

  /** Says no, seldom enough that nobody's offers make this listener say more than the tracker takes. */
  #decline(peerId: PeerId, ufrag: string): void {
    if (this.#declinedLately.has(peerId) || this.#declinedLately.size >= MOST_DECLINED) return;
    this.#declinedLately.add(peerId);
    this.#cancelForgetting ??= this.#schedule(DECLINED_LATELY_MS, () => {
      this.#cancelForgetting = undefined;
      this.#declinedLately.clear();
    });
    this.#options.handler.send(peerId, [{ declined: ufrag }]);
  }

  #declined(peerId: PeerId, attempt: RtcNegotiation): void {
    this.#byPeer.delete(peerId);
    attempt.end('declined');
    this.#options.handler.declined?.(peerId);
  }

  get #maxConnections(): number {
    return this.#options.maxConnections ?? MAX_CONNECTIONS;
  }

  get #schedule(): Schedule {
    return this.#options.schedule ?? scheduleTimeout;
  }

  #welcomes(peerId: PeerId, current: RtcNegotiation | undefined): boolean {
    if (this.#held.size >= this.#maxConnections) return false;
    if ((this.#offersLately.get(peerId) ?? 0) >= MOST_OFFERS) return false;
    return current !== undefined || (this.#options.handler.accepts?.(peerId) ?? true);
  }

  #countOffer(peerId: PeerId): void {
    this.#offersLately.set(peerId, (this.#offersLately.get(peerId) ?? 0) + 1);
    this.#cancelRecount ??= this.#schedule(OFFERS_LATELY_MS, () => {
      this.#cancelRecount = undefined;
      this.#offersLately.clear();
    });
  }

  #begin(peerId: PeerId): RtcNegotiation | undefined {
    const { rtc, handler, iceServers, iceTransportPolicy, timeoutMs } = this.#options;
    const servers = usableServers(iceServers?.() ?? []);
    let negotiation: RtcNegotiation;
    try {
      negotiation = new RtcNegotiation({
        rtc,
        configuration: {
          iceServers: servers,
          ...(iceTransportPolicy === undefined ? {} : { iceTransportPolicy }),
        },
        timeoutMs: timeoutMs ?? CONNECT_TIMEOUT_MS,
        schedule: this.#schedule,
        send: (signal) => handler.send(peerId, signal),
        opened: (link) => handler.link(peerId, link),
        ended: (error) => {
          if (this.#byPeer.get(peerId) !== negotiation) return;
          this.#byPeer.delete(peerId);
          if (error !== undefined && !this.#closed) handler.failed(peerId, error);
        },
        released: () => {
          this.#held.delete(negotiation);
          if (this.#held.size === 0) this.#whenReleased?.();
        },
      });
    } catch (error) {
      // A server's address that the implementation refuses, or no more file descriptors.
      const failure = new SwarmError(
        'link-failed',
        `the connection could not be made: ${String(error)}`,
        error,
      );
      queueMicrotask(() => handler.failed(peerId, failure));
      return undefined;
    }
    this.#byPeer.set(peerId, negotiation);
    this.#held.add(negotiation);
    return negotiation;
  }
}
