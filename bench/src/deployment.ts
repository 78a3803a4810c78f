import { Impossible } from './real/impossible.ts';
import type { RealSettings } from './real/run.ts';
import type { Scenario } from './scenario.ts';
import type { Runtime } from './swarm-flags.ts';

/** The flags that name somebody's own tracker and origin. */
export interface DeploymentFlags {
  readonly tracker?: URL;
  readonly origin?: URL;
  readonly track?: string;
  readonly confirmHost?: readonly string[];
  /** Ports of our own tracker and origin. */
  readonly trackerPort?: number;
  readonly originPort?: number;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
/** What a bench does at most to a deployment, confirmed or not. */
const MOST_LISTENERS = 200;
const MOST_MEGABYTES = 10_000;

/**
 * The deployment that a run is against, if any. A load is an attack on whoever did not ask for it: hosts that are not
 * this machine are named twice, and there are caps that nothing lifts. Throws `Impossible`.
 */
export function checkDeployment(
  { tracker, origin, track, confirmHost = [], trackerPort, originPort }: DeploymentFlags,
  runtime: Runtime,
  scenario: Scenario,
): Pick<RealSettings, 'tracker' | 'origin' | 'trackId'> {
  const named = [tracker, origin].flatMap((url) => (url === undefined ? [] : [url.hostname]));
  if (named.length === 0) {
    if (track !== undefined) throw new Impossible('--track names a track at --origin, which is missing.');
    return {};
  }
  if (runtime === 'sim') throw new Impossible('--tracker and --origin are for --runtime real.');
  for (const host of new Set(named)) {
    if (!LOOPBACK.test(host) && !confirmHost.includes(host))
      throw new Impossible(
        `this would load ${host}, which is not this machine. If it is yours, add --confirm-host ${host}`,
      );
  }
  if (tracker !== undefined && trackerPort !== undefined)
    throw new Impossible('--tracker-port is that of our own tracker, which --tracker takes the place of.');
  if (origin !== undefined && originPort !== undefined)
    throw new Impossible('--origin-port is that of our own origin, which --origin takes the place of.');
  const { peers, trackerDiesS, originDiesS, liars, slow, dead, policy } = scenario;
  if (peers > MOST_LISTENERS)
    throw new Impossible(`A deployment is loaded with ${MOST_LISTENERS} listeners at most, not ${peers}.`);
  if (tracker !== undefined && trackerDiesS !== undefined)
    throw new Impossible('--tracker-dies-s ends our own tracker; that of --tracker cannot be ended.');
  if (origin !== undefined && originDiesS !== undefined)
    throw new Impossible('--origin-dies-s ends our own origin; that of --origin cannot be ended.');
  if (origin !== undefined && liars + slow + dead > 0)
    throw new Impossible('Bad peers hold the whole track from the start, which they cannot with --origin.');
  if (tracker !== undefined && policy === 'http-only')
    throw new Impossible('--policy http-only asks no tracker.');
  return {
    tracker: tracker === undefined ? undefined : tracker.href,
    origin: origin === undefined ? undefined : origin.href.replace(/\/+$/, ''),
    trackId: track,
  };
}

/** Bounds what an origin of somebody's own may be asked for, its real tracks being known. Throws `Impossible`. */
export function checkOriginLoad({ peers, plays, sizeMB }: Scenario): void {
  const most = Math.ceil(peers * plays * sizeMB);
  if (most > MOST_MEGABYTES)
    throw new Impossible(
      `An origin is asked for ${MOST_MEGABYTES} MB at most; ${peers} listeners might ask for ${most}.`,
    );
}
