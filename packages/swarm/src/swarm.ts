import {
  ChunkSet,
  checkManifest,
  isAulaId,
  isTrackId,
  ProtocolError,
  toHex,
  type AulaId,
  type ByteRange,
  type IceServer,
  type Manifest,
  type ManifestJson,
  type TrackId,
} from '@sonantica/wire';
import { ChunkKeeper, type ChunkReader } from './chunk-keeper.ts';
import {
  DEFAULT_CONTRIBUTION,
  readContribution,
  storageBytes,
  uploadBytesPerDay,
  type Contribution,
} from './contribution.ts';
import { retryDelayMs } from './core/backoff.ts';
import type { SourcePolicy } from './core/chunk-scheduler.ts';
import { ORIGIN, type SourceId, type Tier } from './core/source-state.ts';
import type { DemandId } from './core/track-demand.ts';
import { trackKey, type TrackKey } from './core/track-key.ts';
import { Delivery, type DeliveryHandler } from './delivery.ts';
import { systemEnvironment, type Environment, type LinkMaker } from './environment.ts';
import { SwarmError } from './errors.ts';
import { Emitter, type Unsubscribe } from './events.ts';
import type { RtcIceServer } from './links/rtc-types.ts';
import { debugLogger, type Logger } from './log.ts';
import { Neighbourhood } from './neighbourhood.ts';
import type { SwarmEvents, SwarmOptions, SwarmStats, TrackStats } from './options.ts';
import { fetchManifestDocument, mirrorsOf, type Http } from './sources/origin-http.ts';
import type { Playback } from './playback/playback.ts';
import { OriginSource } from './sources/origin-source.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { Track, type OpenHint, type TrackHost } from './track.ts';
import { TrackVersion } from './track-version.ts';
import { TrackerClient } from './tracker/tracker-client.ts';
import { TransferCounts } from './transfer-counts.ts';
import { StoredBudget } from './stored-budget.ts';
import { Uploads } from './uploads.ts';

const RECONNECT = { firstMs: 500, mostMs: 30_000 };
const CONTRIBUTION_DOCUMENT = 'contribution';

interface OpenVersion {
  readonly version: TrackVersion;
  readonly counts: TransferCounts;
  readonly whenComplete: Set<() => void>;
}

/**
 * A listener's part in the swarm: opens tracks, gives on what it holds, obeys the listener's
 * contribution. One instance serves a whole player. Ends with {@link Swarm.close}.
 */
export class Swarm {
  readonly #options: SwarmOptions;
  readonly #environment: Environment;
  readonly #log: Logger;
  readonly #events = new Emitter<SwarmEvents>();
  readonly #nonce: string;
  readonly #closing = new AbortController();
  readonly #http: Http;
  readonly #keeper: ChunkKeeper;
  readonly #delivery: Delivery;
  readonly #origin: OriginSource;
  readonly #uploads: Uploads;
  readonly #budget: StoredBudget;
  readonly #tracks = new Set<Track>();
  readonly #versions = new Map<TrackKey, OpenVersion>();
  readonly #opening = new Map<TrackId, Promise<TrackVersion>>();
  readonly #demands = new Map<DemandId, AbortController>();
  readonly #counts = new TransferCounts();
  readonly #ready: Promise<void>;
  /** Loaded when a player first wants something. */
  #playback: Promise<Playback> | undefined;
  readonly #fetched = new Map<TrackId, Track>();
  #stopWatching: (() => void) | undefined;
  #stopSharing: (() => void) | undefined;
  #uploadedBytes = 0;
  #contribution: Contribution;
  #neighbourhood: Neighbourhood | undefined;
  #tracker: TrackerClient | undefined;
  #aula: AulaId | undefined;
  /** Counts starts and stops of the network, so that a slow start does not outrun a stop. */
  #networkEpoch = 0;

  /** Made by {@link createSwarm}. */
  constructor(options: SwarmOptions, environment: Environment = systemEnvironment) {
    const { clock, timers, random } = environment;
    this.#options = options;
    this.#environment = environment;
    this.#nonce = toHex(environment.randomBytes(16));
    this.#log = options.logger ?? debugLogger;
    this.#http = { fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)), timers };
    this.#contribution = readContribution(options.contribution ?? {}, DEFAULT_CONTRIBUTION);
    this.#aula = options.aulaId === undefined ? undefined : aulaIdOf(options.aulaId);
    const store = options.store ?? environment.openStore?.() ?? openMemoryStore();
    this.#keeper = new ChunkKeeper({
      store,
      clock,
      onLost: (track, chunk) => this.#delivery.chunkLost(track, chunk),
      onCached: (version, bytes) => this.#count(version, 'cache', bytes),
      demandFor: (track) => ({
        ...(this.#neighbourhood?.audienceOf(track) ?? { listeners: 0, aulas: 0 }),
        inUse: { has: (chunk) => this.#delivery.isWanted(track, chunk) },
        holders: (chunk) => this.#delivery.holders(track, chunk),
      }),
      onTrouble: (reason, message) => this.#events.emit('storage', { reason, message }),
    });
    this.#delivery = new Delivery({
      clock,
      timers,
      random,
      nonce: this.#nonce,
      policy: policyOf(this.#contribution),
      keeper: this.#keeper,
      handler: this.#deliveryHandler(),
      log: this.#log,
    });
    this.#origin = new OriginSource({
      location: options.origin ?? [],
      http: this.#http,
      sink: this.#delivery,
      nowMs: () => clock.nowMs(),
      onNoLeaves: (track) => this.#delivery.originHasNoLeaves(track),
      log: this.#log,
    });
    this.#delivery.setOrigin(this.#origin);
    this.#budget = new StoredBudget(store, clock);
    this.#uploads = new Uploads({
      budget: this.#budget,
      version: (track) => this.#versions.get(track)?.version,
      load: (version, chunk) => this.#keeper.load(version, chunk),
      mayServe: (peer) => {
        const { p2pEnabled, shareWithAnyUser } = this.#contribution;
        return p2pEnabled && (shareWithAnyUser || this.#neighbourhood?.isOfAula(peer) === true);
      },
      clock,
      timers,
      tierOf: (peer) => this.#neighbourhood?.tierOf(peer) ?? 'global',
      gaveBytes: (peer) => this.#delivery.gaveBytes(peer),
      sent: (_peer, _track, bytes) => (this.#uploadedBytes += bytes),
    });
    this.#stopWatching = environment.watchPage?.({
      left: () => void this.#stopNetwork(),
      returned: () => this.#apply(this.#contribution),
    });
    this.#stopSharing = store.onDocument?.((name) => {
      if (name !== CONTRIBUTION_DOCUMENT) return;
      this.#chosenElsewhere().catch((error: unknown) => this.#log(`the choice is unknown: ${String(error)}`));
    });
    this.#ready = this.#start();
    this.#ready.catch(() => undefined);
  }

  /** What the listener gives and takes. Before the store was read, what the options say. */
  get contribution(): Contribution {
    return this.#contribution;
  }

  /** Resolves once the listener's stored choice and chunks are known and the network may be used. Rejects with `store-failed`. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** A track by its id. Nothing is fetched until the handle is used. Throws `invalid-argument`, `closed`. */
  open(trackId: string): Track {
    this.#mustBeOpen();
    if (!isTrackId(trackId))
      throw new SwarmError('invalid-argument', `${JSON.stringify(trackId)} is no track id`);
    const host: TrackHost = {
      open: (signal, hint) => this.#openVersion(trackId, signal, hint),
      read: (version, range, dueInMs, signal) => this.#read(version, range, dueInMs, signal),
      download: (version, signal) => this.#download(version, signal),
      stats: (version) => this.#trackStats(version),
      playable: async (played) => (await this.#loadPlayback()).playable(played),
      closed: (closed) => {
        this.#tracks.delete(closed);
        void this.#playback?.then((playback) => playback.closed(closed));
      },
    };
    const track = new Track(trackId, host);
    this.#tracks.add(track);
    return track;
  }

  /**
   * Answers a request for a track as its server would, with Range: for players that fetch by themselves. `input` is a
   * track id, or a URL or request whose path ends in one. Failures are answers too: 404, 502, 504. Rejects with
   * `invalid-argument` for what names no track, with `closed`, and with the reason of the request's signal.
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const trackId = trackIdIn(input);
    const request = new Request(input instanceof Request ? input : `http://sonantica/${trackId}`, init);
    const playback = await this.#loadPlayback();
    const track = this.#fetched.get(trackId) ?? this.open(trackId);
    this.#fetched.set(trackId, track);
    return playback.fetch(track, request);
  }

  /**
   * Gives on a whole track that lies elsewhere, a file for instance. `reader` answers any chunk of it; what it
   * answers is proven before it is passed on. Rejects with `manifest-invalid`.
   */
  async seed(document: ManifestJson, reader: ChunkReader): Promise<Manifest> {
    await this.#ready;
    this.#mustBeOpen();
    const manifest = await this.#check(document, undefined);
    const key = trackKey(manifest.trackId, manifest.root);
    this.#keeper.setReader(key, reader);
    const version = this.#versions.get(key)?.version;
    if (version === undefined) this.#adopt(manifest, ChunkSet.all(manifest.chunkCount));
    return manifest;
  }

  /** The listener's new choice, over the present one. Obeyed at once, kept over restarts. */
  async setContribution(choice: Partial<Contribution>): Promise<void> {
    await this.#ready;
    this.#mustBeOpen();
    const contribution = readContribution(choice, this.#contribution);
    this.#apply(contribution);
    this.#events.emit('contribution', contribution);
    await this.#keeper.store.putDocument(CONTRIBUTION_DOCUMENT, contribution);
  }

  /** Enters an Aula, leaving another. Throws `invalid-argument`. */
  async joinAula(aulaId: string): Promise<void> {
    this.#aula = aulaIdOf(aulaId);
    await this.#ready;
    this.#neighbourhood?.setAula(this.#aula);
  }

  async leaveAula(): Promise<void> {
    this.#aula = undefined;
    await this.#ready;
    this.#neighbourhood?.setAula(undefined);
  }

  stats(): SwarmStats {
    const { bytes, rejectedBlocks } = this.#counts;
    const delivered = bytes.cache + bytes.aula + bytes.global + bytes.origin;
    return {
      bytes,
      uploadedBytes: this.#uploadedBytes,
      uploadLeftBytes: this.#budget.remainingBytes,
      storedBytes: this.#keeper.storedBytes,
      links: this.#neighbourhood?.peers.length ?? 0,
      tracks: this.#versions.size,
      rejectedBlocks,
      offload: delivered === 0 ? 0 : 1 - bytes.origin / delivered,
      trackerUp: this.#tracker?.isUp ?? false,
    };
  }

  on<Name extends keyof SwarmEvents>(name: Name, listener: (event: SwarmEvents[Name]) => void): Unsubscribe {
    return this.#events.on(name, listener);
  }

  /** Closes every track, link and socket, and the store. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new SwarmError('closed', 'the swarm was closed'));
    for (const track of [...this.#tracks]) track.close();
    this.#stopWatching?.();
    this.#stopSharing?.();
    void this.#playback?.then((playback) => playback.close());
    const left = this.#stopNetwork();
    this.#origin.close();
    this.#delivery.close();
    await left;
    await this.#ready.catch(() => undefined);
    await this.#budget.close();
    await this.#keeper.close();
    this.#events.clear();
  }

  // --- Start and the listener's choice ---

  async #start(): Promise<void> {
    const chosen = await this.#keeper.store.getDocument(CONTRIBUTION_DOCUMENT);
    if (chosen !== undefined) this.#contribution = readContribution(chosen, this.#contribution);
    await this.#budget.load();
    await this.#keeper.loadAll();
    if (this.#closing.signal.aborted) return;
    this.#apply(this.#contribution);
    for (const stored of this.#keeper.stored) {
      if (stored.held.isEmpty) continue;
      try {
        this.#adopt(await this.#check(stored.manifest, stored.trackId), stored.held);
      } catch (error) {
        this.#log(`a stored track is left alone: ${String(error)}`);
      }
    }
  }

  #apply(contribution: Contribution): void {
    const before = this.#contribution;
    this.#contribution = contribution;
    this.#budget.setLimit(uploadBytesPerDay(contribution));
    this.#keeper.setLimit(storageBytes(contribution));
    this.#delivery.setPolicy(policyOf(contribution));
    if (!contribution.p2pEnabled) void this.#stopNetwork();
    else if (this.#neighbourhood === undefined) void this.#startNetwork();
    else if (before.shareWithAnyUser !== contribution.shareWithAnyUser)
      this.#neighbourhood.contributionChanged();
  }

  /** The listener chose in another page of this site. */
  async #chosenElsewhere(): Promise<void> {
    await this.#ready;
    const chosen = await this.#keeper.store.getDocument(CONTRIBUTION_DOCUMENT);
    if (chosen === undefined || this.#closing.signal.aborted) return;
    this.#apply(readContribution(chosen, this.#contribution));
    this.#events.emit('contribution', this.#contribution);
  }

  async #startNetwork(): Promise<void> {
    const { clock, timers, random } = this.#environment;
    const { tracker: trackers = [], rtc: given, iceServers, iceTransportPolicy, token } = this.#options;
    const urls = typeof trackers === 'string' ? [trackers] : trackers;
    if (urls.length === 0) return;
    const epoch = ++this.#networkEpoch;
    this.#delivery.setTracker('awaited');
    let links: LinkMaker;
    try {
      links = await this.#environment.links(given);
    } catch (error) {
      this.#log(`the origin alone: ${String(error)}`);
      this.#delivery.setTracker('absent');
      this.#events.emit('tracker', { up: false, reason: String(error) });
      return;
    }
    if (epoch !== this.#networkEpoch || this.#closing.signal.aborted) return;
    const connector = links.connector({
      selfId: () => neighbourhood.selfId,
      iceServers: () => (iceServers ?? neighbourhood.iceServers).map(toRtcIceServer),
      ...(iceTransportPolicy === undefined ? {} : { iceTransportPolicy }),
      handler: {
        send: (to, data) => void this.#tracker?.send({ type: 'signal', to, data }),
        link: (peerId, link) => neighbourhood.linked(peerId, link),
        failed: (peerId, error) => neighbourhood.linkFailed(peerId, error.message),
        accepts: (peerId) => neighbourhood.accepts(peerId),
      },
    });
    const neighbourhood = new Neighbourhood({
      clock,
      timers,
      random,
      nonce: this.#nonce,
      delivery: this.#delivery,
      uploads: this.#uploads,
      connector,
      contribution: () => this.#contribution,
      delivered: () => this.#counts.bytes,
      maxWindowBytes: links.maxWindowBytes,
      maxLinks: links.maxLinks,
      log: this.#log,
    });
    const tracker = new TrackerClient({
      urls,
      token,
      open: this.#environment.openWebSocket,
      after: timers.after,
      random: () => random.next(),
      retryDelayMs: (attempt) => retryDelayMs(attempt, RECONNECT, random),
      handler: {
        up: (welcome, url) => {
          this.#log(`tracker ${url} is up`);
          neighbourhood.trackerUp(welcome);
          this.#events.emit('tracker', { up: true, url });
        },
        message: (message) => neighbourhood.trackerSaid(message),
        down: (reason, url) => {
          this.#log(`tracker ${url} is down: ${reason}`);
          neighbourhood.trackerDown();
          this.#events.emit('tracker', { up: false, reason, url });
        },
      },
    });
    this.#neighbourhood = neighbourhood;
    this.#tracker = tracker;
    neighbourhood.setTracker(tracker);
    neighbourhood.setAula(this.#aula);
    for (const { version } of this.#versions.values()) neighbourhood.add(version);
    tracker.start();
  }

  /** Resolves when no link keeps the process alive. */
  #stopNetwork(): Promise<void> {
    this.#networkEpoch++;
    this.#tracker?.close();
    this.#tracker = undefined;
    const left = this.#neighbourhood?.close();
    this.#neighbourhood = undefined;
    this.#delivery.setTracker('absent');
    return left ?? Promise.resolve();
  }

  // --- Tracks ---

  #loadPlayback(): Promise<Playback> {
    this.#mustBeOpen();
    this.#playback ??= import('./playback/playback.ts').then(({ Playback }) => {
      const { serviceWorker, origin = [] } = this.#options;
      return new Playback({
        serviceWorker,
        originUrl: (trackId) => {
          const [mirror] = isTrackId(trackId) ? mirrorsOf(origin, trackId) : [];
          return mirror === undefined ? undefined : `${mirror}/${trackId}`;
        },
      });
    });
    return this.#playback;
  }

  #openVersion(trackId: TrackId, signal: AbortSignal, hint: OpenHint): Promise<TrackVersion> {
    const under = this.#opening.get(trackId);
    if (under !== undefined) return under;
    const opening = this.#findVersion(trackId, signal, hint).finally(() => this.#opening.delete(trackId));
    this.#opening.set(trackId, opening);
    return opening;
  }

  /** The version the origin has now; where it is out of reach, the one held from before. */
  async #findVersion(trackId: TrackId, signal: AbortSignal, hint: OpenHint): Promise<TrackVersion> {
    await this.#ready;
    this.#mustBeOpen();
    const held = [...this.#versions.values()].find(({ version }) => version.manifest.trackId === trackId);
    // Who is linked to others may get the head from them: then it waits for the manifest as everything does.
    if (hint.head && held === undefined && !(this.#neighbourhood?.peers.length ?? 0))
      this.#origin.startHead(trackId);
    let manifest: Manifest;
    try {
      const mirrors = mirrorsOf(this.#options.origin ?? [], trackId);
      manifest = await this.#check(
        await fetchManifestDocument(this.#http, mirrors, trackId, signal),
        trackId,
      );
    } catch (error) {
      this.#origin.dropHead(trackId);
      if (signal.aborted) throw signal.reason;
      if (held === undefined || !(error instanceof SwarmError) || error.code !== 'origin-unavailable')
        throw error;
      this.#log(`${trackId} from the store: ${error.message}`);
      return held.version;
    }
    const open = this.#versions.get(trackKey(manifest.trackId, manifest.root));
    return open?.version ?? this.#adopt(manifest, ChunkSet.none(manifest.chunkCount));
  }

  async #check(document: unknown, trackId: TrackId | undefined): Promise<Manifest> {
    try {
      return await checkManifest(document, {
        hasher: this.#environment.hasher,
        verifySignature: this.#environment.verifySignature,
        ...(trackId === undefined ? {} : { trackId }),
        ...(this.#options.publisherKeys === undefined ? {} : { publisherKeys: this.#options.publisherKeys }),
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new SwarmError(
        'manifest-invalid',
        `the manifest of ${trackId ?? 'the track'} is refused: ${error.message}`,
        error,
      );
    }
  }

  /** Takes up a version: wanted, given on and kept from here on. */
  #adopt(manifest: Manifest, held: ChunkSet): TrackVersion {
    const { verifier, memory } = this.#environment;
    const version = new TrackVersion(manifest, held, verifier(manifest), this.#delivery, memory);
    this.#versions.set(version.key, { version, counts: new TransferCounts(), whenComplete: new Set() });
    this.#delivery.add(version);
    this.#neighbourhood?.add(version);
    return version;
  }

  async #read(
    version: TrackVersion,
    range: ByteRange,
    dueInMs: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { manifest } = version;
    const bytes = new Uint8Array(range.end - range.start);
    if (bytes.length === 0) return bytes;
    const give = new AbortController();
    const demand = this.#delivery.want(version, range, dueInMs);
    this.#demands.set(demand, give);
    try {
      const either = AbortSignal.any([signal, give.signal]);
      const parts: Promise<void>[] = [];
      for (
        let chunk = Math.floor(range.start / manifest.chunkSize);
        chunk * manifest.chunkSize < range.end;
        chunk++
      ) {
        const at = Math.max(0, chunk * manifest.chunkSize - range.start);
        parts.push(version.read(range, chunk, either).then((part) => bytes.set(part, at)));
      }
      await Promise.all(parts);
      return bytes;
    } catch (error) {
      throw asSwarmError(error);
    } finally {
      this.#demands.delete(demand);
      this.#delivery.unwant(version, demand);
      this.#origin.dropHead(manifest.trackId);
    }
  }

  async #download(version: TrackVersion, signal: AbortSignal): Promise<void> {
    const { manifest } = version;
    if (!this.#keeper.hasReader(version.key) && manifest.size > storageBytes(this.#contribution)) {
      throw new SwarmError(
        'store-full',
        `${manifest.trackId} takes ${manifest.size} bytes, more than the listener keeps`,
      );
    }
    const open = this.#versions.get(version.key);
    if (open === undefined) throw new SwarmError('closed', `${manifest.trackId} was closed`);
    const give = new AbortController();
    const demand = this.#delivery.want(version, { start: 0, end: manifest.size }, Number.POSITIVE_INFINITY);
    this.#demands.set(demand, give);
    try {
      const either = AbortSignal.any([signal, give.signal]);
      // What was kept from before is proven again; what is damaged is dropped here and fetched anew.
      for (const chunk of version.held) {
        either.throwIfAborted();
        await this.#keeper.load(version, chunk);
      }
      while (!version.isComplete) await completion(open.whenComplete, either);
      await this.#keeper.settled();
    } catch (error) {
      throw asSwarmError(error);
    } finally {
      this.#demands.delete(demand);
      this.#delivery.unwant(version, demand);
    }
  }

  #trackStats(version: TrackVersion | undefined): TrackStats {
    const open = version === undefined ? undefined : this.#versions.get(version.key);
    const counts = open?.counts ?? new TransferCounts();
    return {
      bytes: counts.bytes,
      chunks: { held: version?.held.size ?? 0, total: version?.manifest.chunkCount ?? 0 },
      peers: version === undefined ? 0 : (this.#neighbourhood?.peersOf(version.key) ?? 0),
      bytesPerSecond: counts.bytesPerSecond(this.#environment.clock.nowMs()),
      rejectedBlocks: counts.rejectedBlocks,
    };
  }

  #deliveryHandler(): DeliveryHandler {
    return {
      claim: (track, chunks) => this.#neighbourhood?.claim(track, chunks),
      connect: (peerId) => this.#neighbourhood?.connect(peerId),
      fetching: (track, chunk, etaMs) => this.#neighbourhood?.tellFetching(track, chunk, etaMs),
      block: (version, source, bytes) => {
        const tier = this.#tierOf(source);
        this.#count(version, tier, bytes);
        this.#tell(version, (track) => track.emit('block', { tier, peerId: peerIdOf(source), bytes }));
      },
      chunk: (version, index, bytes, source) => {
        this.#neighbourhood?.gained(version, index);
        const event = { index, tier: this.#tierOf(source), peerId: peerIdOf(source), bytes };
        this.#tell(version, (track) => track.emit('chunk', event));
        if (!version.isComplete) return;
        this.#tell(version, (track) => track.emit('complete', version.manifest));
        const open = this.#versions.get(version.key);
        for (const resolve of open?.whenComplete ?? []) resolve();
      },
      lost: (version, chunk) => this.#neighbourhood?.lost(version, chunk),
      rejected: (version, chunk, source) => {
        this.#counts.rejectedBlocks++;
        const counts = this.#versions.get(version.key)?.counts;
        if (counts !== undefined) counts.rejectedBlocks++;
        const event = { chunk, tier: this.#tierOf(source), peerId: peerIdOf(source) };
        if (source !== ORIGIN) this.#neighbourhood?.ban(source);
        this.#tell(version, (track) => track.emit('rejected', event));
      },
      unavailable: (demands) => {
        for (const id of demands) {
          this.#demands
            .get(id)
            ?.abort(new SwarmError('origin-unavailable', 'neither the origin nor a peer gives these bytes'));
        }
      },
    };
  }

  #tell(version: TrackVersion, emit: (track: Track) => void): void {
    for (const track of this.#tracks) if (track.isOf(version)) emit(track);
  }

  #count(version: TrackVersion, tier: Tier | 'cache', bytes: number): void {
    const now = this.#environment.clock.nowMs();
    this.#counts.add(tier, bytes, now);
    this.#versions.get(version.key)?.counts.add(tier, bytes, now);
  }

  #tierOf(source: SourceId): Tier {
    if (source === ORIGIN) return ORIGIN;
    const peer = this.#neighbourhood?.peer(source);
    return peer === undefined ? 'global' : (this.#neighbourhood?.tierOf(peer) ?? 'global');
  }

  #mustBeOpen(): void {
    if (this.#closing.signal.aborted) throw new SwarmError('closed', 'the swarm was closed');
  }
}

/** Joins a swarm. Returns at once; sockets open after the listener's stored choice was read. Throws `invalid-argument`. */
export function createSwarm(options: SwarmOptions): Swarm {
  return new Swarm(options);
}

/** The track a request is for: the whole of a string, or the end of a URL's path. */
function trackIdIn(input: string | URL | Request): TrackId {
  if (typeof input === 'string' && isTrackId(input)) return input;
  const url = input instanceof Request ? input.url : String(input);
  const name = url.replace(/[?#].*$/s, '').replace(/^.*\//s, '');
  if (isTrackId(name)) return name;
  throw new SwarmError('invalid-argument', `${JSON.stringify(url)} names no track`);
}

function policyOf({
  p2pEnabled,
  allowDownloadFromPeers,
  prioritizeAulaMembers,
  preferServerOverP2P,
}: Contribution): SourcePolicy {
  return {
    allowDownloadFromPeers: p2pEnabled && allowDownloadFromPeers,
    prioritizeAulaMembers,
    preferServerOverP2P,
  };
}

function toRtcIceServer({ urls, ...rest }: IceServer): RtcIceServer {
  return { ...rest, urls: typeof urls === 'string' ? urls : [...urls] };
}

function peerIdOf(source: SourceId): string | undefined {
  return source === ORIGIN ? undefined : source;
}

function aulaIdOf(aulaId: string): AulaId {
  if (isAulaId(aulaId)) return aulaId;
  throw new SwarmError('invalid-argument', `${JSON.stringify(aulaId)} is no Aula id`);
}

function asSwarmError(error: unknown): unknown {
  if (error instanceof SwarmError) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return new SwarmError('aborted', 'the read was aborted', error);
  return error;
}

function completion(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (next: () => void) => () => {
      waiting.delete(done);
      signal.removeEventListener('abort', stop);
      next();
    };
    const done = settle(resolve);
    const stop = settle(() => reject(signal.reason));
    if (signal.aborted) return stop();
    waiting.add(done);
    signal.addEventListener('abort', stop, { once: true });
  });
}
