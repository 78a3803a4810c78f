import type { ByteRange } from '@sonantica/wire';

/** What a request asks of a file: all of it, a part, or a part that does not exist. */
export type WantedRange = 'whole' | 'unsatisfiable' | ByteRange;

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * Reads a `Range` header (RFC 9110, section 14.2). As the RFC allows, one that makes no sense, is reversed, or
 * names several ranges is ignored: the whole file is the answer. The end of the result is exclusive.
 */
export function readRangeHeader(header: string | null | undefined, size: number): WantedRange {
  const match = header === null || header === undefined ? null : ONE_RANGE.exec(header);
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return 'whole';
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return 'whole';
  return start >= size ? 'unsatisfiable' : { start, end };
}
