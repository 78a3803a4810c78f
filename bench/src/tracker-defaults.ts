import type { TrackerBenchSettings } from './tracker-bench.ts';

/** 5,000 peers in 100 swarms, five offers each: what every comparison starts from. */
export const DEFAULT_TRACKER_BENCH: TrackerBenchSettings = {
  peers: 5_000,
  swarms: 100,
  offers: 5,
  candidates: false,
  underWay: 64,
  loads: 1,
};
