import { parsePeerId } from '@sonantica/wire';
import { describe, it } from 'vitest';
import { peerLinkSuite, type PeerLinkPair } from '../testing/peer-link-suite.ts';
import { loadNodeRtc, type NodeRtcName } from './node-rtc.ts';
import type { PeerLink } from './peer-link.ts';
import { RtcConnector } from './rtc-connector.ts';
import type { RtcImplementation } from './rtc-types.ts';

const A = parsePeerId('AAAAAAAAAAAAAAAAAAAAAA');
const B = parsePeerId('BBBBBBBBBBBBBBBBBBBBBB');

async function connectedPair(rtcA: RtcImplementation, rtcB: RtcImplementation): Promise<PeerLinkPair> {
  let connectors: RtcConnector[] = [];
  const links = await new Promise<PeerLink[]>((resolve, reject) => {
    const open: PeerLink[] = [];
    const make = (
      self: typeof A,
      rtc: RtcImplementation,
      other: () => RtcConnector | undefined,
      at: number,
    ) =>
      new RtcConnector({
        rtc,
        selfId: () => self,
        handler: {
          send: (_to, data) => setImmediate(() => other()?.signal(self, JSON.parse(JSON.stringify(data)))),
          link: (_peer, link) => {
            open[at] = link;
            if (open[0] !== undefined && open[1] !== undefined) resolve(open);
          },
          failed: (_peer, error) => reject(error),
        },
      });
    const first = make(A, rtcA, () => connectors[1], 0);
    const second = make(B, rtcB, () => connectors[0], 1);
    connectors = [first, second];
    first.connect(B);
  });
  const [a, b] = links;
  if (a === undefined || b === undefined) throw new Error('both ends are open');
  return {
    a,
    b,
    dispose: async () => {
      await Promise.all(connectors.map((each) => each.close()));
    },
  };
}

const PAIRS: readonly (readonly [NodeRtcName, NodeRtcName])[] = [
  ['wrtc', 'wrtc'],
  ['werift', 'werift'],
  ['wrtc', 'werift'],
  ['werift', 'wrtc'],
];

describe.each(PAIRS)('a link between %s and %s', (nameA, nameB) => {
  const makePair = async () => connectedPair(await loadNodeRtc(nameA), await loadNodeRtc(nameB));
  for (const { name, run } of peerLinkSuite(makePair)) it(name, run);
});
