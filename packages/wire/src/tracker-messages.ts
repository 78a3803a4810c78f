import type { ChunkSet } from './chunk-set.ts';
import type { AulaId, PeerId, RootHash, TrackId } from './ids.ts';

/** The WebSocket subprotocol both ends ask for. */
export const TRACKER_SUBPROTOCOL = 'sonantica.v1';

/** The codes with which a tracker closes a socket, beside those of RFC 6455. */
export const TRACKER_CLOSE = {
  /** Not JSON text, or not an object with a `type`. */
  malformed: 4400,
  /** The first message was no `hello`, or its token was refused. */
  notAuthorised: 4401,
  /** No `hello` in time, or nothing heard for minutes. */
  timedOut: 4408,
  /** The client does not speak {@link TRACKER_SUBPROTOCOL}. */
  unknownVersion: 4409,
  /** A message over `LIMITS.maxTrackerMessageBytes`. */
  tooLarge: 4413,
  /** It went on after being told `too-fast`. */
  tooFast: 4429,
  /** The tracker restarts; come back after a while (RFC 6455's registry, 1012). */
  restarting: 1012,
} as const;

/** To whom an announcement is shown: everyone in the swarm, or members of the announcer's Aula alone. */
export type Scope = 'global' | 'aula';

/** How near a peer is, in the tracker's word: of the same Aula, or not. */
export type PeerTier = 'aula' | 'global';

/** What a peer holds, as text: `all`, `none` or a base64 bitmap; read with `ChunkSet.fromText`. */
export type HaveText = string;

/** Bytes a client's listener was given since its last report, by where they came from. */
export interface DeliveredBytes {
  readonly cache: number;
  readonly aula: number;
  readonly global: number;
  readonly origin: number;
}

/** First on every socket; again with a fresh token, where the tracker asks for tokens, it renews the rights. */
export interface HelloRequest {
  readonly type: 'hello';
  /** A bearer token, where the tracker asks for one. */
  readonly token?: string;
}

/** Enters an Aula, leaving another; repeated for the same Aula it is a refresh. */
export interface JoinRequest {
  readonly type: 'join';
  readonly aulaId: AulaId;
  /** Members wanted, 0 to `LIMITS.maxWantedPeers`. */
  readonly want?: number;
}

/** Leaves the Aula. */
export interface PartRequest {
  readonly type: 'part';
}

/** Enters a swarm, or says again what this peer holds in it. */
export interface AnnounceRequest {
  readonly type: 'announce';
  readonly trackId: TrackId;
  readonly root: RootHash;
  /** Chunks of the track, 1 to `LIMITS.maxChunks`. */
  readonly chunkCount: number;
  /** What the peer holds; its capacity is `chunkCount`. */
  readonly have: ChunkSet;
  /** `global` unless told. */
  readonly scope?: Scope;
  /** Upload the listener offers, in kbit/s. */
  readonly uploadKbps?: number;
  /** Peers wanted, 0 to `LIMITS.maxWantedPeers`. */
  readonly want?: number;
  /** Over all tracks, since this socket's last report; the tracker adds it to its totals. */
  readonly delivered?: DeliveredBytes;
}

/** Chunks gained and lost since the last word. */
export interface HaveReport {
  readonly type: 'have';
  readonly trackId: TrackId;
  readonly root: RootHash;
  readonly chunks: readonly number[];
  readonly lost?: readonly number[];
  /** Leases given back, at most `LIMITS.maxClaims`: the sender no longer fetches these. */
  readonly released?: readonly number[];
  /** As in {@link AnnounceRequest}. */
  readonly delivered?: DeliveredBytes;
}

/** Asks for more peers of an announced swarm. */
export interface FindRequest {
  readonly type: 'find';
  readonly trackId: TrackId;
  readonly root: RootHash;
  readonly want?: number;
  /** Base64 bitmap of the chunks wanted; their holders come first. */
  readonly needs?: HaveText;
}

/** Asks to be the one who fetches chunks from the origin. */
export interface ClaimRequest {
  readonly type: 'claim';
  readonly trackId: TrackId;
  readonly root: RootHash;
  /** At most `LIMITS.maxClaims`. */
  readonly chunks: readonly number[];
  /** Chunks the sender now holds; taken in first, so that their leases are free again. */
  readonly have?: readonly number[];
  /** Leases wanted of these at most, the first that are free; all when missing. */
  readonly most?: number;
}

/** Something for another peer: an offer, an answer, candidates. */
export interface SignalRequest {
  readonly type: 'signal';
  readonly to: PeerId;
  /** Any JSON, opaque to the tracker, at most `LIMITS.maxSignalBytes`. */
  readonly data: unknown;
}

/** Leaves a swarm. */
export interface LeaveRequest {
  readonly type: 'leave';
  readonly trackId: TrackId;
  readonly root: RootHash;
}

/** Everything a client says. */
export type ClientMessage =
  | HelloRequest
  | JoinRequest
  | PartRequest
  | AnnounceRequest
  | HaveReport
  | FindRequest
  | ClaimRequest
  | SignalRequest
  | LeaveRequest;

/** A signal as the tracker reads it: with its payload as JSON text, to pass on as it is. */
export interface ReceivedSignal extends SignalRequest {
  readonly dataText: string;
}

/** What reading a client's text gives. */
export type ReceivedClientMessage = Exclude<ClientMessage, SignalRequest> | ReceivedSignal;

/** A STUN or TURN server, as `RTCConfiguration` takes it. */
export interface IceServer {
  readonly urls: string | readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

/** The bounds a tracker holds its clients to. 0 means no limit of that kind. */
export interface TrackerLimits {
  readonly maxMessageBytes: number;
  readonly maxSignalBytes: number;
  readonly maxWantedPeers: number;
  readonly maxClaims: number;
  readonly maxHaveChunks: number;
  readonly maxTracks: number;
  readonly announcesPerMinutePerTrack: number;
  readonly signalsPerMinute: number;
  readonly claimsPerMinute: number;
  readonly othersPerMinute: number;
  /** Peers signalled that were not signalled, and did not signal, in the last 5 minutes. */
  readonly freshTargetsPerMinute: number;
}

/** Answers `hello`. */
export interface WelcomeReply {
  readonly type: 'welcome';
  /** This socket's name while it lives. */
  readonly peerId: PeerId;
  readonly iceServers: readonly IceServer[];
  /** Something should be heard of a client this often, in milliseconds. */
  readonly announceIntervalMs: number;
  /** The tracker's wall clock, milliseconds since 1970. */
  readonly serverTimeMs: number;
  /** Absent fields are limits the tracker did not name. */
  readonly limits: Partial<TrackerLimits>;
  /** When the token's rights end unless renewed, on the tracker's wall clock, milliseconds since 1970. */
  readonly tokenExpiresMs?: number;
}

/** One peer in a {@link PeersReply}. */
export interface ListedPeer {
  readonly peerId: PeerId;
  readonly tier: PeerTier;
  /** What it holds of the track; `none` in an answer to `join`. */
  readonly have: HaveText;
  /** As the peer announced it, in kbit/s; `null` when it did not say. */
  readonly uploadKbps: number | null;
  /** Round trip between that peer and the tracker, in milliseconds; `null` when not measured yet. */
  readonly rttMs: number | null;
}

/**
 * Answers `announce` and `find` (with `trackId` and `root`) and `join` (with `aulaId`). The counts are of
 * peers the asker may see, itself included.
 */
export interface PeersReply {
  readonly type: 'peers';
  readonly trackId?: TrackId;
  readonly root?: RootHash;
  readonly aulaId?: AulaId;
  readonly peers: readonly ListedPeer[];
  readonly complete: number;
  readonly incomplete: number;
}

/** Answers `claim`. A chunk in neither list is held by the asker already, or beyond its leases. */
export interface ClaimedReply {
  readonly type: 'claimed';
  readonly trackId: TrackId;
  readonly root: RootHash;
  /** Chunks this peer is to fetch from the origin. */
  readonly granted: readonly number[];
  /** Who holds or is fetching the others. */
  readonly heldBy: ReadonlyMap<number, PeerId>;
  /** How long the leases last, in milliseconds. */
  readonly ttlMs: number;
}

/** A signal from another peer. */
export interface SignalDelivery {
  readonly type: 'signal';
  readonly from: PeerId;
  /** How near the sender is to the receiver, in the tracker's word. */
  readonly tier: PeerTier;
  readonly data: unknown;
}

/** Why a message was not followed. `other` stands for a code of a later version. */
export type TrackerErrorCode =
  | 'unknown-type'
  | 'bad-message'
  | 'too-large'
  | 'too-fast'
  | 'too-many-tracks'
  | 'already-welcome'
  | 'not-announced'
  | 'not-visible'
  | 'forbidden'
  | 'busy'
  | 'other';

/** A mistake that did no harm; the socket stays. */
export interface ErrorReply {
  readonly type: 'error';
  readonly code: TrackerErrorCode;
  /** For a log, not for a listener. */
  readonly message: string;
  /** The `type` of the message that was not followed. */
  readonly re?: string;
  /** The peer a signal did not reach. */
  readonly to?: PeerId;
  /** The track the message named. */
  readonly trackId?: TrackId;
  readonly root?: RootHash;
  /** With `too-fast` and `busy`: when the same message would be taken, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** Everything a tracker says. */
export type TrackerMessage = WelcomeReply | PeersReply | ClaimedReply | SignalDelivery | ErrorReply;
