import type { ByteRange } from '@sonantica/wire';
import { bytesPerSecond, dueAtPlayhead, START_MS, type PlayedFacts, type Playhead } from './playhead.ts';

/** A decoder may begin this long before the place it was sent to, at the entry of a seek table for instance. */
const RUN_UP_MS = 20_000;
/** A request that begins this near to where an earlier one stopped goes on with it, in bytes. */
const NEAR_BYTES = 1_048_576;
/** What a player wants before it begins to play, or goes on from where it jumped to, in bytes: at once. */
const HEAD_BYTES = 98_304;
/**
 * Who jumped reads on: while the last so many bytes of a head come, as many behind it are wanted, so that what is under
 * way is not broken off and asked for again.
 */
const LAST_BYTES = 32_768;
/** How many places of a track are read side by side: the sound, a seek table, tags. */
const MOST_PULLS = 4;
/**
 * Wanted beyond the piece being waited for, so that no round trip is idle: little at first, for a player that looks for
 * its place reads a few blocks here and there, and what it leaves behind delays what it wants next.
 */
const FIRST_AHEAD_BYTES = 98_304;
const MOST_AHEAD_BYTES = 1_048_576;
/** Wanted early, wherever the playhead is: players look for seek tables and tags at the end. */
const END_CHUNKS = 2;
const ASIDE_DUE_MS = 15_000;
/**
 * A player that took what it needs is left the processor for so long, to begin: what comes after that costs both of them
 * time, and is not heard before. Only where it came at more than 10 Mbit/s: a slower line leaves the processor idle, and is
 * not to stand idle itself. In milliseconds.
 */
const BEGINS_MS = 60;
const FAST_HEAD_MS = 80;
/** What a player has taken without a jump before what is beside is wanted: it is not to wait for its beginning. */
const SETTLED_BYTES = 1_048_576;

/**
 * When a player hears which bytes of a track. A player pulls megabytes ahead, so a pull is not a deadline: what counts is
 * the playhead, where the player says where it is, and otherwise what it can have played of what it pulled. Pure but for
 * the playhead's clock; one for each track that is open.
 */
export class PlaybackDemand {
  readonly #playhead: Playhead;
  readonly #pulls: Pull[] = [];
  #endsWanted = false;

  constructor(playhead: Playhead) {
    this.#playhead = playhead;
  }

  /** A player begins to pull at a byte: at a place of its own, or where an earlier request stopped. */
  begin(startByte: number, facts: PlayedFacts): Pull {
    const near = this.#pulls.find((pull) => pull.reaches(startByte));
    if (near !== undefined) return near;
    const bytesPerMs = Math.max(1, bytesPerSecond(facts)) / 1000;
    const pull = new Pull(startByte, bytesPerMs, this.#playhead);
    this.#pulls.unshift(pull);
    this.#pulls.splice(MOST_PULLS);
    return pull;
  }

  /**
   * What is wanted beside what is read, once a player reads on and on: the end of the track, and the rest of the chunk it
   * jumped into, which can be kept and given on only whole. Told once; {@link missed} takes that back.
   */
  takeAsides(pull: Pull, facts: PlayedFacts): Aside[] {
    if (pull.takenBytes < Math.min(SETTLED_BYTES, facts.size - pull.startByte)) return [];
    const asides: Aside[] = [];
    const { startByte } = pull;
    const chunkStart = startByte - (startByte % facts.chunkSize);
    if (!pull.beganWhole && chunkStart < startByte) asides.push(asideOf(chunkStart, startByte));
    pull.beganWhole = true;
    if (!this.#endsWanted) asides.push(asideOf(endsStart(facts), facts.size));
    this.#endsWanted = true;
    return asides;
  }

  /** What was wanted beside did not come, for the player turned elsewhere or nobody gave it: it is wanted again. */
  missed(pull: Pull): void {
    pull.beganWhole = false;
    this.#endsWanted = false;
  }
}

/** Bytes wanted beside those that are read. */
export interface Aside {
  readonly range: ByteRange;
  readonly deadlineMs: number;
}

function asideOf(start: number, end: number): Aside {
  return { range: { start, end }, deadlineMs: ASIDE_DUE_MS };
}

function endsStart({ size, chunkSize }: PlayedFacts): number {
  return Math.max(0, Math.ceil(size / chunkSize) - END_CHUNKS) * chunkSize;
}

/** One place of a track being read in order. Made by {@link PlaybackDemand.begin}. */
export class Pull {
  readonly startByte: number;
  /** Whether the rest of the chunk it began in was wanted too. */
  beganWhole = false;
  readonly #bytesPerMs: number;
  readonly #playhead: Playhead;
  readonly #begunMs: number;
  #takenTo: number;
  #playedMs = 0;
  #lastMs: number;
  #headTakenMs: number | undefined;

  constructor(startByte: number, bytesPerMs: number, playhead: Playhead) {
    this.startByte = startByte;
    this.#takenTo = startByte;
    this.#bytesPerMs = bytesPerMs;
    this.#playhead = playhead;
    this.#begunMs = playhead.clock.nowMs();
    this.#lastMs = this.#begunMs;
  }

  /** Where what a player needs to begin ends. */
  get headEnd(): number {
    return this.startByte + HEAD_BYTES;
  }

  get takenBytes(): number {
    return this.#takenTo - this.startByte;
  }

  /** How far ahead of what the player took is wanted, in bytes. */
  get aheadBytes(): number {
    const leftBytes = HEAD_BYTES - this.takenBytes;
    if (leftBytes > 0) return leftBytes + (this.startByte > 0 && leftBytes <= LAST_BYTES ? LAST_BYTES : 0);
    return Math.min(MOST_AHEAD_BYTES, FIRST_AHEAD_BYTES + 2 * (this.takenBytes - HEAD_BYTES));
  }

  /** Whether a request that begins at this byte goes on where this one stopped. */
  reaches(byte: number): boolean {
    return byte >= Math.max(this.startByte, this.#takenTo - NEAR_BYTES) && byte <= this.#takenTo;
  }

  /** The player took what lies before this byte. */
  taken(toByte: number): void {
    this.#playedMs = this.#played();
    this.#lastMs = this.#playhead.clock.nowMs();
    this.#takenTo = Math.max(this.#takenTo, toByte);
    if (this.#takenTo >= this.headEnd) this.#headTakenMs ??= this.#lastMs;
  }

  /** How long the player is still to be left alone, to begin; in milliseconds. */
  get waitMs(): number {
    if (this.#headTakenMs === undefined || this.#headTakenMs - this.#begunMs >= FAST_HEAD_MS) return 0;
    return Math.max(0, this.#headTakenMs + BEGINS_MS - this.#playhead.clock.nowMs());
  }

  /** In how many milliseconds a byte is wanted: 0 for what a player needs to begin, then when it is heard. */
  dueInMs(byte: number): number {
    const { headEnd } = this;
    if (byte < headEnd) return 0;
    const placeMs = this.#playhead.placeMs(this.#begunMs);
    if (placeMs !== undefined && this.#isHeardAt(placeMs))
      return dueAtPlayhead(placeMs, byte, this.#bytesPerMs);
    return Math.max(START_MS, START_MS + (byte - headEnd) / this.#bytesPerMs - this.#played());
  }

  /** Whether this is what the listener hears, and not a seek table or tags somewhere else. */
  #isHeardAt(placeMs: number): boolean {
    const fromMs = this.startByte / this.#bytesPerMs - RUN_UP_MS;
    const toMs = this.#takenTo / this.#bytesPerMs + RUN_UP_MS;
    return fromMs <= placeMs && placeMs <= toMs;
  }

  /** What the player can have played of what it took: time passes for it as long as it has something. */
  #played(): number {
    const tookMs = this.takenBytes / this.#bytesPerMs;
    return Math.min(tookMs, this.#playedMs + this.#playhead.clock.nowMs() - this.#lastMs);
  }
}
