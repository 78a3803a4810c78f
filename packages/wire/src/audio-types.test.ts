import { extname } from 'node:path/posix';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { AUDIO_EXTENSIONS, audioExtension, mimeOf } from './audio-types.ts';

it.each([
  ['song.flac', '.flac', 'audio/flac'],
  ['album.v2/01 song.WAV', '.wav', 'audio/wav'],
  ['song.flac.mp3', '.mp3', 'audio/mpeg'],
  ['song.m4a', '.m4a', 'audio/mp4'],
  ['song.opus', '.opus', 'audio/ogg'],
  ['song.ogg', '.ogg', 'audio/ogg'],
  ['..flac', '.flac', 'audio/flac'],
])('%s is a track by its ending', (name, extension, mime) => {
  expect([audioExtension(name), mimeOf(name)]).toEqual([extension, mime]);
});

it.each([
  '',
  'song',
  '.flac',
  'album/.flac',
  'album.flac/song',
  'song.flac.',
  'song.txt',
  'flac',
  'song.constructor',
])('%j is no track', (name) => {
  expect([audioExtension(name), mimeOf(name)]).toEqual(['', undefined]);
});

it('an ending is what the file system takes for one', () => {
  const part = fc.oneof(fc.constantFrom('.', '/', 'a', ...AUDIO_EXTENSIONS), fc.string({ maxLength: 3 }));
  const path = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(path, (name) => {
      // A folder's name is never asked for, so a slash at the end says nothing.
      fc.pre(!name.endsWith('/'));
      const extension = extname(name).toLowerCase();
      expect(audioExtension(name)).toBe(AUDIO_EXTENSIONS.find((each) => each === extension) ?? '');
    }),
  );
});
