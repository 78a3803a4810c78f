import { ProtocolError } from './errors.ts';

/** Deepest nesting that is spelled: a stranger's document must not exhaust the stack. */
const MAX_DEPTH = 64;

/**
 * RFC 8785 canonical JSON: members sorted by UTF-16 code units, no spaces, ECMAScript's own number and
 * string spelling. Throws `ProtocolError('bad-field')` for what JSON cannot say: lone surrogates,
 * NaN, infinities, functions, `undefined` in an array; and for more than 64 levels of nesting.
 */
export function canonicalJson(value: unknown): string {
  return spell(value, 0);
}

function spell(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new ProtocolError('bad-field', `more than ${MAX_DEPTH} levels of nesting`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new ProtocolError('bad-field', 'a number is finite');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new ProtocolError('bad-field', 'a string holds a lone surrogate');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${Array.from(value, (item) => spell(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${spell(key, depth)}:${spell(member, depth + 1)}`);
    return `{${members.join(',')}}`;
  }
  throw new ProtocolError('bad-field', `${typeof value} is not JSON`);
}
