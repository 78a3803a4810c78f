import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTrackId } from './ids.ts';
import * as rule from './track-ids.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const assignTrackIds = (paths: Iterable<string>) => rule.assignTrackIds(paths, sha256);
const trackIdFor = (path: string) => rule.trackIdFor(path, sha256);
const idOf = (path: string, ...others: string[]) => assignTrackIds([path, ...others]).get(path);

describe('a track id', () => {
  it.each([
    ['first-light-24-96.flac', 'first-light-24-96'],
    ['album/01-song.flac', 'album~01-song'],
    ['a/b/c.ogg', 'a~b~c'],
    ['LOUD.FLAC', 'LOUD'],
    ['v1.0_final.wav', 'v1.0_final'],
    ['song.remix.mp3', 'song.remix'],
  ])('is the plain path of %s', (path, id) => {
    expect(trackIdFor(path)).toBe(id);
  });

  it.each([
    ['01 Café del Mar.flac', /^01-Cafe-del-Mar-[0-9a-f]{10}$/],
    ['Été/Forêt.flac', /^Ete~Foret-[0-9a-f]{10}$/],
    ['音楽/夜.flac', /^track-[0-9a-f]{10}$/],
    ['a~b.flac', /^a-b-[0-9a-f]{10}$/],
    ['song.leaves.flac', /^song\.leaves-[0-9a-f]{10}$/],
    ['song.manifest.json.flac', /^song\.manifest\.json-[0-9a-f]{10}$/],
    ['100% (live) #1?.mp3', /^100-live-1-[0-9a-f]{10}$/],
    ['..\\evil.flac', /^evil-[0-9a-f]{10}$/],
    [' .flac', /^track-[0-9a-f]{10}$/],
  ])('keeps what is readable of %s', (path, id) => {
    expect(trackIdFor(path)).toMatch(id);
  });

  it.each([127, 128, 129, 1000])('holds a name of %i characters', (length) => {
    const id = trackIdFor(`${'x'.repeat(length)}.flac`);
    expect(isTrackId(id)).toBe(true);
    expect(id).toHaveLength(Math.min(length, 128));
    expect(id === 'x'.repeat(length)).toBe(length <= 128);
  });

  it('is what listeners know it by, from one release to the next', () => {
    expect(trackIdFor('01 Café.flac')).toBe('01-Cafe-68787398bd');
    expect(trackIdFor('\ud800.flac')).toBe('track-20c9474f14');
  });

  it('is the same for composed and decomposed spelling', () => {
    expect(trackIdFor('Caf\u00e9.flac')).toBe(trackIdFor('Cafe\u0301.flac'));
  });

  it('tells apart two long names that differ at the end', () => {
    expect(trackIdFor(`${'x'.repeat(300)}1.flac`)).not.toBe(trackIdFor(`${'x'.repeat(300)}2.flac`));
  });
});

describe('files that would share an id', () => {
  it('are told apart by the extension, the best source keeping the plain id', () => {
    const ids = assignTrackIds(['song.mp3', 'song.ogg', 'song.flac']);
    expect(Object.fromEntries(ids)).toEqual({
      'song.flac': 'song',
      'song.ogg': 'song.ogg',
      'song.mp3': 'song.mp3',
    });
  });

  it('do not displace one that has the id by its own name', () => {
    expect(idOf('song.mp3.flac', 'song.mp3', 'song.flac')).toBe('song.mp3');
    expect(idOf('song.mp3', 'song.mp3.flac', 'song.flac')).toMatch(/^song-[0-9a-f]{10}$/);
  });

  it('stay apart where two spellings of one name lie side by side', () => {
    const ids = assignTrackIds(['Caf\u00e9.flac', 'Cafe\u0301.flac']);
    expect(new Set(ids.values()).size).toBe(2);
  });

  it('stay apart where the case of the extension alone differs', () => {
    expect(new Set(assignTrackIds(['a.flac', 'a.FLAC', 'a.Flac']).values()).size).toBe(3);
  });
});

describe('the ids of a library', () => {
  const name = fc.oneof(
    fc.constantFrom('song', 'Song', 'a~b', 'a', 'b', 'é', 'e\u0301', 'x'.repeat(200), 'song.mp3', ' ', '夜'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  );
  const path = fc
    .tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.constantFrom('.flac', '.mp3', '.FLAC', '.ogg'))
    .map(([segments, extension]) => segments.join('/') + extension);

  it('are legal, never shared, and the same in whatever order the files are found', () => {
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 30 }), (paths) => {
        const ids = assignTrackIds(paths);
        expect(new Set(ids.values()).size).toBe(paths.length);
        for (const id of ids.values()) expect(isTrackId(id)).toBe(true);
        expect(assignTrackIds(paths.toReversed())).toEqual(ids);
      }),
    );
  });

  it('do not change when a file of another name is added', () => {
    const before = assignTrackIds(['a/1.flac', 'Été.flac', 'song.flac', 'song.mp3']);
    const after = assignTrackIds([
      ...before.keys(),
      'a/2.flac',
      'Éte.flac',
      'song.opus',
      'a-1.flac',
      'a~1.flac',
    ]);
    for (const [known, id] of before) expect(after.get(known)).toBe(id);
  });
});
