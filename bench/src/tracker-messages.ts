import type { Span } from './core-clock.ts';
import type { Arrived, Crowd } from './tracker-arrivals.ts';

/** Who is measured: our tracker, the JavaScript tracker most people run, or `ws` with the least that relays. */
export type SubjectName = 'sonantica' | 'bittorrent-tracker' | 'ws';

/** What a join is made of. */
export interface JoinShape {
  /** Peers spread evenly over so many swarms. */
  readonly swarms: number;
  /** Offers a joining peer sends, each answered. */
  readonly offers: number;
  /** One coalesced candidate signal each way for every answered offer. */
  readonly candidates: boolean;
}

/** How fast a load process begins joins: a number of them under way at a time, or so many a second. */
export type Pace = { readonly underWay: number } | { readonly perS: number };

/** What the bench tells the process of a subject. */
export type ToServer =
  | {
      readonly type: 'start';
      readonly subject: SubjectName;
      /** 0 takes a free one. */
      readonly port: number;
      /** The module that gives the rival's server, where the subject is one that had to be installed. */
      readonly rival: string | undefined;
    }
  /** With `collect`, garbage is collected before memory is read, and after the processor's time is. */
  | { readonly type: 'sample'; readonly collect: boolean };

/** What the process of a subject answers. */
export type FromServer =
  | { readonly type: 'listening'; readonly url: string; readonly port: number }
  | ServerSample
  | Failed;

/** A look at a server's process. */
export interface ServerSample {
  readonly type: 'sample';
  /** User and system time since its start, of all its threads, as the operating system counts it. */
  readonly cpuMs: number;
  /** The part of it that the kernel took. */
  readonly systemMs: number;
  /** V8's heap in use, with what it keeps outside. */
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** What the bench tells a load process. */
export type ToLoad =
  | {
      readonly type: 'join';
      readonly subject: SubjectName;
      readonly url: string;
      /** The number of the first peer: it decides its swarm. */
      readonly first: number;
      readonly count: number;
      readonly shape: JoinShape;
      readonly pace: Pace;
    }
  /** Peers that connect, are admitted, and say nothing more. */
  | { readonly type: 'idle'; readonly subject: SubjectName; readonly url: string; readonly count: number }
  /** Peers that announce again and again: how long an answer takes while others load the tracker. */
  | {
      readonly type: 'probe';
      readonly url: string;
      readonly count: number;
      readonly swarms: number;
      readonly everyMs: number;
      /** Counted from then on, for so long. */
      readonly afterMs: number;
      readonly forMs: number;
    }
  /** Peers that announce a swarm each of their own, many times, then leave them all. */
  | {
      readonly type: 'churn';
      readonly subject: SubjectName;
      readonly url: string;
      readonly peers: number;
      readonly swarmsEach: number;
    }
  /** Honest listeners in pairs, an Aula each, who then signal each other for a time. */
  | { readonly type: 'pair'; readonly url: string; readonly count: number }
  | { readonly type: 'signal'; readonly forMs: number }
  /** Honest newcomers, who connect, say hello, announce and go, one after another for a time. */
  | { readonly type: 'newcomers'; readonly url: string; readonly forMs: number }
  /** Peers that come in, however fast, and are counted where they are refused. */
  | ({ readonly type: 'arrive' } & Crowd)
  /** How many are connected still. */
  | { readonly type: 'count' }
  | { readonly type: 'disconnect' };

/** What a load process answers. */
export type FromLoad =
  | Joined
  | { readonly type: 'idling'; readonly peers: number }
  /** `lateP99Ms`: how late that process itself was. */
  | { readonly type: 'probed'; readonly announceMs: readonly number[]; readonly lateP99Ms: number }
  | { readonly type: 'churned'; readonly swarms: number }
  | { readonly type: 'paired' }
  | { readonly type: 'signalled'; readonly signals: readonly Span[]; readonly lateP99Ms: number }
  | { readonly type: 'joinedAnew'; readonly tookMs: readonly number[] }
  | ({ readonly type: 'arrived' } & Arrived)
  | { readonly type: 'counted'; readonly open: number }
  | { readonly type: 'disconnected' }
  | Failed;

/** What came of a number of joins. */
export interface Joined {
  readonly type: 'joined';
  readonly joins: number;
  /** Joins that did not end within ten seconds. */
  readonly failed: number;
  readonly ms: number;
  /** From each announcement to its answer. */
  readonly announceMs: readonly number[];
  /** Signals that arrived at the peer they were for. */
  readonly relayed: number;
}

/** The process cannot do what it was told. */
export interface Failed {
  readonly type: 'failed';
  readonly message: string;
}
