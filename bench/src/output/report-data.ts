import type { RunEvent, RunRecord, Sample } from '../record.ts';
import { describeScenario, summaryOf, type SummaryLine } from './words.ts';

/** Points a chart is given at most: more than its pixels say nothing. */
const MOST_SAMPLES = 600;
/** Senders and receivers of the heat map at most; beyond, neighbours are put together. */
const MOST_CELLS = 120;
const MOST_EVENTS = 2_000;

/** What the page of a report is drawn from. Times in seconds, sizes in decimal megabytes. */
export interface ReportData {
  readonly title: string;
  readonly scenario: string;
  readonly command: string;
  readonly isStopped: boolean;
  readonly summary: readonly SummaryLine[];
  readonly atS: readonly number[];
  /** Share of what was delivered that the origin did not send, in per cent. */
  readonly offload: readonly number[];
  readonly aulaMB: readonly number[];
  readonly globalMB: readonly number[];
  readonly cacheMB: readonly number[];
  readonly originMB: readonly number[];
  readonly playing: readonly number[];
  readonly waiting: readonly number[];
  readonly completed: readonly number[];
  /** From opening to the first 96 KiB of every play that began, in milliseconds, ascending. */
  readonly startsMs: readonly number[];
  /** Rows send, columns receive; the first row is the origin's. */
  readonly heat: {
    readonly senders: readonly string[];
    readonly receivers: readonly string[];
    readonly megabytes: readonly (readonly number[])[];
  };
  readonly events: readonly { readonly atS: number; readonly what: RunEvent['what']; readonly who: string }[];
}

export function reportDataOf(record: RunRecord, command: string): ReportData {
  const { scenario, report, samples, events, isStopped, listeners } = record;
  const shown = thinned(samples, MOST_SAMPLES);
  return {
    title: `${report.peers} listeners, ${report.runtime === 'sim' ? 'simulated' : `over ${'rtc' in report ? report.rtc : 'WebRTC'}`}`,
    scenario: describeScenario(scenario),
    command,
    isStopped,
    summary: summaryOf(record),
    atS: shown.map(({ atMs }) => round(atMs / 1000)),
    offload: shown.map((sample) => round(offloadOf(sample) * 100)),
    aulaMB: shown.map(({ bytes }) => round(bytes.aula / 1e6)),
    globalMB: shown.map(({ bytes }) => round(bytes.global / 1e6)),
    cacheMB: shown.map(({ bytes }) => round(bytes.cache / 1e6)),
    originMB: shown.map(({ originSentBytes }) => round(originSentBytes / 1e6)),
    playing: shown.map(({ playing }) => playing),
    waiting: shown.map(({ stalled }) => stalled),
    completed: shown.map(({ completed }) => completed),
    startsMs: listeners
      .flatMap(({ plays }) => plays.flatMap(({ startMs }) => startMs ?? []))
      .sort((a, b) => a - b)
      .map(round),
    heat: heatOf(record),
    events: thinned(events, MOST_EVENTS).map(({ atMs, what, who }) => ({
      atS: round(atMs / 1000),
      what,
      who,
    })),
  };
}

/** Peers side by side by Aula, so that an Aula shows as a square. */
function heatOf({ listeners, transfers }: RunRecord): ReportData['heat'] {
  const peers = listeners.toSorted(
    (a, b) => a.aula - b.aula || a.name.localeCompare(b.name, 'en', { numeric: true }),
  );
  const together = Math.max(1, Math.ceil(peers.length / MOST_CELLS));
  const cellOf = new Map(peers.map(({ name }, i) => [name, Math.floor(i / together)]));
  const labels: string[] = [];
  for (let i = 0; i < peers.length; i += together) {
    const [first, last] = [peers[i], peers[Math.min(i + together, peers.length) - 1]];
    const names = first === last ? first?.name : `${first?.name} … ${last?.name}`;
    labels.push(`${names} (Aula ${(first?.aula ?? 0) + 1})`);
  }
  const bytes = Array.from({ length: labels.length + 1 }, () => labels.map(() => 0));
  const add = (row: number | undefined, column: number | undefined, count: number) => {
    const cells = row === undefined ? undefined : bytes[row];
    if (cells !== undefined && column !== undefined) cells[column] = (cells[column] ?? 0) + count;
  };
  for (const { name, bytes: from } of listeners) add(0, cellOf.get(name), from.origin);
  for (const { from, to, bytes: count } of transfers) {
    const sender = cellOf.get(from);
    add(sender === undefined ? undefined : sender + 1, cellOf.get(to), count);
  }
  return {
    senders: ['the origin', ...labels],
    receivers: labels,
    megabytes: bytes.map((row) => row.map((count) => round(count / 1e6))),
  };
}

function offloadOf({ bytes, originSentBytes }: Sample): number {
  const delivered = bytes.origin + bytes.aula + bytes.global + bytes.cache;
  return delivered === 0 ? 0 : Math.max(0, 1 - originSentBytes / delivered);
}

/** Evenly chosen, the last one always among them. */
function thinned<T>(values: readonly T[], most: number): readonly T[] {
  if (values.length <= most) return values;
  const step = values.length / most;
  return Array.from({ length: most }, (_, i) => values[Math.ceil((i + 1) * step) - 1]).flatMap((each) =>
    each === undefined ? [] : [each],
  );
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
