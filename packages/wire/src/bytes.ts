import { ProtocolError } from './errors.ts';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE64_VALUE = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) BASE64_VALUE[BASE64.charCodeAt(i)] = i;

const HEX_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX_BYTE[byte];
  return text;
}

/** Reads lower-case hexadecimal of exactly `byteLength` bytes. Throws `ProtocolError('bad-field')`. */
export function fromHex(text: string, byteLength: number): Uint8Array {
  if (text.length !== byteLength * 2 || !/^[0-9a-f]*$/.test(text)) {
    throw new ProtocolError('bad-field', `expected ${byteLength} bytes in lower-case hexadecimal`);
  }
  const bytes = new Uint8Array(byteLength);
  for (let i = 0; i < byteLength; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

/** Standard base64 with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += BASE64.charAt(word >> 18) + BASE64.charAt((word >> 12) & 63);
    text += left > 1 ? BASE64.charAt((word >> 6) & 63) : '=';
    text += left > 2 ? BASE64.charAt(word & 63) : '=';
  }
  return text;
}

/**
 * Reads padded base64 of exactly `byteLength` bytes, in its one canonical spelling.
 * The length is checked before anything is allocated. Throws `ProtocolError('bad-field')`.
 */
export function fromBase64(text: string, byteLength: number): Uint8Array {
  const refuse = () => new ProtocolError('bad-field', `expected ${byteLength} bytes in base64`);
  if (text.length !== Math.ceil(byteLength / 3) * 4) throw refuse();
  const padding = (3 - (byteLength % 3)) % 3;
  const significant = text.length - padding;
  for (let i = significant; i < text.length; i++) if (text[i] !== '=') throw refuse();
  const bytes = new Uint8Array(byteLength);
  let word = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < significant; i++) {
    const value = BASE64_VALUE[text.charCodeAt(i)] ?? -1;
    if (value < 0) throw refuse();
    word = ((word << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (word >> bits) & 0xff;
    }
  }
  if ((word & ((1 << bits) - 1)) !== 0) throw refuse();
  return bytes;
}

/** Whether two byte strings are the same. Not for secrets: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
