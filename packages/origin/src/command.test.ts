import { generateKeyPairSync, verify } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { checkManifest, parseTrackId, type VerifySignature } from '@sonantica/wire';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCommand } from './command.ts';
import { hashFile, sha256 } from './file-hashing.ts';
import { makeFolder, makeWav, put } from './testing/fixtures.ts';

const WAV = makeWav({ seconds: 20 });

/** Runs the command to its end, or until `until` sees its output and so ends it. */
async function run(args: readonly string[], until?: (out: string) => Promise<void> | undefined) {
  const ending = new AbortController();
  let out = '';
  let err = '';
  const status = await runCommand(args, {
    out: (text) => {
      out += text;
      void until?.(out)?.finally(() => ending.abort());
    },
    err: (text) => (err += text),
    signal: ending.signal,
  });
  return { status, out, err };
}

/** Ed25519 by node:crypto, from the 32 raw bytes of a public key (RFC 8410). */
const verifySignature: VerifySignature = (publicKey, message, signature) =>
  verify(
    null,
    message,
    {
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
      format: 'jwk',
    },
    signature,
  );

describe('sonantica-origin', () => {
  it.each([
    [[]],
    [['dance']],
    [['--loud']],
    [['serve']],
    [['serve', '/nowhere/at/all']],
    [['serve', '.', 'twice']],
    [['serve', '.', '--port', '65536']],
    [['serve', '.', '--port', '-1']],
    [['serve', '.', '--port', 'x']],
    [['serve', '.', '--sign', '/nowhere/key.pem']],
    [['manifest']],
    [['manifest', '/nowhere.flac']],
    [['manifest', '.']],
    [['manifest', 'package.json']],
    [['manifest', 'a.flac', '--chunk-size', '1000']],
    [['keygen', '--loud']],
  ])('misused as %j ends with 2 and one line', async (args) => {
    const { status, out, err } = await run(args);
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^error: [^\n]+\n$/);
  });

  it.each([['--help'], ['--version'], ['serve', '--help'], ['manifest', '--help'], ['keygen', '--help']])(
    'explains itself by %s %s',
    async (...args) => {
      const { status, out, err } = await run(args.filter(Boolean));
      expect(status).toBe(0);
      expect(out).not.toBe('');
      expect(err).toBe('');
    },
  );
});

describe('serve', () => {
  it('serves until it is told to end, and ends with 0', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    let size = 0;
    const { status, out } = await run(['serve', dir, '--port', '0'], async (text) => {
      const [url] = /http:\S+/.exec(text) ?? [];
      size = (await (await fetch(`${url}/song`)).arrayBuffer()).byteLength;
    });
    expect(status).toBe(0);
    expect(out).toMatch(/^serving .* at (http:\/\/127\.0\.0\.1:\d+)\none track, listed at \1\/\n$/);
    expect(size).toBe(WAV.length);
  });

  it('says that there is nothing to serve yet', async () => {
    const { status, err } = await run(['serve', await makeFolder(), '--port', '0'], async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    expect([status, err]).toEqual([0, expect.stringMatching(/^there is no track in .* yet/)]);
  });

  it('signs where it has a key', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const key = join(await makeFolder(), 'key.pem');
    const publicKey = (await run(['keygen', '--out', key])).out.trim();
    let manifest: unknown;
    await run(['serve', dir, '--port', '0', '--sign', key, '--cache', join(dir, '.c')], async (text) => {
      const [url] = /http:\S+/.exec(text) ?? [];
      manifest = await (await fetch(`${url}/song/manifest`)).json();
    });
    await checkManifest(manifest, { hasher: sha256, publisherKeys: [publicKey], verifySignature });
  });

  it('ends with 1 where the port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { status, err } = await run(['serve', await makeFolder(), '--port', String(port)]);
    expect(status).toBe(1);
    expect(err).toBe(`error: 127.0.0.1:${port}: the port is in use\n`);
  });
});

describe('manifest', () => {
  it('writes what a plain static server needs', async () => {
    const dir = await makeFolder({ 'été 1.wav': WAV, 'plain.wav': WAV });
    const made = await run(['manifest', join(dir, 'été 1.wav'), join(dir, 'plain.wav'), '--json']);
    expect(made).toMatchObject({ status: 0, err: '' });
    const manifests = made.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

    const app = express();
    app.use(express.static(dir));
    const server = createServer(app).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    for (const { trackId } of manifests) {
      const url = new URL(`${trackId}.manifest.json`, base);
      const manifest = await checkManifest(await (await fetch(url)).json(), {
        hasher: sha256,
        trackId: parseTrackId(trackId),
      });
      const audio = await (await fetch(new URL(manifest.file ?? '', url))).arrayBuffer();
      expect(Buffer.compare(Buffer.from(audio), WAV)).toBe(0);
      const leaves = await (await fetch(new URL(`${trackId}.leaves`, base))).arrayBuffer();
      expect(Buffer.from(leaves)).toEqual(Buffer.from((await hashFile(join(dir, 'plain.wav'))).leaves));
    }
    expect(manifests.map(({ trackId }) => trackId)).toContain('plain');
  });

  it('writes elsewhere when told, and says what is still to be copied', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const outDir = join(await makeFolder(), 'pub');
    const { status, err } = await run([
      'manifest',
      join(dir, 'song.wav'),
      '--out',
      outDir,
      '--chunk-size',
      '131072',
    ]);
    expect(status).toBe(0);
    expect(err).toContain(`copy ${join(dir, 'song.wav')} beside`);
    expect((await readdir(outDir)).toSorted()).toEqual(['song.leaves', 'song.manifest.json']);
    const manifest = JSON.parse(await readFile(join(outDir, 'song.manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ file: 'song.wav', chunkSize: 131_072 });
  });

  it('points to a file in a folder below the manifest', async () => {
    const dir = await makeFolder({ 'audio files/song.wav': WAV });
    const { out, err } = await run(['manifest', join(dir, 'audio files/song.wav'), '--out', dir, '--json']);
    expect(err).toBe('');
    expect(JSON.parse(out).file).toBe('audio%20files/song.wav');
  });

  it('may be run again, and follows a file that changed', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const first = await run(['manifest', join(dir, 'song.wav'), '--json']);
    expect((await run(['manifest', join(dir, 'song.wav'), '--json'])).out).toBe(first.out);
    await put(dir, 'song.wav', makeWav({ seed: 5 }));
    const again = await run(['manifest', join(dir, 'song.wav'), '--json']);
    expect(JSON.parse(again.out).root).not.toBe(JSON.parse(first.out).root);
  });

  it('never merges two files into one track', async () => {
    const dir = await makeFolder({ 'a/song.wav': WAV, 'b/song.wav': WAV, 'song.wav': WAV, 'song.mp3': 'x' });
    const outDir = await makeFolder();
    const twins = await run(['manifest', join(dir, 'a/song.wav'), join(dir, 'b/song.wav'), '--out', outDir]);
    expect(twins.status).toBe(2);
    expect(await readdir(outDir)).toEqual([]);
    const pair = await run(['manifest', join(dir, 'song.wav'), join(dir, 'song.mp3')]);
    expect(pair.status).toBe(0);
    expect((await readdir(dir)).filter((name) => name.endsWith('.leaves'))).toEqual([
      'song.leaves',
      'song.mp3.leaves',
    ]);
    const other = await run(['manifest', join(dir, 'song.mp3')]);
    expect(other).toMatchObject({
      status: 1,
      err: expect.stringContaining('describes another file, song.wav'),
    });
  });

  it('ends with 1 for a file it cannot describe, and names it', async () => {
    const dir = await makeFolder({ 'empty.wav': '' });
    const { status, err } = await run(['manifest', join(dir, 'empty.wav')]);
    expect(status).toBe(1);
    expect(err).toBe(`error: ${join(dir, 'empty.wav')}: the file is empty\n`);
  });
});

describe('keygen', () => {
  it('makes a key whose signatures hold, and keeps the private half private', async () => {
    const dir = await makeFolder({ 'song.wav': WAV });
    const key = join(dir, 'key.pem');
    const { status, out } = await run(['keygen', '--out', key]);
    expect(status).toBe(0);
    expect(Buffer.from(out.trim(), 'base64')).toHaveLength(32);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    const signed = await run(['manifest', join(dir, 'song.wav'), '--sign', key, '--json']);
    const check = { hasher: sha256, verifySignature };
    const document = JSON.parse(signed.out);
    await checkManifest(document, { ...check, publisherKeys: [out.trim()] });
    const stranger = Buffer.alloc(32, 7).toString('base64');
    await expect(checkManifest(document, { ...check, publisherKeys: [stranger] })).rejects.toMatchObject({
      code: 'signature-invalid',
    });
  });

  it('never overwrites', async () => {
    const file = await put(await makeFolder(), 'key.pem', 'precious');
    const { status, err } = await run(['keygen', '--out', file]);
    expect(status).toBe(1);
    expect(err).toBe(`error: ${file}: it exists already and is not overwritten\n`);
    expect(await readFile(file, 'utf8')).toBe('precious');
  });

  it.each([
    ['rubbish', 'rubbish'],
    [
      'an RSA key',
      generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ],
  ])('is needed for signing: %s is refused with 2', async (_what, content) => {
    const dir = await makeFolder({ 'song.wav': WAV, 'key.pem': content.toString() });
    const { status, err } = await run(['manifest', join(dir, 'song.wav'), '--sign', join(dir, 'key.pem')]);
    expect(status).toBe(2);
    expect(err).toMatch(/^error: .*key\.pem is not .*\n$/);
  });
});
