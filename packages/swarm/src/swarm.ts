import {
  ChunkSet,
  checkManifest,
  ProtocolError,
  toHex,
  type AulaId,
  type ByteRange,
  type Manifest,
  type ManifestJson,
  type TrackId,
} from '@sonantica/wire';
import { unlessAborted } from './abort-with.ts';
import { ChunkKeeper, type ChunkReader } from './chunk-keeper.ts';
import {
  changedFields,
  DEFAULT_CONTRIBUTION,
  readContribution,
  storageBytes,
  uploadBytesPerDay,
  withoutFields,
  type Contribution,
} from './contribution.ts';
import type { SourcePolicy } from './core/chunk-scheduler.ts';
import { ExpectedPlayer } from './core/head-ahead.ts';
import { ORIGIN, type SourceId, type Tier } from './core/source-state.ts';
import { trackKey } from './core/track-key.ts';
import { Delivery, type DeliveryHandler } from './delivery.ts';
import { systemEnvironment, type Environment, type LinkMaker } from './environment.ts';
import { SwarmError } from './errors.ts';
import { Emitter, type Unsubscribe } from './events.ts';
import { aulaIdOf, checkPublisherKeys, trackIdIn, trackIdOf } from './ids.ts';
import { debugLogger, type Logger } from './log.ts';
import type { Neighbourhood } from './neighbourhood.ts';
import type { Network } from './network.ts';
import { OpenVersions, type OpenVersion } from './open-versions.ts';
import { checkUrls } from './option-urls.ts';
import type { SwarmEvents, SwarmOptions, SwarmStats, TrackStats } from './options.ts';
import { audioUrl, fetchManifest, mirrorsOf, type Http } from './sources/origin-http.ts';
import type { Playback } from './playback/playback.ts';
import type { Prefetch, PrefetchOptions } from './prefetch.ts';
import type { Prefetches } from './prefetches.ts';
import { PINNED_DOCUMENT, PinnedTracks } from './pinned-tracks.ts';
import { Reads } from './reads.ts';
import { OriginSource } from './sources/origin-source.ts';
import type { StoredTrack } from './store/chunk-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { Track, type OpenHint, type TrackHost } from './track.ts';
import { TrackVersion } from './track-version.ts';
import { TransferCounts } from './transfer-counts.ts';
import { StoredBudget } from './stored-budget.ts';
import { CONTRIBUTION_DOCUMENT, StoredContribution } from './stored-contribution.ts';
import type { UploadsParts } from './uploads.ts';

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
  readonly #pinned: PinnedTracks;
  readonly #keeper: ChunkKeeper;
  readonly #delivery: Delivery;
  /** Loaded when something is first prefetched. */
  #prefetches: Prefetches | undefined;
  #lastRead: TrackVersion | undefined;
  readonly #expectedPlayer = new ExpectedPlayer();
  readonly #origin: OriginSource;
  readonly #budget: StoredBudget;
  readonly #choices: StoredContribution;
  readonly #tracks = new Set<Track>();
  readonly #versions = new OpenVersions();
  readonly #opening = new Map<TrackId, Promise<TrackVersion>>();
  /** What the store holds of a track, taken up: begun by who wants it first. */
  readonly #takenUp = new Map<TrackId, Promise<void>>();
  readonly #reads: Reads;
  readonly #counts = new TransferCounts();
  readonly #ready: Promise<void>;
  /** Loaded when a player first wants something. */
  #playback: Promise<Playback> | undefined;
  #stopWatching: (() => void) | undefined;
  #stopSharing: (() => void) | undefined;
  #uploadedBytes = 0;
  /** The listener's choice: as it was stored, or else the author's default. */
  #chosen: Contribution;
  /** What outranks it in this run. */
  #forThisRun: Partial<Contribution>;
  /** What is obeyed. */
  #contribution: Contribution;
  #aula: AulaId | undefined;
  /** Missing while the listener takes no part. */
  #network: Network | undefined;
  /** Counts starts and stops of the network, so that a slow start does not outrun a stop. */
  #networkEpoch = 0;

  /** Made by {@link createSwarm}. */
  constructor(options: SwarmOptions, environment: Environment = systemEnvironment) {
    const { clock, timers, random } = environment;
    checkUrls(options);
    checkPublisherKeys(options.publisherKeys ?? []);
    this.#options = options;
    this.#environment = environment;
    this.#nonce = toHex(environment.randomBytes(16));
    this.#log = options.logger ?? debugLogger;
    this.#http = { fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)), timers };
    this.#chosen = readContribution(options.contribution ?? {}, DEFAULT_CONTRIBUTION);
    this.#forThisRun = options.contributionForThisRun ?? {};
    this.#contribution = readContribution(this.#forThisRun, this.#chosen);
    this.#aula = options.aulaId === undefined ? undefined : aulaIdOf(options.aulaId);
    const store = options.store ?? environment.openStore?.() ?? openMemoryStore();
    this.#pinned = new PinnedTracks(store);
    this.#keeper = new ChunkKeeper({
      store,
      clock,
      eviction: options.eviction ?? 'priority',
      isPinned: (trackId) => this.#pinned.has(trackId),
      storedInMemoryBytes: environment.storedInMemoryBytes,
      onLost: (track, chunk) => this.#delivery.chunkLost(track, chunk),
      onCached: (version, bytes) => this.#count(version, 'cache', bytes),
      demandFor: (track) => ({
        ...(this.#neighbourhood?.audienceOf(track) ?? { listeners: 0, aulas: 0 }),
        inUse: { has: (chunk) => this.#delivery.isWanted(track, chunk) },
        holders: (chunk) => this.#delivery.holders(track, chunk),
      }),
      onUnstored: (track, error) => {
        this.#reads.unstored(track, error);
        const version = this.#versions.get(track)?.version;
        if (version !== undefined) this.#prefetches?.unstored(version, error);
      },
      onBehind: (isBehind) => this.#delivery.setStoreBehind(isBehind),
      onTrouble: (reason, message) => this.#events.emit('storage', { reason, message }),
    });
    this.#delivery = new Delivery({
      clock,
      timers,
      random,
      nonce: this.#nonce,
      policy: policyOf(this.#contribution),
      order: environment.chunkOrder,
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
    this.#reads = new Reads({ delivery: this.#delivery, keeper: this.#keeper });
    this.#budget = new StoredBudget(store, clock);
    this.#choices = new StoredContribution(store);
    this.#stopWatching = environment.watchPage?.({
      left: () => void this.#stopNetwork(),
      // Not before the listener's choice is known.
      returned: () =>
        void this.#ready
          .then(() => this.#closing.signal.aborted || this.#apply(this.#contribution))
          .catch(() => undefined),
    });
    this.#stopSharing = store.onDocument?.((name) => {
      if (name !== CONTRIBUTION_DOCUMENT && name !== PINNED_DOCUMENT) return;
      const heard = name === PINNED_DOCUMENT ? this.#pinned.load() : this.#chosenElsewhere();
      heard.catch((error: unknown) => this.#log(`${name} is unknown: ${String(error)}`));
    });
    this.#ready = this.#start();
    this.#ready.catch(() => undefined);
  }

  get #neighbourhood(): Neighbourhood | undefined {
    return this.#network?.neighbourhood;
  }

  /** What the listener gives and takes in this run. Before the store was read, what the options say. */
  get contribution(): Contribution {
    return this.#contribution;
  }

  /** Resolves once the listener's stored choice and chunks are known and the network may be used. Rejects with `store-failed`. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /**
   * A track by its id. Nothing is fetched until the handle is used. Handles of one track share all that is fetched, and
   * are closed one by one. Throws `invalid-argument`, `closed`.
   */
  open(trackId: string): Track {
    this.#mustBeOpen();
    const id = trackIdOf(trackId);
    const host: TrackHost = {
      clock: this.#environment.clock,
      open: (signal, hint) => this.#openVersion(id, signal, hint),
      // What is kept from before is known then.
      expectHead: () => {
        this.#expectedPlayer.asks(id);
        void this.#ready
          .then(() => this.#takeUpStored(id))
          .then(() => this.#expectHead(id))
          .catch(() => undefined);
      },
      read: (version, range, dueInMs, signal) => {
        this.#lastRead = version;
        this.#prefetches?.reads(version, range.start, dueInMs);
        return this.#read(version, range, dueInMs, signal);
      },
      download: (version, signal) => this.#download(version, signal),
      stats: (version) => this.#trackStats(version),
      playable: async (played) => {
        this.#expectPlayer(id);
        return (await this.#loadPlayback()).playable(played);
      },
      closed: (closed) => {
        this.#tracks.delete(closed);
        this.#origin.dropHead(id);
        for (const version of this.#versions.versions) if (closed.isOf(version)) this.#leave(version);
        void this.#playback?.then((playback) => playback.closed(closed)).catch(() => undefined);
      },
    };
    const track = new Track(id, host);
    this.#tracks.add(track);
    return track;
  }

  /**
   * Answers a request for a track as its server would, with Range: for players that fetch by themselves. `input` is a
   * track id, or a URL or request whose path ends in one. Requests of one play are answered with one version; who begins
   * ten seconds later, or after a body failed, has the one there is then. Failures are answers too: 404, 502, 504. Rejects with
   * `invalid-argument` for what names no track, with `closed`, and with the reason of the request's signal.
   */
  async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const trackId = trackIdIn(input);
    const request = new Request(input instanceof Request ? input : `http://sonantica/${trackId}`, init);
    const playback = await this.#loadPlayback();
    return unlessAborted(playback.fetch(trackId, request), request.signal);
  }

  /**
   * Fetches tracks that are likely to be played next, in this order, while nothing else is wanted: as far as they fit
   * into the listener's storage, and from peers alone unless `origin` is set. When a track is played to within 30 s of
   * its end, the head of the one behind it is fetched from wherever it comes in time. Rejects with `invalid-argument`,
   * `closed`.
   */
  async prefetch(trackIds: readonly string[], options: PrefetchOptions = {}): Promise<Prefetch> {
    this.#mustBeOpen();
    if (!Array.isArray(trackIds))
      throw new SwarmError('invalid-argument', 'a list of track ids is prefetched');
    const ids = trackIds.map(trackIdOf);
    const loaded = await import('./prefetches.ts');
    this.#mustBeOpen();
    this.#prefetches ??= this.#newPrefetches(loaded.Prefetches);
    return this.#prefetches.start(ids, options);
  }

  #newPrefetches(Made: typeof Prefetches): Prefetches {
    const prefetches = new Made({
      timers: this.#environment.timers,
      open: (trackId, signal) => this.#openVersion(trackId, signal, { head: false }),
      want: (version, fromOrigin) => {
        const whole = { start: 0, end: version.manifest.size };
        return this.#delivery.want(version, whole, Number.POSITIVE_INFINITY, fromOrigin ? 'any' : 'peers');
      },
      unwant: (version, demand) => this.#delivery.unwant(version, demand),
      roomBytes: (trackIds) => this.#reads.roomBytes(trackIds),
      fetchHead: async (version, end, dueInMs) => {
        await this.#read(version, { start: 0, end }, dueInMs, this.#closing.signal);
      },
    });
    if (this.#lastRead !== undefined) prefetches.reads(this.#lastRead, 0, Number.POSITIVE_INFINITY);
    return prefetches;
  }

  /**
   * Gives on a whole track that lies elsewhere, a file for instance. `reader` answers any chunk of it; what it
   * answers is proven before it is passed on. Rejects with `manifest-invalid`.
   */
  async seed(document: ManifestJson, reader: ChunkReader): Promise<Manifest> {
    await this.#ready;
    const manifest = await this.#check(document, undefined);
    await this.#takeUpStored(manifest.trackId);
    this.#mustBeOpen();
    const key = trackKey(manifest.trackId, manifest.root);
    this.#keeper.setReader(key, reader);
    const version = this.#versions.get(key)?.version;
    if (version === undefined) this.#adopt(manifest, ChunkSet.all(manifest.chunkCount));
    return manifest;
  }

  /** The tracks that are kept whatever else needs room, the longest pinned first. Known once {@link ready}. */
  get pinned(): readonly string[] {
    return this.#pinned.ids;
  }

  /**
   * Keeps a track, whatever else room is needed for, until it is unpinned: what is held of all its versions. It fetches
   * nothing; `track.download()` does. Only the listener's storage limit goes before it. Obeyed at once; resolves when it
   * outlasts a restart. Rejects with `invalid-argument`, `closed`, `store-failed`, `store-full`.
   */
  async pin(trackId: string): Promise<void> {
    await this.#setPinned(trackId, true);
  }

  /** Takes back a {@link pin}; nothing is deleted until room is needed. */
  async unpin(trackId: string): Promise<void> {
    await this.#setPinned(trackId, false);
  }

  async #setPinned(trackId: string, pinned: boolean): Promise<void> {
    this.#mustBeOpen();
    await this.#pinned.set(trackIdOf(trackId), pinned);
  }

  /** The listener's new choice, over their last one, in whatever page they made it. Obeyed at once, kept over restarts. */
  async setContribution(choice: Partial<Contribution>): Promise<void> {
    await this.#ready;
    this.#mustBeOpen();
    this.#choose(readContribution(choice, this.#chosen), choice);
    const kept = await this.#choices.put(choice, this.#chosen);
    if (Object.keys(changedFields(this.#chosen, kept)).length > 0) this.#hear(kept);
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
      trackerUp: this.#network?.isTrackerUp ?? false,
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
    this.#prefetches?.close();
    this.#stopWatching?.();
    this.#stopSharing?.();
    void this.#playback?.then((playback) => playback.close()).catch(() => undefined);
    const left = this.#stopNetwork();
    this.#origin.close();
    this.#delivery.close();
    await left;
    await this.#ready.catch(() => undefined);
    await this.#budget.close();
    await this.#choices.close();
    await this.#keeper.close();
    this.#events.clear();
  }

  // --- Start and the listener's choice ---

  async #start(): Promise<void> {
    this.#chosen = (await this.#keptChoice()) ?? this.#chosen;
    this.#contribution = readContribution(this.#forThisRun, this.#chosen);
    const trouble = await this.#keeper.store.trouble?.();
    if (trouble !== undefined) this.#choiceOutOfReach(trouble);
    await this.#budget.load();
    await this.#pinned.load();
    await this.#keeper.loadAll();
    if (this.#closing.signal.aborted) return;
    this.#apply(this.#contribution);
    void this.#takeUpAll();
  }

  /** Proving a manifest takes a while: nobody waits for those of other tracks. */
  async #takeUpAll(): Promise<void> {
    for (const { trackId } of this.#keeper.stored) {
      if (this.#closing.signal.aborted) return;
      await this.#takeUpStored(trackId);
    }
  }

  /** Resolves once what the store held of a track when it was opened is known here. */
  async #takeUpStored(trackId: TrackId): Promise<void> {
    const all = this.#keeper.stored.filter((stored) => stored.trackId === trackId && !stored.held.isEmpty);
    if (all.length === 0) return;
    const under =
      this.#takenUp.get(trackId) ?? Promise.all(all.map((each) => this.#takeUp(each))).then(() => {});
    this.#takenUp.set(trackId, under);
    await under;
  }

  async #takeUp({ trackId, manifest, held }: StoredTrack): Promise<void> {
    try {
      const checked = await this.#check(manifest, trackId);
      if (!this.#closing.signal.aborted) this.#adopt(checked, held);
    } catch (error) {
      this.#log(`a stored track is left alone: ${String(error)}`);
    }
  }

  /** The choice that is kept; `undefined` where the listener made none. One that makes no sense is out of reach. */
  async #keptChoice(): Promise<Contribution | undefined> {
    const document = await this.#keeper.store.getDocument(CONTRIBUTION_DOCUMENT);
    if (document === undefined) return undefined;
    try {
      return readContribution(document, this.#chosen);
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      this.#choiceOutOfReach(error);
      return this.#chosen;
    }
  }

  /** Who may have opted out takes no part until they choose again, or the choice can be read. */
  #choiceOutOfReach({ message }: Error): void {
    this.#chosen = readContribution({ p2pEnabled: false }, this.#chosen);
    this.#contribution = readContribution(this.#forThisRun, this.#chosen);
    this.#events.emit('storage', {
      reason: 'store-failed',
      message: `the choice is out of reach: ${message}`,
    });
    this.#events.emit('contribution', this.#contribution);
  }

  #apply(contribution: Contribution): void {
    const before = this.#contribution;
    this.#contribution = contribution;
    const policy = policyOf(contribution);
    this.#budget.setLimit(uploadBytesPerDay(contribution));
    this.#network?.setUploadLimit(contribution.maxUploadKbps ?? undefined);
    this.#keeper.setLimit(storageBytes(contribution));
    this.#reads.storageChanged();
    this.#prefetches?.share();
    this.#delivery.setPolicy(policy);
    if (!policy.allowDownloadFromPeers || policy.preferServerOverP2P)
      this.#network?.neighbourhood.forgetAulaHead();
    if (!contribution.p2pEnabled) void this.#stopNetwork();
    else if (this.#network === undefined) void this.#startNetwork();
    else if (
      before.shareWithAnyUser !== contribution.shareWithAnyUser ||
      before.maxUploadKbps !== contribution.maxUploadKbps
    )
      this.#network.neighbourhood.contributionChanged();
  }

  /** The listener chose in another page of this site. */
  async #chosenElsewhere(): Promise<void> {
    await this.#ready;
    const kept = await this.#keptChoice();
    if (kept !== undefined) this.#hear(kept);
  }

  /** What is kept, after other pages chose too; what was chosen here and is not written yet counts before it. */
  #hear(kept: Contribution): void {
    if (this.#closing.signal.aborted) return;
    const chosen = this.#choices.withWishes(kept);
    this.#choose(chosen, changedFields(this.#chosen, chosen));
  }

  /** The listener has spoken: of these fields nothing said for this run counts any more. */
  #choose(chosen: Contribution, fields: Partial<Contribution>): void {
    this.#chosen = chosen;
    this.#forThisRun = withoutFields(this.#forThisRun, fields);
    this.#apply(readContribution(this.#forThisRun, chosen));
    this.#events.emit('contribution', this.#contribution);
  }

  async #startNetwork(): Promise<void> {
    const { tracker = [], rtc } = this.#options;
    const trackers = typeof tracker === 'string' ? [tracker] : tracker;
    if (trackers.length === 0) return;
    const environment = this.#environment;
    const epoch = ++this.#networkEpoch;
    this.#delivery.setTracker('awaited');
    let links: LinkMaker;
    let Made: typeof Network;
    try {
      [links, Made] = await Promise.all([environment.links(rtc), environment.network()]);
    } catch (error) {
      this.#log(`the origin alone: ${String(error)}`);
      this.#delivery.setTracker('absent');
      this.#events.emit('tracker', { up: false, reason: String(error) });
      return;
    }
    if (epoch !== this.#networkEpoch || this.#closing.signal.aborted) return;
    this.#network = new Made({
      trackers,
      links,
      options: this.#options,
      environment,
      nonce: this.#nonce,
      delivery: this.#delivery,
      uploads: this.#uploadsParts(),
      contribution: () => this.#contribution,
      delivered: () => this.#counts.bytes,
      trackerChanged: (event) => this.#events.emit('tracker', event),
      log: this.#log,
    });
    this.#network.setUploadLimit(this.#contribution.maxUploadKbps ?? undefined);
    this.#network.neighbourhood.setAula(this.#aula);
    for (const version of this.#versions.versions) this.#network.neighbourhood.add(version);
    this.#network.start();
  }

  /** What giving needs to know of this listener. */
  #uploadsParts(): UploadsParts {
    const { clock, timers } = this.#environment;
    return {
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
      isStarving: () => this.#delivery.isLate(),
      gaveBytes: (peer) => this.#delivery.gaveBytes(peer),
      sent: (peer, _track, bytes) => {
        this.#uploadedBytes += bytes;
        this.#neighbourhood?.gaveTo(peer);
      },
    };
  }

  /** Resolves when no link keeps the process alive. */
  async #stopNetwork(): Promise<void> {
    this.#networkEpoch++;
    const network = this.#network;
    this.#network = undefined;
    if (network === undefined) this.#delivery.setTracker('absent');
    else await network.close();
  }

  // --- Tracks ---

  #loadPlayback(): Promise<Playback> {
    this.#mustBeOpen();
    this.#playback ??= import('./playback/playback.ts').then(
      ({ Playback }) => {
        const { serviceWorker, origin = [] } = this.#options;
        return new Playback({
          serviceWorker,
          pageId: this.#nonce.slice(0, 8),
          open: (trackId) => this.open(trackId),
          originUrl: (manifest) => {
            const [mirror] = mirrorsOf(origin, manifest.trackId);
            return mirror === undefined ? undefined : audioUrl(mirror, manifest);
          },
        });
      },
      (error: unknown) => {
        // Out of reach now: who asks again may have it.
        this.#playback = undefined;
        throw error;
      },
    );
    return this.#playback;
  }

  /** Shared by all who ask at a time; who gives up leaves it to the others. */
  #openVersion(trackId: TrackId, signal: AbortSignal, hint: OpenHint): Promise<TrackVersion> {
    let opening = this.#opening.get(trackId);
    if (opening === undefined) {
      opening = this.#findVersion(trackId, this.#closing.signal, hint).finally(() =>
        this.#opening.delete(trackId),
      );
      this.#opening.set(trackId, opening);
    }
    return unlessAborted(opening, signal);
  }

  /** The version the origin has now; where it is out of reach, the one held from before. */
  async #findVersion(trackId: TrackId, signal: AbortSignal, hint: OpenHint): Promise<TrackVersion> {
    await this.#ready;
    await this.#takeUpStored(trackId);
    this.#mustBeOpen();
    if (hint.head) this.#expectHead(trackId);
    let manifest: Manifest;
    try {
      const mirrors = mirrorsOf(this.#options.origin ?? [], trackId);
      manifest = await fetchManifest(this.#http, mirrors, trackId, signal, (document) =>
        this.#check(document, trackId),
      );
    } catch (error) {
      this.#origin.dropHead(trackId);
      this.#neighbourhood?.dropAhead(trackId);
      if (signal.aborted) throw signal.reason;
      // As it is now: it may have been given up meanwhile.
      const held = this.#versions.ofTrack(trackId);
      // A page that some other server answered with is no word of the publisher's.
      const isOut =
        error instanceof SwarmError && ['origin-unavailable', 'manifest-invalid'].includes(error.code);
      if (held === undefined || !isOut) throw error;
      this.#log(`${trackId} from the store: ${error.message}`);
      this.#neighbourhood?.use(held);
      return held;
    }
    const open = this.#versions.get(trackKey(manifest.trackId, manifest.root));
    if (open !== undefined) this.#neighbourhood?.use(open.version);
    const version = open?.version ?? this.#adopt(manifest, ChunkSet.none(manifest.chunkCount));
    this.#neighbourhood?.dropAhead(trackId);
    return version;
  }

  /** Asks for the head beside the manifest: of linked peers that told of the track, or of the origin by who has no links. */
  #expectHead(trackId: TrackId): void {
    if (this.#closing.signal.aborted || this.#versions.ofTrack(trackId) !== undefined) return;
    if ((this.#neighbourhood?.peers.length ?? 0) > 0) this.#neighbourhood?.askAhead(trackId);
    else this.#origin.startHead(trackId);
  }

  /** A player is given the URL of a track and most likely asks for it at once: linked peers are asked for the head. */
  #expectPlayer(trackId: TrackId): void {
    if (!this.#expectedPlayer.urlGiven(trackId, this.#environment.clock.nowMs())) return;
    if (!this.#closing.signal.aborted && this.#versions.ofTrack(trackId) === undefined)
      this.#neighbourhood?.askAhead(trackId);
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
    const { verifier, memory, spent } = this.#environment;
    return this.#add(new TrackVersion(manifest, held, verifier(manifest), this.#delivery, memory, spent));
  }

  #add(version: TrackVersion): TrackVersion {
    this.#versions.add(version);
    this.#delivery.add(version);
    this.#neighbourhood?.add(version);
    return version;
  }

  /** A handle may have a version that was given up before it had: what it reads is known to all parts again. */
  #inUse(version: TrackVersion): OpenVersion {
    const open = this.#versions.get(version.key);
    if (open !== undefined) return open;
    this.#mustBeOpen();
    this.#add(version);
    return this.#inUse(version);
  }

  /** A handle was closed. Of a version that none reads whole chunks stay; where there are none others need not know of it. */
  #leave(version: TrackVersion): void {
    if (this.#closing.signal.aborted) return;
    for (const track of this.#tracks) if (track.isOf(version)) return;
    if (!version.held.isEmpty || this.#prefetches?.has(version) === true)
      return this.#delivery.leave(version);
    this.#versions.delete(version.key);
    this.#neighbourhood?.remove(version);
    this.#delivery.remove(version);
  }

  async #read(
    version: TrackVersion,
    range: ByteRange,
    dueInMs: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (range.end === range.start) return new Uint8Array(0);
    try {
      return await this.#reads.read(this.#inUse(version).version, range, dueInMs, signal);
    } finally {
      this.#origin.dropHead(version.manifest.trackId);
    }
  }

  async #download(version: TrackVersion, signal: AbortSignal): Promise<void> {
    await this.#reads.download(this.#inUse(version), signal);
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
      claim: (track, chunks, most) => this.#neighbourhood?.claim(track, chunks, most),
      release: (track, chunks) => this.#neighbourhood?.release(track, chunks),
      connect: (peerId) => this.#neighbourhood?.connect(peerId),
      part: (version, chunk, block) => this.#neighbourhood?.proved(version, chunk, block),
      partLost: (version, chunk) => this.#neighbourhood?.partLost(version, chunk),
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
        this.#prefetches?.changed(version);
        if (!version.isComplete) return;
        this.#tell(version, (track) => track.emit('complete', version.manifest));
        const open = this.#versions.get(version.key);
        for (const resolve of open?.whenComplete ?? []) resolve();
      },
      lost: (version, chunk) => {
        this.#neighbourhood?.lost(version, chunk);
        this.#prefetches?.changed(version);
      },
      rejected: (version, chunk, source) => {
        this.#counts.rejectedBlocks++;
        const counts = this.#versions.get(version.key)?.counts;
        if (counts !== undefined) counts.rejectedBlocks++;
        const event = { chunk, tier: this.#tierOf(source), peerId: peerIdOf(source) };
        if (source !== ORIGIN) this.#neighbourhood?.ban(source);
        this.#tell(version, (track) => track.emit('rejected', event));
      },
      unavailable: (demands) => this.#reads.unavailable(demands),
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

function peerIdOf(source: SourceId): string | undefined {
  return source === ORIGIN ? undefined : source;
}
