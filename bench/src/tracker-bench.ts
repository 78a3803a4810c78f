import { percentile, round } from './report.ts';
import { BenchChild } from './tracker-child.ts';
import type {
  FromLoad,
  FromServer,
  Joined,
  JoinShape,
  ServerSample,
  SubjectName,
  ToLoad,
  ToServer,
} from './tracker-messages.ts';
import { giveOwnCore } from './tracker-cores.ts';
import { pause } from './tracker-load.ts';

/** What `docs/running-a-tracker.md` starts a tracker with that has one core only, as the one that is measured has. */
export const ONE_CORE_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=1'];

/** What is joined, and by how many. */
export interface TrackerBenchSettings extends JoinShape {
  readonly peers: number;
  /** Joins at a time. */
  readonly underWay: number;
  /** Processes the load comes from, 1 or 2. */
  readonly loads: number;
}

/** What joins cost one subject. `null` where the server is not this bench's own and cannot be looked into. */
export interface JoinReport {
  /** Processor time of the server, user and system, over all its threads. */
  readonly cpuMsPerJoin: number | null;
  /** The part of it that the kernel took: reading and writing sockets. */
  readonly systemMsPerJoin: number | null;
  /** Growth of the server's heap and what it keeps outside, after the load, garbage collected; 1,000 bytes. */
  readonly kbPerPeer: number | null;
  readonly joinsPerS: number;
  /** From an announcement to its answer, while joins come as fast as they are served. */
  readonly announceMs: { readonly p50: number; readonly p99: number };
  /** Signals that reached the peer they were for. */
  readonly relayed: number;
  readonly joins: number;
  /** Joins that did not end within ten seconds. */
  readonly failed: number;
}

/** A subject in a process of its own. */
export type ServerProcess = BenchChild<ToServer, FromServer>;
/** Peers in a process of their own. */
export type LoadProcess = BenchChild<ToLoad, FromLoad>;

/**
 * Joins with which a fresh server is warmed up, and how often, before anything is counted. After 3,000 a tenth of what
 * was counted was V8's compiler still.
 */
const WARM_UP_JOINS = 3_000;
const WARM_UP_ROUNDS = 3;
/** A server's closing of sockets is over after this, in milliseconds. */
const SETTLE_MS = 300;

/**
 * Starts processes, the server's on a core of its own and with these flags of Node, hands them over, and ends them
 * whatever happens.
 */
export async function withProcesses<Result>(
  loads: number,
  run: (server: ServerProcess, loads: readonly LoadProcess[]) => Promise<Result>,
  nodeFlags: readonly string[] = [],
): Promise<Result> {
  const server: ServerProcess = new BenchChild('tracker-server-main', ['--expose-gc', ...nodeFlags]);
  const processes = startLoads(loads);
  try {
    if (server.pid !== undefined) giveOwnCore(server.pid, pidsOf(processes));
    return await run(server, processes);
  } finally {
    await Promise.all([server, ...processes].map((child) => child.kill()));
  }
}

function pidsOf(processes: readonly LoadProcess[]): number[] {
  return processes.flatMap(({ pid }) => pid ?? []);
}

/** Starts so many processes that load a tracker, with these flags of Node. Whoever started them ends them. */
export function startLoads(count: number, nodeFlags: readonly string[] = []): LoadProcess[] {
  return Array.from(
    { length: count },
    () => new BenchChild<ToLoad, FromLoad>('tracker-load-main', nodeFlags),
  );
}

/** Starts a subject on a free port, in its own process; answers its URL. */
export async function start(
  server: ServerProcess,
  subject: SubjectName,
  rival: string | undefined,
): Promise<string> {
  return (await server.ask({ type: 'start', subject, port: 0, rival }, 'listening')).url;
}

/** What joining costs a subject that is started for this, warmed up and ended. Rejects when it refuses a peer. */
export function measureJoins(
  subject: SubjectName,
  settings: TrackerBenchSettings,
  rival?: string,
): Promise<JoinReport> {
  return withProcesses(settings.loads, async (server, loads) => {
    const url = await start(server, subject, rival);
    const [first] = loads;
    if (first === undefined) throw new Error('no load');
    await warmUp(first, subject, url, settings);
    const idle = await sample(server, true);
    // With the garbage of a server that nobody is connected to goes half of what V8 compiled for it.
    await warmUp(first, subject, url, settings, 1);
    // Who joins is to find as many as it has offers for, in a hundred swarms as in one.
    const founding = { ...settings, peers: foundersOf(settings) };
    const founders = await joinFrom([first], subject, url, founding, settings.peers);
    const before = await sample(server, false);
    const joined = await joinFrom(loads, subject, url, settings);
    const after = await sample(server, true);
    return {
      ...reportOf(joined),
      cpuMsPerJoin: round((after.cpuMs - before.cpuMs) / joined.joins, 4),
      systemMsPerJoin: round((after.systemMs - before.systemMs) / joined.joins, 4),
      kbPerPeer: round((after.heapBytes - idle.heapBytes) / 1_000 / (founders.joins + joined.joins), 2),
    };
  });
}

/** Peers that a bench's own tracker has beside those who are counted: for each swarm as many as a peer has offers, or joins there. */
export function foundersOf({ peers, swarms, offers }: TrackerBenchSettings): number {
  return swarms * Math.min(offers, Math.floor(peers / swarms));
}

/** Lets peers join and leave, so many times, until a fresh server has compiled what it will. */
export async function warmUp(
  load: LoadProcess,
  subject: SubjectName,
  url: string,
  settings: TrackerBenchSettings,
  rounds: number = WARM_UP_ROUNDS,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await joinFrom([load], subject, url, { ...settings, peers: WARM_UP_JOINS });
    await load.ask({ type: 'disconnect' }, 'disconnected');
    await pause(SETTLE_MS);
  }
}

/** Loads a tracker of ours that runs elsewhere. Nothing is known of its processor and memory. */
export async function measureJoinsAt(url: string, settings: TrackerBenchSettings): Promise<JoinReport> {
  const loads = startLoads(settings.loads);
  try {
    return reportOf(await joinFrom(loads, 'sonantica', url, settings));
  } finally {
    await Promise.all(loads.map((child) => child.kill()));
  }
}

/** Lets peers join from several processes at once, numbered from `first` on, and adds up what came of it. */
export async function joinFrom(
  loads: readonly LoadProcess[],
  subject: SubjectName,
  url: string,
  settings: TrackerBenchSettings,
  first = 0,
): Promise<Joined> {
  const { peers, underWay, swarms, offers, candidates } = settings;
  const share = Math.ceil(peers / loads.length);
  const parts = await Promise.all(
    loads.map((load, i) =>
      load.ask(
        {
          type: 'join',
          subject,
          url,
          first: first + i * share,
          count: Math.max(0, Math.min(share, peers - i * share)),
          shape: { swarms, offers, candidates },
          pace: { underWay: Math.max(1, Math.round(underWay / loads.length)) },
        },
        'joined',
      ),
    ),
  );
  const sum = (of: (part: Joined) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    type: 'joined',
    joins: sum(({ joins }) => joins),
    failed: sum(({ failed }) => failed),
    ms: Math.max(...parts.map(({ ms }) => ms)),
    announceMs: parts.flatMap(({ announceMs }) => announceMs),
    relayed: sum(({ relayed }) => relayed),
  };
}

/** A look at a server; with `collect` its garbage is collected before its memory is read. */
export function sample(server: ServerProcess, collect: boolean): Promise<ServerSample> {
  return server.ask({ type: 'sample', collect }, 'sample');
}

function reportOf({ joins, failed, ms, announceMs, relayed }: Joined): JoinReport {
  return {
    cpuMsPerJoin: null,
    systemMsPerJoin: null,
    kbPerPeer: null,
    joinsPerS: round(joins / (ms / 1_000), 1),
    announceMs: {
      p50: round(percentile(announceMs, 0.5), 2),
      p99: round(percentile(announceMs, 0.99), 2),
    },
    relayed,
    joins,
    failed,
  };
}
