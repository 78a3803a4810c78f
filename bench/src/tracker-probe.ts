import { monitorEventLoopDelay } from 'node:perf_hooks';
import { encodeClientMessage } from '@sonantica/wire';
import { announcementOf, sonanticaDialect } from './tracker-dialect-sonantica.ts';
import { pause, type Load } from './tracker-load.ts';

/** Peers the prober asks for. */
const WANT = 20;
/** How often the process looks whether it is late, in milliseconds. */
const DELAY_EVERY_MS = 5;

/**
 * Announces again and again from a few sockets, and answers how long each answer took, in milliseconds, counted
 * from when it was sent; a tracker that stalls is not asked less often. What is asked within `afterMs` of the start is
 * not counted: the asking process is still warming up then. The probes are shown to nobody, so that
 * no joining peer waits for an answer of theirs.
 */
export async function probe(
  load: Load,
  settings: { url: string; count: number; swarms: number; everyMs: number; afterMs: number; forMs: number },
): Promise<{ announceMs: number[]; lateP99Ms: number }> {
  const { url, count, swarms, everyMs, afterMs, forMs } = settings;
  const tookMs: number[] = [];
  const startMs = performance.now();
  const late = monitorEventLoopDelay({ resolution: DELAY_EVERY_MS });
  setTimeout(() => late.enable(), afterMs);
  const timers: NodeJS.Timeout[] = [];
  for (let index = 0; index < count; index++) {
    const dueMs: number[] = [];
    load.open(url, sonanticaDialect.protocol, (say) => ({
      opened: () => say(encodeClientMessage({ type: 'hello' })),
      heard: (text) => {
        if (text.startsWith('{"type":"welcome"')) {
          const announce = () => {
            if (performance.now() - startMs > afterMs + forMs) return;
            dueMs.push(performance.now());
            say(encodeClientMessage({ ...announcementOf(index % swarms, index, WANT), scope: 'aula' }));
          };
          timers.push(setTimeout(announce, (index / count) * everyMs));
          timers.push(
            setTimeout(() => timers.push(setInterval(announce, everyMs)), (index / count) * everyMs),
          );
        } else if (text.startsWith('{"type":"peers"')) {
          const due = dueMs.shift();
          if (due !== undefined && due - startMs >= afterMs) tookMs.push(performance.now() - due);
        } else if (text.startsWith('{"type":"error"')) throw new Error(`our tracker refused: ${text}`);
      },
    }));
  }
  await pause(afterMs + forMs + everyMs);
  for (const timer of timers) clearTimeout(timer);
  late.disable();
  return { announceMs: tookMs, lateP99Ms: Math.max(0, late.percentile(99) / 1e6 - DELAY_EVERY_MS) };
}
