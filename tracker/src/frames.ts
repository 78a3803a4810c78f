const MAX_SHORT = 125;
const MAX_16_BITS = 0xffff;
const FIN_TEXT = '\x81';
const FIN_CLOSE = '\x88';
const FIN_PING = '\x89';
const FIN_PONG = '\x8a';

/**
 * A server's text message as one unmasked WebSocket frame (RFC 6455, 5.2), a character a byte, to be written as
 * `latin1`: such frames are put together like any text, and Node hands them to the kernel without a buffer.
 */
export function textFrame(text: string): string {
  const bytes = Buffer.byteLength(text);
  const payload = bytes === text.length ? text : Buffer.from(text).toString('latin1');
  if (bytes <= MAX_SHORT) return FIN_TEXT + String.fromCharCode(bytes) + payload;
  if (bytes <= MAX_16_BITS)
    return `${FIN_TEXT}\x7e${String.fromCharCode(bytes >> 8, bytes & 0xff)}${payload}`;
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes));
  return `${FIN_TEXT}\x7f${length.toString('latin1')}${payload}`;
}

/** A ping, whose answer carries the same `payload`: a character a byte, at most 125. */
export function pingFrame(payload: string): string {
  return FIN_PING + String.fromCharCode(payload.length) + payload;
}

/** The answer to a ping; `payload` is the ping's, a character a byte, at most 125. */
export function pongFrame(payload: string): string {
  return FIN_PONG + String.fromCharCode(payload.length) + payload;
}

/** Ends a connection, with a code or, where it is 1005, without one; `reason` is ASCII and at most 123 long. */
export function closeFrame(code: number, reason: string): string {
  if (code === NO_CODE) return `${FIN_CLOSE}\x00`;
  return FIN_CLOSE + String.fromCharCode(reason.length + 2, code >> 8, code & 0xff) + reason;
}

/** RFC 6455, 7.4.1: stands for a close frame without a code. */
export const NO_CODE = 1005;
