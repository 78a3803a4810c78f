import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { isToken, tokenSource } from './token.ts';

it('a file is read anew each time', async () => {
  const path = await fileOf('first\n');
  const read = await tokenSource({ tokenFile: path });
  expect(await ask(read)).toBe('first');
  await writeFile(path, '  second ');
  expect(await ask(read)).toBe('second');
  await writeFile(path, '');
  await expect(ask(read)).rejects.toThrow(`the token file ${path} has no token`);
  await rm(path);
  await expect(ask(read)).rejects.toThrow(`the token file ${path} is not there`);
});

it.each(['', '\n', 'two words', 'ü', 'x'.repeat(8_193)])(
  'a file with %j is refused at once',
  async (text) => {
    await expect(tokenSource({ tokenFile: await fileOf(text) })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  },
);

it('a token of the command line is given each time, and none where there is none', async () => {
  expect(await ask(await tokenSource({ token: 'a.b.c' }))).toBe('a.b.c');
  expect(await ask(await tokenSource({}))).toBeUndefined();
});

it.each([
  ['', false],
  ['x', true],
  ['x'.repeat(8_192), true],
  ['x'.repeat(8_193), false],
  ['a b', false],
])('whether a text can be a token is seen: %#', (text, isOne) => {
  expect(isToken(text)).toBe(isOne);
});

/** What a callback gives; a token as it is gives nothing anew. */
async function ask(source: Awaited<ReturnType<typeof tokenSource>>): Promise<string | undefined> {
  expect(source).toBeTypeOf('function');
  return typeof source === 'function' ? source() : source;
}

async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-token-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'token'), text);
  return join(folder, 'token');
}
