import { ProtocolError } from '@sonantica/wire';
import { isOwnAddress, isOnesAddress, readAddress } from './ip-address.ts';
import type { RtcCandidate } from './rtc-types.ts';

/** A candidate's text: real ones take 60 to 200 characters. */
const MAX_CANDIDATE_CHARS = 512;

/** RFC 8839, section 5.1. Printable ASCII only, for the text may be put into a description. */
const CANDIDATE =
  /^candidate:[!-~]{1,64} (?<component>\d{1,3}) (?<protocol>[A-Za-z]{1,16}) \d{1,10} (?<address>[!-~]{1,255}) (?<port>\d{1,5}) typ (?<type>host|srflx|prflx|relay)(?<rest>(?: [!-~]+)*) ?$/;

/** A candidate, read: where it points, and the text an implementation takes. */
export interface ReadCandidate {
  readonly init: RtcCandidate;
  /** The generation of ICE it belongs to, where it says so. */
  readonly ufrag: string | undefined;
  readonly protocol: string;
  readonly component: number;
  /** An address, or a `.local` name. */
  readonly address: string;
  readonly port: number;
  readonly type: string;
}

/**
 * Reads one candidate, ours or a stranger's. `undefined` for the empty one that ends the list. Throws
 * `ProtocolError('bad-field')`.
 */
export function readCandidate(value: unknown): ReadCandidate | undefined {
  if (value === null) return undefined;
  const text = isRecord(value) ? value['candidate'] : undefined;
  if (text === '') return undefined;
  if (!isRecord(value) || typeof text !== 'string' || text.length > MAX_CANDIDATE_CHARS) {
    throw new ProtocolError('bad-field', 'expected a candidate', 'candidate');
  }
  const { component, protocol, address, port, type, rest } = CANDIDATE.exec(text)?.groups ?? {};
  if (component === undefined || protocol === undefined || address === undefined || type === undefined) {
    throw new ProtocolError('bad-field', 'expected the text of a candidate', 'candidate');
  }
  const { sdpMid, usernameFragment } = value;
  const ufrag =
    typeof usernameFragment === 'string' ? usernameFragment : / ufrag (\S+)/.exec(rest ?? '')?.[1];
  return {
    init: {
      candidate: text,
      sdpMid: typeof sdpMid === 'string' && sdpMid.length <= 64 ? sdpMid : null,
      sdpMLineIndex: 0,
      ...(ufrag === undefined || ufrag.length > 256 ? {} : { usernameFragment: ufrag }),
    },
    ufrag,
    protocol: protocol.toLowerCase(),
    component: Number(component),
    address: address.toLowerCase(),
    port: Number(port),
    type,
  };
}

/**
 * What of our own candidate other peers are told, or `undefined` for nothing. UDP only. With
 * `hostAddresses`, host candidates only at those, and never the private address behind a public one.
 */
export function offeredCandidate(
  candidate: ReadCandidate,
  hostAddresses: readonly string[] | undefined,
): RtcCandidate | undefined {
  if (candidate.protocol !== 'udp' || candidate.component !== 1) return undefined;
  if (hostAddresses === undefined) return candidate.init;
  if (candidate.type === 'host')
    return hostAddresses.includes(candidate.address) ? candidate.init : undefined;
  const text = candidate.init.candidate.replace(/ raddr \S+ rport \d+/, (found) =>
    found.includes(':') ? ' raddr :: rport 0' : ' raddr 0.0.0.0 rport 0',
  );
  return { ...candidate.init, candidate: text };
}

/**
 * Whether a stranger's candidate is tried. UDP only, to a place where one peer can be; this machine itself
 * only where we offer nothing but that.
 */
export function isTakenCandidate(
  candidate: ReadCandidate,
  options: { readonly resolvesMdns: boolean; readonly hostAddresses: readonly string[] | undefined },
): boolean {
  const { address, port } = candidate;
  if (candidate.protocol !== 'udp' || candidate.component !== 1) return false;
  if (port === 0 || port > 65_535) return false;
  if (address.endsWith('.local')) return options.resolvesMdns;
  const bytes = readAddress(address);
  if (bytes === undefined) return false;
  if (isOwnAddress(bytes)) return options.hostAddresses?.some(isLoopback) ?? true;
  return isOnesAddress(bytes);
}

/** Whether an address is this machine's own. */
function isLoopback(address: string): boolean {
  const bytes = readAddress(address);
  return bytes !== undefined && isOwnAddress(bytes);
}

/** Whether `value` is a JSON object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
