import { LIMITS, type IceServer, type TrackerLimits } from '@sonantica/wire';
import { DEFAULT_RATES, type TrackerRates } from './rate-limit.ts';

/** How a tracker behaves; times in milliseconds. */
export interface TrackerOptions {
  /** How often clients are asked to be heard. */
  readonly announceIntervalMs: number;
  /** Peers not heard of for this long are offered to nobody. */
  readonly staleAfterMs: number;
  /** Peers not heard of for this long are disconnected and forgotten. */
  readonly forgetAfterMs: number;
  /** How long a socket may take to say `hello`. */
  readonly helloTimeoutMs: number;
  /** How long a lease lasts: a chunk's time on a slow line. */
  readonly leaseTtlMs: number;
  /** Named in `welcome`. */
  readonly iceServers: readonly IceServer[];
  readonly rates: TrackerRates;
}

export const DEFAULT_TRACKER_OPTIONS: TrackerOptions = {
  announceIntervalMs: 25_000,
  staleAfterMs: 60_000,
  forgetAfterMs: 240_000,
  helloTimeoutMs: 5_000,
  leaseTtlMs: 10_000,
  iceServers: [],
  rates: DEFAULT_RATES,
};

/** Totals for an operator; nothing here names a track, an Aula or a peer. */
export interface TrackerStats {
  /** Sockets that said `hello`. */
  readonly peers: number;
  /** Sockets that have not yet. */
  readonly pending: number;
  readonly swarms: number;
  /** Peers over all swarms, one in two swarms counted twice. */
  readonly members: number;
  readonly aulas: number;
  /** Leases held now. */
  readonly leases: number;
  /** Messages followed since the start, by kind. */
  readonly joins: number;
  readonly announces: number;
  readonly haves: number;
  readonly finds: number;
  readonly claims: number;
  readonly signals: number;
  /** Leases granted since the start. */
  readonly granted: number;
  /** Messages answered with an error, and sockets closed for a violation. */
  readonly refused: number;
}

/** The limits a `welcome` names. */
export function limitsOf(rates: TrackerRates): TrackerLimits {
  return {
    maxMessageBytes: LIMITS.maxTrackerMessageBytes,
    maxSignalBytes: LIMITS.maxSignalBytes,
    maxWantedPeers: LIMITS.maxWantedPeers,
    maxClaims: LIMITS.maxClaims,
    maxHaveChunks: LIMITS.maxHaveChunks,
    maxTracks: LIMITS.maxAnnouncedTracks,
    announcesPerMinutePerTrack: rates.announcesPerTrack.perMinute,
    signalsPerMinute: rates.signals.perMinute,
    claimsPerMinute: rates.claims.perMinute,
    othersPerMinute: rates.others.perMinute,
  };
}
