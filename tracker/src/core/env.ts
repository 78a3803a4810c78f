import type { PeerId } from '@sonantica/wire';
import type { RefusalReason } from './refusal.ts';

/** What the core takes from the world. Production gives real clocks and random numbers, tests give seeded ones. */
export interface TrackerEnv {
  /** Milliseconds on a clock that never goes back; only differences count. */
  nowMs(): number;
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** At least 0, below 1. Spreads load; no secret hangs on it. */
  random(): number;
  /** A name never given before: 128 bits nobody can guess. */
  newPeerId(): PeerId;
}

/** All the core sees of a connection. */
export interface TrackerSocket {
  /** Where it comes from, equal texts meaning one address; absent where addresses do not count. */
  readonly address?: string | undefined;
  /** Hands over one text message; whether and when it arrives is the socket's affair. Never throws. */
  send(text: string): void;
  /** Ends the connection with a WebSocket close code. Never throws; repeated calls do nothing. */
  close(code: number, reason: string): void;
  /** Is told what was refused to it, for a log. */
  refused?(reason: RefusalReason, re: string | undefined): void;
}
