import { parsePeerId, type PeerId } from '@sonantica/wire';
import type { TrackerEnv } from './core/env.ts';
import { randomTexts } from './random-texts.ts';

/** The real clocks and random numbers. */
export function systemEnv(): TrackerEnv {
  return {
    nowMs: () => performance.now(),
    wallMs: () => Date.now(),
    random: () => Math.random(),
    newPeerId: peerIdSource(),
  };
}

/** Bytes of a peer's name. */
const PEER_ID_BYTES = 16;

function peerIdSource(): () => PeerId {
  const newName = randomTexts(PEER_ID_BYTES, 'base64url');
  return () => parsePeerId(newName());
}
