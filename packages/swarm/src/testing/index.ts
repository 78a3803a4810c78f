export { VirtualClock, type Cancel } from './virtual-clock.ts';
export { seededRandom } from './seeded-random.ts';
export { chunkStoreSuite, type AcceptanceCase, type ChunkStoreSuiteOptions } from './chunk-store-suite.ts';
export {
  memoryLinkPair,
  type MemoryLink,
  type MemoryLinkClock,
  type MemoryLinkOptions,
  type MemoryLinkPair,
} from './memory-link.ts';
export { peerLinkSuite, type PeerLinkPair, type PeerLinkTest } from './peer-link-suite.ts';
export { SimNetwork, SimFlow, SimNode, type NodeOptions } from './sim-network.ts';
export { SimLinks, type Giving, type LinkMeter } from './sim-links.ts';
export { SimOrigin, type OriginMeter } from './sim-origin.ts';
export { SimTrackerSockets, type SimTrackerCore } from './sim-tracker.ts';
export type { ChunkOrder } from '../core/chunk-order.ts';
export { createSimListener, seedSim, type SimListener, type SimListenerOptions } from './sim-listener.ts';
export { isWrong } from './sim-proof.ts';
export { createSwarmIn } from './swarm-in.ts';
export type { Environment, LinkMaker } from '../environment.ts';
export type { OpenWebSocket, WebSocketLike } from '../tracker/tracker-client.ts';
