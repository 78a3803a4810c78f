export { startTracker, systemEnv, type RunningTracker } from './start-tracker.ts';
export { DEFAULT_CONFIG, type TrackerConfig } from './config.ts';
export { DEFAULT_WS_ADAPTER_OPTIONS, type WsAdapterOptions } from './ws-adapter.ts';
export { Tracker } from './core/tracker.ts';
export type { TrackerSession } from './core/session.ts';
export { DEFAULT_TRACKER_OPTIONS, type TrackerOptions, type TrackerStats } from './core/tracker-options.ts';
export { DEFAULT_RATES, perMinute, type Rate, type TrackerRates } from './core/rate-limit.ts';
export type { SwarmCounts } from './core/peer-registry.ts';
export type { TrackerEnv, TrackerSocket } from './core/env.ts';
