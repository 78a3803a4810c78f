import type { PeerId } from '@sonantica/wire';

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
  /** Hands over one text message; whether and when it arrives is the socket's affair. Never throws. */
  send(text: string): void;
  /** Ends the connection with a WebSocket close code. Never throws; repeated calls do nothing. */
  close(code: number, reason: string): void;
}
