import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';

/** What of a request says where it comes from. */
export interface AddressedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Where a request comes from. */
export interface ClientAddress {
  /** For a log. */
  readonly text: string;
  /**
   * What is counted together: an IPv4 address, or the /64 of an IPv6 address, which one household has to
   * itself. `undefined` where addresses do not count: on loopback, unless proxies are trusted.
   */
  readonly key: string | undefined;
}

/**
 * The address a request comes from, behind `trustProxy` proxies: each adds to `X-Forwarded-For` the address it
 * saw, so the last `trustProxy` entries were written by them, and all before by anybody. What is no address
 * there is passed over for the proxy's own.
 */
export function clientAddress({ headers, socket }: AddressedRequest, trustProxy: number): ClientAddress {
  const remote = known(socket.remoteAddress);
  if (trustProxy === 0) return remote.isLoopback ? remote.uncounted : remote.counted;
  const { counted } = known(forwardedFor(headers['x-forwarded-for'], trustProxy) ?? socket.remoteAddress);
  return counted.key === undefined ? remote.counted : counted;
}

/** The entry that the outermost of `hops` proxies wrote, or the first where they wrote fewer. */
function forwardedFor(header: string | string[] | undefined, hops: number): string | undefined {
  const entries = String(header ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  return entries[Math.max(0, entries.length - hops)];
}

interface Parsed {
  readonly isLoopback: boolean;
  readonly counted: ClientAddress;
  readonly uncounted: ClientAddress;
}

/** Addresses seen lately: reading one takes longer than looking it up, and connections share the answer. */
const seen = new Map<string, Parsed>();
const MAX_SEEN = 4_096;

function known(text = ''): Parsed {
  let parsed = seen.get(text);
  if (parsed !== undefined) return parsed;
  parsed = parse(text);
  if (seen.size >= MAX_SEEN) seen.clear();
  seen.set(text, parsed);
  return parsed;
}

function parse(text: string): Parsed {
  if (!ipaddr.isValid(text)) {
    const nobody: ClientAddress = { text: 'unknown', key: undefined };
    return { isLoopback: false, counted: nobody, uncounted: nobody };
  }
  const address = ipaddr.process(text);
  const plain = address.toString();
  return {
    isLoopback: address.range() === 'loopback',
    counted: { text: plain, key: address instanceof ipaddr.IPv6 ? networkOf(address) : plain },
    uncounted: { text: plain, key: undefined },
  };
}

function networkOf(address: ipaddr.IPv6): string {
  const network = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}
