import { round } from './report.ts';
import { sample, start, withProcesses } from './tracker-bench.ts';
import { BenchChild } from './tracker-child.ts';
import type { FromHeap, ToHeap } from './tracker-heap-main.ts';
import { pause } from './tracker-load.ts';
import type { SubjectName } from './tracker-messages.ts';

/** Peers of one load process at most: each takes a file descriptor. */
const PEERS_A_LOAD = 9_500;
/** Until what a handshake leaves behind is gone, in milliseconds. */
const SETTLE_MS = 3_000;

/** What connected peers that say nothing cost, in bytes a peer, garbage collected. */
export interface IdleReport {
  /** V8's heap and what it keeps outside. */
  readonly heapBytes: number;
  /** What the operating system counts. */
  readonly residentBytes: number;
}

/** Memory of a subject per peer that is connected and has introduced itself, with `hello` or what stands for it. */
export function measureIdle(subject: SubjectName, peers: number, rival?: string): Promise<IdleReport> {
  return withProcesses(Math.ceil(peers / PEERS_A_LOAD), async (server, loads) => {
    const url = await start(server, subject, rival);
    const [first] = loads;
    // Code and tables that any traffic brings are not the peers'.
    await first?.ask({ type: 'idle', subject, url, count: 200 }, 'idling');
    await first?.ask({ type: 'disconnect' }, 'disconnected');
    await pause(500);
    const before = await sample(server, true);
    const share = Math.ceil(peers / loads.length);
    await Promise.all(loads.map((load) => load.ask({ type: 'idle', subject, url, count: share }, 'idling')));
    await pause(SETTLE_MS);
    const after = await sample(server, true);
    return {
      heapBytes: Math.round((after.heapBytes - before.heapBytes) / (share * loads.length)),
      residentBytes: Math.round((after.residentBytes - before.residentBytes) / (share * loads.length)),
    };
  });
}

/** Heap of the registry per peer and track, each with a bitmap of 115 chunks, in bytes. */
export async function measureRegistry(entries: number, tracksEach: number): Promise<FromHeap> {
  const child = new BenchChild<ToHeap, FromHeap>('tracker-heap-main', ['--expose-gc']);
  try {
    return await child.ask({ peers: Math.ceil(entries / tracksEach), tracksEach }, 'registry');
  } finally {
    await child.kill();
  }
}

/** What a subject's heap keeps of swarms that were announced and left. */
export interface ChurnReport {
  readonly swarms: number;
  /** Megabytes (10⁶) of heap, garbage collected, over what it was before the first announcement. */
  readonly keptMB: number;
}

/** Swarms announced by one peer at a time, and left; the peers stay connected until they have left all. */
export function measureChurn(subject: SubjectName, swarms: number, rival?: string): Promise<ChurnReport> {
  return withProcesses(1, async (server, [load]) => {
    if (load === undefined) throw new Error('no load');
    const url = await start(server, subject, rival);
    const run = async (peers: number) => {
      const churned = await load.ask(
        { type: 'churn', subject, url, peers, swarmsEach: SWARMS_EACH },
        'churned',
      );
      await load.ask({ type: 'disconnect' }, 'disconnected');
      await pause(500);
      return churned.swarms;
    };
    await run(10);
    const before = await sample(server, true);
    const announced = await run(Math.ceil(swarms / SWARMS_EACH));
    const after = await sample(server, true);
    return { swarms: announced, keptMB: round((after.heapBytes - before.heapBytes) / 1e6, 3) };
  });
}

/** Swarms of one peer: within its rates. */
const SWARMS_EACH = 160;
