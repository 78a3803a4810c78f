import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RefusalReason } from './core/refusal.ts';

/** Forbidden, too many requests; for all else: not now. */
const STATUS: { readonly [Reason in RefusalReason]?: number } = {
  origin: 403,
  'too-many-connections': 429,
};
const UNAVAILABLE = 503;

/** Answers an upgrade request that is not followed, and closes the connection. */
export function refuseUpgrade(
  socket: Duplex,
  reason: RefusalReason,
  retryAfterSeconds: number | undefined,
): void {
  const retry = retryAfterSeconds === undefined ? '' : `Retry-After: ${retryAfterSeconds}\r\n`;
  answerAndEnd(socket, STATUS[reason] ?? UNAVAILABLE, retry, reason);
}

/** Answers what asks for a WebSocket in a way that is not RFC 6455's, and closes the connection. */
export function refuseHandshake(socket: Duplex, status: 400 | 405 | 426): void {
  answerAndEnd(socket, status, status === 426 ? 'Sec-WebSocket-Version: 13\r\n' : '', 'bad-handshake');
}

function answerAndEnd(socket: Duplex, status: number, headers: string, error: string): void {
  const body = JSON.stringify({ error });
  // Nobody waits for what a refused connection still has to say or read.
  socket.on('error', () => socket.destroy());
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n${headers}` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
