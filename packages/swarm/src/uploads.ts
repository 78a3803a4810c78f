import { blockLength, LIMITS, type RefuseReason } from '@sonantica/wire';
import type { Clock, Timers } from './core/env.ts';
import type { IncomingRequest } from './core/peer-session.ts';
import type { TrackKey } from './core/track-key.ts';
import { UploadPace } from './core/upload-pace.ts';
import { lookAgainMs, UploadRate } from './core/upload-rate.ts';
import { isUrgent, nextAsker, UPLOAD_SLOTS, type Asker } from './core/upload-slots.ts';
import type { PeerSource } from './sources/peer-source.ts';
import type { TrackVersion } from './track-version.ts';

/** What is given in one turn while others wait, in bytes. */
const TURN_BYTES = 4 * LIMITS.blockBytes;
/** A link is given more when no more than this still waits in it, while others wait: what waits there cannot be overtaken. */
const SHALLOW_BYTES = LIMITS.blockBytes;
/** A link that takes this long to take its turn's bytes keeps nobody else waiting, in milliseconds. */
const SLOW_AFTER_MS = 1_000;

/** Who would wait longer than this is told so: somebody listens, or nobody does; in milliseconds. */
const URGENT_PATIENCE_MS = 350;
const PATIENT_MS = 3_500;

/** A listener that starves looks again after this whether it still does, in milliseconds. */
const STARVING_LOOK_MS = 100;

/** The day's upload, kept so that it is never exceeded, by a crash or a restart. */
export interface UploadBudget {
  /**
   * Takes bytes off the day's budget before they are sent; answers false when they do not fit. What must
   * be written down first is written before the promise resolves.
   */
  reserve(bytes: number): boolean | Promise<boolean>;
}

/** What giving needs to know. */
export interface UploadsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly budget: UploadBudget;
  version(track: TrackKey): TrackVersion | undefined;
  /** A held chunk, proven: at once where it is in memory. */
  load(version: TrackVersion, chunk: number): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Whether the listener's choices let this peer be served now. */
  mayServe(peer: PeerSource): boolean;
  tierOf(peer: PeerSource): 'aula' | 'global';
  /** Whether what this listener hears is late: then it gives to those who listen too, and to nobody else. */
  isStarving(): boolean;
  /** Bytes the peer gave this listener. */
  gaveBytes(peer: PeerSource): number;
  /** Block and proof bytes handed to a link. */
  sent(peer: PeerSource, track: TrackKey, bytes: number): void;
}

/** What is remembered of who asks. */
interface AskerRecord extends Asker {
  readonly peer: PeerSource;
  dueMs: number;
  tier: 'aula' | 'global';
  gaveBytes: number;
  servedMs: number;
  urgentBytes: number;
  bytesPerMs: number;
}

/** A place of one who is given to. */
interface Slot {
  /** For who waited longest, whatever it asks. */
  readonly optimistic: boolean;
  /** Whether it takes one of the few places; a slow link's does not for long. */
  counts: boolean;
  /** `leaving`: all is with the link, which has not sent it yet. */
  state: 'sending' | 'leaving';
}

/** What becomes of a request in a turn; `undefined`: it was served, or nobody waits for it any more. */
type Answer = RefuseReason | 'turn over' | undefined;

/** What an asker is believed to consume where its track does not say, in bytes a millisecond: 24 bits at 96 kHz, packed. */
const USUAL_BYTES_PER_MS = 400;

/**
 * Serves what peers ask for: a few peers at a time, who needs it most first, each peer's own requests by their deadlines.
 * A listener whose own playback is late gives only to who listens too.
 * While more ask than are served, each turn is short, and what was handed to a link has left it before the next.
 */
export class Uploads {
  readonly #parts: UploadsParts;
  readonly #records = new Map<PeerSource, AskerRecord>();
  readonly #asking = new Set<PeerSource>();
  readonly #slots = new Map<PeerSource, Slot>();
  readonly #waiting = new Map<PeerSource, () => void>();
  readonly #rate = new UploadRate();
  #fillsLater = false;
  readonly #pace = new UploadPace();
  /** Ends the wait of those who wait for the listener's own rate; each is answered one request at a time. */
  readonly #paced = new Map<PeerSource, () => void>();

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** What may be given at most, in kilobits a second; missing: what the line takes. */
  setLimit(kbps: number | undefined): void {
    this.#pace.setLimit(kbps);
    for (const goOn of this.#paced.values()) goOn();
  }

  /** Ends what waits for the listener's own rate, once the links are closed: no timer outlasts them. */
  close(): void {
    this.setLimit(undefined);
  }

  /** A peer asks for something. */
  asked(peer: PeerSource): void {
    // Who waits as nobody listened to what it asked for may listen to this.
    if (this.#asking.has(peer)) return this.#fillsLater ? this.#fill() : undefined;
    const slot = this.#slots.get(peer);
    if (slot === undefined) {
      this.#asking.add(peer);
      this.#fill();
      if (this.#asking.has(peer)) this.#declineIfLate(peer);
    } else if (slot.state === 'leaving' && !this.#othersWait) {
      void this.#serve(peer, slot);
    }
  }

  /** A link has room again, or ended. */
  drained(peer: PeerSource): void {
    this.#waiting.get(peer)?.();
    this.#waiting.delete(peer);
    if (!peer.isEnded) return;
    this.#paced.get(peer)?.();
    this.#records.delete(peer);
    this.#asking.delete(peer);
  }

  /** Tells a peer at once that its turn would come too late, so that it asks elsewhere. */
  #declineIfLate(peer: PeerSource): void {
    const { nextRequest } = peer;
    if (nextRequest === undefined) return;
    const { deadlineMs } = nextRequest;
    let aheadBytes = this.#slots.size * SHALLOW_BYTES;
    for (const other of this.#asking) {
      const theirs = other.nextRequest;
      if (other !== peer && theirs !== undefined && theirs.deadlineMs <= deadlineMs)
        aheadBytes += theirs.bytes;
    }
    const patienceMs = deadlineMs === Number.POSITIVE_INFINITY ? PATIENT_MS : URGENT_PATIENCE_MS;
    if (this.#rate.durationMs(aheadBytes) <= patienceMs) return;
    this.#asking.delete(peer);
    for (let request = peer.nextRequest; request !== undefined; request = peer.nextRequest)
      peer.refuse(request, 'busy');
  }

  /** Gives free slots to those who need it most. */
  #fill(): void {
    const now = this.#parts.clock.nowMs();
    while (this.#asking.size > 0) {
      let counted = 0;
      let optimistic = true;
      for (const slot of this.#slots.values()) {
        if (!slot.counts) continue;
        counted++;
        if (slot.optimistic) optimistic = false;
      }
      if (counted >= UPLOAD_SLOTS) return;
      const askers = Array.from(this.#asking, (peer) => this.#recordOf(peer, now));
      const next = nextAsker(
        this.#parts.isStarving() ? askers.filter((asker) => isUrgent(asker, now)) : askers,
        optimistic && counted === UPLOAD_SLOTS - 1,
        now,
      );
      if (next === undefined) return this.#fillLater();
      this.#asking.delete(next.peer);
      const slot: Slot = {
        optimistic: optimistic && counted === UPLOAD_SLOTS - 1,
        counts: true,
        state: 'sending',
      };
      this.#slots.set(next.peer, slot);
      void this.#serve(next.peer, slot);
    }
  }

  /** Whether a request waits since what this listener itself hears is late, and nobody listens to what is asked. */
  #comesLater({ deadlineMs }: IncomingRequest): boolean {
    return deadlineMs === Number.POSITIVE_INFINITY && this.#parts.isStarving();
  }

  /** Who asks waits, as this listener starves: whether it still does is looked at in a while. */
  #fillLater(): void {
    if (this.#asking.size === 0 || this.#fillsLater) return;
    this.#fillsLater = true;
    this.#parts.timers.after(STARVING_LOOK_MS, () => {
      this.#fillsLater = false;
      this.#fill();
    });
  }

  /** What is remembered of a peer, and how things stand with it now. */
  #recordOf(peer: PeerSource, nowMs: number): AskerRecord {
    const request = peer.nextRequest;
    const { tierOf, gaveBytes } = this.#parts;
    const record = this.#records.get(peer) ?? newRecord(peer, nowMs);
    this.#records.set(peer, record);
    record.dueMs = request?.deadlineMs ?? Number.POSITIVE_INFINITY;
    record.tier = tierOf(peer);
    record.gaveBytes = gaveBytes(peer);
    record.bytesPerMs = this.#bytesPerMs(request);
    return record;
  }

  #bytesPerMs(request: IncomingRequest | undefined): number {
    const kbps = request && this.#parts.version(request.track)?.manifest.json.audio?.bitrateKbps;
    return kbps === undefined ? USUAL_BYTES_PER_MS : kbps / 8;
  }

  /** One turn: all that is asked while nobody else waits, a little otherwise. */
  async #serve(peer: PeerSource, slot: Slot): Promise<void> {
    const before = slot.state;
    slot.state = 'sending';
    let turnBytes = 0;
    for (let request = peer.nextRequest; request !== undefined && !peer.isEnded; request = peer.nextRequest) {
      const { nextBlock } = request;
      let answer: Answer;
      try {
        answer = await this.#answer(peer, request, turnBytes);
      } catch {
        // What could not be loaded, hashed or paid for now may be in a while.
        answer = 'busy';
      }
      turnBytes += (request.nextBlock - nextBlock) * LIMITS.blockBytes;
      if (answer === 'turn over') break;
      if (answer === undefined) peer.served(request);
      else peer.refuse(request, answer);
    }
    const record = this.#records.get(peer);
    if (record !== undefined) record.servedMs = this.#parts.clock.nowMs();
    slot.state = 'leaving';
    // Whoever served it before waits for the link already.
    if (before === 'sending') this.#leave(peer, slot);
  }

  /** Keeps the slot until what was handed to the link has nearly left it; a slow one counts no longer than it should. */
  #leave(peer: PeerSource, slot: Slot): void {
    let waitedMs = 0;
    const look = () => {
      if (waitedMs === SLOW_AFTER_MS) this.#passOn(slot);
      if (!peer.isEnded && (slot.state === 'sending' || peer.bufferedBytes > SHALLOW_BYTES)) {
        const leavingBytes = slot.state === 'sending' ? 0 : peer.bufferedBytes - SHALLOW_BYTES;
        const slowInMs = waitedMs < SLOW_AFTER_MS ? SLOW_AFTER_MS - waitedMs : Number.POSITIVE_INFINITY;
        const againMs = lookAgainMs(this.#rate.leastMs(leavingBytes), slowInMs);
        waitedMs += againMs;
        this.#parts.timers.after(againMs, look);
        return;
      }
      this.#slots.delete(peer);
      if (peer.nextRequest !== undefined && !peer.isEnded) this.#asking.add(peer);
      this.#fill();
    };
    look();
  }

  get #othersWait(): boolean {
    return this.#asking.size > 0;
  }

  /** Sends a request's proof and blocks, as far as the turn goes, or says why not. */
  async #answer(peer: PeerSource, request: IncomingRequest, turnBytes: number): Promise<Answer> {
    const { budget } = this.#parts;
    const version = this.#parts.version(request.track);
    if (!this.#parts.mayServe(peer)) return 'not-sharing';
    if (version === undefined) return 'not-held';
    const isHeld = version.held.has(request.chunk);
    const part = isHeld ? undefined : version.part(request.chunk);
    const loaded = isHeld ? this.#parts.load(version, request.chunk) : part?.bytes;
    const bytes = loaded instanceof Promise ? await loaded : loaded;
    if (bytes === undefined) return 'not-held';
    if (request.needsProof) {
      const proof = version.leavesOf(request.chunk, bytes);
      const leaves = proof instanceof Promise ? await proof : proof;
      if (leaves === undefined) return 'not-held';
      if (peer.isEnded) return undefined;
      const early = this.#inPace(peer, leaves.length);
      if (early !== undefined) await early;
      if (request.cancelled || peer.isEnded) return undefined;
      const reserved = budget.reserve(leaves.length);
      if (!(reserved instanceof Promise ? await reserved : reserved)) return 'over-budget';
      if (request.cancelled || peer.isEnded) return undefined;
      peer.sendProof(request, leaves);
      this.#parts.sent(peer, request.track, leaves.length);
    }
    const record = this.#records.get(peer);
    let inFrame = peer.blocksInFrame(request);
    while (request.nextBlock < request.first + request.count) {
      const block = request.nextBlock;
      if (part?.isPlaced(block) === false) return 'not-held';
      let end = block + 1;
      const most = Math.min(block + inFrame, request.first + request.count);
      while (end < most && part?.isPlaced(end) !== false) end++;
      if (turnBytes >= TURN_BYTES && (this.#othersWait || this.#comesLater(request))) return 'turn over';
      if (!peer.sendable && !peer.isEnded) await this.#room(peer);
      if (peer.isEnded) return undefined;
      let length = 0;
      for (let each = block; each < end; each++) length += blockLength(version.manifest, request.chunk, each);
      const early = this.#inPace(peer, length);
      if (early !== undefined) await early;
      if (request.cancelled || peer.isEnded) return undefined;
      if (!this.#parts.mayServe(peer)) return 'not-sharing';
      const reserved = budget.reserve(length);
      if (!(reserved instanceof Promise ? await reserved : reserved)) {
        if (inFrame === 1) return 'over-budget';
        // The last of a day's budget may still pay for one.
        inFrame = 1;
        continue;
      }
      if (request.cancelled || peer.isEnded) return undefined;
      const at = block * LIMITS.blockBytes;
      peer.sendBlocks(request, block, bytes.subarray(at, at + length));
      this.#parts.sent(peer, request.track, length);
      this.#rate.left(length, this.#othersWait, this.#parts.clock.nowMs());
      turnBytes += length;
      if (record !== undefined && request.deadlineMs !== Number.POSITIVE_INFINITY)
        record.urgentBytes += length;
    }
    return undefined;
  }

  /** Waits until the listener's own rate lets these bytes go; `undefined` when that is now. */
  #inPace(peer: PeerSource, bytes: number): Promise<void> | undefined {
    const waitMs = this.#pace.reserve(bytes, this.#parts.clock.nowMs());
    if (waitMs === 0) return undefined;
    return new Promise((resolve) => {
      const goOn = () => {
        cancel();
        this.#paced.delete(peer);
        resolve();
      };
      const cancel = this.#parts.timers.after(waitMs, goOn);
      this.#paced.set(peer, goOn);
    });
  }

  /** Lets somebody else have the place of a slow one, which goes on by itself. */
  #passOn(slot: Slot | undefined): void {
    if (slot?.counts !== true) return;
    slot.counts = false;
    this.#fill();
  }

  #room(peer: PeerSource): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.timers.after(SLOW_AFTER_MS, () => this.#passOn(this.#slots.get(peer)));
      this.#waiting.set(peer, () => {
        cancel();
        resolve();
      });
    });
  }
}

function newRecord(peer: PeerSource, sinceMs: number): AskerRecord {
  return {
    peer,
    sinceMs,
    dueMs: Number.POSITIVE_INFINITY,
    tier: 'global',
    gaveBytes: 0,
    servedMs: Number.NEGATIVE_INFINITY,
    urgentBytes: 0,
    bytesPerMs: USUAL_BYTES_PER_MS,
  };
}
