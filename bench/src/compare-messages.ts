/**
 * A way of getting a track. `http`: one plain request, nothing proven. `sonantica`: a peer alone, the origin gives
 * the manifest and no audio. `sonantica-origin`: as it is deployed, with the origin beside the peer. `webtorrent`: a
 * peer over WebRTC. `webtorrent-tcp`: a peer over TCP, as between desktop programs. The two that end with `-stun`
 * name a STUN server that is out of reach, as behind a firewall.
 */
export type Way =
  | 'http'
  | 'sonantica'
  | 'sonantica-origin'
  | 'sonantica-stun'
  | 'webtorrent'
  | 'webtorrent-stun'
  | 'webtorrent-tcp';

/** Where a comparison runs. */
export type Runtime = 'node' | 'chromium';

/** Ways in the order they take turns. */
export const WAYS: Readonly<Record<Runtime, readonly Way[]>> = {
  node: [
    'http',
    'sonantica',
    'webtorrent',
    'sonantica-stun',
    'webtorrent-stun',
    'sonantica-origin',
    'webtorrent-tcp',
  ],
  chromium: ['http', 'sonantica', 'webtorrent', 'sonantica-stun', 'webtorrent-stun', 'sonantica-origin'],
};

/** How long a track of so many megabytes may take, in milliseconds; longer is a failure. */
export function patienceMs(megabytes: number): number {
  return 30_000 + megabytes * 1_000;
}

/** Where both ends meet, and what they are told. */
export interface Place {
  /** Megabytes (10⁶ bytes) of the track. */
  readonly megabytes: number;
  /** A tracker for the way: ours, or bittorrent-tracker's, WebSocket or HTTP. */
  readonly tracker: string;
  readonly iceServers: readonly { readonly urls: string }[];
}

/** What the bench tells a peer. A seeder is told `seed`; a leecher `prepare`, then `get`. */
export type ToPeer =
  | {
      readonly type: 'seed' | 'prepare';
      readonly way: Way;
      readonly place: Place;
      /** The module that gives WebTorrent, where it is needed. */
      readonly rival: string | undefined;
    }
  | { readonly type: 'get'; readonly seed: Seed }
  | { readonly type: 'cpu' };

/** What a leecher needs to know of the seeder. */
export interface Seed {
  /** The base URL of the seeder's HTTP server. */
  readonly origin: string;
  /** The torrent file in base64, where there is one. */
  readonly torrent: string | undefined;
}

/** What a peer answers. */
export type FromPeer =
  | ({ readonly type: 'seeding' } & Seed)
  | { readonly type: 'prepared' }
  | ({ readonly type: 'got' } & Got)
  | { readonly type: 'cpu'; readonly cpuS: number };

/** What a leecher saw. Times from when it was told to get the track, in milliseconds. */
export interface Got {
  readonly firstByteMs: number;
  readonly doneMs: number;
  /** Bytes that were there with the first. */
  readonly firstBytes: number;
  /** Processor time of the leecher until it was done. */
  readonly cpuS: number;
  /** Of the bytes it ended up with, in hex; taken after it was done. */
  readonly sha256: string;
}
