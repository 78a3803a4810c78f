import { expect, it } from 'vitest';
import { assignTrackIds, trackIdFor } from './index.ts';

it('gives the ids that listeners know, by SHA-256', () => {
  expect(trackIdFor('album/01 Café.flac')).toBe('album~01-Cafe-17f12a3af4');
  expect(Object.fromEntries(assignTrackIds(['song.mp3', 'song.flac']))).toEqual({
    'song.flac': 'song',
    'song.mp3': 'song.mp3',
  });
});
