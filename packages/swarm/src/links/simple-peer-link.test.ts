import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { peerLinkSuite, type PeerLinkPair } from '../testing/peer-link-suite.ts';
import { simplePeerLink, type SimplePeer } from './simple-peer-link.ts';

interface SignalingPeer extends SimplePeer {
  signal(data: unknown): void;
}

const require = createRequire(import.meta.url);
// CommonJS without types; the shape used is the one above.
const Peer: new (options: { initiator: boolean; wrtc: object }) => SignalingPeer = require('simple-peer');
const wrtc: object = require('@roamhq/wrtc');

async function connectedPeers(): Promise<[SignalingPeer, SignalingPeer]> {
  const first = new Peer({ initiator: true, wrtc });
  const second = new Peer({ initiator: false, wrtc });
  first.on('signal', (data) => second.signal(data));
  second.on('signal', (data) => first.signal(data));
  const connected = [first, second].map(
    (peer) =>
      new Promise((resolve, reject) => {
        peer.on('connect', resolve);
        peer.on('error', reject);
      }),
  );
  await Promise.all(connected);
  return [first, second];
}

describe('a link over simple-peer', () => {
  const makePair = async (): Promise<PeerLinkPair> => {
    const [first, second] = await connectedPeers();
    return { a: simplePeerLink(first), b: simplePeerLink(second) };
  };
  for (const { name, run } of peerLinkSuite(makePair)) it(name, run);

  it('refuses a peer that is not connected', () => {
    const peer = new Peer({ initiator: true, wrtc });
    expect(() => simplePeerLink(peer)).toThrow(/connected/);
    peer.destroy();
  });
});
