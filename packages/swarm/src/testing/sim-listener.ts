import { toHex, type ManifestJson } from '@sonantica/wire';
import type { ChunkOrder } from '../core/chunk-order.ts';
import type { Random } from '../core/env.ts';
import { systemEnvironment, type Environment } from '../environment.ts';
import { Network } from '../network.ts';
import type { SwarmOptions } from '../options.ts';
import { Swarm } from '../swarm.ts';
import type { Giving, SimLinks } from './sim-links.ts';
import type { SimNode } from './sim-network.ts';
import type { SimOrigin } from './sim-origin.ts';
import { FlagVerifier, zeros } from './sim-proof.ts';
import { SimStore } from './sim-store.ts';
import type { SimTrackerSockets } from './sim-tracker.ts';

/** Where a simulated listener lives and what it is like. */
export interface SimListenerOptions {
  readonly node: SimNode;
  readonly links: SimLinks;
  readonly origin: SimOrigin;
  readonly tracker: SimTrackerSockets;
  /** Its own chance; no other listener's draws from it. */
  readonly random: Random;
  readonly giving: Giving;
  /** Links at a time; missing: what listeners have. */
  readonly maxLinks?: number | undefined;
  /** In which order it asks for chunks; missing: as listeners do. */
  readonly order?: ChunkOrder | undefined;
  /** What its author configured. Tracker, origin and `fetch` are the simulation's, the store too unless it is given. */
  readonly swarm?: Pick<
    SwarmOptions,
    'aulaId' | 'aulaHead' | 'contribution' | 'eviction' | 'logger' | 'store'
  >;
}

/** A listener of a simulation. */
export interface SimListener {
  readonly node: SimNode;
  /** The production library, whole. */
  readonly swarm: Swarm;
  /** Its link nonce in hexadecimal: how others name it as a source. */
  readonly nonce: string;
}

/**
 * The production library at a simulated node: virtual clock and timers, simulated links and sockets, proofs by a
 * flag, a disk without bytes. Everything else, from `read` to the frames on the links, is what listeners run.
 */
export function createSimListener(options: SimListenerOptions): SimListener {
  const { node, links, origin, tracker, random, giving } = options;
  const { clock } = links.network;
  const nonce = Uint8Array.from({ length: 16 }, () => Math.floor(random.next() * 256));
  const unlessDown = (run: () => void) => () => node.run(run);
  const environment: Environment = {
    clock,
    timers: {
      after: (delayMs, run) => clock.schedule(delayMs, unlessDown(run)),
      every: (periodMs, run) => {
        let cancel = () => {};
        const again = unlessDown(() => {
          cancel = clock.schedule(periodMs, again);
          run();
        });
        cancel = clock.schedule(periodMs, again);
        return () => cancel();
      },
    },
    random,
    hasher: systemEnvironment.hasher,
    verifySignature: systemEnvironment.verifySignature,
    openWebSocket: tracker.openFor(node),
    randomBytes: () => nonce.slice(),
    verifier: (manifest) => new FlagVerifier(manifest),
    memory: zeros,
    chunkOrder: options.order,
    network: () => Promise.resolve(Network),
    links: () => Promise.resolve(links.maker(node, giving, options.maxLinks)),
  };
  const swarm = new Swarm(
    {
      store: new SimStore(),
      ...options.swarm,
      tracker: 'wss://tracker.simulated',
      origin: 'https://origin.simulated/tracks',
      fetch: origin.fetchFor(node),
    },
    environment,
  );
  return { node, swarm, nonce: toHex(nonce) };
}

/** Makes a listener hold the whole track from the start. */
export async function seedSim({ swarm }: SimListener, document: ManifestJson): Promise<void> {
  const { chunkSize, size } = document;
  await swarm.seed(document, (chunk) =>
    Promise.resolve(zeros(Math.min(chunkSize, size - chunk * chunkSize))),
  );
}
