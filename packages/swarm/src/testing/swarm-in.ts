import { systemEnvironment, type Environment } from '../environment.ts';
import type { SwarmOptions } from '../options.ts';
import { Swarm } from '../swarm.ts';

/**
 * The production library on this machine's own sockets, WebRTC and disks, with parts of its world replaced: what a load
 * bench slows down or watches. `replace` is given the real parts and answers those that stand in for them.
 */
export function createSwarmIn(
  options: SwarmOptions,
  replace: (system: Environment) => Partial<Environment>,
): Swarm {
  return new Swarm(options, { ...systemEnvironment, ...replace(systemEnvironment) });
}
