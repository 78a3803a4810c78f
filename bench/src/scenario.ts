import type { ChunkOrder } from '@sonantica/swarm/testing';

/** A number, or a range from which each peer draws its own. */
export interface Span {
  readonly least: number;
  readonly most: number;
}

/** Who decides where bytes come from. */
export type Policy = ChunkOrder | 'http-only';
export const POLICIES: readonly Policy[] = ['swarm', 'http-only', 'in-order', 'rarest-first'];

/** One run of listeners. Rates in kbit/s, shares as fractions, times from the start of the run. */
export interface Scenario {
  readonly seed: number;
  /** Listeners, good and bad. */
  readonly peers: number;
  readonly sizeMB: number;
  readonly bitrateKbps: number;
  /** Listeners open the track within this time, evenly; 0: all at once. */
  readonly joinSpreadS: number;
  /** Each is in its Aula this long before it opens the track. */
  readonly warmS: number;
  readonly peerUpKbps: Span;
  readonly peerDownKbps: Span;
  readonly originUpKbps: number;
  readonly rttMs: Span;
  readonly aulas: number;
  /** Links a listener keeps at most; `undefined` for what the library keeps. */
  readonly links: number | undefined;
  /** The share of listeners that leave within a minute, by crashing or closing; others come in their place. */
  readonly churnPerMin: number;
  /** Shares of the peers that say they hold everything and send wrong bytes, send at 10 kbit/s, or answer nothing. */
  readonly liars: number;
  readonly slow: number;
  readonly dead: number;
  /** The share of pairs that can connect. */
  readonly connectSuccess: number;
  /** Links that come up in a second, of all listeners together, as where all run on one machine; `undefined` for any number. */
  readonly linksPerS: number | undefined;
  readonly trackerDiesS: number | undefined;
  readonly originDiesS: number | undefined;
  readonly policy: Policy;
  /** Tracks there are, all of one size; 1: everybody plays the same one. */
  readonly tracks: number;
  /** Tracks a listener plays, one after another. */
  readonly plays: number;
  /** The share of plays that were to be foreseen: the next track of the library. The others are drawn by popularity. */
  readonly predictable: number;
  /** The exponent of Zipf's law by which tracks are popular. */
  readonly zipf: number;
  /** Partitions, crashes, packets out of order and jumps of the clock, at random. */
  readonly faults: boolean;
}

export const DEFAULT_SCENARIO: Scenario = {
  seed: 1,
  peers: 20,
  sizeMB: 30,
  bitrateKbps: 1_400,
  joinSpreadS: 60,
  warmS: 0,
  peerUpKbps: { least: 10_000, most: 10_000 },
  peerDownKbps: { least: 50_000, most: 50_000 },
  originUpKbps: 1_000_000,
  rttMs: { least: 50, most: 50 },
  aulas: 1,
  links: undefined,
  churnPerMin: 0,
  liars: 0,
  slow: 0,
  dead: 0,
  connectSuccess: 1,
  linksPerS: undefined,
  trackerDiesS: undefined,
  originDiesS: undefined,
  policy: 'swarm',
  tracks: 1,
  plays: 1,
  predictable: 0.61,
  zipf: 1,
  faults: false,
};

/** How a peer behaves: a listener, or one that says it holds everything and does not play. */
export type PeerKind = 'honest' | 'liar' | 'slow' | 'dead';

/** What a slow peer sends at, in kbit/s. */
export const SLOW_KBPS = 10;

/** The peers that only seem to help, at most all but one. */
export function badPeersOf({ peers, liars, slow, dead }: Scenario): PeerKind[] {
  const kinds: PeerKind[] = [];
  for (let i = 0; i < Math.round(liars * peers); i++) kinds.push('liar');
  for (let i = 0; i < Math.round(slow * peers); i++) kinds.push('slow');
  for (let i = 0; i < Math.round(dead * peers); i++) kinds.push('dead');
  return kinds.slice(0, Math.max(0, peers - 1));
}

/** How long a listener stays under churn, in milliseconds: of those here now the share is gone a minute later. */
export function staysMs({ churnPerMin }: Scenario, chance: number): number {
  const rate = -Math.log(1 - Math.min(churnPerMin, 0.99)) / 60_000;
  return -Math.log(1 - chance) / rate;
}

/** How long playing one track takes, in milliseconds. */
export function playMsOf({ sizeMB, bitrateKbps }: Scenario): number {
  return Math.round(sizeMB * 1_000_000) / bytesPerMs(bitrateKbps);
}

/** Bytes a millisecond of a rate in kbit/s. */
export function bytesPerMs(kbps: number): number {
  return kbps / 8;
}
