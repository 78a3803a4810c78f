import { TRACKER_CLOSE } from '@sonantica/wire';
import type { TrackerSocket } from './env.ts';
import type { RefusalReason } from './refusal.ts';
import type { Peer } from './roster.ts';

/** One connection, as the tracker's shell drives it. */
export interface TrackerSession {
  /** A text message came. */
  receive(text: string): void;
  /** A message that is not text came. */
  receiveBinary(): void;
  /** A round trip was measured, in milliseconds. */
  roundTrip(ms: number): void;
  /** The connection is gone. */
  closed(): void;
}

/** Before `hello`, while its token is looked at, after it, and when the tracker has done with the socket. */
export type SessionState =
  | { readonly phase: 'pending' }
  /** `waiting` came meanwhile. */
  | { readonly phase: 'admitting'; readonly waiting: string[] }
  | { readonly phase: 'welcome'; readonly peer: Peer }
  | { readonly phase: 'over' };

/** What sessions tell their tracker. */
export interface SessionEvents {
  receive(session: Session, text: string): void;
  refuse(session: Session, code: number, text: string, reason: RefusalReason): void;
  end(session: Session): void;
}

/** One connection and how far it has come. */
export class Session implements TrackerSession {
  readonly socket: TrackerSocket;
  readonly sinceMs: number;
  state: SessionState = PENDING;
  readonly #events: SessionEvents;

  constructor(events: SessionEvents, socket: TrackerSocket, sinceMs: number) {
    this.#events = events;
    this.socket = socket;
    this.sinceMs = sinceMs;
  }

  receive(text: string): void {
    this.#events.receive(this, text);
  }

  receiveBinary(): void {
    this.#events.refuse(this, TRACKER_CLOSE.malformed, 'messages are text', 'malformed');
  }

  roundTrip(ms: number): void {
    if (this.state.phase === 'welcome') this.state.peer.rttMs = Math.round(ms);
  }

  closed(): void {
    this.#events.end(this);
  }
}

/** Shared by all sessions in that state. */
const PENDING: SessionState = { phase: 'pending' };
/** Nothing that comes is looked at any more. */
export const SESSION_OVER: SessionState = { phase: 'over' };
