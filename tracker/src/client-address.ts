import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';

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
export function clientAddress(request: IncomingMessage, trustProxy: number): ClientAddress {
  const remote = parse(request.socket.remoteAddress);
  if (trustProxy === 0) {
    return { text: remote.text, key: remote.isLoopback ? undefined : remote.key };
  }
  const forwarded = parse(proxyAddr(request, (_address, hop) => hop < trustProxy));
  const { text, key } = forwarded.key === undefined ? remote : forwarded;
  return { text, key };
}

function parse(text: string | undefined): { text: string; key: string | undefined; isLoopback: boolean } {
  if (text === undefined || !ipaddr.isValid(text)) {
    return { text: 'unknown', key: undefined, isLoopback: false };
  }
  const address = ipaddr.process(text);
  const isLoopback = address.range() === 'loopback';
  if (address instanceof ipaddr.IPv6) {
    const network = address.parts.slice(0, 4).map((part) => part.toString(16));
    return { text: address.toString(), key: `${network.join(':')}::/64`, isLoopback };
  }
  const plain = address.toString();
  return { text: plain, key: plain, isLoopback };
}
