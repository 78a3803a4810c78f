import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { RunEvent, RunRecord, Sample, Watcher } from '../record.ts';
import { playMsOf, type Scenario } from '../scenario.ts';
import { LINK_FRAMES } from '../goodput.ts';
import { measureRawChannel } from '../raw-channel.ts';
import { checkOriginLoad } from '../deployment.ts';
import { appointmentsOf } from './appointments.ts';
import { Child } from './child.ts';
import { costSoFar } from './child-side.ts';
import { collect } from './collect.ts';
import { listTracks, readTracks, writeLibrary } from './library-files.ts';
import type {
  Cost,
  FromHost,
  FromServer,
  HostFacts,
  HostSample,
  ToHost,
  ToServer,
  TrackFile,
} from './messages.ts';
import { makePlace, removePlace, sweepPlaces } from './place.ts';
import { checkNeeds } from './preflight.ts';
import { machineMs } from './real-clock.ts';
import { realReportOf } from './real-report.ts';

/** Listeners of one process at most: one process a core does the same work in two thirds of the time of four. */
const LISTENERS_A_HOST = 64;
const MOST_HOSTS = 16;
/** From the last order to the beginning, so that all processes begin together, in milliseconds. */
const HEAD_START_MS = 300;
const SAMPLE_EVERY_MS = 500;
/** A run in which nothing comes to anybody for so long is over, in milliseconds. */
const PATIENCE_MS = 30_000;
/** Proving every file at the end may take this long, in milliseconds. */
const FACTS_WITHIN_MS = 300_000;
const SERVERS_WITHIN_MS = 5_000;
const RAW_MEGABYTES = 16;
/**
 * V8 collects whenever the frames outside its heap have grown by as much as a small heap may: in a process of 50 listeners
 * that is several times a second, and each time the objects of all of them are looked at, which no listener of its own does.
 */
const HOST_FLAGS = ['--heap-growing-percent=500'];

/** How a real run is set up. */
export interface RealSettings {
  readonly scenario: Scenario;
  readonly rtc: 'wrtc' | 'werift';
  /** Somebody's own tracker and origin in place of ours. */
  readonly tracker?: string | undefined;
  readonly origin?: string | undefined;
  /** The track at that origin; its first by default. */
  readonly trackId?: string | undefined;
  /** Ports of our own tracker and origin; 0 for any. */
  readonly trackerPort: number;
  readonly originPort: number;
}

type Host = Child<ToHost, FromHost>;
type Server = Child<ToServer, FromServer>;

/**
 * Runs a scenario with real listeners in processes of their own. Rejects with `Impossible` before anything is started,
 * with `ChildError` when a process fails. Nothing of the run is left afterwards.
 */
export async function runReal(asked: RealSettings, watcher: Watcher = {}): Promise<RunRecord> {
  const { rtc, trackerPort, originPort, tracker } = asked;
  const there = await tracksOf(asked);
  const settings = { ...asked, scenario: there?.scenario ?? asked.scenario };
  const { scenario } = settings;
  watcher.began?.(scenario);
  const hosts = hostsFor(scenario.peers);
  await checkNeeds({ scenario, rtc, hosts, ports: [trackerPort, originPort], tracker });
  sweepPlaces();
  const folder = makePlace();
  // The last word, whatever ends this process by itself.
  const sweep = () => removePlace(folder);
  process.once('exit', sweep);
  const run = new RealRun(settings, there?.tracks, watcher, folder, hosts);
  try {
    return await run.run();
  } finally {
    await run.end();
    sweep();
    process.off('exit', sweep);
  }
}

class RealRun {
  readonly #settings: RealSettings;
  /** What somebody's own origin serves. */
  readonly #theirs: readonly TrackFile[] | undefined;
  readonly #watcher: Watcher;
  readonly #folder: string;
  readonly #hostCount: number;
  readonly #children: { kill(): Promise<void>; readonly failed: Promise<never> }[] = [];
  readonly #names = new Map<string, string>();
  readonly #caught = new Set<string>();
  readonly #events: RunEvent[] = [];
  readonly #samples: Sample[] = [];
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  readonly #latest: ({ readonly sample: HostSample; readonly cost: Cost } | undefined)[];
  #originCounts = { audioBytes: 0, cost: { cpuMs: 0, rssBytes: 0 } };
  #trackerCost: Cost = { cpuMs: 0, rssBytes: 0 };
  #epochMs = 0;
  #mostRss = 0;
  #ownCpuMs = 0;

  constructor(
    settings: RealSettings,
    theirs: readonly TrackFile[] | undefined,
    watcher: Watcher,
    folder: string,
    hostCount: number,
  ) {
    this.#settings = settings;
    this.#theirs = theirs;
    this.#watcher = watcher;
    this.#folder = folder;
    this.#hostCount = hostCount;
    this.#latest = Array.from({ length: hostCount }, () => undefined);
  }

  async run(): Promise<RunRecord> {
    const { scenario, rtc, tracker, origin, trackerPort } = this.#settings;
    const isSwarm = scenario.policy !== 'http-only';
    const trackerServer =
      isSwarm && tracker === undefined ? this.#start<Server>('tracker-main', 'the tracker') : undefined;
    const trackerUrl =
      tracker ?? (await trackerServer?.ask({ type: 'start-tracker', port: trackerPort }, 'listening'))?.url;
    const [originUrl, originServer, tracks] = await this.#publish(origin);
    const rawMBps = isSwarm
      ? (await measureRawChannel({ rtc, ...LINK_FRAMES[rtc], megabytes: RAW_MEGABYTES })).mbPerS
      : 0;
    this.#watcher.stop?.throwIfAborted();
    const hosts = Array.from({ length: this.#hostCount }, (_, i) =>
      this.#start<Host>('host-main', `listeners ${i + 1}`, HOST_FLAGS),
    );
    this.#epochMs = machineMs() + HEAD_START_MS + 200 * this.#hostCount;
    const appointments = appointmentsOf(scenario);
    const ready = await Promise.all(
      hosts.map((host, i) => {
        host.hear((message) => this.#heard(i, message));
        return host.ask(
          {
            type: 'orders',
            orders: {
              scenario,
              rtc,
              tracker: trackerUrl,
              origin: originUrl,
              aulaPrefix: tracker === undefined ? 'aula-' : `bench-${process.pid}-`,
              tracks,
              appointments: appointments.filter(({ shape }) => shape.index % hosts.length === i),
              folder: this.#folder,
              epochMs: this.#epochMs,
              nextIndex: nextFor(appointments.length, i, hosts.length),
              indexStep: hosts.length,
              isTraced: this.#watcher.log !== undefined,
            },
          },
          'ready',
        );
      }),
    );
    const ask = () => this.#ask(originServer, trackerServer);
    await ask();
    const cpuBefore = this.#cpuMs(ready);
    const ownBefore = costSoFar().cpuMs;
    this.#dies(scenario.trackerDiesS, trackerServer, 'tracker-died', 'tracker');
    this.#dies(scenario.originDiesS, originServer, 'origin-died', 'origin');
    const isStopped = await this.#untilOver(ask);
    const endedMs = machineMs() - this.#epochMs;
    await ask();
    this.#ownCpuMs = costSoFar().cpuMs - ownBefore;
    const answers = await Promise.all(
      hosts.map((host) => host.ask({ type: 'finish' }, 'facts', FACTS_WITHIN_MS)),
    );
    const facts = answers.flatMap((each) => each.facts);
    this.#sample();
    return this.#record({
      facts,
      tracks,
      rawMBps,
      endedMs,
      isStopped,
      cpuMs: this.#cpuMs(answers) - cpuBefore,
    });
  }

  /** Ends every process. Idempotent. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#children.map((child) => child.kill()));
  }

  #start<Kind extends Host | Server>(module: string, name: string, flags: readonly string[] = []): Kind {
    const child = new Child(module, this.#folder, name, flags);
    this.#children.push(child);
    return child as unknown as Kind;
  }

  /** Our own origin over noise, or somebody's: where it is, its process, what it serves. */
  async #publish(origin: string | undefined): Promise<[string, Server | undefined, readonly TrackFile[]]> {
    const { scenario, originPort } = this.#settings;
    if (origin !== undefined) return [origin, undefined, this.#theirs ?? []];
    const folder = join(this.#folder, 'tracks');
    const names = await writeLibrary(folder, scenario);
    const server = this.#start<Server>('origin-main', 'the origin');
    const { url } = await server.ask(
      { type: 'start-origin', folder, port: originPort, upKbps: scenario.originUpKbps },
      'listening',
    );
    return [url, server, await readTracks(url, names, folder, scenario)];
  }

  #dies(
    afterS: number | undefined,
    server: Server | undefined,
    what: 'tracker-died' | 'origin-died',
    who: string,
  ): void {
    if (afterS === undefined || server === undefined) return;
    const inMs = afterS * 1000 - (machineMs() - this.#epochMs);
    this.#timers.push(
      setTimeout(() => {
        void server.kill();
        this.#tell({ atMs: machineMs() - this.#epochMs, what, who });
      }, inMs),
    );
  }

  #heard(host: number, message: FromHost): void {
    if (message.type === 'sample') this.#latest[host] = message;
    else if (message.type === 'log') this.#watcher.log?.(message.atMs, message.peer, message.line);
    else if (message.type === 'event') {
      const { event, nonce } = message;
      if (event.what === 'joined' && nonce !== undefined) this.#names.set(nonce, event.who);
      if (event.what !== 'caught') return this.#tell(event);
      const who = this.#names.get(nonce ?? '') ?? 'a stranger';
      if (this.#caught.has(who)) return;
      this.#caught.add(who);
      this.#tell({ ...event, who });
    }
  }

  #tell(event: RunEvent): void {
    this.#events.push(event);
    this.#watcher.event?.(event);
  }

  /** Resolves when the run is over; answers whether it was stopped before. Rejects when a process fails. */
  async #untilOver(ask: () => Promise<void>): Promise<boolean> {
    const { scenario } = this.#settings;
    const { churnPerMin, joinSpreadS, warmS, plays } = scenario;
    const playMs = playMsOf(scenario) * plays;
    const spreadMs = (joinSpreadS + warmS) * 1000;
    const lastMs = spreadMs + (churnPerMin > 0 ? 2 * playMs : 5 * playMs + 300_000);
    const { stop } = this.#watcher;
    const failed = Promise.race(this.#children.map((child) => child.failed));
    failed.catch(() => undefined);
    let lastBytes = -1;
    let lastMovedMs = 0;
    for (;;) {
      await Promise.race([failed, pause(SAMPLE_EVERY_MS, stop)]);
      const nowMs = machineMs() - this.#epochMs;
      void ask();
      this.#sample();
      if (stop?.aborted === true) return true;
      const samples = this.#hostSamples();
      if (samples.length < this.#hostCount) continue;
      if (samples.every(({ isDone }) => isDone)) return false;
      if (nowMs > lastMs) return false;
      const bytes = samples.reduce((sum, each) => sum + totalOf(each.bytes), 0);
      if (bytes !== lastBytes || nowMs < spreadMs || samples.some(({ hearing }) => hearing > 0)) {
        lastBytes = bytes;
        lastMovedMs = nowMs;
      } else if (nowMs - lastMovedMs > PATIENCE_MS) {
        this.#tell({ atMs: nowMs, what: 'trouble', who: `nothing came for ${PATIENCE_MS / 1000} s` });
        return false;
      }
    }
  }

  /** Asks the servers what they sent and cost. A server that is gone leaves its last answer. */
  async #ask(origin: Server | undefined, tracker: Server | undefined): Promise<void> {
    const counts = (server: Server | undefined) =>
      server?.ask({ type: 'ask' }, 'counts', SERVERS_WITHIN_MS).catch(() => undefined);
    const [ofOrigin, ofTracker] = await Promise.all([counts(origin), counts(tracker)]);
    this.#originCounts = ofOrigin ?? this.#originCounts;
    this.#trackerCost = ofTracker?.cost ?? this.#trackerCost;
    const hosts = this.#latest.flatMap((each) => (each === undefined ? [] : [each.cost]));
    const rss = [this.#originCounts.cost, this.#trackerCost, ...hosts, costSoFar()].reduce(
      (sum, { rssBytes }) => sum + rssBytes,
      0,
    );
    this.#mostRss = Math.max(this.#mostRss, rss);
  }

  /** Processor time of all that is measured, in milliseconds, the listeners' as they said last. */
  #cpuMs(hosts: readonly { readonly cost: Cost }[]): number {
    const ofHosts = hosts.reduce((sum, { cost }) => sum + cost.cpuMs, 0);
    return this.#originCounts.cost.cpuMs + this.#trackerCost.cpuMs + ofHosts;
  }

  #hostSamples(): HostSample[] {
    return this.#latest.flatMap((each) => (each === undefined ? [] : [each.sample]));
  }

  #originSentBytes(): number {
    if (this.#settings.origin === undefined) return this.#originCounts.audioBytes;
    return this.#hostSamples().reduce((sum, { receivedAudioBytes }) => sum + receivedAudioBytes, 0);
  }

  #sample(): void {
    const bytes = { origin: 0, aula: 0, global: 0, cache: 0 };
    let [opened, playing, stalled, completed, links] = [0, 0, 0, 0, 0];
    for (const sample of this.#hostSamples()) {
      for (const tier of ['origin', 'aula', 'global', 'cache'] as const) bytes[tier] += sample.bytes[tier];
      opened += sample.opened;
      playing += sample.playing;
      stalled += sample.stalled;
      completed += sample.completed;
      links += sample.links;
    }
    const sample: Sample = {
      atMs: machineMs() - this.#epochMs,
      bytes,
      originSentBytes: this.#originSentBytes(),
      opened,
      playing,
      stalled,
      completed,
      links: links / 2,
    };
    if (sample.atMs < 0) return;
    this.#samples.push(sample);
    this.#watcher.sample?.(sample);
  }

  #record(outcome: {
    readonly facts: readonly HostFacts[];
    readonly tracks: readonly TrackFile[];
    readonly rawMBps: number;
    readonly endedMs: number;
    readonly isStopped: boolean;
    readonly cpuMs: number;
  }): RunRecord {
    const { scenario, rtc } = this.#settings;
    const { listeners, transfers } = collect(outcome.facts);
    const report = realReportOf({
      ...outcome,
      scenario,
      rtc,
      listeners,
      originSentBytes: this.#originSentBytes(),
      mostRss: this.#mostRss,
      ownCpuMs: this.#ownCpuMs,
    });
    const { isStopped } = outcome;
    return {
      scenario,
      report,
      listeners,
      samples: this.#samples,
      events: this.#events,
      transfers,
      isStopped,
    };
  }
}

/** What somebody's own origin serves, and the scenario with those tracks in place of made-up ones. */
async function tracksOf({
  origin,
  trackId,
  scenario,
}: RealSettings): Promise<
  { readonly scenario: Scenario; readonly tracks: readonly TrackFile[] } | undefined
> {
  if (origin === undefined) return undefined;
  const ids = trackId === undefined ? await listTracks(origin) : [trackId];
  const tracks = await readTracks(origin, ids.slice(0, scenario.tracks), undefined, scenario);
  const sizeMB = Math.max(...tracks.map(({ piece }) => piece.sizeBytes)) / 1e6;
  const real = { ...scenario, tracks: tracks.length, sizeMB };
  checkOriginLoad(real);
  return { scenario: real, tracks };
}

/** Processes of listeners: one for every core at least, if there are listeners for them. */
function hostsFor(peers: number): number {
  const wanted = Math.max(availableParallelism(), Math.ceil(peers / LISTENERS_A_HOST));
  return Math.min(wanted, MOST_HOSTS, peers);
}

/** The first number at or after `from` that belongs to the process at this place. */
function nextFor(from: number, place: number, hosts: number): number {
  return from + ((((place - from) % hosts) + hosts) % hosts);
}

function totalOf(bytes: HostSample['bytes']): number {
  return bytes.origin + bytes.aula + bytes.global + bytes.cache;
}

function pause(ms: number, stop: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (stop?.aborted === true) done();
    else stop?.addEventListener('abort', done);
  });
}
