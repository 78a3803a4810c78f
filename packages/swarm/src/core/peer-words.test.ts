import { parsePeerId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { PeerWords, WORD_LASTS_MS } from './peer-words.ts';

const OLDER = parsePeerId('O'.repeat(22));
const NEWER = parsePeerId('N'.repeat(22));
const LONG = WORD_LASTS_MS + 1;

describe('the tracker’s words on peers', () => {
  it('are good for a minute as to the Aula', () => {
    const words = new PeerWords();
    expect(words.tierOf(OLDER)).toBe('global');
    words.says(OLDER, 'aula', 0);
    expect(words.isOfAula(OLDER, WORD_LASTS_MS)).toBe(true);
    expect(words.isOfAula(OLDER, LONG)).toBe(false);
    expect(words.tierOf(OLDER)).toBe('aula');
  });

  it('on a newer id renew that a peer is of the Aula, and neither give nor take it', () => {
    for (const [own, newer, isOfAula] of [
      ['aula', 'aula', true],
      ['aula', 'global', false],
      ['global', 'aula', false],
    ] as const) {
      const words = new PeerWords();
      words.says(OLDER, own, 0);
      words.setAlias(NEWER, OLDER);
      words.says(NEWER, newer, LONG);
      expect([words.tierOf(OLDER), words.isOfAula(OLDER, LONG)]).toEqual([own, isOfAula]);
    }
  });

  it('are forgotten after five minutes unless the peer is kept', () => {
    const words = new PeerWords();
    words.says(OLDER, 'aula', 0);
    words.says(NEWER, 'aula', 0);
    words.forgetOld((peerId) => peerId === NEWER, 5 * WORD_LASTS_MS);
    expect(words.tierOf(OLDER)).toBe('aula');
    words.forgetOld((peerId) => peerId === NEWER, 5 * LONG);
    expect([words.tierOf(OLDER), words.tierOf(NEWER)]).toEqual(['global', 'aula']);
  });
});

describe('two ids whose links say one nonce', () => {
  const older = { peerId: OLDER, linkedMs: 0, gaveBytes: 1 };

  it('are one peer’s where the tracker last named the older before it knew the newer', () => {
    const words = new PeerWords();
    words.says(OLDER, 'global', 99);
    words.says(NEWER, 'global', 100);
    expect(words.areTwo(older, NEWER, 100)).toBe(false);
    expect(words.areTwo(older, OLDER, LONG)).toBe(false);
  });

  it('are two peers’ where the tracker names both', () => {
    const words = new PeerWords();
    words.says(OLDER, 'global', 100);
    words.says(NEWER, 'global', 100);
    expect(words.areTwo(older, NEWER, 100)).toBe(true);
  });

  it('are taken for two peers’ when the older has been silent at the tracker and gave nothing', () => {
    const words = new PeerWords();
    words.says(OLDER, 'aula', 0);
    words.says(NEWER, 'aula', 1);
    expect(words.areTwo({ ...older, gaveBytes: 0 }, NEWER, WORD_LASTS_MS)).toBe(false);
    expect(words.areTwo({ ...older, gaveBytes: 0 }, NEWER, LONG)).toBe(true);
    expect(words.areTwo(older, NEWER, LONG)).toBe(false);
    expect(words.areTwo({ ...older, gaveBytes: 0, linkedMs: 2 }, NEWER, LONG)).toBe(false);
  });

  it('are taken for two peers’ when the newer is of the Aula and the older was not', () => {
    const words = new PeerWords();
    words.says(OLDER, 'global', 0);
    words.says(NEWER, 'aula', 1);
    expect(words.areTwo(older, NEWER, LONG)).toBe(true);
  });
});
