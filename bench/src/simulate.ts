import { buildManifest, LIMITS, parsePeerId, parseTrackId, type ManifestJson } from '@sonantica/wire';
import { createHash } from 'node:crypto';
import {
  createSimListener,
  seededRandom,
  seedSim,
  SimLinks,
  SimNetwork,
  SimOrigin,
  SimTrackerSockets,
  VirtualClock,
  type Giving,
  type SimListener,
  type SimNode,
} from '@sonantica/swarm/testing';
import { Tracker } from '@sonantica/tracker';
import { HttpPlay, SwarmPlay, type Piece, type Play } from './player.ts';
import { jainIndex, percentile, round, type Report } from './report.ts';
import { bytesPerMs, type Scenario, type Span } from './scenario.ts';

const MB = 1_000_000;
const LINES_SEED = 1_000_003;
const SLOW_KBPS = 10;
/** Upload a day where faults are tried: little enough that it is reached. */
const FAULTY_UPLOAD_MB = 3;
/** Slow enough that faults fall into downloads. */
const FAULTY_DOWN_KBPS: Span = { least: 1_000, most: 8_000 };
/** Between a leaver and who comes in its place, in milliseconds. */
const REPLACED_AFTER_MS = 1_000;

interface Member {
  readonly listener: SimListener | undefined;
  readonly node: SimNode;
  readonly kind: 'honest' | 'liar' | 'slow' | 'dead';
  play: Play | undefined;
  left: boolean;
  uploadedBytes: number;
  receivedBlockBytes: number;
  receivedAudioBytes: number;
  controlBytes: number;
}

/** What a run tells as it goes. */
export interface Watcher {
  /** One line of a peer's log. */
  log?(atMs: number, peer: string, line: string): void;
}

/** Lets every promise that can settle do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs a scenario with random faults and answers the promises that it broke, one line each. */
export async function brokenPromises(scenario: Scenario): Promise<string[]> {
  const slowly = { ...scenario, faults: true, peerDownKbps: FAULTY_DOWN_KBPS };
  const simulation = new Simulation(slowly, {}, await documentOf(scenario));
  await simulation.run();
  return simulation.broken();
}

/** Runs a scenario in virtual time: the production library, the production tracker, a simulated network. */
export async function simulate(scenario: Scenario, watcher: Watcher = {}): Promise<Report> {
  return new Simulation(scenario, watcher, await documentOf(scenario)).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #watcher: Watcher;
  readonly #document: ManifestJson;
  readonly #clock = new VirtualClock();
  readonly #random;
  /** What lines listeners have: the same under every policy, so that two policies are compared on the same listeners. */
  readonly #lines;
  readonly #network: SimNetwork;
  readonly #links: SimLinks;
  readonly #origin: SimOrigin;
  readonly #tracker: SimTrackerSockets;
  readonly #members: Member[] = [];
  readonly #byNode = new Map<SimNode, Member>();
  readonly #rejected = new Set<string>();
  readonly #blamed = new Set<SimNode>();
  readonly #piece: Piece;
  /** Listeners that have a chunk whole; those that left count on. */
  readonly #holders = new Map<number, number>();
  #originSentBytes = 0;
  /** Days that the wall clock may have seen. */
  #days = 1;
  #joins = 0;
  #waiting = 0;

  constructor(scenario: Scenario, watcher: Watcher, document: ManifestJson) {
    this.#scenario = scenario;
    this.#watcher = watcher;
    this.#document = document;
    this.#random = seededRandom(scenario.seed);
    this.#lines = seededRandom(scenario.seed + LINES_SEED);
    this.#piece = {
      trackId: document.trackId,
      sizeBytes: document.size,
      bytesPerMs: bytesPerMs(scenario.bitrateKbps),
    };
    const clock = this.#clock;
    const network = (this.#network = new SimNetwork(clock));
    const { rttMs, originUpKbps } = scenario;
    const middle = (rttMs.least + rttMs.most) / 2;
    const count = (node: SimNode, field: CountedField, bytes: number) => {
      const member = this.#byNode.get(node);
      if (member !== undefined) member[field] += bytes;
    };
    this.#links = new SimLinks(network, {
      blockSent: (from, _to, bytes) => count(from, 'uploadedBytes', bytes),
      blockArrived: (_from, to, bytes) => count(to, 'receivedBlockBytes', bytes),
      control: (from, _to, bytes) => count(from, 'controlBytes', bytes),
      blamed: (_from, to) => void this.#blamed.add(to),
    });
    const pairs = new Map<string, boolean>();
    this.#links.canConnect = (a, b) => {
      const pair = a.name < b.name ? `${a.name}/${b.name}` : `${b.name}/${a.name}`;
      const known = pairs.get(pair) ?? this.#random.next() < scenario.connectSuccess;
      pairs.set(pair, known);
      return known;
    };
    const originNode = network.node({
      name: 'origin',
      upBytesPerMs: bytesPerMs(originUpKbps),
      downBytesPerMs: Number.POSITIVE_INFINITY,
      rttMs: middle,
    });
    this.#origin = new SimOrigin(network, originNode, document, {
      asked: (from, start, end) => this.#noteOrigin(from, start, end),
      audioSent: (_to, bytes) => (this.#originSentBytes += bytes),
      audioArrived: (to, bytes) => count(to, 'receivedAudioBytes', bytes),
      otherBytes: () => undefined,
    });
    const trackerNode = network.node({
      name: 'tracker',
      upBytesPerMs: Number.POSITIVE_INFINITY,
      downBytesPerMs: Number.POSITIVE_INFINITY,
      rttMs: middle,
    });
    let names = 0;
    const tracker = new Tracker({
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      random: () => this.#random.next(),
      newPeerId: () =>
        parsePeerId(
          createHash('sha256').update(`${scenario.seed}/${names++}`).digest('base64url').slice(0, 22),
        ),
    });
    const tick = () => {
      tracker.tick();
      if (!trackerNode.isDown) clock.schedule(1_000, tick);
    };
    clock.schedule(1_000, tick);
    this.#tracker = new SimTrackerSockets(network, trackerNode, tracker, (client, bytes) =>
      count(client, 'controlBytes', bytes),
    );
  }

  async run(): Promise<Report> {
    const { peers, liars, slow, dead, joinSpreadS, warmS, trackerDiesS, originDiesS, churnPerMin } =
      this.#scenario;
    const kinds: Member['kind'][] = [];
    for (let i = 0; i < Math.round(liars * peers); i++) kinds.push('liar');
    for (let i = 0; i < Math.round(slow * peers); i++) kinds.push('slow');
    for (let i = 0; i < Math.round(dead * peers); i++) kinds.push('dead');
    const bad = kinds.slice(0, Math.max(0, peers - 1));
    for (const kind of bad) this.#join(kind, undefined);
    const players = peers - bad.length;
    const firstMs = bad.length > 0 ? 5_000 : 0;
    for (let i = 0; i < players; i++) {
      const atMs = firstMs + (players === 1 ? 0 : (joinSpreadS * 1000 * i) / players);
      this.#waiting++;
      this.#clock.schedule(atMs, () => this.#join('honest', warmS * 1000));
    }
    if (trackerDiesS !== undefined) this.#clock.schedule(trackerDiesS * 1000, () => this.#tracker.kill());
    if (originDiesS !== undefined)
      this.#clock.schedule(originDiesS * 1000, () => (this.#origin.node.isDown = true));
    if (this.#scenario.faults) this.#scheduleFaults();
    const playMs = this.#piece.sizeBytes / this.#piece.bytesPerMs;
    const spreadMs = firstMs + (joinSpreadS + warmS) * 1000;
    const lastMs = spreadMs + (churnPerMin > 0 ? 2 * playMs : 5 * playMs + 300_000);
    while (this.#clock.nowMs() < lastMs && !this.#isDone()) {
      this.#network.isQuiet = false;
      if (!this.#clock.step()) break;
      if (!this.#network.isQuiet) await turn();
    }
    for (const { play } of this.#members) play?.playback.end();
    return this.#report();
  }

  /** What the library promises and did not keep in this run. */
  broken(): string[] {
    const broken: string[] = [];
    for (const { node, play, listener, left } of this.#members) {
      if (play === undefined || listener === undefined) continue;
      if (play.wrongBytes > 0) broken.push(`${node.name} was given ${play.wrongBytes} wrong bytes`);
      if (!left && play.completedMs === undefined) broken.push(`${node.name} did not complete`);
      const { uploadedBytes, links } = listener.swarm.stats();
      if (uploadedBytes > FAULTY_UPLOAD_MB * MB * this.#days)
        broken.push(`${node.name} uploaded ${uploadedBytes} bytes in ${this.#days} days`);
      if (links > 24) broken.push(`${node.name} has ${links} links`);
    }
    return broken;
  }

  #scheduleFaults(): void {
    const random = this.#random;
    const within = (ms: number) => random.next() * ms;
    const cuts = new Set<SimNode>();
    this.#network.isCut = (from, to) =>
      cuts.has(from) !== cuts.has(to) && from !== this.#origin.node && to !== this.#origin.node;
    if (random.next() < 0.5) this.#network.jitterMs = () => (random.next() < 0.1 ? within(400) : 0);
    for (let i = 0; i < 3; i++) {
      this.#clock.schedule(within(20_000), () => {
        for (const { node } of this.#members) if (random.next() < 0.5) cuts.add(node);
        this.#clock.schedule(within(15_000), () => cuts.clear());
      });
    }
    for (let i = 0; i < 2; i++) {
      this.#clock.schedule(within(20_000), () => {
        const member = this.#members[Math.floor(within(this.#members.length))];
        if (member === undefined) return;
        member.left = true;
        member.play?.leave();
        member.node.isDown = true;
      });
      this.#clock.schedule(within(20_000), () => {
        const days = within(4) - 2;
        if (days > 0) this.#days += Math.ceil(days);
        this.#clock.jumpWall(days * 86_400_000);
      });
    }
  }

  #isDone(): boolean {
    if (this.#waiting > 0 || this.#scenario.churnPerMin > 0) return false;
    for (const { play, left } of this.#members) {
      if (play !== undefined && !left && (play.completedMs === undefined || !hasStarted(play))) return false;
    }
    return true;
  }

  #join(kind: Member['kind'], warmMs: number | undefined): void {
    const { peerUpKbps, peerDownKbps, rttMs, aulas, policy, faults } = this.#scenario;
    const index = this.#joins++;
    const node = this.#network.node({
      name: `${kind}-${index}`,
      upBytesPerMs: bytesPerMs(kind === 'slow' ? SLOW_KBPS : this.#draw(peerUpKbps)),
      downBytesPerMs: bytesPerMs(this.#draw(peerDownKbps)),
      rttMs: this.#draw(rttMs),
    });
    const giving: Giving = kind === 'liar' ? 'wrong-bytes' : kind === 'dead' ? 'nothing' : 'honest';
    const listener =
      policy === 'http-only'
        ? undefined
        : createSimListener({
            node,
            links: this.#links,
            origin: this.#origin,
            tracker: this.#tracker,
            random: seededRandom(Math.floor(this.#random.next() * 2 ** 32) + 2 ** 33 * this.#scenario.seed),
            giving,
            maxLinks: this.#scenario.links,
            order: policy,
            swarm: {
              aulaId: `aula-${index % aulas}`,
              ...(faults ? { contribution: { maxBandwidthMBPerDay: FAULTY_UPLOAD_MB } } : {}),
              logger: (line) => this.#watcher.log?.(this.#clock.nowMs(), node.name, line),
            },
          });
    const member: Member = {
      listener,
      node,
      kind,
      play: undefined,
      left: false,
      uploadedBytes: 0,
      receivedBlockBytes: 0,
      receivedAudioBytes: 0,
      controlBytes: 0,
    };
    this.#members.push(member);
    this.#byNode.set(node, member);
    if (warmMs === undefined) {
      if (listener !== undefined) void seedSim(listener, this.#document);
      return;
    }
    this.#clock.schedule(warmMs, () => this.#open(member));
  }

  #open(member: Member): void {
    this.#waiting--;
    if (member.node.isDown) return;
    const { listener, node } = member;
    if (listener === undefined) {
      member.play = new HttpPlay(this.#clock, this.#origin.fetchFor(node), this.#piece);
    } else {
      const play = new SwarmPlay(this.#clock, listener.swarm, this.#piece);
      play.track.on('rejected', ({ peerId }) => {
        if (peerId !== undefined) this.#rejected.add(peerId);
      });
      play.track.on(
        'chunk',
        ({ index }) => void this.#holders.set(index, (this.#holders.get(index) ?? 0) + 1),
      );
      member.play = play;
    }
    const { churnPerMin } = this.#scenario;
    if (churnPerMin <= 0) return;
    // Of those here now this share is gone a minute later.
    const rate = -Math.log(1 - Math.min(churnPerMin, 0.99)) / 60_000;
    const staysMs = -Math.log(1 - this.#random.next()) / rate;
    this.#clock.schedule(staysMs, () => this.#leave(member));
  }

  #leave(member: Member): void {
    member.left = true;
    member.play?.leave();
    if (this.#random.next() < 0.5) member.node.isDown = true;
    else void member.listener?.swarm.close();
    this.#clock.schedule(REPLACED_AFTER_MS, () => {
      this.#waiting++;
      this.#join('honest', 0);
    });
  }

  /** One line of the trace: who asks the origin for what, how soon it is due there, and how many could have given it. */
  #noteOrigin(from: SimNode, start: number, end: number): void {
    if (this.#watcher.log === undefined) return;
    const chunk = Math.floor(start / this.#document.chunkSize);
    const dueInMs = this.#byNode.get(from)?.play?.playback.dueInMs(start) ?? 0;
    const holders = this.#holders.get(chunk) ?? 0;
    const line = `GET chunk ${chunk}, ${end - start} bytes, due in ${Math.round(dueInMs)} ms, held by ${holders}`;
    this.#watcher.log(this.#clock.nowMs(), 'origin', `${from.name} ${line}`);
  }

  #draw({ least, most }: Span): number {
    return least === most ? least : least + (most - least) * this.#lines.next();
  }

  #report(): Report {
    const { seed, peers } = this.#scenario;
    const size = this.#piece.sizeBytes;
    const players = this.#members.filter(({ play }) => play !== undefined);
    const bytes = { origin: 0, aula: 0, global: 0, cache: 0, wasted: 0, control: 0 };
    for (const { listener, receivedBlockBytes, receivedAudioBytes, controlBytes } of players) {
      const proven = listener?.swarm.stats().bytes ?? {
        origin: receivedAudioBytes,
        aula: 0,
        global: 0,
        cache: 0,
      };
      bytes.origin += proven.origin;
      bytes.aula += proven.aula;
      bytes.global += proven.global;
      bytes.cache += proven.cache;
      bytes.wasted += receivedBlockBytes + receivedAudioBytes - proven.aula - proven.global - proven.origin;
      bytes.control += controlBytes;
    }
    const plays = players.flatMap(({ play }) => (play === undefined ? [] : [play]));
    const starts = plays.flatMap(({ playback }) =>
      playback.startMs === undefined ? [] : [playback.startMs],
    );
    const completions = plays.flatMap(({ completedMs }) =>
      completedMs === undefined ? [] : [completedMs / 1000],
    );
    const nonces = (kind: (member: Member) => boolean) =>
      this.#members.filter(kind).filter(({ listener }) => this.#rejected.has(listener?.nonce ?? '')).length;
    const delivered = bytes.origin + bytes.aula + bytes.global + bytes.cache;
    const honest = this.#members.filter(({ kind }) => kind === 'honest');
    return {
      runtime: 'sim',
      seed,
      peers,
      completed: completions.length,
      originCopies: round(this.#originSentBytes / size, 4),
      offload: round(delivered === 0 ? 0 : 1 - this.#originSentBytes / delivered, 4),
      bytes,
      startMs: {
        p50: round(percentile(starts, 0.5), 1),
        p75: round(percentile(starts, 0.75), 1),
        p90: round(percentile(starts, 0.9), 1),
        p99: round(percentile(starts, 0.99), 1),
      },
      stalls: {
        plays: plays.length,
        stalledPlays: plays.filter(({ playback }) => playback.stalls > 0).length,
        seconds: round(plays.reduce((sum, { playback }) => sum + playback.stalledMs, 0) / 1000, 3),
      },
      completionS: {
        p50: round(percentile(completions, 0.5), 2),
        p95: round(percentile(completions, 0.95), 2),
        max: round(percentile(completions, 1), 2),
      },
      badBytesDelivered: plays.reduce((sum, { wrongBytes }) => sum + wrongBytes, 0),
      bannedLiars: nonces(({ kind }) => kind === 'liar'),
      bannedHonest:
        nonces(({ kind }) => kind !== 'liar') + honest.filter(({ node }) => this.#blamed.has(node)).length,
      jain: round(jainIndex(honest.map(({ uploadedBytes }) => uploadedBytes)), 4),
    };
  }
}

type CountedField = 'uploadedBytes' | 'receivedBlockBytes' | 'receivedAudioBytes' | 'controlBytes';

function hasStarted({ playback }: Play): boolean {
  return playback.startMs !== undefined;
}

/** A manifest whose tree is right over chunk hashes that are made up. */
async function documentOf({ sizeMB, seed }: Scenario): Promise<ManifestJson> {
  const size = Math.round(sizeMB * MB);
  const chunkSize = LIMITS.defaultChunkBytes;
  const hasher = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
  const chunkHashes = Array.from({ length: Math.ceil(size / chunkSize) }, (_, chunk) =>
    hasher(new TextEncoder().encode(`${seed}/${chunk}`)),
  );
  const facts = {
    trackId: parseTrackId('song'),
    size,
    chunkSize,
    mime: 'audio/flac',
    sha256: '0'.repeat(64),
    chunkHashes,
  };
  return buildManifest(facts, hasher);
}
