const FIN_TEXT = '\x81';
const LENGTH_IN_16_BITS = '\x7e';
const MAX_SHORT = 125;
const MAX_16_BITS = 65_535;

/**
 * A server's text message as one unmasked WebSocket frame (RFC 6455, 5.2), a character a byte, to be written as
 * `latin1`: Node hands such a string to the kernel in one piece and without a buffer of its own, where `ws` writes
 * head and payload as two. `undefined` for text that is not ASCII, or longer than 65,535.
 */
export function textFrame(text: string): string | undefined {
  const { length } = text;
  if (length > MAX_16_BITS || Buffer.byteLength(text) !== length) return undefined;
  if (length <= MAX_SHORT) return FIN_TEXT + String.fromCharCode(length) + text;
  return FIN_TEXT + LENGTH_IN_16_BITS + String.fromCharCode(length >> 8, length & 0xff) + text;
}
