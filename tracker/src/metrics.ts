import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { TrackerStats } from './core/tracker-options.ts';

/** What is measured. */
export interface Metrics {
  /** `text/plain; version=0.0.4`. */
  readonly contentType: string;
  /** All metrics in Prometheus' text form. */
  text(): Promise<string>;
  /** Takes note of the time a message took, in seconds. */
  tookSeconds(seconds: number): void;
}

/** From a glance at a table to a pause that listeners notice, in seconds. */
const MESSAGE_SECONDS = [
  0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25,
];

/**
 * Metrics in a registry of their own. Totals are read when they are asked for, so that messages pay nothing
 * for them.
 */
export function createMetrics(stats: () => TrackerStats, residentBytes: () => number): Metrics {
  const registry = new Registry();
  const gauge = (name: string, help: string, read: (now: TrackerStats) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(stats()));
      },
    });
  const counter = (name: string, help: string, read: (now: TrackerStats) => number) =>
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read(stats()));
      },
    });
  gauge('sonantica_tracker_peers', 'Sockets that were welcomed.', ({ peers }) => peers);
  gauge('sonantica_tracker_swarms', 'Swarms with at least one peer.', ({ swarms }) => swarms);
  counter('sonantica_tracker_announces_total', 'Announcements followed.', ({ announces }) => announces);
  counter('sonantica_tracker_signals_total', 'Signals passed on.', ({ signals }) => signals);
  counter('sonantica_tracker_claims_total', 'Claims answered.', ({ claims }) => claims);
  const refused = new Counter({
    name: 'sonantica_tracker_refused_total',
    help: 'Messages, connections and requests refused, by reason.',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      refused.reset();
      for (const [reason, count] of Object.entries(stats().refusedBy)) refused.inc({ reason }, count);
    },
  });
  gauge('sonantica_tracker_memory_bytes', 'Resident memory of the process.', residentBytes);
  gauge('sonantica_room_active_count', 'Aulas with at least one listener.', ({ aulas }) => aulas);
  gauge('sonantica_room_listeners_total', 'Listeners in Aulas now.', ({ aulaPeers }) => aulaPeers);
  gauge(
    'sonantica_stream_cache_hit_ratio',
    'Share of the bytes clients reported that came from their cache or from peers, not from the origin.',
    ({ delivered }) => offload(delivered) ?? 0,
  );
  const seconds = new Histogram({
    name: 'sonantica_tracker_message_seconds',
    help: 'Time taken by a message; one in 32 is timed.',
    buckets: MESSAGE_SECONDS,
    registers: [registry],
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    tookSeconds: (taken) => seconds.observe(taken),
  };
}

/** The share of reported bytes that the origin did not send; `undefined` when nothing was reported. */
export function offload({ cache, aula, global, origin }: TrackerStats['delivered']): number | undefined {
  const all = cache + aula + global + origin;
  return all === 0 ? undefined : 1 - origin / all;
}
