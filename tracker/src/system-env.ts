import { randomFillSync } from 'node:crypto';
import { parsePeerId, type PeerId } from '@sonantica/wire';
import type { TrackerEnv } from './core/env.ts';

/** The real clocks and random numbers. */
export function systemEnv(): TrackerEnv {
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    random: () => Math.random(),
    newPeerId: peerIdSource(),
  };
}

/** Bytes of a peer's name, and of the store they are cut from: asking the system each time costs more. */
const PEER_ID_BYTES = 16;
const RANDOM_STORE_BYTES = 4_096;

function peerIdSource(): () => PeerId {
  const store = Buffer.alloc(RANDOM_STORE_BYTES);
  let used = RANDOM_STORE_BYTES;
  return () => {
    if (used === RANDOM_STORE_BYTES) {
      randomFillSync(store);
      used = 0;
    }
    const id = store.toString('base64url', used, used + PEER_ID_BYTES);
    // What was given away is not kept where it could be given again.
    store.fill(0, used, used + PEER_ID_BYTES);
    used += PEER_ID_BYTES;
    return parsePeerId(id);
  };
}
