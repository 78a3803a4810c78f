import {
  LIMITS,
  type DeliveredBytes,
  type IceServer,
  type TrackerLimits,
  type TrackId,
} from '@sonantica/wire';
import type { Admission } from './admission.ts';
import type { RefusalCounts } from './refusal.ts';
import { DEFAULT_RATES, type TrackerRates } from './rate-limit.ts';

/** How a tracker behaves; times in milliseconds, every limit 0 for none. */
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
  /**
   * Servers named after those, made for one listener: `subject` is its token's, times are the wall clock's. After
   * `notAfterMs`, when its token ends, they are to be of no use; infinite on an open tracker.
   */
  readonly iceServersFor:
    | ((subject: string | undefined, wallMs: number, notAfterMs: number) => readonly IceServer[])
    | undefined;
  /** How long those are of use: a listener that stays is named fresh ones in time. 0: as long as it stays. */
  readonly iceLifeMs: number;
  readonly rates: TrackerRates;
  /** Bytes of one message, in UTF-8. */
  readonly maxMessageBytes: number;
  /** Tracks one socket may have announced. */
  readonly maxTracksPerPeer: number;
  /** Share of one address among the peers offered to an asker outside their Aula. */
  readonly maxShareOfOneAddress: number;
  /** Decides who may come in; `undefined` admits everyone. */
  readonly admission: Admission | undefined;
  /** Tracks this tracker serves. Called for every announcement of a track that is new to the socket. */
  readonly allowsTrack: (trackId: TrackId) => boolean;
}

export const DEFAULT_TRACKER_OPTIONS: TrackerOptions = {
  announceIntervalMs: 25_000,
  staleAfterMs: 60_000,
  forgetAfterMs: 240_000,
  helloTimeoutMs: 5_000,
  leaseTtlMs: 10_000,
  iceServers: [],
  iceServersFor: undefined,
  iceLifeMs: 0,
  rates: DEFAULT_RATES,
  maxMessageBytes: LIMITS.maxTrackerMessageBytes,
  maxTracksPerPeer: LIMITS.maxAnnouncedTracks,
  maxShareOfOneAddress: 0.1,
  admission: undefined,
  allowsTrack: () => true,
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
  /** Peers in an Aula. */
  readonly aulaPeers: number;
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
  /** The same with connections and pages not served, by reason. */
  readonly refusedBy: RefusalCounts;
  /** Bytes that clients say their listeners were given since the start, by source. */
  readonly delivered: DeliveredBytes;
}

/** The limits a `welcome` names. */
export function limitsOf({ rates, maxMessageBytes, maxTracksPerPeer }: TrackerOptions): TrackerLimits {
  return {
    maxMessageBytes,
    maxSignalBytes: LIMITS.maxSignalBytes,
    maxWantedPeers: LIMITS.maxWantedPeers,
    maxClaims: LIMITS.maxClaims,
    maxHaveChunks: LIMITS.maxHaveChunks,
    maxTracks: maxTracksPerPeer,
    announcesPerMinutePerTrack: rates.announcesPerTrack.perMinute,
    signalsPerMinute: rates.signals.perMinute,
    claimsPerMinute: rates.claims.perMinute,
    othersPerMinute: rates.others.perMinute,
    freshTargetsPerMinute: rates.freshTargets.perMinute,
  };
}
