import { loadNodeRtc } from '@sonantica/swarm/node';
import { lineOf, Misuse } from './failure.ts';

/** Files a process has open beside its sockets. */
const OTHER_FILES = 100;

/** Throws {@link Misuse} where a WebRTC package is not installed, saying which. */
export async function requireRtc(name: 'wrtc' | 'werift'): Promise<void> {
  await loadNodeRtc(name).catch((error: unknown) => {
    throw new Misuse(lineOf(error));
  });
}

/** Throws {@link Misuse} where a process may not have so many sockets. Where no limit is known, nothing is checked. */
export function requireSockets(count: number, allowed = openFilesAllowed()): void {
  if (count + OTHER_FILES <= allowed) return;
  throw new Misuse(
    `${count} sockets are more than the ${allowed} open files a process may have: ulimit -n ${count + OTHER_FILES}`,
  );
}

/** The soft limit of this process, which those it starts get too. */
function openFilesAllowed(): number {
  const report: unknown = process.report.getReport();
  const limits = isRecord(report) ? report['userLimits'] : undefined;
  const files = isRecord(limits) ? limits['open_files'] : undefined;
  const soft = isRecord(files) ? Number(files['soft']) : Number.NaN;
  return Number.isNaN(soft) ? Number.POSITIVE_INFINITY : soft;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
