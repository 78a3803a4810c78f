import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RtcImplementation } from '@sonantica/swarm';
import { loadNodeRtc, openFileStore } from '@sonantica/swarm/node';
import { seededRandom } from '@sonantica/swarm/testing';
import type { ManifestJson } from '@sonantica/wire';
import { Listening } from '../listening.ts';
import { HttpPlay, SwarmPlay, type Piece, type Play } from '../player.ts';
import { programmeOf } from '../programme.ts';
import { staysMs } from '../scenario.ts';
import { costSoFar } from './child-side.ts';
import { GatheringGate } from './gathering-gate.ts';
import type { Appointment, FromHost, HostFacts, HostOrders, HostSample, TrackFile } from './messages.ts';
import { createRealListener, type ListenerShape, type RealListener } from './real-listener.ts';
import { RealClock } from './real-clock.ts';
import { TrackBytes } from './track-bytes.ts';

const SAMPLE_EVERY_MS = 500;
/** Between a leaver and who comes in its place, in milliseconds. */
const REPLACED_AFTER_MS = 1_000;
/** A listener that crashed holds its connections this long, silent, as if its machine were without power. */
const CRASHED_HOLDS_MS = 20_000;
/** Apart from all other draws of a run. */
const CHURN_SEED = 3_000_017;

interface Guest {
  readonly shape: ListenerShape;
  readonly listener: RealListener;
  listening: Listening | undefined;
  left: boolean;
  readonly caught: Set<string>;
}

/** The listeners of one process: come, play, leave, and are counted. */
export class ListenerHost {
  readonly #orders: HostOrders;
  readonly #tell: (message: FromHost) => void;
  readonly #clock: RealClock;
  readonly #random;
  readonly #guests: Guest[] = [];
  readonly #files = new Map<string, TrackBytes>();
  readonly #gate = new GatheringGate();
  #rtc: RtcImplementation | undefined;
  #nextIndex: number;
  #toCome: number;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(orders: HostOrders, tell: (message: FromHost) => void) {
    this.#orders = orders;
    this.#tell = tell;
    this.#clock = new RealClock(orders.epochMs);
    this.#random = seededRandom(CHURN_SEED * (orders.scenario.seed + 1) + orders.nextIndex);
    this.#nextIndex = orders.nextIndex;
    this.#toCome = orders.appointments.filter(({ opensAtMs }) => opensAtMs !== undefined).length;
  }

  /** Loads what is needed and makes the appointments. Rejects with `rtc-unavailable`. */
  async start(): Promise<void> {
    const { rtc, tracks, appointments, scenario, origin } = this.#orders;
    if (scenario.policy !== 'http-only') this.#rtc = await loadNodeRtc(rtc);
    // The first request of a process loads what makes requests: no listener should wait for that.
    const warmUp = await fetch(`${origin}/${tracks[0]?.piece.trackId ?? ''}.manifest.json`);
    await warmUp.arrayBuffer();
    for (const { piece, path } of tracks) {
      if (path !== undefined) this.#files.set(piece.trackId, new TrackBytes(path, piece.sizeBytes));
    }
    for (const each of appointments) {
      this.#clock.schedule(each.joinsAtMs - this.#clock.nowMs(), () => this.#expect(each));
    }
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS);
  }

  /** Everybody stops where they are; what was delivered is proven once more, against the publisher's SHA-256. */
  async finish(): Promise<readonly HostFacts[]> {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const { listening } of this.#guests) listening?.leave();
    const facts: HostFacts[] = [];
    for (const guest of this.#guests) facts.push(await this.#factsOf(guest));
    return facts;
  }

  #expect(appointment: Appointment): void {
    this.#arrive(appointment).catch((error: unknown) => {
      if (appointment.opensAtMs !== undefined) this.#toCome--;
      this.#event('trouble', `${appointment.shape.name}: ${String(error)}`);
    });
  }

  async #arrive({ shape, opensAtMs }: Appointment): Promise<void> {
    if (this.#isOver) return;
    const { tracker, origin, scenario, aulaPrefix, folder, isTraced } = this.#orders;
    const { sizeMB, tracks, links, policy } = scenario;
    const store =
      policy !== 'http-only' ? await openFileStore(join(folder, 'stores', shape.name)) : undefined;
    const listener = createRealListener(this.#clock, shape, {
      tracker,
      origin,
      rtc: this.#rtc && this.#gate.for(this.#rtc),
      maxLinks: links ?? 8,
      order: policy === 'http-only' ? undefined : policy,
      storageGB: (2 * sizeMB * tracks) / 1_000 + 1,
      store,
      aulaPrefix,
      ...(isTraced
        ? {
            log: (line: string) =>
              this.#tell({ type: 'log', atMs: this.#clock.nowMs(), peer: shape.name, line }),
          }
        : {}),
    });
    const guest: Guest = { shape, listener, listening: undefined, left: false, caught: new Set() };
    this.#guests.push(guest);
    this.#tell({
      type: 'event',
      event: { atMs: this.#clock.nowMs(), what: 'joined', who: shape.name },
      nonce: listener.nonce,
    });
    listener.swarm?.on('storage', ({ message }) => this.#event('trouble', `${shape.name}: ${message}`));
    if (opensAtMs === undefined) return this.#seed(guest);
    this.#clock.schedule(opensAtMs - this.#clock.nowMs(), () => this.#open(guest));
  }

  /** A peer that only seems to help says that it holds everything, and would have it. */
  async #seed({ listener }: Guest): Promise<void> {
    for (const { piece, document } of this.#orders.tracks) {
      const file = this.#files.get(piece.trackId);
      if (file === undefined) continue;
      const manifest = document as ManifestJson;
      await listener.swarm?.seed(manifest, async (chunk) =>
        file.slice(chunk * manifest.chunkSize, (chunk + 1) * manifest.chunkSize),
      );
    }
  }

  #open(guest: Guest): void {
    const { scenario, tracks } = this.#orders;
    this.#toCome--;
    if (this.#isOver) return;
    guest.listening = new Listening({
      clock: this.#clock,
      programme: programmeOf(scenario, guest.shape.index),
      pieces: tracks.map(({ piece }) => piece),
      open: (piece) => this.#play(guest, piece),
      ahead: ({ trackId }) => void guest.listener.swarm?.open(trackId).download().catch(ignore),
    });
    if (scenario.churnPerMin <= 0) return;
    this.#clock.schedule(staysMs(scenario, this.#random.next()), () => this.#leave(guest));
  }

  #play(guest: Guest, piece: Piece): Play {
    const { listener, caught } = guest;
    const countWrong = this.#files.get(piece.trackId)?.countWrong ?? (() => 0);
    if (listener.swarm === undefined) {
      const url = `${this.#orders.origin}/${piece.trackId}`;
      return new HttpPlay(this.#clock, listener.fetch, url, piece, countWrong);
    }
    const play = new SwarmPlay(this.#clock, listener.swarm, piece, countWrong);
    play.track.on('rejected', ({ peerId }) => {
      if (peerId === undefined || caught.has(peerId)) return;
      caught.add(peerId);
      this.#tell({
        type: 'event',
        event: { atMs: this.#clock.nowMs(), what: 'caught', who: '' },
        nonce: peerId,
      });
    });
    return play;
  }

  #leave(guest: Guest): void {
    if (this.#isOver) return;
    guest.left = true;
    guest.listening?.leave();
    const crashes = this.#random.next() < 0.5;
    const { listener, shape } = guest;
    const close = () => void listener.swarm?.close();
    if (crashes) {
      listener.cut();
      this.#clock.schedule(CRASHED_HOLDS_MS, close);
    } else close();
    this.#event(crashes ? 'crashed' : 'left', shape.name);
    const index = this.#nextIndex;
    this.#nextIndex += this.#orders.indexStep;
    this.#toCome++;
    this.#clock.schedule(REPLACED_AFTER_MS, () => {
      const { aulas } = this.#orders.scenario;
      const next = { ...shape, index, name: `${shape.kind}-${index}`, aula: index % aulas };
      const atMs = this.#clock.nowMs();
      this.#expect({ shape: next, joinsAtMs: atMs, opensAtMs: atMs });
    });
  }

  #event(what: 'left' | 'crashed' | 'trouble', who: string): void {
    this.#tell({ type: 'event', event: { atMs: this.#clock.nowMs(), what, who } });
  }

  #sample(): void {
    const bytes = { origin: 0, aula: 0, global: 0, cache: 0 };
    let receivedAudioBytes = 0;
    let links = 0;
    let [opened, playing, stalled, completed, waiting, hearing] = [0, 0, 0, 0, 0, 0];
    for (const guest of this.#guests) {
      const { listening, left, listener } = guest;
      if (!left) links += listener.swarm?.stats().links ?? 0;
      receivedAudioBytes += listener.counted.receivedAudioBytes;
      if (listening === undefined) continue;
      const proven = provenBytes(guest);
      bytes.origin += proven.origin;
      bytes.aula += proven.aula;
      bytes.global += proven.global;
      bytes.cache += proven.cache;
      opened++;
      if (listening.isComplete) completed++;
      if (left) continue;
      const isPlaying = listening.current?.playback.isPlaying === true;
      if (isPlaying) playing++;
      if (!listening.isComplete) {
        waiting++;
        if (isPlaying) hearing++;
      }
      if (listening.current?.playback.isStalled === true) stalled++;
    }
    const isDone = this.#toCome === 0 && waiting === 0 && this.#orders.scenario.churnPerMin === 0;
    const sample: HostSample = {
      bytes,
      receivedAudioBytes,
      opened,
      playing,
      stalled,
      completed,
      links,
      hearing,
      isDone,
    };
    this.#tell({ type: 'sample', sample, cost: costSoFar() });
  }

  async #factsOf(guest: Guest): Promise<HostFacts> {
    const { shape, listener, listening, caught } = guest;
    const { uploadedBytes, receivedBlockBytes, receivedAudioBytes, controlBytes, from, blamed } =
      listener.counted;
    const facts: HostFacts = {
      name: shape.name,
      nonce: listener.nonce,
      kind: shape.kind,
      aula: shape.aula,
      isComplete: listening?.isComplete === true,
      bytes: provenBytes(guest),
      uploadedBytes,
      receivedBlockBytes,
      receivedAudioBytes,
      controlBytes,
      caught: [...caught],
      blamed: [...blamed],
      plays: listening?.facts() ?? [],
      from: Object.fromEntries(from),
    };
    return { ...facts, hashed: await this.#hashed(guest) };
  }

  /** Reads every file back that a listener has whole, as a player would, and hashes it. */
  async #hashed({ listening, listener, left }: Guest): Promise<{ files: number; right: number }> {
    if (listening === undefined || listener.swarm === undefined || left) return { files: 0, right: 0 };
    const whole = new Set(
      listening.plays.flatMap(({ completedMs, piece }) => (completedMs === undefined ? [] : [piece.trackId])),
    );
    let right = 0;
    for (const trackId of whole) {
      const hash = createHash('sha256');
      for await (const bytes of listener.swarm.open(trackId).stream()) hash.update(bytes);
      if (hash.digest('hex') === this.#trackFile(trackId)?.sha256) right++;
    }
    return { files: whole.size, right };
  }

  #trackFile(trackId: string): TrackFile | undefined {
    return this.#orders.tracks.find(({ piece }) => piece.trackId === trackId);
  }
}

function provenBytes({ listener, listening }: Guest): HostFacts['bytes'] {
  const { origin, aula, global, cache } = listener.swarm?.stats().bytes ?? {
    origin: listener.counted.receivedAudioBytes,
    aula: 0,
    global: 0,
    cache: 0,
  };
  return { origin, aula, global, cache: cache + (listening?.replayedBytes ?? 0) };
}

/** A download ahead of its time: the play that needs it asks again. */
function ignore(): void {}
