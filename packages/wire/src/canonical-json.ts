import { ProtocolError } from './errors.ts';

/**
 * RFC 8785 canonical JSON: members sorted by UTF-16 code units, no spaces, ECMAScript's own number and
 * string spelling. Throws `ProtocolError('bad-field')` for what JSON cannot say: lone surrogates,
 * NaN, infinities, functions, `undefined` in an array.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new ProtocolError('bad-field', 'a number is finite');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new ProtocolError('bad-field', 'a string holds a lone surrogate');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  throw new ProtocolError('bad-field', `${typeof value} is not JSON`);
}
