import { readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express, { type Express } from 'express';
import { checkManifest } from '@sonantica/wire';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { sha256 } from './file-hashing.ts';
import { createOriginRouter } from './router.ts';
import { makeFolder, makeWav, serveForTest } from './testing/fixtures.ts';

const WAV = makeWav({ seconds: 20 });

async function listen(app: Express): Promise<string> {
  const server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the router in an app of one’s own', () => {
  it('works at any mount path and leaves the rest of the app alone', async () => {
    const app = express();
    app.use('/music/tracks', createOriginRouter({ dir: await makeFolder({ 'song.wav': WAV }) }));
    app.get('/hello', (_req, res) => void res.send('hello'));
    const url = await listen(app);
    const manifest = await (await fetch(`${url}/music/tracks/song/manifest`)).json();
    await checkManifest(manifest, { hasher: sha256 });
    const { tracks } = await (await fetch(`${url}/music/tracks`)).json();
    expect(tracks).toHaveLength(1);
    expect((await fetch(`${url}/music/tracks/song`)).headers.get('content-length')).toBe(String(WAV.length));
    const hello = await fetch(`${url}/hello`);
    expect(hello.headers.get('access-control-allow-origin')).toBeNull();
    expect(await hello.text()).toBe('hello');
  });

  it('is what the README shows', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const [, code = ''] = /```js\n([^`]*createOriginRouter[^`]*)```/.exec(readme) ?? [];
    const dir = await makeFolder({ 'song.wav': WAV });
    const body = code
      .replace(/^import .*$/gm, '')
      .replace("'music'", JSON.stringify(dir))
      .replace(/app\.listen\(\d+\);/, '');
    expect(body).toContain(JSON.stringify(dir));
    const app: Express = new Function('express', 'createOriginRouter', `${body}; return app;`)(
      express,
      createOriginRouter,
    );
    const { tracks } = await (await fetch(`${await listen(app)}/tracks`)).json();
    expect(tracks).toHaveLength(1);
  });
});

describe('the cache', () => {
  const manifestOf = async (url: string) => (await fetch(`${url}/song.manifest.json`)).json();

  it('lies in the folder asked for, and then not in the library', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const cacheDir = join(await makeFolder(), 'deep', 'cache');
    await manifestOf((await serveForTest(dir, { cacheDir })).url);
    expect(await readdir(dir)).toEqual(['song.wav']);
    expect((await readdir(cacheDir)).map((name) => name.replace(/^.*?\./, '')).toSorted()).toEqual([
      'facts.json',
      'hashes.json',
      'leaves',
    ]);
  });

  it('moves to the user’s cache folder, with a line in the log, where the library cannot be written to', async () => {
    const dir = await makeFolder({ 'song.wav': WAV, '.sonantica': 'a file in the way' });
    const caches = await makeFolder();
    vi.stubEnv('XDG_CACHE_HOME', caches);
    onTestFinished(() => void vi.unstubAllEnvs());
    const lines: string[] = [];
    const { url } = await serveForTest(dir, { log: (line) => lines.push(line) });
    await checkManifest(await manifestOf(url), { hasher: sha256 });
    expect((await fetch(`${url}/song.leaves`)).status).toBe(200);
    expect(lines[0]).toMatch(/^cannot write to .*\.sonantica \(E\w+\)/);
    expect(await readdir(join(caches, 'sonantica-origin'))).toHaveLength(1);
  });

  it('moves to a temporary folder, gone after closing, where nothing else can be written to', async () => {
    const dir = await makeFolder({ 'song.wav': WAV, '.sonantica': 'a file in the way', cache: 'another' });
    const temporary = await makeFolder();
    vi.stubEnv('XDG_CACHE_HOME', join(dir, 'cache'));
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    const origin = await serveForTest(dir);
    await checkManifest(await manifestOf(origin.url), { hasher: sha256 });
    expect(await readdir(temporary)).toHaveLength(1);
    await origin.close();
    expect(await readdir(temporary)).toEqual([]);
  });

  it('says so where no folder at all can be written to', async () => {
    const dir = await makeFolder({ 'song.wav': WAV, file: '' });
    vi.stubEnv('TMPDIR', join(dir, 'file'));
    onTestFinished(() => void vi.unstubAllEnvs());
    const { url } = await serveForTest(dir, { cacheDir: join(dir, 'file') });
    const response = await fetch(`${url}/song`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: 'cache-unwritable' } });
  });

  const damages: readonly (readonly [string, (content: Buffer) => Buffer])[] = [
    ['cut short', (content) => content.subarray(0, 10)],
    ['empty', () => Buffer.alloc(0)],
    ['changed in its middle', flip],
    ['no record', () => Buffer.from('[null]')],
    ['null', () => Buffer.from('null')],
  ];
  const kinds = ['.leaves', '.hashes.json'];

  it.each(kinds.flatMap((kind) => damages.map(([how, damage]) => [kind, how, damage] as const)))(
    'is made again, and right, when %s is %s',
    async (kind, _how, damage) => {
      const dir = await makeFolder({ 'song.wav': WAV });
      const first = await serveForTest(dir);
      const right = await manifestOf(first.url);
      const leaves = Buffer.from(await (await fetch(`${first.url}/song.leaves`)).arrayBuffer());
      await first.close();
      const cache = join(dir, '.sonantica');
      for (const name of await readdir(cache)) {
        const path = join(cache, name);
        if (name.endsWith(kind)) await writeFile(path, damage(await readFile(path)));
      }
      const { url } = await serveForTest(dir);
      expect(await manifestOf(url)).toEqual(right);
      expect(Buffer.from(await (await fetch(`${url}/song.leaves`)).arrayBuffer())).toEqual(leaves);
    },
  );

  it('keeps the leaves of a file’s present version only, and no drafts', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const { url } = await serveForTest(dir);
    await manifestOf(url);
    await writeFile(join(dir, 'song.wav'), makeWav({ seconds: 3 }));
    await manifestOf(url);
    const names = await readdir(join(dir, '.sonantica'));
    expect(names.filter((name) => name.endsWith('.leaves'))).toHaveLength(1);
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('goes on when its folder is deleted while it runs', async () => {
    const dir = await makeFolder({ 'song.wav': WAV, 'other.wav': WAV });
    const { url } = await serveForTest(dir);
    await manifestOf(url);
    await rm(join(dir, '.sonantica'), { recursive: true });
    expect((await fetch(`${url}/other.manifest.json`)).status).toBe(200);
    expect((await fetch(`${url}/song.leaves`)).status).toBe(200);
    await unlink(join(dir, 'song.wav'));
    expect((await fetch(`${url}/song.leaves`)).status).toBe(404);
  });
});

/** Changes a bit, or a digit of the hashes in a record. */
function flip(content: Buffer): Buffer {
  const changed = Buffer.from(content);
  const root = changed.indexOf('"root":"');
  const at = root < 0 ? changed.length >> 1 : root + 40;
  const byte = changed[at] ?? 0;
  changed[at] = root < 0 ? byte ^ 1 : byte === 0x30 ? 0x31 : 0x30;
  return changed;
}
