import { lineOf } from './failure.ts';
import { WAYS, type Runtime, type Way } from './compare-messages.ts';
import { isRivals, startMeeting, type Meeting } from './compare-meeting.ts';
import { runInNode } from './compare-node.ts';
import { stageInChromium } from './compare-chromium.ts';
import { reportOn, type Attempt, type CompareReport, type Run } from './compare-report.ts';
import { installWebTorrent, type WebTorrentInstall } from './compare-rival.ts';
import { sha256, trackBytes } from './compare-track.ts';
import { findChromium } from './chromium.ts';
import { requireRtc } from './requirements.ts';

/** What is compared. */
export interface CompareSettings {
  readonly runtimes: readonly Runtime[];
  /** Only these; all of a runtime where `undefined`. */
  readonly ways: readonly Way[] | undefined;
  /** Megabytes (10⁶ bytes) of the track. */
  readonly megabytes: number;
  /** Runs of each way; all ways take turns in every round. */
  readonly runs: number;
  readonly progress: (line: string) => void;
}

/**
 * Gets one track in several ways, taking turns. Throws `Misuse`, before anything starts, where Chromium, the
 * WebRTC package or the network to install WebTorrent is missing. A run that fails is counted, and the others go on.
 */
export async function compare(settings: CompareSettings): Promise<CompareReport[]> {
  const { runtimes, megabytes, progress } = settings;
  const waysOf = (runtime: Runtime) => WAYS[runtime].filter((way) => settings.ways?.includes(way) ?? true);
  if (runtimes.includes('chromium')) findChromium();
  if (runtimes.includes('node')) await requireRtc('wrtc');
  const install = runtimes.some((runtime) => waysOf(runtime).some(isRivals))
    ? await installWebTorrent(progress)
    : undefined;
  const meeting = await startMeeting(megabytes, install);
  try {
    const reports: CompareReport[] = [];
    for (const runtime of runtimes)
      reports.push(await compareIn(runtime, waysOf(runtime), settings, meeting, install));
    return reports;
  } finally {
    await meeting.close();
  }
}

async function compareIn(
  runtime: Runtime,
  ways: readonly Way[],
  { megabytes, runs, progress }: CompareSettings,
  meeting: Meeting,
  install: WebTorrentInstall | undefined,
): Promise<CompareReport> {
  const attempts = new Map<Way, Attempt[]>(ways.map((way) => [way, []]));
  const stage = runtime === 'chromium' ? await stageInChromium(megabytes, meeting, install) : undefined;
  const run = (way: Way): Promise<Run> =>
    stage === undefined ? runInNode(way, meeting, install) : stage.run(way);
  try {
    for (let round = 1; round <= runs; round++) {
      for (const [way, all] of attempts) {
        const attempt: Attempt = await run(way).catch((error: unknown) => ({ failed: lineOf(error) }));
        if (stage?.isUp() === false) throw new Error('Chromium ended before the comparison did');
        all.push(attempt);
        progress(`${runtime} ${round}/${runs} ${way}: ${lineOn(attempt)}`);
      }
    }
  } finally {
    await stage?.close();
  }
  const only = ways.length === WAYS[runtime].length ? '' : ` --ways ${ways.join(' ')}`;
  const command = `sonantica-bench compare --in ${runtime} --megabytes ${megabytes} --runs ${runs}${only}`;
  return reportOn(runtime, { megabytes, sha256: sha256(trackBytes(megabytes)), command }, attempts);
}

function lineOn(attempt: Attempt): string {
  if ('failed' in attempt) return attempt.failed;
  const { firstByteMs, mbPerS, doneMs } = attempt;
  return `first byte ${firstByteMs.toFixed(0)} ms, ${mbPerS.toFixed(1)} MB/s, done in ${doneMs.toFixed(0)} ms`;
}
