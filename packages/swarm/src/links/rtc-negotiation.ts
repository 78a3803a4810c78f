import { LIMITS } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import { isTakenCandidate, offeredCandidate, readCandidate, type ReadCandidate } from './rtc-candidates.ts';
import { RtcLink } from './rtc-link.ts';
import {
  packSignals,
  ufragOf,
  withCandidates,
  withoutCandidates,
  type ReadDescription,
  type ReadSignal,
  type SignalItem,
} from './rtc-signals.ts';
import type { RtcConfiguration, RtcImplementation, RtcPeerConnection, Schedule } from './rtc-types.ts';

/** How long candidates are gathered into one signal: eight signals of one candidate each cost the tracker more. */
const GATHER_MS = 30;
/** With no STUN server to wait for, our own addresses come in one burst: the signal leaves this long after it. */
const BURST_MS = 4;
/**
 * How long a connection may be silent before ICE is restarted. It says so seven seconds after the last sign of life, and
 * three more end the link for want of an answer to a ping.
 */
const RESTART_AFTER_MS = 500;
/** How long a restart may take. The owner's own pings end a dead link no later. */
const RESTART_TIMEOUT_MS = 8_000;
/** Candidates kept while the description they belong to is not applied yet. */
const MAX_HELD_CANDIDATES = 2 * LIMITS.maxRemoteCandidates;

/** What a negotiation needs and whom it tells. */
export interface RtcNegotiationOptions {
  readonly rtc: RtcImplementation;
  readonly configuration: RtcConfiguration;
  /** How long the first connection may take. */
  readonly timeoutMs: number;
  readonly schedule: Schedule;
  /** Sends one signal to the other end. */
  readonly send: (signal: SignalItem[]) => void;
  /** The link is open. */
  readonly opened: (link: RtcLink) => void;
  /** It is over: `link-failed` when the link was never open, nothing when it was. */
  readonly ended: (error: SwarmError | undefined) => void;
  /** The connection is closed and its resources are free. The last call. */
  readonly released: () => void;
}

/**
 * One `RTCPeerConnection` from its first signal to its end: offer or answer, candidates, the link, and one
 * restart of ICE each time the connection falls silent. Nothing the other end signals throws out of it.
 */
export class RtcNegotiation {
  readonly #options: RtcNegotiationOptions;
  readonly #connection: RtcPeerConnection;
  readonly #link: RtcLink;
  /** Found anew for each description of ours: the machine may have moved to another network. */
  #hostAddresses: Promise<readonly string[] | undefined>;
  #phase: 'new' | 'offered' | 'answered' | 'open' | 'ended' = 'new';
  /** Whether we made the first offer: that end also restarts. */
  #offers = false;
  /** The `ice-ufrag` of our offer that waits for an answer. */
  #offerUfrag: string | undefined;
  #begunWith: string | undefined;
  /** The last description of the other end that was applied. */
  #remote: ReadDescription | undefined;
  #held: ReadCandidate[] = [];
  #taken = 0;
  #sent = 0;
  #restarted = false;
  #outbox: SignalItem[] = [];
  #cancelFlush: (() => void) | undefined;
  #cancelTimeout: (() => void) | undefined;
  #cancelOutage: (() => void) | undefined;
  /** Remote signals are applied one after the other. */
  #steps: Promise<void> = Promise.resolve();
  /** Ours leave in the order in which they were made. */
  #departures: Promise<void> = Promise.resolve();

  constructor(options: RtcNegotiationOptions) {
    this.#options = options;
    this.#connection = new options.rtc.RTCPeerConnection(options.configuration);
    this.#hostAddresses = this.#findHostAddresses();
    this.#link = new RtcLink({
      connection: this.#connection,
      schedule: options.schedule,
      onOpen: () => this.#opened(),
      onEnd: (reason) => this.#ended(reason),
      onReleased: options.released,
    });
    this.#connection.addEventListener('icecandidate', (event) => this.#gathered(event));
    this.#connection.addEventListener('icegatheringstatechange', () => {
      if (this.#connection.iceGatheringState === 'complete') this.#flush();
    });
    this.#connection.addEventListener('connectionstatechange', () => this.#connectionChanged());
    this.#cancelTimeout = options.schedule(options.timeoutMs, () =>
      this.end(`no connection within ${options.timeoutMs} ms`),
    );
  }

  /** Whether our first offer has not been answered yet. */
  get awaitsAnswer(): boolean {
    return this.#phase === 'offered';
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** The `ice-ufrag` of the offer with which it began, theirs or ours. */
  get begunWith(): string | undefined {
    return this.#begunWith;
  }

  /** Whether a description belongs to this connection: a restart, not a new beginning. */
  knows(description: ReadDescription): boolean {
    return this.#remote?.connection === description.connection;
  }

  get #restartsIce(): boolean {
    return this.#options.rtc.restartsIce ?? true;
  }

  /** Begins: makes the offer. */
  offer(): void {
    this.#offers = true;
    this.#phase = 'offered';
    this.#step(() => this.#makeOffer());
  }

  /** Takes a signal of the other end: its offer, the answer to ours, candidates. */
  receive(signal: ReadSignal): void {
    const { description, candidates } = signal;
    if (description === undefined) {
      this.#step(() => this.#take(candidates));
      return;
    }
    if (description.type === 'offer') this.#step(() => this.#answer(description, candidates));
    else this.#step(() => this.#takeAnswer(description, candidates));
  }

  /** Gives up, or closes the open link. Idempotent. */
  end(reason: string): void {
    this.#link.close(reason);
  }

  #findHostAddresses(): Promise<readonly string[] | undefined> {
    return this.#options.rtc.hostAddresses?.() ?? Promise.resolve(undefined);
  }

  async #makeOffer(iceRestart = false): Promise<void> {
    if (iceRestart) this.#hostAddresses = this.#findHostAddresses();
    const offer = await this.#connection.createOffer(iceRestart ? { iceRestart } : {});
    if (this.#phase === 'ended') return;
    const sdp = textOf(offer);
    this.#offerUfrag = ufragOf(sdp);
    this.#begunWith ??= this.#offerUfrag;
    this.#sent = 0;
    // Not awaited: in werift it ends when gathering does, which a silent STUN server can delay by seconds.
    this.#detach(this.#connection.setLocalDescription({ type: 'offer', sdp }));
    this.#put({ description: { type: 'offer', sdp: withoutCandidates(sdp) } });
  }

  async #answer(offer: ReadDescription, candidates: readonly ReadCandidate[]): Promise<void> {
    if (this.#offerUfrag !== undefined) return;
    if (this.#remote !== undefined && !this.#restartsIce) {
      this.end('the connection was lost');
      return;
    }
    if (this.#remote !== undefined) this.#hostAddresses = this.#findHostAddresses();
    this.#begunWith ??= offer.ufrag;
    await this.#applyRemote(offer, candidates);
    const answer = await this.#connection.createAnswer();
    if (this.#phase === 'ended') return;
    if (this.#phase === 'new') this.#phase = 'answered';
    const sdp = textOf(answer);
    this.#sent = 0;
    this.#detach(this.#connection.setLocalDescription({ type: 'answer', sdp }));
    this.#put({ description: { type: 'answer', sdp: withoutCandidates(sdp) }, re: offer.ufrag });
  }

  async #takeAnswer(answer: ReadDescription, candidates: readonly ReadCandidate[]): Promise<void> {
    if (this.#offerUfrag === undefined) return;
    if (answer.re !== undefined && answer.re !== this.#offerUfrag) return;
    if (this.#remote !== undefined && !this.knows(answer)) return;
    this.#offerUfrag = undefined;
    if (this.#phase === 'offered') this.#phase = 'answered';
    await this.#applyRemote(answer, candidates);
  }

  async #applyRemote(description: ReadDescription, candidates: readonly ReadCandidate[]): Promise<void> {
    const { type, sdp } = description;
    this.#remote = description;
    this.#taken = 0;
    const first = await this.#chosen([...this.#held.splice(0), ...candidates]);
    const text = withCandidates(
      sdp,
      first.map(({ init }) => init),
    );
    await this.#connection.setRemoteDescription({ type, sdp: text });
  }

  async #take(candidates: readonly ReadCandidate[]): Promise<void> {
    if (this.#remote === undefined) {
      this.#held = [...this.#held, ...candidates].slice(0, MAX_HELD_CANDIDATES);
      return;
    }
    for (const { init } of await this.#chosen(candidates)) {
      // One candidate that the implementation refuses is no reason to give up on the others.
      await this.#connection.addIceCandidate(init).catch(() => undefined);
    }
  }

  /** The candidates of this generation that are tried, within the bound of a link. */
  async #chosen(candidates: readonly ReadCandidate[]): Promise<ReadCandidate[]> {
    const hostAddresses = await this.#hostAddresses;
    const resolvesMdns = this.#options.rtc.resolvesMdns ?? true;
    const ufrag = this.#remote?.ufrag;
    const chosen = candidates
      .filter((each) => each.ufrag === undefined || each.ufrag === ufrag)
      .filter((each) => isTakenCandidate(each, { resolvesMdns, hostAddresses }))
      .slice(0, LIMITS.maxRemoteCandidates - this.#taken);
    this.#taken += chosen.length;
    return chosen;
  }

  #gathered(event: unknown): void {
    if (this.#phase === 'ended' || typeof event !== 'object' || event === null) return;
    const candidate = 'candidate' in event ? event.candidate : undefined;
    if (candidate === null || candidate === undefined) {
      this.#flush();
      return;
    }
    if (typeof candidate !== 'object') return;
    const init =
      'toJSON' in candidate && typeof candidate.toJSON === 'function' ? candidate.toJSON() : candidate;
    let read: ReadCandidate | undefined;
    try {
      read = readCandidate(init);
    } catch {
      // A kind of candidate we do not know: the peer would not either.
      return;
    }
    if (read === undefined) return;
    this.#put({ candidate: read.init });
    if (this.#options.configuration.iceServers.length === 0) this.#flushIn(BURST_MS);
  }

  #put(item: SignalItem): void {
    if (this.#phase === 'ended') return;
    this.#outbox.push(item);
    if (this.#cancelFlush === undefined) this.#flushIn(GATHER_MS);
  }

  #flushIn(delayMs: number): void {
    this.#cancelFlush?.();
    this.#cancelFlush = this.#options.schedule(delayMs, () => this.#flush());
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#outbox.length === 0) return;
    const items = this.#outbox.splice(0);
    this.#departures = this.#departures.then(async () => {
      const hostAddresses = await this.#hostAddresses;
      if (this.#phase === 'ended') return;
      for (const signal of packSignals(this.#offered(items, hostAddresses))) this.#options.send(signal);
    });
    this.#detach(this.#departures);
  }

  #offered(items: readonly SignalItem[], hostAddresses: readonly string[] | undefined): SignalItem[] {
    return items.flatMap((item): SignalItem[] => {
      if (!('candidate' in item)) return [item];
      const read = readCandidate(item.candidate);
      const candidate = read === undefined ? undefined : offeredCandidate(read, hostAddresses);
      if (candidate === undefined || this.#sent >= LIMITS.maxRemoteCandidates) return [];
      this.#sent += 1;
      return [{ candidate }];
    });
  }

  #opened(): void {
    this.#cancelTimeout?.();
    this.#phase = 'open';
    this.#options.opened(this.#link);
  }

  #connectionChanged(): void {
    const { connectionState } = this.#connection;
    if (connectionState === 'failed' && this.#phase !== 'open') this.end('the connection failed');
    if (this.#phase !== 'open') return;
    if (connectionState === 'connected') {
      this.#cancelOutage?.();
      this.#cancelOutage = undefined;
      this.#restarted = false;
    } else if (connectionState === 'disconnected') {
      const waitMs = this.#restartsIce ? RESTART_AFTER_MS : RESTART_AFTER_MS + RESTART_TIMEOUT_MS;
      this.#cancelOutage ??= this.#options.schedule(waitMs, () => this.#restart());
    } else if (connectionState === 'failed') {
      if (this.#restarted) this.end('the connection was lost');
      else this.#restart();
    }
  }

  /** One more try over new paths. The end that made the first offer asks; the other one waits for it. */
  #restart(): void {
    this.#cancelOutage?.();
    if (!this.#restartsIce) {
      this.end('the connection was lost');
      return;
    }
    this.#restarted = true;
    const { receivedFrames } = this.#link;
    this.#cancelOutage = this.#options.schedule(RESTART_TIMEOUT_MS, () => {
      this.#cancelOutage = undefined;
      // wrtc says that it is connected again many seconds after it is.
      if (this.#link.receivedFrames === receivedFrames) this.end('the connection was lost');
      else this.#restarted = false;
    });
    if (this.#offers) this.#step(() => this.#makeOffer(true));
  }

  #step(run: () => Promise<void>): void {
    this.#steps = this.#steps.then(() => (this.#phase === 'ended' ? undefined : run()));
    this.#detach(this.#steps);
    this.#steps = this.#steps.catch(() => undefined);
  }

  /** What fails on the way ends the attempt, for nothing else waits for it. */
  #detach(step: Promise<unknown>): void {
    step.catch((error: unknown) =>
      this.end(`negotiation failed: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  #ended(reason: string): void {
    const wasOpen = this.#phase === 'open';
    this.#phase = 'ended';
    this.#outbox = [];
    this.#held = [];
    for (const cancel of [this.#cancelFlush, this.#cancelTimeout, this.#cancelOutage]) cancel?.();
    this.#options.ended(wasOpen ? undefined : new SwarmError('link-failed', reason));
  }
}

function textOf(description: { readonly sdp?: string }): string {
  if (description.sdp === undefined)
    throw new SwarmError('link-failed', 'the implementation gave no description');
  return description.sdp;
}
