import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { filesToSeed } from './seed-files.ts';

it('takes of a folder what an origin would, under the ids it would give', async () => {
  const folder = await folderOf({
    'plain.flac': 'a',
    'plain.wav': 'b',
    'album/01 Café.flac': 'c',
    'album/disc 1/song.MP3': 'd',
    'cover.jpg': 'e',
    '.hidden/x.wav': 'f',
    'album/.cache/y.wav': 'g',
    'album/.z.wav': 'h',
  });
  expect(await seeded([folder])).toEqual({
    ids: {
      'album/01 Café.flac': 'album~01-Cafe-17f12a3af4',
      'album/disc 1/song.MP3': 'album~disc-1~song-ad53982926',
      'plain.flac': 'plain',
      'plain.wav': 'plain.wav',
    },
    skipped: [],
  });
});

it.skipIf(process.platform === 'win32')('follows links to files inside of a folder alone', async () => {
  const outside = await folderOf({ 'secret.wav': 'a', 'more/b.wav': 'b' });
  const folder = await folderOf({ 'song.flac': 'c' });
  await symlink(join(folder, 'song.flac'), join(folder, 'also.flac'));
  await symlink(join(outside, 'secret.wav'), join(folder, 'out.wav'));
  await symlink(join(folder, 'nothing'), join(folder, 'gone.wav'));
  await symlink(join(outside, 'more'), join(folder, 'more'));
  expect(await seeded([folder])).toEqual({
    ids: { 'also.flac': 'also', 'song.flac': 'song' },
    skipped: ['gone.wav: it is a link that leads nowhere', 'out.wav: it is a link that leaves the folder'],
  });
});

it('leaves out what is unsuitable, by name, and gives nobody else its id', async () => {
  const folder = await folderOf({ 'song.flac': '', 'song.mp3': 'a', 'album/huge.wav': 'b' });
  await truncate(join(folder, 'album/huge.wav'), 4_294_967_297);
  expect(await seeded([folder])).toEqual({
    ids: { 'song.mp3': 'song.mp3' },
    skipped: ['album/huge.wav: it is larger than 4 GiB', 'song.flac: it is empty'],
  });
});

it('names the folder too where there are several', async () => {
  const one = await folderOf({ 'a.flac': '' });
  const other = await folderOf({ 'a.flac': 'a' });
  const { skipped } = await seeded([one, other]);
  expect(skipped).toEqual([`${join(one, 'a.flac')}: it is empty`]);
});

it('takes files that are named, by their names, hidden ones and linked ones too', async () => {
  const folder = await folderOf({ 'album/song.flac': 'a', 'song.mp3': 'b', '.mine.wav': 'c' });
  const files = await filesToSeed(
    ['album/song.flac', 'song.mp3', '.mine.wav', 'song.mp3'].map((name) => join(folder, name)),
    () => undefined,
  );
  expect(files.map(({ trackId, isNamed }) => [trackId, isNamed])).toEqual([
    ['.mine', true],
    ['song', true],
    ['song.mp3', true],
  ]);
});

it('seeds once what is named once more than its folder', async () => {
  const folder = await folderOf({ 'song.flac': 'a' });
  expect((await seeded([folder, join(folder, 'song.flac')])).ids).toEqual({ 'song.flac': 'song' });
});

it.each([
  [
    'two files of one name',
    ['a/song.flac', 'b/song.flac'],
    /a\/song\.flac and .+b\/song\.flac would both be the track song/,
  ],
  ['folders with files of one name', ['a', 'b'], /would both be the track song/],
  ['an empty file that is named', ['a', 'empty.wav'], /empty\.wav cannot be seeded: it is empty$/],
  ['a file that is not there', ['none.wav'], /none\.wav is not there$/],
  ['what is no audio', ['cover.jpg'], /cover\.jpg is none of \.flac \.wav/],
  ['a folder with hidden files alone', ['hidden'], /^no audio file in .+hidden$/],
])('refuses %s', async (_what, names, message) => {
  const folder = await folderOf({
    'a/song.flac': 'a',
    'b/song.flac': 'b',
    'empty.wav': '',
    'cover.jpg': 'c',
    'hidden/.a/song.flac': 'd',
  });
  await expect(seeded(names.map((name) => join(folder, name)))).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringMatching(message),
  });
});

/** The ids by path below the first folder, and what was left out. */
async function seeded(paths: readonly string[]) {
  const skipped: string[] = [];
  const files = await filesToSeed(paths, (name, why) => skipped.push(`${name}: ${why}`));
  const root = paths[0] ?? '';
  const ids = files.map(({ path, trackId }) => [path.slice(root.length + 1), trackId]);
  return { ids: Object.fromEntries(ids) as Record<string, string>, skipped: skipped.sort() };
}

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-seed-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}
