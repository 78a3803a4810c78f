import { hash } from 'node:crypto';
import { mkdir, open, rename, rm, stat, symlink, truncate, utimes } from 'node:fs/promises';
import { get, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { checkManifest, LIMITS, parseTrackId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { hashFile, sha256 } from './file-hashing.ts';
import { startOrigin } from './serve.ts';
import { makeFolder, makeWav, put, serveForTest } from './testing/fixtures.ts';

const WAV = makeWav({ seconds: 20 });

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

async function serveSong(content: Uint8Array = WAV) {
  const dir = await makeFolder({ 'song.wav': content });
  const origin = await serveForTest(dir);
  const manifest = await (await fetch(`${origin.url}/song.manifest.json`)).json();
  return { dir, origin, manifest, url: `${origin.url}/song`, version: String(manifest.root).slice(0, 16) };
}

describe('an origin', () => {
  it('serves a manifest that is true of the file', async () => {
    const { manifest, origin } = await serveSong();
    const checked = await checkManifest(manifest, { hasher: sha256, trackId: parseTrackId('song') });
    expect(checked).toMatchObject({
      size: WAV.length,
      mime: 'audio/wav',
      sha256: hash('sha256', WAV),
      audio: {
        codec: 'pcm',
        sampleRate: 8000,
        bitsPerSample: 16,
        channels: 2,
        lossless: true,
        durationSeconds: 20,
      },
    });
    const alias = await fetch(`${origin.url}/song/manifest`);
    expect(await alias.json()).toEqual(manifest);
    expect(alias.headers.get('cache-control')).toBe('no-cache');
  });

  it('serves the whole file bit-exact, with the headers of the contract', async () => {
    const { url, manifest } = await serveSong();
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'access-control-allow-origin': '*',
      'content-length': String(WAV.length),
      'content-type': 'audio/wav',
      etag: `"${manifest.root}"`,
      'x-audio-quality': '256kbps, 8000Hz, 16bit',
      'x-content-type-options': 'nosniff',
    });
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect(hash('sha256', await bytesOf(response))).toBe(manifest.sha256);
  });

  it('answers HEAD with the headers of GET and counts no audio', async () => {
    const { origin, url } = await serveSong();
    const response = await fetch(url, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe(String(WAV.length));
    expect(origin.stats().audioBytes).toBe(0);
  });

  it('counts the audio bytes it sends, and nothing else as audio', async () => {
    const { origin, url } = await serveSong();
    await bytesOf(await fetch(url));
    await bytesOf(await fetch(url, { headers: { range: 'bytes=0-99' } }));
    await bytesOf(await fetch(`${url}.leaves`));
    expect(origin.stats()).toEqual({ requests: 4, audioBytes: WAV.length + 100 });
  });

  it('lists its tracks with title and sound', async () => {
    const dir = await makeFolder({
      'b/two.wav': makeWav(),
      'a.wav': makeWav(),
      'notes.txt': 'no',
      'junk.mp3': 'no',
    });
    const { url } = await serveForTest(dir);
    const { tracks } = await (await fetch(`${url}/`)).json();
    expect(tracks).toEqual([
      {
        trackId: 'a',
        size: 32_044,
        mime: 'audio/wav',
        title: 'a',
        audio: expect.objectContaining({ codec: 'pcm' }),
      },
      { trackId: 'b~two', size: 32_044, mime: 'audio/wav', title: 'two', audio: expect.anything() },
      { trackId: 'junk', size: 2, mime: 'audio/mpeg', title: 'junk' },
    ]);
  });

  it('serves a broken audio file without facts about its sound', async () => {
    const { origin, manifest } = await serveSong(Buffer.from('RIFFoops, this is not a wav'));
    expect(manifest).not.toHaveProperty('audio');
    const response = await fetch(`${origin.url}/song`);
    expect(response.headers.get('x-audio-quality')).toBeNull();
    expect(await response.text()).toBe('RIFFoops, this is not a wav');
  });

  it('reads a file once for all who ask for it at once', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const lines: string[] = [];
    const { url } = await serveForTest(dir, { log: (line) => lines.push(line) });
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${url}/song.manifest.json`)));
    const texts = new Set(await Promise.all(answers.map((answer) => answer.text())));
    expect(texts.size).toBe(1);
    expect(lines).toEqual([expect.stringContaining('hashed "song.wav"')]);
  });
});

describe('a range', () => {
  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=16384-', 16_384, WAV.length],
    ['bytes=-1000', WAV.length - 1000, WAV.length],
    [`bytes=5-${WAV.length * 2}`, 5, WAV.length],
    [`bytes=-${WAV.length * 2}`, 0, WAV.length],
  ])('%s is answered with exactly those bytes', async (range, start, end) => {
    const { url } = await serveSong();
    const response = await fetch(url, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/${WAV.length}`);
    expect(response.headers.get('content-length')).toBe(String(end - start));
    expect(Buffer.compare(await bytesOf(response), WAV.subarray(start, end))).toBe(0);
  });

  it('beyond the end is 416, with the size and without a version to keep', async () => {
    const { url } = await serveSong();
    const response = await fetch(url, { headers: { range: `bytes=${WAV.length}-` } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe(`bytes */${WAV.length}`);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toMatchObject({ error: { code: 'range-not-satisfiable' } });
  });

  it.each(['bytes=abc', 'lines=0-3', 'bytes=0-1,4-5', ''])(
    'that is no single range (%j) is answered with the whole',
    async (range) => {
      const { url } = await serveSong();
      const response = await fetch(url, { headers: { range } });
      expect(response.status).toBe(200);
      expect(await bytesOf(response)).toHaveLength(WAV.length);
    },
  );

  it('is honoured for the version it names in If-Range, and answered whole for another', async () => {
    const { url, manifest } = await serveSong();
    const ask = (ifRange: string) => fetch(url, { headers: { range: 'bytes=0-9', 'if-range': ifRange } });
    expect((await ask(`"${manifest.root}"`)).status).toBe(206);
    const stale = await ask(`"${'0'.repeat(64)}"`);
    expect(stale.status).toBe(200);
    expect(await bytesOf(stale)).toHaveLength(WAV.length);
  });
});

describe('a version', () => {
  it('in the address lets the answer be kept for ever', async () => {
    const { url, version } = await serveSong();
    const kept = await fetch(`${url}?v=${version}`, { headers: { range: 'bytes=0-9' } });
    expect(kept.status).toBe(206);
    expect(kept.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect((await fetch(url)).headers.get('cache-control')).toBe('no-cache');
    const leaves = await fetch(`${url}.leaves?v=${version}`);
    expect(leaves.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  it.each(['0123456789abcdef', '', 'x', 'v&v=w', '__proto__'])(
    'that is not here (%j) is not found',
    async (version) => {
      const { url } = await serveSong();
      for (const address of [`${url}?v=${version}`, `${url}.leaves?v=${version}`]) {
        const response = await fetch(address);
        expect(response.status).toBe(404);
        expect(response.headers.get('cache-control')).toBe('no-store');
        expect(response.headers.get('etag')).toBeNull();
        expect(await response.json()).toMatchObject({ error: { code: 'version-not-found' } });
      }
    },
  );

  it('that is already held is answered with 304', async () => {
    const { origin } = await serveSong();
    for (const path of ['/song', '/song.leaves', '/song.manifest.json']) {
      const etag = (await fetch(origin.url + path)).headers.get('etag') ?? '';
      expect(etag).toMatch(/^"[^"]+"$/);
      // Not by `fetch`, which adds `Cache-Control: no-cache` and so asks for the whole.
      expect((await rawGet(origin.port, path, { 'if-none-match': etag })).status).toBe(304);
    }
    expect((await rawGet(origin.port, '/song', { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('asked for in If-Match and gone is 412', async () => {
    const { url } = await serveSong();
    const response = await fetch(url, { headers: { 'if-match': '"other"' } });
    expect(response.status).toBe(412);
    expect(await response.json()).toMatchObject({ error: { code: 'precondition-failed' } });
  });
});

describe('the leaves', () => {
  it('are the hashes of the blocks in order, by ranges too', async () => {
    const { url, dir } = await serveSong();
    const { leaves } = await hashFile(join(dir, 'song.wav'));
    expect(leaves).toHaveLength(Math.ceil(WAV.length / LIMITS.blockBytes) * LIMITS.hashBytes);
    expect(Buffer.compare(await bytesOf(await fetch(`${url}.leaves`)), leaves)).toBe(0);
    const part = await fetch(`${url}.leaves`, { headers: { range: 'bytes=32-95' } });
    expect(part.status).toBe(206);
    expect(Buffer.compare(await bytesOf(part), leaves.subarray(32, 96))).toBe(0);
  });

  it('are made again when somebody deletes the cache', async () => {
    const { url, dir } = await serveSong();
    await rm(join(dir, '.sonantica'), { recursive: true });
    expect((await fetch(`${url}.leaves`)).status).toBe(200);
  });
});

describe('a page of another site', () => {
  it('may read tracks and the headers it needs', async () => {
    const { url } = await serveSong();
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://player.example.org',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'range',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/\bRange\b/);
    expect(preflight.headers.get('access-control-allow-methods')).toMatch(/\bGET\b/);
    const exposed = (await fetch(url)).headers.get('access-control-expose-headers');
    for (const name of ['Content-Range', 'ETag', 'Accept-Ranges', 'X-Audio-Quality'])
      expect(exposed).toContain(name);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('may not %s', async (method) => {
    const { url } = await serveSong();
    const response = await fetch(url, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(await response.json()).toMatchObject({ error: { code: 'method-not-allowed' } });
  });
});

describe('what is not there', () => {
  it.each([
    ['/nothing', 'track-not-found'],
    ['/nothing.manifest.json', 'track-not-found'],
    ['/nothing/manifest', 'track-not-found'],
    ['/nothing.leaves', 'track-not-found'],
    ['/song.wav', 'track-not-found'],
    ['/SONG', 'track-not-found'],
    ['/.manifest.json', 'track-not-found'],
    ['/.leaves', 'track-not-found'],
    ['/%00', 'track-not-found'],
    ['/a%2Fb', 'track-not-found'],
    ['/..%2Fsecret', 'track-not-found'],
    ['/..%2Fsecret.wav', 'track-not-found'],
    ['/%2e%2e/secret.wav', 'not-found'],
    ['/../secret.wav', 'not-found'],
    ['/.sonantica', 'track-not-found'],
    ['/.hidden', 'track-not-found'],
    ['/song/else', 'not-found'],
    ['/song/manifest/else', 'not-found'],
  ])('%s is 404 with a code', async (path, code) => {
    const outer = await makeFolder({ 'secret.wav': WAV, 'music/song.wav': WAV, 'music/.hidden.wav': WAV });
    const { port } = await serveForTest(join(outer, 'music'));
    const { status, body } = await rawGet(port, path);
    expect(JSON.parse(body)).toEqual({ error: { code, message: expect.any(String) } });
    expect(status).toBe(404);
  });

  it('is told from an address that cannot be read', async () => {
    const { port } = await serveForTest(await makeFolder());
    const { status, body } = await rawGet(port, '/%E0%A4%A');
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'bad-request' } });
  });

  it.skipIf(process.platform === 'win32')(
    'includes names that a server would take for a way upwards',
    async () => {
      const dir = await makeFolder({ 'a\\..\\b.wav': WAV, 'fine.wav': WAV });
      const lines: string[] = [];
      const { url } = await serveForTest(dir, { log: (line) => lines.push(line) });
      const { tracks } = (await (await fetch(`${url}/`)).json()) as { tracks: { trackId: string }[] };
      expect(tracks.map(({ trackId }) => trackId)).toEqual(['fine']);
      expect(lines).toContainEqual(expect.stringContaining('its name leads upwards'));
    },
  );

  it('includes empty files, folders named like tracks, and links that leave the folder', async () => {
    const outer = await makeFolder({ 'secret.wav': WAV, 'music/empty.wav': '', 'music/real.wav': WAV });
    const dir = join(outer, 'music');
    await mkdir(join(dir, 'folder.wav'));
    await symlink(join(outer, 'secret.wav'), join(dir, 'out.wav'));
    await symlink('../secret.wav', join(dir, 'relative.wav'));
    await symlink(outer, join(dir, 'up'));
    await symlink('nowhere.wav', join(dir, 'dangling.wav'));
    await symlink('real.wav', join(dir, 'inside.wav'));
    const lines: string[] = [];
    const { url } = await serveForTest(dir, { log: (line) => lines.push(line) });
    const { tracks } = await (await fetch(`${url}/`)).json();
    expect(tracks.map((track: { trackId: string }) => track.trackId)).toEqual(['inside', 'real']);
    expect((await fetch(`${url}/out`)).status).toBe(404);
    expect((await fetch(`${url}/up~secret`)).status).toBe(404);
    expect(lines.filter((line) => line.includes('leaves the folder'))).toHaveLength(2);
  });

  it('includes a file that became a link out of the folder after it was found', async () => {
    const outer = await makeFolder({ 'secret.wav': makeWav({ seed: 9 }), 'music/song.wav': WAV });
    const { url } = await serveForTest(join(outer, 'music'));
    expect((await fetch(`${url}/song`)).status).toBe(200);
    await rm(join(outer, 'music/song.wav'));
    await symlink('../secret.wav', join(outer, 'music/song.wav'));
    expect((await fetch(`${url}/song`)).status).toBe(404);
  });
});

describe('any file name', () => {
  it.each([
    '01 Café del Mar.wav',
    'Été/夜想曲 №1.wav',
    '100% #1?&=+;.wav',
    '"quoted" <b>.wav',
    `${'long '.repeat(40)}.wav`,
    'a\\b.wav',
    '%2e%2e.wav',
    'new\nline.wav',
    'song.leaves.wav',
  ])('%j can be listed, described and served', async (path) => {
    const { url } = await serveForTest(await makeFolder({ [path]: WAV }));
    const { tracks } = await (await fetch(`${url}/`)).json();
    expect(tracks).toHaveLength(1);
    const { trackId } = tracks[0];
    const manifest = await (await fetch(`${url}/${trackId}.manifest.json`)).json();
    await checkManifest(manifest, { hasher: sha256, trackId: parseTrackId(trackId) });
    expect(Buffer.compare(await bytesOf(await fetch(`${url}/${trackId}`)), WAV)).toBe(0);
  });

  it('that would give two files one id gives them two', async () => {
    const files = {
      'a/b.wav': makeWav({ seed: 1 }),
      'a~b.wav': makeWav({ seed: 2 }),
      'a/b.mp3': makeWav({ seed: 3 }),
    };
    const { url } = await serveForTest(await makeFolder(files));
    const { tracks } = await (await fetch(`${url}/`)).json();
    const sums = new Set<string>();
    for (const { trackId } of tracks)
      sums.add(hash('sha256', await bytesOf(await fetch(`${url}/${trackId}`))));
    expect(sums).toEqual(new Set(Object.values(files).map((content) => hash('sha256', content))));
  });
});

describe('a folder that changes', () => {
  it('has a new file served at once', async () => {
    const { dir, origin } = await serveSong();
    expect((await fetch(`${origin.url}/later`)).status).toBe(404);
    await put(dir, 'later.wav', WAV);
    expect((await fetch(`${origin.url}/later`)).status).toBe(200);
  });

  it('has a deleted file gone at once, from the list too', async () => {
    const { dir, origin, url } = await serveSong();
    await rm(join(dir, 'song.wav'));
    expect((await fetch(url)).status).toBe(404);
    expect((await fetch(`${url}.manifest.json`)).status).toBe(404);
    expect(await (await fetch(`${origin.url}/`)).json()).toEqual({ tracks: [] });
  });

  it('has a changed file described anew; its former version is not found', async () => {
    const { dir, url, manifest, version } = await serveSong();
    const other = makeWav({ seconds: 20, seed: 2 });
    await put(dir, 'song.wav', other);
    const now = await (await fetch(`${url}.manifest.json`)).json();
    expect(now.root).not.toBe(manifest.root);
    expect(now.sha256).toBe(hash('sha256', other));
    expect((await fetch(`${url}?v=${version}`)).status).toBe(404);
    expect((await fetch(url)).headers.get('etag')).toBe(`"${now.root}"`);
  });

  it('has a file of the same size and another time read again', async () => {
    const { dir, url, manifest } = await serveSong();
    const other = makeWav({ seconds: 20, seed: 2 });
    await put(dir, 'song.new', other);
    await rename(join(dir, 'song.new'), join(dir, 'song.wav'));
    await utimes(join(dir, 'song.wav'), new Date(), new Date(Date.now() + 5_000));
    expect((await (await fetch(`${url}.manifest.json`)).json()).root).not.toBe(manifest.root);
  });

  it('never has a whole answer of two versions: it is cut short when the file changes beneath it', async () => {
    const dir = await makeFolder({ 'song.wav': makeWav({ seconds: 600 }) });
    const { url } = await serveForTest(dir);
    await (await fetch(`${url}/song.manifest.json`)).text();
    const response = await new Promise<IncomingMessage>((resolve) => get(`${url}/song`, resolve));
    response.pause();
    // In place: a file that was emptied first would be cut short by its own end.
    const file = await open(join(dir, 'song.wav'), 'r+');
    await file.write(makeWav({ seconds: 600, seed: 2 }));
    await file.close();
    const outcome = new Promise((resolve) => {
      response.once('end', () => resolve('whole'));
      response.once('error', () => resolve('cut short'));
    });
    response.resume();
    expect(await outcome).toBe('cut short');
  });

  it('that is deleted altogether is told from a track that is not there', async () => {
    const { dir, url } = await serveSong();
    await rm(dir, { recursive: true });
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: 'file-unreadable' } });
  });
});

describe('starting an origin', () => {
  it('fails with the system’s reason for a port in use or a folder that is not there', async () => {
    const dir = await makeFolder();
    const { port } = await serveForTest(dir);
    await expect(startOrigin({ dir, port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(startOrigin({ dir: join(dir, 'none'), port: 0 })).rejects.toMatchObject({ code: 'ENOENT' });
    const file = await put(dir, 'a.wav', WAV);
    await expect(startOrigin({ dir: file, port: 0 })).rejects.toMatchObject({ code: 'file-unreadable' });
  });

  it('closes while a response is under way, and may be closed twice', async () => {
    const dir = await makeFolder({ 'song.wav': '' });
    await truncate(join(dir, 'song.wav'), 50_000_000);
    const origin = await startOrigin({ dir, port: 0 });
    const response = await fetch(`${origin.url}/song`);
    await Promise.all([origin.close(), origin.close()]);
    await expect(response.arrayBuffer()).rejects.toThrow();
    await expect(fetch(origin.url)).rejects.toThrow();
  });

  it('outlives listeners who leave in the middle, again and again', async () => {
    const dir = await makeFolder({ 'song.wav': '' });
    await truncate(join(dir, 'song.wav'), 20_000_000);
    const { url } = await serveForTest(dir);
    for (let i = 0; i < 30; i++) {
      const leaving = new AbortController();
      const response = await fetch(`${url}/song`, { signal: leaving.signal });
      await response.body?.getReader().read();
      leaving.abort();
    }
    expect((await fetch(`${url}/song`, { headers: { range: 'bytes=0-9' } })).status).toBe(206);
  });

  it('needs no reading again of what it read before', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const first = await startOrigin({ dir, port: 0 });
    const before = await (await fetch(`${first.url}/song.manifest.json`)).text();
    await first.close();
    const lines: string[] = [];
    const second = await serveForTest(dir, { log: (line) => lines.push(line) });
    expect(await (await fetch(`${second.url}/song.manifest.json`)).text()).toBe(before);
    expect(lines).toEqual([]);
    expect((await stat(join(dir, '.sonantica'))).isDirectory()).toBe(true);
  });
});

/** Sends a path as it is, where `fetch` would tidy it. */
function rawGet(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({ port, path, headers, host: '127.0.0.1' }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    asking.on('error', reject);
    asking.end();
  });
}
