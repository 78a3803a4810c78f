import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { TRACKER_SUBPROTOCOL } from '@sonantica/wire';

/** What of an upgrade request the handshake of RFC 6455, 4.2 goes by. */
export interface UpgradeRequest {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** An answer that opens a WebSocket, or the status that says why not. */
export type Handshake =
  | { readonly answer: string; readonly speaksOurs: boolean }
  | { readonly status: 400 | 405 | 426 };

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const VERSION = '13';
/** A token of RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const BAD_REQUEST = { status: 400 } as const;

/**
 * Answers an upgrade request. Who names subprotocols, but not ours, is let in with the first of them: a browser
 * drops a connection that names none of its own, and would never see the close code.
 */
export function handshakeAnswer({ method, headers }: UpgradeRequest): Handshake {
  const key = headers['sec-websocket-key'];
  if (method !== 'GET') return { status: 405 };
  if (headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined || !KEY.test(key))
    return BAD_REQUEST;
  if (headers['sec-websocket-version'] !== VERSION) return { status: 426 };
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
  if (!offered.every((name) => TOKEN.test(name))) return BAD_REQUEST;
  const speaksOurs = offered.includes(TRACKER_SUBPROTOCOL);
  const protocol = speaksOurs ? TRACKER_SUBPROTOCOL : offered[0];
  return {
    answer:
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${hash('sha1', key + GUID, 'base64')}\r\n` +
      `${protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`}\r\n`,
    speaksOurs,
  };
}
