import type { Piece } from '../player.ts';
import type { ListenerFacts, RunEvent } from '../record.ts';
import type { Scenario } from '../scenario.ts';
import type { ListenerShape } from './real-listener.ts';

/** What a process of the bench costs so far. */
export interface Cost {
  /** User and system time of all its threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** A listener and when it does what, in milliseconds since the run began. */
export interface Appointment {
  readonly shape: ListenerShape;
  /** It comes into its Aula. */
  readonly joinsAtMs: number;
  /** It opens its first track; `undefined` for a peer that only seems to help. */
  readonly opensAtMs: number | undefined;
}

/** A track of the run, and the file that says what its bytes are; none where the origin is somebody else's. */
export interface TrackFile {
  readonly piece: Piece;
  readonly path: string | undefined;
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
  /** The manifest as the origin gave it. */
  readonly document: unknown;
}

/** All that a process of listeners is told. */
export interface HostOrders {
  readonly scenario: Scenario;
  readonly rtc: 'wrtc' | 'werift';
  readonly tracker: string | undefined;
  readonly origin: string;
  readonly aulaPrefix: string;
  readonly tracks: readonly TrackFile[];
  readonly appointments: readonly Appointment[];
  /** Where stores are made. */
  readonly folder: string;
  /** When the run begins, by the machine's clock. */
  readonly epochMs: number;
  /** Numbers of those who come in place of leavers begin here and go up by `indexStep`. */
  readonly nextIndex: number;
  readonly indexStep: number;
  readonly isTraced: boolean;
}

/** What the bench tells a process of listeners. */
export type ToHost =
  | { readonly type: 'orders'; readonly orders: HostOrders }
  /** Everybody stops; the answer is `facts`. */
  | { readonly type: 'finish' };

/** How the listeners of one process stand. Bytes since the run began. */
export interface HostSample {
  readonly bytes: ListenerFacts['bytes'];
  readonly receivedAudioBytes: number;
  readonly opened: number;
  readonly playing: number;
  readonly stalled: number;
  readonly completed: number;
  readonly links: number;
  /** Listeners that play and have not everything yet: they may go on for long without a byte. */
  readonly hearing: number;
  /** Nobody is to come, and all that are here have everything. */
  readonly isDone: boolean;
}

/** What one listener ended with, others being named by their nonces. */
export interface HostFacts extends Omit<ListenerFacts, 'caught' | 'blamed'> {
  readonly nonce: string;
  readonly caught: readonly string[];
  readonly blamed: readonly string[];
  /** Block bytes by the nonce of their sender. */
  readonly from: Readonly<Record<string, number>>;
}

/** What a process of listeners tells. */
export type FromHost =
  | { readonly type: 'ready'; readonly cost: Cost }
  | { readonly type: 'sample'; readonly sample: HostSample; readonly cost: Cost }
  | { readonly type: 'event'; readonly event: RunEvent; readonly nonce?: string }
  | { readonly type: 'log'; readonly atMs: number; readonly peer: string; readonly line: string }
  | { readonly type: 'facts'; readonly facts: readonly HostFacts[]; readonly cost: Cost };

/** What the bench tells the process of the origin or of the tracker. */
export type ToServer =
  | {
      readonly type: 'start-origin';
      readonly folder: string;
      readonly port: number;
      /** Held to this rate in kbit/s over all connections. */
      readonly upKbps: number;
    }
  | { readonly type: 'start-tracker'; readonly port: number }
  | { readonly type: 'ask' };

/** What the process of the origin or of the tracker tells. */
export type FromServer =
  | { readonly type: 'listening'; readonly url: string }
  | { readonly type: 'counts'; readonly audioBytes: number; readonly cost: Cost };
