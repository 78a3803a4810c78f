import { encodeClientMessage } from '@sonantica/wire';
import { announcementOf, sonanticaDialect } from './tracker-dialect-sonantica.ts';
import { pause, type Load } from './tracker-load.ts';

/** Who is not admitted by then is given up, in milliseconds. */
const ADMITTED_WITHIN_MS = 30_000;
/** How often arrivals are begun, in milliseconds. */
const STEP_MS = 5;
/** Peers an arrival asks for. */
const WANT = 5;

/** A crowd that arrives at a tracker of ours. */
export interface Crowd {
  readonly url: string;
  readonly count: number;
  /** The number of the first peer: it decides its swarm. */
  readonly first: number;
  /** Swarms they announce, or 0: they say `hello` and nothing more. */
  readonly swarms: number;
  /** They come evenly over this time; 0: all at once. */
  readonly overMs: number;
}

/** What came of a crowd. Refusals are no failures: they are counted by what the tracker said. */
export interface Arrived {
  /** From the beginning of each connection to its `welcome`, and to the answer to its announcement. */
  readonly admittedMs: readonly number[];
  readonly announcedMs: readonly number[];
  /** When each that came in was where it wanted, from the beginning of it all. */
  readonly upAtMs: readonly number[];
  readonly refused: Readonly<Record<string, number>>;
}

/** Lets a crowd arrive; resolves when each is up, refused or given up. Who is up stays connected. */
export async function arrive(load: Load, { url, count, first, swarms, overMs }: Crowd): Promise<Arrived> {
  const admittedMs: number[] = [];
  const announcedMs: number[] = [];
  const upAtMs: number[] = [];
  const refused: Record<string, number> = {};
  const startMs = performance.now();
  const one = (index: number) =>
    new Promise<void>((settle) => {
      const begunMs = performance.now();
      let isSettled = false;
      const end = (reason?: string) => {
        if (isSettled) return;
        isSettled = true;
        clearTimeout(timer);
        if (reason === undefined) upAtMs.push(performance.now() - startMs);
        else refused[reason] = (refused[reason] ?? 0) + 1;
        settle();
      };
      const timer = setTimeout(
        () => end(`not up within ${ADMITTED_WITHIN_MS / 1_000} s`),
        ADMITTED_WITHIN_MS,
      );
      load.open(
        url,
        sonanticaDialect.protocol,
        (say) => ({
          opened: () => say(encodeClientMessage({ type: 'hello' })),
          heard: (text) => {
            const { type, code } = JSON.parse(text) as { type?: string; code?: string };
            if (type === 'welcome') {
              admittedMs.push(performance.now() - begunMs);
              if (swarms === 0) end();
              else say(encodeClientMessage(announcementOf(index % swarms, index, WANT)));
            } else if (type === 'peers') {
              if (!isSettled) announcedMs.push(performance.now() - begunMs);
              end();
            } else if (type === 'error') end(`error ${code}`);
          },
        }),
        (error) => end(error.message),
      );
    });
  const all: Promise<void>[] = [];
  while (all.length < count) {
    const elapsedMs = performance.now() - startMs;
    const due = overMs === 0 ? count : Math.min(count, Math.ceil((elapsedMs / overMs) * count));
    while (all.length < due) all.push(one(first + all.length));
    if (all.length < count) await pause(STEP_MS);
  }
  await Promise.all(all);
  return { admittedMs, announcedMs, upAtMs, refused };
}
