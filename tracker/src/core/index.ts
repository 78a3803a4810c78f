// The tracker without sockets, files or timers: time goes in, messages come out. It runs wherever its `TrackerEnv` does.
export { Tracker } from './tracker.ts';
export type { TrackerSession } from './session.ts';
export type { TrackerEnv, TrackerSocket } from './env.ts';
export { DEFAULT_TRACKER_OPTIONS, type TrackerOptions, type TrackerStats } from './tracker-options.ts';
