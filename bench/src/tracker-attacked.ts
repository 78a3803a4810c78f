import { percentile, round } from './report.ts';
import { startLoads } from './tracker-bench.ts';
import type { FromAttacker, ToAttacker } from './tracker-attack-main.ts';
import type { AttackKind } from './tracker-attacks.ts';
import { begunApart, CoreClocks, lengthOf, type Span } from './core-clock.ts';
import { BenchChild } from './tracker-child.ts';
import { giveOwnCore, giveWay, goFirst, keepOnCore, SERVER_CORE } from './tracker-cores.ts';
import { pause } from './tracker-load.ts';

export { ONE_CORE_FLAGS } from './tracker-bench.ts';
export { ATTACK_KINDS, type AttackKind } from './tracker-attacks.ts';

/** A tracker of ours that runs in a process of its own. */
export interface AttackedTracker {
  readonly url: string;
  readonly pid: number;
  /** Resident memory of the process, in bytes. */
  residentBytes(): number | Promise<number>;
}

/** How honest listeners fare while a tracker is attacked. */
export interface AttackedReport {
  readonly kind: AttackKind;
  /** Signals of honest listeners, one way through the tracker, 99th percentiles: medians of the rounds. */
  readonly quietP99Ms: number;
  readonly attackedP99Ms: number;
  readonly ratio: number;
  readonly quietP50Ms: number;
  readonly attackedP50Ms: number;
  /** Most that memory grew by from the quiet before an attack to its end, over the rounds; 1,048,576 bytes. */
  readonly grownMB: number;
  /** From a newcomer's connection to the answer to its announcement: middle, and longest of all rounds. */
  readonly quietJoinP50Ms: number;
  readonly attackedJoinP50Ms: number;
  readonly longestJoinMs: number;
  /** What the attack was while signals were measured, a second: connections, and 1,000,000 bytes that left. */
  readonly attackSocketsPerS: number;
  readonly attackMBPerS: number;
  /** Whether the system let the tracker and the listeners have their cores before all others. */
  readonly wasAlone: boolean;
  /** How late the listeners' own process was, 99th percentile: without an attack, and under one. */
  readonly quietLateP99Ms: number;
  readonly attackedLateP99Ms: number;
  /** Signals in the least of all measurements. */
  readonly samples: number;
  /** Whether a clock on either core was looked at before everything else there: without, nothing is left out. */
  readonly hasClocks: boolean;
  /** Share of the signals that began about when a core stood still, and are not counted; percentiles with them. */
  readonly quietLeftOut: number;
  readonly attackedLeftOut: number;
  readonly quietWholeP99Ms: number;
  readonly attackedWholeP99Ms: number;
  /** How long the tracker's core stood still in a measurement: an attack is not to hide there. */
  readonly quietStoodStillMs: number;
  readonly attackedStoodStillMs: number;
  /** Each round: quiet and attacked. */
  readonly rounds: readonly (readonly [quietP99Ms: number, attackedP99Ms: number])[];
}

/**
 * Node's flags of the honest listeners: who goes first must not wait for helpers of its own, who would never have the
 * core; and with a young generation of 16 MB hardly anything of theirs grows old, the collection of which takes up to
 * 16 ms.
 */
const LISTENER_FLAGS = ['--single-threaded-gc', '--min-semi-space-size=16', '--max-semi-space-size=16'];
/** Honest pairs; each listener says nine signals a second. */
const PAIRS = 60;
/** A measurement: about 1,100 signals. */
const MEASURE_MS = 1_100;
/** The last signals are said and heard within this after it, in milliseconds. */
const SPREAD_MS = 300;
/** The listeners' core: the attacker shares it, or takes others where there are some. */
const LISTENER_CORE = 1;
/** Newcomers join for so long after that: thirty. */
const JOIN_MS = 600;
/** After an attack the tracker is done with those who went, in milliseconds. */
const SETTLE_MS = 1_000;
const BYTES_PER_MB = 1_048_576;
const MB = 1_000_000;

/**
 * Measures honest listeners of a tracker in turn without and with an attack, so many times. The tracker has a core of
 * its own; the attacker shares the others with the listeners and gives way to them, and where the system allows, nobody
 * else's programs come before either, so that the tracker's delay is measured and not the listeners' or the machine's.
 * A signal that was sent about when a core stood still is not counted, attacked or not: clocks on both cores tell.
 * Rejects when a listener was refused or ended, a newcomer did not get in, the tracker went, or a core stood still most of
 * the time.
 */
export async function measureAttacked(
  kind: AttackKind,
  tracker: AttackedTracker,
  rounds: number,
): Promise<AttackedReport> {
  const [honest] = startLoads(1, LISTENER_FLAGS);
  if (honest?.pid === undefined) throw new Error('no load');
  const clocks = new CoreClocks([SERVER_CORE, LISTENER_CORE]);
  const quiet: Measured[] = [];
  const attacked: Measured[] = [];
  const counts: { socketsPerS: number; mbPerS: number }[] = [];
  let grownBytes = 0;
  let wasAlone = false;
  try {
    if (giveOwnCore(tracker.pid, [honest.pid])) keepOnCore(honest.pid, LISTENER_CORE);
    wasAlone = [tracker.pid, honest.pid].every(goFirst);
    await honest.ask({ type: 'pair', url: tracker.url, count: PAIRS }, 'paired');
    const measure = async (signalled: () => Promise<void> = async () => {}): Promise<Measured> => {
      const [gaps, { signals, lateP99Ms }] = await Promise.all([
        clocks.watch(MEASURE_MS + SPREAD_MS),
        honest.ask({ type: 'signal', forMs: MEASURE_MS }, 'signalled'),
      ]);
      await signalled();
      const joins = await honest.ask({ type: 'newcomers', url: tracker.url, forMs: JOIN_MS }, 'joinedAnew');
      return {
        ...signalFigures(gaps, signals),
        lateP99Ms,
        joinP50: percentile(joins.tookMs, 0.5),
        joinMax: Math.max(...joins.tookMs),
      };
    };
    // The first round is not counted, but for its memory: neither side has compiled what it will.
    for (let run = 0; run <= rounds; run++) {
      quiet.push(await measure());
      const before = await tracker.residentBytes();
      const attacker = new BenchChild<ToAttacker, FromAttacker>('tracker-attack-main');
      try {
        if (attacker.pid === undefined) throw new Error('no attacker');
        giveOwnCore(tracker.pid, [attacker.pid]);
        giveWay(attacker.pid);
        await attacker.ask({ type: 'attack', kind, url: tracker.url }, 'attacking');
        const count = () => attacker.ask({ type: 'count' }, 'counted');
        const first = await count();
        const startMs = performance.now();
        attacked.push(
          await measure(async () => {
            const { sockets, bytes } = await count();
            const s = (performance.now() - startMs) / 1_000;
            counts.push({
              socketsPerS: (sockets - first.sockets) / s,
              mbPerS: (bytes - first.bytes) / s / MB,
            });
          }),
        );
        grownBytes = Math.max(grownBytes, (await tracker.residentBytes()) - before);
      } finally {
        await attacker.kill();
      }
      if (run < rounds) await pause(SETTLE_MS);
    }
  } finally {
    await Promise.all([honest.kill(), clocks.kill()]);
  }
  quiet.shift();
  attacked.shift();
  counts.shift();
  const of = (figures: readonly Measured[], figureOf: (figure: Measured) => number, digits = 2) =>
    round(percentile(figures.map(figureOf), 0.5), digits);
  const [quietP99Ms, attackedP99Ms] = [of(quiet, ({ p99 }) => p99), of(attacked, ({ p99 }) => p99)];
  return {
    kind,
    quietP99Ms,
    attackedP99Ms,
    ratio: round(attackedP99Ms / quietP99Ms, 2),
    quietP50Ms: of(quiet, ({ p50 }) => p50),
    attackedP50Ms: of(attacked, ({ p50 }) => p50),
    grownMB: round(grownBytes / BYTES_PER_MB, 1),
    quietJoinP50Ms: of(quiet, ({ joinP50 }) => joinP50),
    attackedJoinP50Ms: of(attacked, ({ joinP50 }) => joinP50),
    longestJoinMs: round(Math.max(...[...quiet, ...attacked].map(({ joinMax }) => joinMax)), 1),
    attackSocketsPerS: Math.round(
      percentile(
        counts.map(({ socketsPerS }) => socketsPerS),
        0.5,
      ),
    ),
    attackMBPerS: round(
      percentile(
        counts.map(({ mbPerS }) => mbPerS),
        0.5,
      ),
      1,
    ),
    wasAlone,
    quietLateP99Ms: of(quiet, ({ lateP99Ms }) => lateP99Ms),
    attackedLateP99Ms: of(attacked, ({ lateP99Ms }) => lateP99Ms),
    samples: Math.min(...[...quiet, ...attacked].map(({ samples }) => samples)),
    hasClocks: clocks.areFirst,
    quietLeftOut: of(quiet, ({ leftOut }) => leftOut, 3),
    attackedLeftOut: of(attacked, ({ leftOut }) => leftOut, 3),
    quietWholeP99Ms: of(quiet, ({ wholeP99 }) => wholeP99),
    attackedWholeP99Ms: of(attacked, ({ wholeP99 }) => wholeP99),
    quietStoodStillMs: of(quiet, ({ stoodStillMs }) => stoodStillMs),
    attackedStoodStillMs: of(attacked, ({ stoodStillMs }) => stoodStillMs),
    rounds: quiet.map(({ p99 }, i) => [round(p99, 2), round(attacked[i]?.p99 ?? 0, 2)] as const),
  };
}

/** How long signals took, in milliseconds. */
interface SignalFigures {
  readonly p50: number;
  readonly p99: number;
  readonly samples: number;
  /** Share of the signals that is not counted, and the 99th percentile with them. */
  readonly leftOut: number;
  readonly wholeP99: number;
  /** How long the tracker's core stood still. */
  readonly stoodStillMs: number;
}

/** One measurement, times in milliseconds. */
interface Measured extends SignalFigures {
  readonly lateP99Ms: number;
  readonly joinP50: number;
  readonly joinMax: number;
}

/**
 * How long signals took, but for those that were sent about when a core stood still; `gaps`: of each core, the tracker's
 * first. Throws where that is so of more than half of them: such a machine measures nothing.
 */
export function signalFigures(gaps: readonly (readonly Span[])[], signals: readonly Span[]): SignalFigures {
  const counted = begunApart(gaps.flat(), signals);
  if (counted.length < signals.length / 2)
    throw new Error('the machine stood still during most of a measurement');
  const tookMs = counted.map(lengthOf);
  return {
    p50: percentile(tookMs, 0.5),
    p99: percentile(tookMs, 0.99),
    samples: counted.length,
    leftOut: 1 - counted.length / signals.length,
    wholeP99: percentile(signals.map(lengthOf), 0.99),
    stoodStillMs: (gaps[0] ?? []).map(lengthOf).reduce((sum, ms) => sum + ms, 0),
  };
}
