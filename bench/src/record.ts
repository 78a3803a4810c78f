import type { RealReport, Report } from './report.ts';
import type { PeerKind, Scenario } from './scenario.ts';

/** One play of one track. Times in milliseconds; what did not come about is `undefined`. */
export interface PlayFacts {
  /** Its place in the library. */
  readonly track: number;
  /** Since the run began. */
  readonly openedMs: number;
  /** From opening to the first 96 KiB. */
  readonly startMs: number | undefined;
  /** From opening to the last byte. */
  readonly completedMs: number | undefined;
  readonly stalls: number;
  readonly stalledMs: number;
  /** Bytes delivered that are not the publisher's. */
  readonly wrongBytes: number;
}

/** What one peer ended with. Sizes in bytes. */
export interface ListenerFacts {
  readonly name: string;
  readonly kind: PeerKind;
  readonly aula: number;
  readonly isComplete: boolean;
  readonly bytes: {
    readonly origin: number;
    readonly aula: number;
    readonly global: number;
    readonly cache: number;
  };
  readonly uploadedBytes: number;
  readonly receivedBlockBytes: number;
  readonly receivedAudioBytes: number;
  readonly controlBytes: number;
  /** Names of peers it caught sending wrong bytes, or breaking the protocol. */
  readonly caught: readonly string[];
  readonly blamed: readonly string[];
  readonly plays: readonly PlayFacts[];
  /** Files it was asked to prove at the end, and those whose SHA-256 was the publisher's; real runs alone. */
  readonly hashed?: { readonly files: number; readonly right: number };
}

/** How things stood at one moment. Bytes since the run began. */
export interface Sample {
  readonly atMs: number;
  readonly bytes: {
    readonly origin: number;
    readonly aula: number;
    readonly global: number;
    readonly cache: number;
  };
  /** Audio bytes that left the origin. */
  readonly originSentBytes: number;
  /** Listeners that opened a track, hear it, wait in the middle of it, and have all. */
  readonly opened: number;
  readonly playing: number;
  readonly stalled: number;
  readonly completed: number;
  readonly links: number;
}

/** Something that befell the swarm. */
export interface RunEvent {
  readonly atMs: number;
  readonly what: 'tracker-died' | 'origin-died' | 'crashed' | 'left' | 'joined' | 'caught' | 'trouble';
  /** Whom or what it befell. */
  readonly who: string;
}

/** Block bytes that reached one peer from another. */
export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}

/** All that is known of a run: what `--html` shows. */
export interface RunRecord {
  readonly scenario: Scenario;
  readonly report: Report | RealReport;
  readonly listeners: readonly ListenerFacts[];
  readonly samples: readonly Sample[];
  readonly events: readonly RunEvent[];
  readonly transfers: readonly Transfer[];
  /** The run was stopped before it was over. */
  readonly isStopped: boolean;
}

/** Hears of a run as it goes. */
export interface Watcher {
  /** One line of a peer's log. */
  log?(atMs: number, peer: string, line: string): void;
  /** What is run, now that everything about it is known. */
  began?(scenario: Scenario): void;
  sample?(sample: Sample): void;
  event?(event: RunEvent): void;
  /** Ends the run with what was measured. */
  readonly stop?: AbortSignal;
}
