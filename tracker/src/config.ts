import type { TrackerOptions } from './core/tracker-options.ts';
import type { WsAdapterOptions } from './ws-adapter.ts';

/** Where and how a tracker runs. */
export interface TrackerConfig {
  /** TCP port; 0 takes a free one. */
  readonly port: number;
  /** Address or name to listen on. */
  readonly host: string;
  /** How the tracker behaves. */
  readonly tracker: Partial<TrackerOptions>;
  /** How it treats connections. */
  readonly sockets: Partial<WsAdapterOptions>;
}

export const DEFAULT_CONFIG: TrackerConfig = { port: 7_000, host: '127.0.0.1', tracker: {}, sockets: {} };

/** Reads a TCP port as a person types it; `undefined` when it is none. */
export function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return port >= 0 && port <= 65_535 ? port : undefined;
}
