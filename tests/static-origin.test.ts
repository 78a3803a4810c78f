import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { staticTrackIds, writeStaticManifest } from '@sonantica/origin';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fetchWhole, listen } from './support/listener.ts';
import { makeFolder, makeWav, sha256Of } from './support/place.ts';

/** A server that knows nothing of tracks: files as they lie, with Range. Answers its URL and what it was asked for. */
async function serveFiles(folder: string): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://any');
    asked.push(pathname);
    const path = join(folder, decodeURIComponent(pathname));
    void stat(path).then(
      ({ size }) => {
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
        const start = Number(from ?? 0);
        const end = Math.min(Number(to ?? size - 1), size - 1);
        response.writeHead(from === undefined ? 200 : 206, {
          'content-length': end - start + 1,
          ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${size}` }),
        });
        createReadStream(path, { start, end }).pipe(response);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe('a server of files with manifests beside them', () => {
  it('is an origin, whatever the files are called and whichever folders they lie in', async () => {
    const folder = await makeFolder();
    await mkdir(join(folder, 'disc 2'));
    const paths = [join(folder, '01 Canción #1.wav'), join(folder, 'disc 2', 'última.wav')];
    const files = paths.map((_path, i) => makeWav(700_000 + i, i + 1));
    for (const [i, path] of paths.entries()) await writeFile(path, files[i] ?? '');
    const { url, asked } = await serveFiles(folder);
    for (const [path, trackId] of staticTrackIds(paths)) {
      await writeStaticManifest(path, trackId, { outDir: folder });
      const swarm = listen({ origin: url, contribution: { p2pEnabled: false } });
      // A beginning that is wanted at once is asked for before the manifest says where it is.
      await swarm.open(trackId).read({ start: 0, end: 1_000 }, { deadlineMs: 0 });
      const { sha256, stats } = await fetchWhole(swarm, trackId);
      expect(sha256).toBe(sha256Of(files[paths.indexOf(path)] ?? new Uint8Array()));
      expect(stats.bytes.origin).toBe(files[paths.indexOf(path)]?.length);
      expect(asked).toContain(`/${trackId}.leaves`);
    }
  });

  it('gives nothing of a file that its manifest says is at another server', async () => {
    const folder = await makeFolder();
    const path = join(folder, 'song.wav');
    await writeFile(path, makeWav(300_000));
    const elsewhere = await serveFiles(folder);
    for (const [file, trackId] of staticTrackIds([path])) {
      const { manifest, manifestPath } = await writeStaticManifest(file, trackId);
      await writeFile(manifestPath, JSON.stringify({ ...manifest, file: `${elsewhere.url}/song.wav` }));
    }
    const { url } = await serveFiles(folder);
    const swarm = listen({ origin: url, contribution: { p2pEnabled: false } });
    await expect(swarm.open('song').read({ start: 0, end: 10 })).rejects.toMatchObject({
      code: 'origin-unavailable',
    });
    expect(elsewhere.asked).toEqual([]);
  });
});
