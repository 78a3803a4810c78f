/** What a run came to; the shape of `--json`. Sizes in bytes. */
export interface Report {
  readonly runtime: 'sim' | 'real';
  readonly seed: number;
  readonly peers: number;
  /** Listeners that have the whole track. */
  readonly completed: number;
  /** Audio bytes sent by the origin, over the size of the track. */
  readonly originCopies: number;
  readonly offload: number;
  /** Proven bytes by tier; what arrived and was of no use; everything on links and tracker sockets that is no block. */
  readonly bytes: {
    readonly origin: number;
    readonly aula: number;
    readonly global: number;
    readonly cache: number;
    readonly wasted: number;
    readonly control: number;
  };
  readonly startMs: {
    readonly p50: number;
    readonly p75: number;
    readonly p90: number;
    readonly p99: number;
  };
  readonly stalls: { readonly plays: number; readonly stalledPlays: number; readonly seconds: number };
  readonly completionS: { readonly p50: number; readonly p95: number; readonly max: number };
  readonly badBytesDelivered: number;
  readonly bannedLiars: number;
  readonly bannedHonest: number;
  /** Jain's index of fairness over what each honest listener uploaded. */
  readonly jain: number;
}

/** What a real run came to: the same, and what it took. */
export interface RealReport extends Report {
  readonly rtc: 'wrtc' | 'werift';
  /** Processor time of listeners, tracker and origin, user and system. */
  readonly cpuS: number;
  /** Resident memory of all processes together, at its most; decimal megabytes. */
  readonly rssMB: number;
  /** What one bare data channel between two processes carried on this machine just before. */
  readonly rawMBps: number;
  /** Proven bytes from peers, all listeners together, from the first opening to the last completion. */
  readonly goodputMBps: number;
  /** Processor time of the process that runs the bench. */
  readonly benchCpuS: number;
  /** Files that listeners had whole at the end, and those whose SHA-256 was the publisher's. */
  readonly sha256: { readonly files: number; readonly right: number };
}

/** The figures that only a real report has, all nothing. */
export const NOTHING_REAL: Omit<RealReport, keyof Report> = {
  rtc: 'wrtc',
  cpuS: 0,
  rssMB: 0,
  rawMBps: 0,
  goodputMBps: 0,
  benchCpuS: 0,
  sha256: { files: 0, right: 0 },
};

export function isReal(report: Report | RealReport): report is RealReport {
  return report.runtime === 'real';
}

/** The value below which a share of the values lies: nearest rank. 0 for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Jain's index (Jain, Chiu and Hawe 1984): 1 when all are equal, 1/n when one has all. */
export function jainIndex(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
