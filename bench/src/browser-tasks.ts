import type { Browser, Page } from 'playwright-core';

/** Tasks of a page's main thread. In milliseconds. */
export interface LongestTask {
  /** By the processor's time: what a task takes of a machine that does nothing else. */
  readonly cpuMs: number;
  /** By the clock, with whatever else the machine did meanwhile. */
  readonly wallMs: number;
}

/** One event of a Chromium trace, as far as it is read. Times in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** The longest task of a page's main thread while `act` runs. One trace at a time a browser. */
export async function longestTaskDuring(
  browser: Browser,
  page: Page,
  act: () => Promise<unknown>,
): Promise<LongestTask> {
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline'] });
  let trace: Buffer;
  try {
    await act();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: readonly TraceEvent[] };
  const mains = new Set(
    traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid}/${tid}`),
  );
  let cpuMs = 0;
  let wallMs = 0;
  for (const { name, ph, pid, tid, dur = 0, tdur = 0 } of traceEvents) {
    if (ph !== 'X' || !name.endsWith('RunTask') || !mains.has(`${pid}/${tid}`)) continue;
    cpuMs = Math.max(cpuMs, tdur / 1000);
    wallMs = Math.max(wallMs, dur / 1000);
  }
  if (cpuMs === 0) throw new Error('the trace tells of no task');
  return { cpuMs, wallMs };
}
