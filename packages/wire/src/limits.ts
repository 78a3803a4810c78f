/** One mebibyte, in bytes. */
const MiB = 1024 * 1024;

/**
 * Every bound both ends rely on, with the threat it answers. Sizes are in bytes unless the name says
 * otherwise.
 */
export const LIMITS = {
  /** The unit of transfer and proof; the leaf of the Merkle tree (BEP 52 fixes it). */
  blockBytes: 16_384,
  /** SHA-256. */
  hashBytes: 32,
  /** The usual unit of having and announcing. */
  defaultChunkBytes: 262_144,
  /** Smallest chunk: bitmaps and announcements of a stranger's manifest stay small. */
  minChunkBytes: 131_072,
  /** Largest chunk: 64 leaf hashes ahead of the blocks, bounded memory per unproven chunk. */
  maxChunkBytes: 1_048_576,
  /** 4 GiB of audio: sizes stay exact in 53 bits and bitmaps under 4 KiB. */
  maxTrackBytes: 4_294_967_296,
  /** Chunks of the largest track in the smallest chunk: bounds every bitmap before it is allocated. */
  maxChunks: 32_768,
  /** A manifest's JSON: 32,768 chunk hashes in base64 take 1.4 MB. */
  maxManifestBytes: 4 * MiB,

  /** A tracker message, as bytes of JSON. */
  maxTrackerMessageBytes: 65_536,
  /** The opaque payload of a signal, as bytes of JSON: nobody tunnels files through the tracker. */
  maxSignalBytes: 16_384,
  /** A bearer token in `hello`. */
  maxTokenBytes: 8_192,
  /** Peers asked for in one message: one message in, few out. */
  maxWantedPeers: 50,
  /** Chunks in one `claim` and leases one socket may hold: a silent claimer delays few chunks. */
  maxClaims: 8,
  /** What a peer may say that it gives, in kilobits a second. */
  maxUploadKbps: 10_000_000,
  /** Chunk indices in one `have`. */
  maxHaveChunks: 4_096,
  /** Peers named when the asker does not say how many it wants. */
  defaultWantedPeers: 20,
  /** Tracks one socket may have announced: a stranger's memory at the tracker is bounded. */
  maxAnnouncedTracks: 1_024,
  /** Bytes of one kind in one report of what was delivered: a stranger's word moves the totals only so far. */
  maxDeliveredBytes: 1_000_000_000,
  /** Levels of arrays and objects in a signal: nobody's recursive reader is made to overflow. */
  maxSignalDepth: 64,
  /** STUN and TURN servers a tracker may name. */
  maxIceServers: 16,
  /** Characters of an error's message, a server's address or a credential. */
  maxTrackerTextLength: 2_048,

  /** A peer frame with its header: the smallest maximum among wrtc, werift and Chromium. */
  maxFrameBytes: 65_536,
  /** Blocks in one frame: as many as fit into it. */
  maxBlocksInFrame: 3,
  /** Requests a link may have unanswered, each way. */
  maxOutstandingRequests: 64,
  /** Bytes of blocks a link may have requested and not received, each way. */
  maxOutstandingBytes: 4 * MiB,
  /** Tracks open on one link, each way. */
  maxOpenTracks: 64,
  /** Blocks of one chunk held before their leaf hashes arrive. */
  maxUnprovenBlocks: 16,
  /** Remote ICE candidates taken on one link: strangers cannot aim traffic at a range of hosts. */
  maxRemoteCandidates: 16,
} as const;
