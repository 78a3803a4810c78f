import { ProtocolError } from './errors.ts';
import { LIMITS } from './limits.ts';

/** A JSON object of a stranger's: fields are read one by one, never spread or merged. */
export type JsonRecord = { readonly [field: string]: unknown };

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const utf8 = new TextEncoder();
/** Where texts are encoded to be counted: the engine does that fifty times faster than a loop. */
let counted: Uint8Array | undefined;

/** UTF-8 bytes of a text, counted no further than just past `atMost`. */
export function utf8LengthUpTo(text: string, atMost: number): number {
  if (text.length > atMost || text.length * 3 <= atMost) return text.length;
  counted ??= new Uint8Array(LIMITS.maxTrackerMessageBytes);
  if (atMost <= counted.length) {
    const { read, written } = utf8.encodeInto(text, counted.subarray(0, atMost));
    return read === text.length ? written : atMost + 1;
  }
  let bytes = 0;
  for (let i = 0; i < text.length && bytes <= atMost; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/** Reads JSON text of at most `maxBytes` bytes. Throws `ProtocolError` `too-large` or `bad-json`. */
export function parseJson(text: string, maxBytes: number): unknown {
  if (utf8LengthUpTo(text, maxBytes) > maxBytes) {
    throw new ProtocolError('too-large', `a message has at most ${maxBytes} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError('bad-json', 'expected JSON');
  }
}

/** Whether arrays and objects nest no deeper than `levels`; recursion stops there too. */
export function nestsWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof inner === 'object' && !nestsWithin(inner, levels - 1)) return false;
  }
  return true;
}

const [QUOTE, BACKSLASH] = [34, 92];
const [OPENS_LIST, CLOSES_LIST, OPENS_OBJECT, CLOSES_OBJECT] = [91, 93, 123, 125];

/** The same of JSON text, before it is parsed: that takes a deep one milliseconds, this ends where it is too deep. */
export function textNestsWithin(text: string, levels: number): boolean {
  if (opensAtMost(text, levels)) return true;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) isInString = !isInString;
    else if (isInString) {
      if (unit === BACKSLASH) i++;
    } else if (unit === OPENS_LIST || unit === OPENS_OBJECT) {
      if (++depth > levels) return false;
    } else if (unit === CLOSES_LIST || unit === CLOSES_OBJECT) depth--;
  }
  return true;
}

/** Whether a text has so few brackets, in strings or not, that it cannot nest deeper; the engine finds them quickly. */
function opensAtMost(text: string, most: number): boolean {
  let opened = 0;
  for (const bracket of ['[', '{']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++opened > most) return false;
    }
  }
  return true;
}

/** A whole number between two bounds, both included. */
export function readInteger(value: unknown, min: number, max: number, path: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ProtocolError('bad-field', `expected a whole number from ${min} to ${max}`, path);
}

/** A finite number between two bounds, both included. */
export function readNumber(value: unknown, min: number, max: number, path: string): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new ProtocolError('bad-field', `expected a number from ${min} to ${max}`, path);
}

/** Text of at most `maxLength` UTF-16 units. */
export function readText(value: unknown, maxLength: number, path: string): string {
  if (typeof value === 'string' && value.length <= maxLength) return value;
  throw new ProtocolError('bad-field', `expected text of at most ${maxLength} characters`, path);
}

/** A list of at most `maxLength` elements, which are not looked at. */
export function readList(value: unknown, maxLength: number, path: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= maxLength) return value;
  throw new ProtocolError('bad-field', `expected a list of at most ${maxLength}`, path);
}

/** Chunk indices: at most `maxLength`, each below `LIMITS.maxChunks`. A new array. */
export function readChunks(value: unknown, maxLength: number, path: string): number[] {
  const list = readList(value, maxLength, path);
  const chunks: number[] = [];
  for (let i = 0; i < list.length; i++) {
    const chunk = list[i];
    if (typeof chunk !== 'number' || !Number.isInteger(chunk) || chunk < 0 || chunk >= LIMITS.maxChunks) {
      throw new ProtocolError(
        'bad-field',
        `expected a chunk index below ${LIMITS.maxChunks}`,
        `${path}[${i}]`,
      );
    }
    chunks.push(chunk);
  }
  return chunks;
}

const BITMAP_TEXT_LENGTH = Math.ceil(LIMITS.maxChunks / 8 / 3) * 4;
const BASE64_TEXT = /^[A-Za-z0-9+/]+={0,2}$/;

/** Base64 that may be a bitmap; which capacity it fits is for the reader to check. */
export function readBitmapText(value: unknown, path: string): string {
  if (
    typeof value === 'string' &&
    value.length <= BITMAP_TEXT_LENGTH &&
    value.length % 4 === 0 &&
    BASE64_TEXT.test(value)
  ) {
    return value;
  }
  throw new ProtocolError('bad-field', `expected base64 of at most ${LIMITS.maxChunks / 8} bytes`, path);
}

/** `all`, `none` or a bitmap as by {@link readBitmapText}. */
export function readHaveText(value: unknown, path: string): string {
  return value === 'all' || value === 'none' ? value : readBitmapText(value, path);
}
