import { parsePeerId, type ManifestJson } from '@sonantica/wire';
import { createHash } from 'node:crypto';
import {
  createSimListener,
  isWrong,
  seededRandom,
  seedSim,
  SimLinks,
  SimNetwork,
  SimOrigin,
  SimTrackerSockets,
  VirtualClock,
  type Giving,
  type SimNode,
} from '@sonantica/swarm/testing';
import { Tracker } from '@sonantica/tracker/core';
import { Listening } from './listening.ts';
import { HttpPlay, SwarmPlay, type CountWrong, type Piece, type Play } from './player.ts';
import { programmeOf } from './programme.ts';
import type { RunEvent, RunRecord, Sample, Watcher } from './record.ts';
import type { Report } from './report.ts';
import {
  badPeersOf,
  bytesPerMs,
  playMsOf,
  SLOW_KBPS,
  staysMs,
  type Scenario,
  type Span,
} from './scenario.ts';
import { documentsOf } from './sim-library.ts';
import { factsOf, sampleOf, type Member } from './sim-member.ts';
import { stepByStep } from './step-by-step.ts';
import { reportOf } from './summary.ts';

export type { Watcher } from './record.ts';

const MB = 1_000_000;
const BLOCK_BYTES = 16_384;
const LINES_SEED = 1_000_003;
const SAMPLE_EVERY_MS = 1_000;
/** Upload a day where faults are tried: little enough that it is reached. */
const FAULTY_UPLOAD_MB = 3;
/** Slow enough that faults fall into downloads. */
const FAULTY_DOWN_KBPS: Span = { least: 1_000, most: 8_000 };
/** Between a leaver and who comes in its place, in milliseconds. */
const REPLACED_AFTER_MS = 1_000;

/** Runs a scenario with random faults and answers the promises that it broke, one line each. */
export async function brokenPromises(scenario: Scenario): Promise<string[]> {
  const slowly = { ...scenario, faults: true, peerDownKbps: FAULTY_DOWN_KBPS };
  const simulation = new Simulation(slowly, {}, await documentsOf(scenario));
  await simulation.run();
  return simulation.broken();
}

/** Runs a scenario in virtual time: the production library, the production tracker, a simulated network. */
export async function simulate(scenario: Scenario, watcher: Watcher = {}): Promise<Report> {
  return (await observeSimulation(scenario, watcher)).report;
}

/** The same, and all that was seen on the way. */
export async function observeSimulation(scenario: Scenario, watcher: Watcher = {}): Promise<RunRecord> {
  return new Simulation(scenario, watcher, await documentsOf(scenario)).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #watcher: Watcher;
  readonly #documents: readonly ManifestJson[];
  readonly #clock = new VirtualClock();
  readonly #random;
  /** What lines listeners have: the same under every policy, so that two policies are compared on the same listeners. */
  readonly #lines;
  readonly #network: SimNetwork;
  readonly #links: SimLinks;
  readonly #origin: SimOrigin;
  readonly #tracker: SimTrackerSockets;
  readonly #members: Member[] = [];
  /** By the indices of their nodes, which others have too. */
  readonly #byNode: (Member | undefined)[] = [];
  readonly #byNonce = new Map<string, Member>();
  /** Who was caught by whom sending wrong bytes, and who was said to break the protocol. */
  readonly #caught = new Map<Member, Set<string>>();
  readonly #blamed = new Map<Member, Set<string>>();
  readonly #pieces: readonly Piece[];
  readonly #samples: Sample[] = [];
  readonly #events: RunEvent[] = [];
  /** Block bytes by receiver, then by sender. */
  readonly #transfers = new Map<SimNode, Map<SimNode, number>>();
  /** Listeners that have a chunk whole; those that left count on. */
  readonly #holders = new Map<number, number>();
  #originSentBytes = 0;
  /** Days that the wall clock may have seen. */
  #days = 1;
  #joins = 0;
  #waiting = 0;
  /** Members from the first on that are known to be done, once all have come. */
  #done = 0;

  constructor(scenario: Scenario, watcher: Watcher, documents: readonly ManifestJson[]) {
    this.#scenario = scenario;
    this.#watcher = watcher;
    this.#documents = documents;
    this.#random = seededRandom(scenario.seed);
    this.#lines = seededRandom(scenario.seed + LINES_SEED);
    this.#pieces = documents.map(({ trackId, size }) => ({
      trackId,
      sizeBytes: size,
      bytesPerMs: bytesPerMs(scenario.bitrateKbps),
    }));
    const clock = this.#clock;
    const network = (this.#network = new SimNetwork(clock));
    const { rttMs, originUpKbps } = scenario;
    const middle = (rttMs.least + rttMs.most) / 2;
    const count = (node: SimNode, field: CountedField, bytes: number) => {
      const member = this.#byNode[node.index];
      if (member !== undefined) member[field] += bytes;
    };
    this.#links = new SimLinks(network, {
      blockSent: (from, _to, bytes) => count(from, 'uploadedBytes', bytes),
      blockArrived: (from, to, bytes) => {
        count(to, 'receivedBlockBytes', bytes);
        this.#transferred(from, to, bytes);
      },
      control: (from, _to, bytes) => count(from, 'controlBytes', bytes),
      blamed: (from, to) => note(this.#blamed, this.#byNode[from.index], to.name),
    });
    const pairs = new Map<string, boolean>();
    this.#links.canConnect = (a, b) => {
      const pair = a.name < b.name ? `${a.name}/${b.name}` : `${b.name}/${a.name}`;
      const known = pairs.get(pair) ?? this.#random.next() < scenario.connectSuccess;
      pairs.set(pair, known);
      return known;
    };
    this.#links.perSecond = scenario.linksPerS ?? Number.POSITIVE_INFINITY;
    const originNode = network.node({
      name: 'origin',
      upBytesPerMs: bytesPerMs(originUpKbps),
      downBytesPerMs: Number.POSITIVE_INFINITY,
      rttMs: middle,
    });
    this.#origin = new SimOrigin(network, originNode, documents, {
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

  async run(): Promise<RunRecord> {
    const { peers, joinSpreadS, warmS, trackerDiesS, originDiesS, churnPerMin, plays } = this.#scenario;
    const bad = badPeersOf(this.#scenario);
    for (const kind of bad) this.#join(kind, undefined);
    const players = peers - bad.length;
    const firstMs = bad.length > 0 ? 5_000 : 0;
    for (let i = 0; i < players; i++) {
      const atMs = firstMs + (players === 1 ? 0 : (joinSpreadS * 1000 * i) / players);
      this.#waiting++;
      this.#clock.schedule(atMs, () => this.#join('honest', warmS * 1000));
    }
    if (trackerDiesS !== undefined)
      this.#clock.schedule(trackerDiesS * 1000, () => {
        this.#tracker.kill();
        this.#tell('tracker-died', 'tracker');
      });
    if (originDiesS !== undefined)
      this.#clock.schedule(originDiesS * 1000, () => {
        this.#origin.node.isDown = true;
        this.#tell('origin-died', 'origin');
      });
    if (this.#scenario.faults) this.#scheduleFaults();
    const playMs = playMsOf(this.#scenario) * plays;
    const spreadMs = firstMs + (joinSpreadS + warmS) * 1000;
    const lastMs = spreadMs + (churnPerMin > 0 ? 2 * playMs : 5 * playMs + 300_000);
    const { sample, stop } = this.#watcher;
    let sampleAtMs = sample === undefined ? Number.POSITIVE_INFINITY : SAMPLE_EVERY_MS;
    await stepByStep(() => {
      if (this.#clock.nowMs() >= sampleAtMs) {
        sampleAtMs += SAMPLE_EVERY_MS;
        this.#sample();
      }
      if (this.#clock.nowMs() >= lastMs || stop?.aborted === true || this.#isDone()) return 'over';
      this.#network.isQuiet = false;
      if (!this.#clock.step()) return 'over';
      return this.#network.isQuiet ? 'quiet' : 'stirred';
    });
    for (const { listening } of this.#members) listening?.leave();
    if (sample !== undefined) this.#sample();
    return this.#record();
  }

  /** What the library promises and did not keep in this run. */
  broken(): string[] {
    const broken: string[] = [];
    for (const { node, listening, listener, left } of this.#members) {
      if (listening === undefined || listener === undefined) continue;
      const wrongBytes = listening.plays.reduce((sum, play) => sum + play.wrongBytes, 0);
      if (wrongBytes > 0) broken.push(`${node.name} was given ${wrongBytes} wrong bytes`);
      if (!left && !listening.isComplete) broken.push(`${node.name} did not complete`);
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
        member.listening?.leave();
        member.node.isDown = true;
        this.#tell('crashed', member.node.name);
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
    for (let member = this.#members[this.#done]; member !== undefined; member = this.#members[this.#done]) {
      const { listening, left } = member;
      if (listening !== undefined && !left && !listening.isComplete) return false;
      this.#done++;
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
      aula: index % aulas,
      index,
      listening: undefined,
      left: false,
      uploadedBytes: 0,
      receivedBlockBytes: 0,
      receivedAudioBytes: 0,
      controlBytes: 0,
    };
    this.#members.push(member);
    this.#byNode[node.index] = member;
    if (listener !== undefined) this.#byNonce.set(listener.nonce, member);
    if (warmMs === undefined) {
      if (listener !== undefined) for (const document of this.#documents) void seedSim(listener, document);
      return;
    }
    this.#clock.schedule(warmMs, () => this.#open(member));
  }

  #open(member: Member): void {
    this.#waiting--;
    if (member.node.isDown) return;
    const { listener, node } = member;
    member.listening = new Listening({
      clock: this.#clock,
      programme: programmeOf(this.#scenario, member.index),
      pieces: this.#pieces,
      open: (piece) => this.#play(member, piece),
      ahead: ({ trackId }) => void listener?.swarm.open(trackId).download().catch(ignore),
    });
    this.#tell('joined', node.name);
    if (this.#scenario.churnPerMin <= 0) return;
    this.#clock.schedule(staysMs(this.#scenario, this.#random.next()), () => this.#leave(member));
  }

  #play(member: Member, piece: Piece): Play {
    const { listener, node } = member;
    if (listener === undefined) {
      const url = `https://origin.simulated/tracks/${piece.trackId}`;
      return new HttpPlay(this.#clock, this.#origin.fetchFor(node), url, piece);
    }
    const play = new SwarmPlay(this.#clock, listener.swarm, piece, wrongBlocks);
    play.track.on('rejected', ({ peerId }) => {
      const liar = peerId === undefined ? undefined : this.#byNonce.get(peerId)?.node.name;
      if (liar === undefined) return;
      const isNews = ![...this.#caught.values()].some((names) => names.has(liar));
      note(this.#caught, member, liar);
      if (isNews) this.#tell('caught', liar);
    });
    play.track.on('chunk', ({ index }) => void this.#holders.set(index, (this.#holders.get(index) ?? 0) + 1));
    return play;
  }

  #leave(member: Member): void {
    member.left = true;
    member.listening?.leave();
    const crashes = this.#random.next() < 0.5;
    if (crashes) member.node.isDown = true;
    else void member.listener?.swarm.close();
    this.#tell(crashes ? 'crashed' : 'left', member.node.name);
    this.#clock.schedule(REPLACED_AFTER_MS, () => {
      this.#waiting++;
      this.#join('honest', 0);
    });
  }

  #tell(what: RunEvent['what'], who: string): void {
    const event = { atMs: this.#clock.nowMs(), what, who };
    if (this.#watcher.sample !== undefined) this.#events.push(event);
    this.#watcher.event?.(event);
  }

  #transferred(from: SimNode, to: SimNode, bytes: number): void {
    if (this.#watcher.sample === undefined) return;
    const row = this.#transfers.get(to) ?? new Map<SimNode, number>();
    this.#transfers.set(to, row);
    row.set(from, (row.get(from) ?? 0) + bytes);
  }

  #sample(): void {
    const sample = sampleOf(this.#members, this.#clock.nowMs(), this.#originSentBytes);
    this.#samples.push(sample);
    this.#watcher.sample?.(sample);
  }

  /** One line of the trace: who asks the origin for what, how soon it is due there, and how many could have given it. */
  #noteOrigin(from: SimNode, start: number, end: number): void {
    if (this.#watcher.log === undefined) return;
    const chunk = Math.floor(start / (this.#documents[0]?.chunkSize ?? 1));
    const dueInMs = this.#byNode[from.index]?.listening?.current?.playback.dueInMs(start) ?? 0;
    const holders = this.#holders.get(chunk) ?? 0;
    const line = `GET chunk ${chunk}, ${end - start} bytes, due in ${Math.round(dueInMs)} ms, held by ${holders}`;
    this.#watcher.log(this.#clock.nowMs(), 'origin', `${from.name} ${line}`);
  }

  #draw({ least, most }: Span): number {
    return least === most ? least : least + (most - least) * this.#lines.next();
  }

  #record(): RunRecord {
    const { seed, peers } = this.#scenario;
    const listeners = this.#members.map((member) =>
      factsOf(member, this.#caught.get(member), this.#blamed.get(member)),
    );
    const played = new Set(listeners.flatMap(({ plays }) => plays.map(({ track }) => track)));
    const report = reportOf({
      runtime: 'sim',
      seed,
      peers,
      listeners,
      originSentBytes: this.#originSentBytes,
      playedBytes: [...played].reduce((sum, track) => sum + (this.#pieces[track]?.sizeBytes ?? 0), 0),
    });
    const transfers = [...this.#transfers].flatMap(([to, row]) =>
      [...row].map(([from, bytes]) => ({ from: from.name, to: to.name, bytes })),
    );
    return {
      scenario: this.#scenario,
      report,
      listeners,
      samples: this.#samples,
      events: this.#events,
      transfers,
      isStopped: this.#watcher.stop?.aborted === true,
    };
  }
}

type CountedField = 'uploadedBytes' | 'receivedBlockBytes' | 'receivedAudioBytes' | 'controlBytes';

/** Wrong blocks carry a flag. */
const wrongBlocks: CountWrong = (_start, bytes) => {
  let wrong = 0;
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    if (isWrong(bytes, at)) wrong += Math.min(BLOCK_BYTES, bytes.length - at);
  }
  return wrong;
};

/** Notes a name beside a member. */
function note(names: Map<Member, Set<string>>, member: Member | undefined, name: string): void {
  if (member === undefined) return;
  const known = names.get(member) ?? new Set();
  names.set(member, known);
  known.add(name);
}

/** A download ahead of its time: the play that needs it asks again. */
function ignore(): void {}
