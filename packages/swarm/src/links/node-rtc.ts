import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { SwarmError } from '../errors.ts';
import type { RtcConfiguration, RtcDescription, RtcImplementation } from './rtc-types.ts';

/** The WebRTC implementations for Node that are known to work, best first. */
export const NODE_RTC_NAMES = ['wrtc', 'werift'] as const;
export type NodeRtcName = (typeof NODE_RTC_NAMES)[number];

/**
 * werift is fastest with this much outstanding on a link, and many times slower with a mebibyte (measured
 * on loopback with `bench/src/raw-channel.ts`).
 */
const WERIFT_WINDOW_BYTES = 65_536;

/** How long werift may gather candidates before it goes on with those it has. */
const WERIFT_GATHER_MS = 100;

/** An address nobody has (RFC 5737, RFC 3849): asking for the way there names the default route. */
const NOWHERE = { udp4: '203.0.113.1', udp6: '2001:db8::1' } as const;

/**
 * Loads WebRTC for Node: `@roamhq/wrtc` where it is installed and runs on this machine, else `werift`; or
 * the one that is named. Throws `SwarmError('rtc-unavailable')`, saying what to install.
 */
export async function loadNodeRtc(name?: NodeRtcName): Promise<RtcImplementation> {
  const causes: unknown[] = [];
  for (const each of name === undefined ? NODE_RTC_NAMES : [name]) {
    try {
      return await LOADERS[each]();
    } catch (error) {
      causes.push(error);
    }
  }
  const wanted = name === undefined ? '@roamhq/wrtc or werift' : PACKAGES[name];
  throw new SwarmError(
    'rtc-unavailable',
    `No WebRTC here: install ${wanted} (npm install ${PACKAGES[name ?? 'wrtc']}), or use the origin alone.`,
    causes.length === 1 ? causes[0] : new AggregateError(causes),
  );
}

const PACKAGES = { wrtc: '@roamhq/wrtc', werift: 'werift' } as const;

const LOADERS: Record<NodeRtcName, () => Promise<RtcImplementation>> = {
  wrtc: async () => ({
    name: 'wrtc',
    RTCPeerConnection: constructorOf(await import('@roamhq/wrtc')),
    resolvesMdns: false,
    hostAddresses: defaultRouteAddresses,
  }),
  werift: async () => ({
    name: 'werift',
    RTCPeerConnection: adaptWerift(constructorOf(await import('werift'))),
    maxWindowBytes: WERIFT_WINDOW_BYTES,
    // It takes the new descriptions, stops the old checks and never begins new ones.
    restartsIce: false,
    resolvesMdns: false,
    hostAddresses: defaultRouteAddresses,
  }),
};

type Constructor = RtcImplementation['RTCPeerConnection'];

/** Finds the class in a module that may be CommonJS. */
function constructorOf(module: object): Constructor {
  for (const holder of ['default' in module ? module.default : undefined, module]) {
    if (typeof holder !== 'object' || holder === null || !('RTCPeerConnection' in holder)) continue;
    if (isConstructor(holder.RTCPeerConnection)) return holder.RTCPeerConnection;
  }
  throw new Error('the package has no RTCPeerConnection');
}

function isConstructor(value: unknown): value is Constructor {
  return typeof value === 'function';
}

/**
 * werift gathers no loopback address, so peers on a machine without a network would not find each other;
 * and it gives up at once when it begins with no candidate of the other end, though a browser that hides
 * its addresses would reach it a moment later. When it closes it tells nobody, and another implementation
 * would go on for half a minute: so it aborts the association first.
 */
function adaptWerift(base: Constructor): Constructor {
  return class extends base {
    constructor(configuration: RtcConfiguration) {
      const loopback = interfaceAddresses().length === 0 ? { iceAdditionalHostAddresses: ['127.0.0.1'] } : {};
      super({ ...configuration, ...loopback });
      hastenGathering(this);
    }

    override setRemoteDescription(description: RtcDescription): Promise<unknown> {
      const { type, sdp } = description;
      const patient = /^a=candidate:/m.test(sdp) ? sdp : `${sdp}${UNREACHABLE_CANDIDATE}`;
      return super.setRemoteDescription({ type, sdp: patient });
    }

    override async close(): Promise<void> {
      await abortAssociation(this);
      await super.close();
    }
  };
}

/**
 * werift answers only when it has gathered all it can, for which a STUN server that is silent takes it five
 * seconds. What comes after a moment follows by trickle. By an undocumented method: where it is gone, the
 * wait is back and all else works.
 */
function hastenGathering(connection: object): void {
  const gather = 'gatherCandidates' in connection ? connection.gatherCandidates : undefined;
  if (typeof gather !== 'function') return;
  Object.defineProperty(connection, 'gatherCandidates', {
    value: async () => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const moment = new Promise((resolve) => {
        timer = setTimeout(resolve, WERIFT_GATHER_MS);
      });
      try {
        await Promise.race([gather.call(connection), moment]);
      } finally {
        clearTimeout(timer);
      }
    },
  });
}

/** Sends SCTP's ABORT by werift's own, undocumented way; where that way is gone, nothing happens. */
async function abortAssociation(connection: object): Promise<void> {
  const transport = 'sctp' in connection ? connection.sctp : undefined;
  const association = isObject(transport) && 'sctp' in transport ? transport.sctp : undefined;
  if (!isObject(association) || !('abort' in association) || typeof association.abort !== 'function') return;
  await association.abort();
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The discard port of this machine: its check goes unanswered while the other end's own checks arrive. */
const UNREACHABLE_CANDIDATE = 'a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n';

/**
 * The addresses of the interfaces that lead to the world, so that other peers are not told about every
 * network this machine is in. Without a way to the world, those of its local networks; with none, loopback.
 */
export async function defaultRouteAddresses(): Promise<readonly string[]> {
  const routes = await Promise.all([routeAddress('udp4'), routeAddress('udp6')]);
  const chosen = Object.values(networkInterfaces()).flatMap((addresses = []) => {
    const list = addresses.filter(({ internal }) => !internal).map(({ address }) => address.toLowerCase());
    return list.some((address) => routes.includes(address)) ? list : [];
  });
  if (chosen.length > 0) return chosen;
  const local = interfaceAddresses();
  return local.length > 0 ? local : ['127.0.0.1', '::1'];
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flat()
    .flatMap((each) => (each === undefined || each.internal ? [] : [each.address.toLowerCase()]))
    .filter((address) => !address.startsWith('fe80:'));
}

/** Connecting a UDP socket sends nothing; it only makes the system choose where from. */
function routeAddress(family: 'udp4' | 'udp6'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family);
    const done = (address: string | undefined) => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => done(undefined));
    socket.connect(9, NOWHERE[family], () => done(socket.address().address.toLowerCase()));
  });
}
