import type { IncomingHttpHeaders } from 'node:http';

/** What is read of a plain upgrade request, and where it ends. */
export interface PlainUpgrade {
  readonly method: 'GET';
  readonly headers: IncomingHttpHeaders;
  /** Bytes of the request; what follows is the WebSocket's. */
  readonly length: number;
}

/** Longer requests are left to the HTTP server. */
const MAX_HEAD_BYTES = 4_096;
const REQUEST_LINE = /^GET \/[!-~]* HTTP\/1\.1$/;
/**
 * A field of RFC 9112, 5, in ASCII and on one line. Nothing in it may be two things: who is read before all rules would
 * else choose how long it takes.
 */
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~]*)$/;
const END_OF_HEAD = '\r\n\r\n';

/** Fields a tracker goes by. */
const READ = new Set([
  'host',
  'upgrade',
  'connection',
  'origin',
  'x-forwarded-for',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
]);
/** Fields with which a request would be longer than its head, or wait for an answer before it goes on. */
const NOT_PLAIN = new Set(['content-length', 'transfer-encoding', 'expect']);

/** How all such requests begin. */
const BEGINNING = 'GET /';

/** Whether more has to come before it is known that this is a plain upgrade request. */
export function mayBecomeUpgrade(bytes: Buffer): boolean {
  if (bytes.length >= MAX_HEAD_BYTES || bytes.includes(END_OF_HEAD, 0, 'latin1')) return false;
  const { length } = BEGINNING;
  return bytes.toString('latin1', 0, length) === BEGINNING.slice(0, bytes.length);
}

/**
 * Reads a request that asks for a WebSocket as clients and proxies write it: whole, short, every
 * field that counts said once. Of anything else, and of anything doubtful, answers `undefined`: an HTTP server has
 * to judge it.
 */
export function readPlainUpgrade(bytes: Buffer): PlainUpgrade | undefined {
  const text = bytes.toString('latin1', 0, MAX_HEAD_BYTES);
  const end = text.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const [requestLine = '', ...fields] = text.slice(0, end).split('\r\n');
  if (!REQUEST_LINE.test(requestLine)) return undefined;
  const headers: IncomingHttpHeaders = {};
  for (const line of fields) {
    const [, written, padded] = FIELD.exec(line) ?? [];
    const value = padded?.trim();
    if (written === undefined || value?.includes('\t') !== false) return undefined;
    const name = written.toLowerCase();
    if (NOT_PLAIN.has(name)) return undefined;
    if (!READ.has(name)) continue;
    if (headers[name] !== undefined) return undefined;
    headers[name] = value;
  }
  const { host, connection = '', upgrade = '' } = headers;
  if (host === undefined || upgrade.toLowerCase() !== 'websocket') return undefined;
  if (!connection.split(',').some((option) => option.trim().toLowerCase() === 'upgrade')) return undefined;
  return { method: 'GET', headers, length: end + END_OF_HEAD.length };
}
