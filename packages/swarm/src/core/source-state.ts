import { LIMITS, type BlockRun, type ChunkSet } from '@sonantica/wire';
import { FlowWindow, type FlowWindowBounds } from './flow-window.ts';
import { blockTimeoutMs, SourceHealth } from './source-health.ts';
import type { TrackKey } from './track-key.ts';

/** Names a source within one swarm: a link's own id, or {@link ORIGIN}. */
export type SourceId = string;
/** The one source that is not a peer. */
export const ORIGIN = 'origin';

/** Where bytes come from: a member of the same Aula, any other peer, or the HTTP origin. */
export type Tier = 'aula' | 'global' | 'origin';

/** What a slow line is allowed for a block beyond that, in milliseconds. */
const LONGEST_BLOCK_MS = 2_000;
/** A peer linked for this long that answers pings is counted on like one that gave, in milliseconds. */
const TRIED_AFTER_MS = 2_000;
/** How long blocks that nobody waits for may take, in milliseconds: a peer gives to those who listen first. */
const PATIENT_TIMEOUT_MS = 5_000;
/** While blocks are due a peer is pinged every second: one that gives no sign of life for this long is not waited for, in milliseconds. */
const ALIVE_WITHIN_MS = 2_500;
/** A link whose other end is gone is closed within this time; one that stands was only held up. In milliseconds. */
const LOST_FOR_MS = 10_000;

/** A peer that will not be asked for longer than this, and gave nothing for so long, is nobody to wait for, in milliseconds. */
const HOPELESS_AFTER_MS = 1_500;
const GIVES_WITHIN_MS = 10_000;

/** A pause of its own is forgotten by this much with each block, and never expected to be longer than this, in milliseconds. */
const GAP_FADES = 0.95;
const LONGEST_GAP_MS = 3_000;

/** What a peer holds of a track and what it says it is getting. */
export interface PeerHoldings {
  readonly held: ChunkSet;
  /** Chunk → time by which the peer expects to hold it. */
  readonly fetching: Map<number, number>;
  /** Blocks it holds of chunks that it does not hold whole: 1 where it does. */
  readonly parts: Map<number, Uint8Array>;
}

/** A link that owes blocks and is silent for three round trips, and no less than this, may have lost the last it sent, in milliseconds. */
const NUDGED_AFTER_MS = 60;
/** How often it is nudged before something comes, each time after twice as long. */
const MOST_NUDGES = 5;

/** Chunks of a track of which a peer may tell parts. */
const MOST_PARTS = 256;

/**
 * `none`: it lied, or says that it gives nothing; `little`: it gives no sign of life, or is not asked for a while and has
 * long given nothing.
 */
export type Outlook = 'none' | 'little' | 'gives';

/** What the scheduler knows of one peer. */
export class SourceState {
  readonly id: SourceId;
  readonly window: FlowWindow;
  readonly linkedMs: number;
  readonly health = new SourceHealth();
  readonly tracks = new Map<TrackKey, PeerHoldings>();
  tier: Tier;
  /** The longest it let blocks wait of late, and then gave: it gives to others in between. */
  #gapMs = 0;
  outstandingBytes = 0;
  /** Bytes it gave. */
  gaveBytes = 0;
  /** When it last gave a block. */
  lastGaveMs = Number.NEGATIVE_INFINITY;
  /** When blocks became due, or the last of them came. */
  lastProgressMs = 0;
  /** How often it was nudged since it last gave a block. */
  #nudges = 0;
  /** When it last gave a sign of life. */
  #aliveMs: number;
  /** Until when it is taken for gone: it let blocks wait and left pings unanswered. */
  #lostUntilMs = Number.NEGATIVE_INFINITY;
  /** Until when it gives nothing, by its own word. */
  #declinesUntilMs = Number.NEGATIVE_INFINITY;

  /** `linkedMs`: when the link was made, on the scheduler's clock. */
  constructor(id: SourceId, tier: Tier, bounds: FlowWindowBounds, linkedMs = Number.NEGATIVE_INFINITY) {
    this.linkedMs = linkedMs;
    this.#aliveMs = linkedMs;
    this.id = id;
    this.tier = tier;
    this.window = new FlowWindow(bounds);
  }

  /** Whether what is due soon may be staked on it: it gave something, or has been linked for a while and never asked in vain. */
  isTried(nowMs: number): boolean {
    return this.gaveBytes > 0 || (nowMs - this.linkedMs >= TRIED_AFTER_MS && !this.health.wasSilent);
  }

  /** Whether it may be asked: neither snubbed nor, after it let blocks wait, without a sign of life since. */
  isUsable(nowMs: number): boolean {
    return this.health.usable(nowMs) && nowMs >= this.#lostUntilMs;
  }

  /** It says that it gives nothing for now. */
  declined(forMs: number, nowMs: number): void {
    this.#declinesUntilMs = nowMs + forMs;
    this.health.pause(forMs, nowMs);
  }

  /** What is to be hoped for from it. */
  outlook(nowMs: number): Outlook {
    if (this.health.banned || nowMs < this.#declinesUntilMs) return 'none';
    const givenMs = Math.max(this.lastGaveMs, this.linkedMs);
    const isOut = this.health.isOutFor(HOPELESS_AFTER_MS, nowMs) && nowMs - givenMs >= GIVES_WITHIN_MS;
    return isOut || nowMs < this.#lostUntilMs ? 'little' : 'gives';
  }

  /** Whether what it was asked for may not come: it never gave anything, or blocks have been due for a while and none came. */
  isDoubted(nowMs: number): boolean {
    if (this.gaveBytes === 0) return true;
    return this.outstandingBytes > 0 && nowMs - this.lastProgressMs > blockTimeoutMs(this.window.pingMs) / 2;
  }

  /** Chunks that it holds whole. */
  get heldChunks(): number {
    let count = 0;
    for (const { held } of this.tracks.values()) count += held.size;
    return count;
  }

  holds(track: TrackKey, chunk: number): boolean {
    return this.tracks.get(track)?.held.has(chunk) ?? false;
  }

  /** Whether it holds one block of a chunk, or the whole. */
  holdsBlock(track: TrackKey, chunk: number, block: number): boolean {
    if (this.holds(track, chunk)) return true;
    const part = this.tracks.get(track)?.parts.get(chunk);
    return part?.[block] === 1;
  }

  /** Blocks it holds of a chunk that it does not hold whole: 1 where it does. */
  partOf(track: TrackKey, chunk: number): Uint8Array | undefined {
    return this.tracks.get(track)?.parts.get(chunk);
  }

  /** Takes in that it holds blocks of a chunk. */
  tellPart(track: TrackKey, { chunk, first, count }: BlockRun): void {
    const holdings = this.tracks.get(track);
    if (holdings === undefined || holdings.held.has(chunk)) return;
    const known = holdings.parts.get(chunk);
    if (known === undefined && holdings.parts.size >= MOST_PARTS) return;
    const blocks = known ?? new Uint8Array(LIMITS.maxChunkBytes / LIMITS.blockBytes);
    blocks.fill(1, first, first + count);
    holdings.parts.set(chunk, blocks);
  }

  /** Bytes that may still be requested. */
  get roomBytes(): number {
    return this.window.bytes - this.outstandingBytes;
  }

  /** Whether enough room is free that a further request is worth its cost: a quarter of the window, half of a fast one. */
  get isWorthAsking(): boolean {
    return this.roomBytes >= Math.max(LIMITS.blockBytes, this.window.bytes / (this.window.isFast ? 2 : 4));
  }

  /** It answered a ping. */
  ponged(roundTripMs: number, nowMs: number): void {
    this.#aliveMs = nowMs;
    this.#lostUntilMs = Number.NEGATIVE_INFINITY;
    this.window.pinged(roundTripMs);
  }

  /** A block came that was asked for. */
  gave(bytes: number, nowMs: number): void {
    this.#gapMs = Math.max(nowMs - this.lastProgressMs, this.#gapMs * GAP_FADES);
    this.lastProgressMs = nowMs;
    this.lastGaveMs = nowMs;
    this.#nudges = 0;
    this.#aliveMs = nowMs;
    this.#lostUntilMs = Number.NEGATIVE_INFINITY;
    this.gaveBytes += bytes;
    this.health.delivered();
  }

  /** Whether blocks are due and nothing came for too long; what nobody waits for may take its turn behind others. */
  isSilent(nowMs: number, urgent: boolean): boolean {
    const rate = this.window.bytesPerSecond;
    const blockMs = rate === 0 ? 0 : (LIMITS.blockBytes * 1000) / rate;
    const timeoutMs =
      Math.max(blockTimeoutMs(this.window.pingMs), Math.min(LONGEST_GAP_MS, 2 * this.#gapMs)) +
      Math.min(LONGEST_BLOCK_MS, 2 * blockMs);
    const patienceMs = urgent || !this.#isAlive(nowMs) ? timeoutMs : Math.max(timeoutMs, PATIENT_TIMEOUT_MS);
    return this.outstandingBytes > 0 && nowMs - this.lastProgressMs > patienceMs;
  }

  /**
   * Whether it is to be made to send something now. What a transport lost last it sends again only when its timer ends,
   * after 0.4 s and more; whatever arrives after it tells at once that it is missing (as tail loss probes do, RFC 8985).
   */
  isToBeNudged(nowMs: number): boolean {
    if (this.outstandingBytes === 0 || this.#nudges >= MOST_NUDGES) return false;
    const silentMs = Math.max(NUDGED_AFTER_MS, 3 * this.window.pingMs, 2 * this.#gapMs);
    if (nowMs - this.lastProgressMs < silentMs * 2 ** this.#nudges) return false;
    this.#nudges++;
    return true;
  }

  /** Blocks waited too long for it. */
  timedOut(nowMs: number): void {
    if (!this.#isAlive(nowMs)) this.#lostUntilMs = nowMs + LOST_FOR_MS;
    this.health.timedOut(nowMs);
  }

  /** Whether it gave a sign of life of late, or was not given the time to. */
  #isAlive(nowMs: number): boolean {
    return nowMs - Math.max(this.lastProgressMs, this.#aliveMs) <= ALIVE_WITHIN_MS;
  }

  /** Milliseconds until `bytes` more would have arrived; 0 for a source not yet tried. */
  expectedMs(bytes: number): number {
    const rate = this.window.bytesPerSecond;
    return rate === 0 ? 0 : ((this.outstandingBytes + bytes) * 1000) / rate + this.window.pingMs;
  }
}
