import { describe, expect, it } from 'vitest';
import {
  isAulaId,
  isPeerId,
  isRootHash,
  isTrackId,
  parseAulaId,
  parsePeerId,
  parseRootHash,
  parseTrackId,
} from './ids.ts';

const ROOT = 'a0'.repeat(32);
const PEER = 'AZaz09_-AZaz09_-AZaz09';

describe('a track id', () => {
  it.each(['a', 'x'.repeat(128), 'A-Z_a.z~09', '...', '-', 'constructor', '__proto__'])('may be %s', (id) => {
    expect(isTrackId(id)).toBe(true);
    expect(parseTrackId(id)).toBe(id);
  });

  it.each(['', 'x'.repeat(129), '.', '..', 'a b', 'a/b', 'a\n', 'é', 'a%20b', null, undefined, 7, {}, ['a']])(
    'cannot be %j',
    (id) => {
      expect(isTrackId(id)).toBe(false);
      expect(() => parseTrackId(id, 'here')).toThrow(
        expect.objectContaining({ code: 'bad-field', path: 'here' }),
      );
    },
  );
});

describe('an Aula id', () => {
  it.each(['a', 'aula-42', 'x'.repeat(128)])('may be %s', (id) => expect(parseAulaId(id)).toBe(id));
  it.each(['', 'x'.repeat(129), 'a b', null, 7])('cannot be %j', (id) => {
    expect(isAulaId(id)).toBe(false);
    expect(() => parseAulaId(id)).toThrow(expect.objectContaining({ code: 'bad-field', path: 'aulaId' }));
  });
});

describe('a peer id', () => {
  it('is 22 characters of base64url', () => expect(parsePeerId(PEER)).toBe(PEER));
  it.each([PEER.slice(1), `${PEER}A`, `${PEER.slice(1)}=`, `${PEER.slice(1)}+`, `${PEER}\n`, null, 7])(
    'cannot be %j',
    (id) => {
      expect(isPeerId(id)).toBe(false);
      expect(() => parsePeerId(id)).toThrow(expect.objectContaining({ code: 'bad-field', path: 'peerId' }));
    },
  );
});

describe('a root hash', () => {
  it('is 64 lower-case hexadecimal digits', () => expect(parseRootHash(ROOT)).toBe(ROOT));
  it.each([ROOT.slice(1), `${ROOT}0`, ROOT.toUpperCase(), `g${ROOT.slice(1)}`, `${ROOT}\n`, null, 7])(
    'cannot be %j',
    (root) => {
      expect(isRootHash(root)).toBe(false);
      expect(() => parseRootHash(root)).toThrow(expect.objectContaining({ code: 'bad-field', path: 'root' }));
    },
  );
});
