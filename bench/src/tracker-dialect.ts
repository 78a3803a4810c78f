import type { JoinShape } from './tracker-messages.ts';

/** What a joining peer tells whoever counts. */
export interface JoinEvents {
  /** It announced itself. */
  announcing(): void;
  /** The announcement was answered. */
  announced(): void;
  /** A signal came through the tracker. */
  relayed(): void;
  /** Every offer was answered, and where candidates are exchanged, each answer's came. */
  joined(): void;
}

/** One peer of the load, as its socket drives it. */
export interface DialectPeer {
  opened(): void;
  heard(text: string): void;
}

/** How peers talk with one kind of tracker. */
export interface Dialect {
  /** The WebSocket subprotocol, if any. */
  readonly protocol: string | undefined;
  /** A peer that joins; `index` decides its swarm and what it holds. */
  joiner(index: number, shape: JoinShape, say: (text: string) => void, events: JoinEvents): DialectPeer;
  /** A peer that is admitted and then silent; `ready` is called when it is. */
  idler(say: (text: string) => void, ready: () => void): DialectPeer;
}

/** A description of a data channel as browsers make it, without candidates: RFC 8829, about 450 bytes. */
export function sessionDescription(index: number): string {
  return [
    'v=0',
    `o=- ${4_611_731_400_430_051_000 + index} 2 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    'a=group:BUNDLE 0',
    'a=extmap-allow-mixed',
    'a=msid-semantic: WMS',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=ice-ufrag:${(index % 0xffff).toString(36).padStart(4, 'x')}`,
    'a=ice-pwd:asd88fgpdd777uzjYhagZgkQ',
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${'7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:'.repeat(2).slice(0, -1)}`,
    'a=setup:actpass',
    'a=mid:0',
    'a=sctp-port:5000',
    'a=max-message-size:262144',
    '',
  ].join('\r\n');
}

/** What one end gathers in 30 ms, in one signal. */
export const CANDIDATES = [1, 2, 3].map((n) => ({
  candidate: `candidate:${1_000 + n} 1 udp ${2_122_260_223 - n} 192.0.2.${n} ${50_000 + n} typ host generation 0`,
  sdpMid: '0',
  sdpMLineIndex: 0,
}));
