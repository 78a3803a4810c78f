import { hash } from 'node:crypto';
import { checkManifest, parseTrackId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { sha256 } from './file-hashing.ts';
import { makeFolder, makeWav, serveForTest } from './testing/fixtures.ts';

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
});
