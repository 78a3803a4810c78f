import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { createPublisherKey, startOrigin, trackIdFor, writeStaticManifest } from '@sonantica/origin';
import { createSwarm } from '@sonantica/swarm';
import { openFileStore } from '@sonantica/swarm/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { swarmCommand, type RunningCommand } from './support/command.ts';
import { fetchWhole, listen } from './support/listener.ts';
import { makeFolder, makeWav, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

/** Nobody is there. */
const NO_TRACKER = ['--tracker', 'ws://127.0.0.1:9'];

describe('sonantica-swarm seed of a folder', () => {
  it('leaves out an empty file, says so by its name, and gives on the others', async () => {
    const { tracker } = await startPlace({ chunks: 1 });
    const folder = await folderOf({ 'empty.flac': 0, 'song.wav': 50_000, 'album/song.wav': 60_000 });
    const seeder = swarmCommand('seed', folder, '--tracker', tracker.url, '--json');
    await until('both are announced', () => tracker.stats().swarms === 2);
    expect(seededBy(seeder)).toEqual({
      'album~song': join(folder, 'album/song.wav'),
      song: join(folder, 'song.wav'),
    });
    seeder.kill('SIGTERM');
    const { status, stderr } = await seeder.ended;
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: 'sonantica-swarm: skipping "empty.flac": it is empty\n',
    });
  });

  it('fails with status 1 where nothing is left', async () => {
    const folder = await folderOf({ 'empty.flac': 0 });
    expect(await swarmCommand('seed', folder, ...NO_TRACKER).ended).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'sonantica-swarm: skipping "empty.flac": it is empty\nsonantica-swarm: nothing could be seeded\n',
    });
  });

  it('gives its tracks the ids that an origin gives them, and hidden ones to nobody', async () => {
    const dir = await folderOf({
      'plain.flac': 1_000,
      'plain.wav': 2_000,
      'album/01 Café.flac': 3_000,
      '.hidden/x.wav': 4_000,
    });
    const seeder = swarmCommand('seed', dir, ...NO_TRACKER, '--json');
    await until('it seeds', () => Object.keys(seededBy(seeder)).length === 3);
    const origin = await startOrigin({ dir, port: 0 });
    onTestFinished(() => origin.close());
    const { tracks } = (await (await fetch(`${origin.url}/`)).json()) as { tracks: { trackId: string }[] };
    expect(Object.keys(seededBy(seeder)).sort()).toEqual(tracks.map(({ trackId }) => trackId).sort());
    expect(seeder.stdout()).not.toContain('hidden');
  });
});

describe('sonantica-swarm seed of files', () => {
  it('names the one that is unsuitable, with status 2, and seeds none', async () => {
    const { tracker } = await startPlace({ chunks: 1 });
    const folder = await folderOf({ 'song.wav': 50_000, 'empty.flac': 0 });
    const files = [join(folder, 'song.wav'), join(folder, 'empty.flac')];
    expect(await swarmCommand('seed', ...files, '--tracker', tracker.url).ended).toEqual({
      status: 2,
      stdout: '',
      stderr: `sonantica-swarm: invalid-argument: ${files[1]} cannot be seeded: it is empty\n`,
    });
    expect(tracker.stats().joins + tracker.stats().announces).toBe(0);
  });

  it('refuses two that would be one track before anything is announced', async () => {
    const { tracker } = await startPlace({ chunks: 1 });
    const folder = await folderOf({ 'a/song.wav': 50_000, 'b/song.wav': 60_000 });
    const files = [join(folder, 'a/song.wav'), join(folder, 'b/song.wav')];
    const { status, stdout, stderr } = await swarmCommand('seed', ...files, '--tracker', tracker.url).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^sonantica-swarm: invalid-argument: .+ would both be the track song: .+\n$/);
    expect(tracker.stats().announces).toBe(0);
  });

  it('calls one by its name, or as it is told to', async () => {
    const folder = await folderOf({ '01 Café.wav': 50_000 });
    const file = join(folder, '01 Café.wav');
    expect(await swarmCommand('seed', file, ...NO_TRACKER, '--json').json()).toMatchObject({
      trackId: expect.stringMatching(/^01-Cafe-[0-9a-f]{10}$/),
    });
    const named = swarmCommand('seed', file, ...NO_TRACKER, '--json', '--track-id', 'cafe');
    expect(await named.json()).toMatchObject({ trackId: 'cafe', file });
    expect((await swarmCommand('seed', file, ...NO_TRACKER, '--track-id', 'no/id').ended).status).toBe(2);
  });
});

describe('a listener who chose to give nothing', () => {
  it.each([
    [{ p2pEnabled: false }, 'p2pEnabled is false'],
    [{ maxBandwidthMBPerDay: 0 }, 'maxBandwidthMBPerDay is 0'],
    [{ maxUploadKbps: 0 }, 'maxUploadKbps is 0'],
  ])('is told so: %o', async (choice, why) => {
    const folder = await folderOf({ 'song.wav': 50_000 });
    const store = join(await folderOf({}), 'store');
    const before = createSwarm({ store: await openFileStore(store) });
    await before.setContribution(choice);
    await before.close();
    const seeder = swarmCommand('seed', folder, ...NO_TRACKER, '--store', store);
    await until('it says so', () =>
      seeder.stderr().includes(`nothing is given, by the listener’s choice: ${why}`),
    );
  });
});

describe('an origin that lists nothing', () => {
  it('is said to, and the manifest it has of a file by its own id is given on with it', async () => {
    const { tracker } = await startPlace({ chunks: 1 });
    const folder = await folderOf({ 'song.wav': 600_000, 'other.wav': 300_000 });
    const key = await createPublisherKey(join(folder, 'key.pem'));
    const published = await folderOf({});
    const options = { outDir: published, chunkSize: 131_072, publisherKey: key };
    const { manifest } = await writeStaticManifest(join(folder, 'song.wav'), trackIdFor('song.wav'), options);
    const origin = await serveStatic(published);
    const args = ['seed', folder, '--tracker', tracker.url, '--origin', origin, '--json'];
    const seeder = swarmCommand(...args);
    await until('both are announced', () => tracker.stats().swarms === 2);
    expect(Object.keys(seededBy(seeder))).toEqual(['other', 'song']);
    expect(seeder.stderr()).toBe(
      `sonantica-swarm: ${origin}/ lists no tracks: files are looked for there by the ids they have here\n`,
    );
    const listener = listen({ tracker: tracker.url, origin, publisherKeys: [key.publicKey] });
    const { sha256, stats } = await fetchWhole(listener, 'song');
    expect(sha256).toBe(manifest.sha256);
    expect(stats.bytes).toMatchObject({ global: manifest.size, origin: 0 });
  });

  it('leaves out a file of a folder whose published manifest is refused, and gives on the others', async () => {
    const folder = await folderOf({ 'song.wav': 300_000, 'other.wav': 200_000 });
    const published = await folderOf({});
    const options = { outDir: published };
    const { manifest } = await writeStaticManifest(join(folder, 'song.wav'), trackIdFor('song.wav'), options);
    const document = join(published, 'song.manifest.json');
    const damaged = { ...JSON.parse(await readFile(document, 'utf8')), root: '0'.repeat(64) };
    await writeFile(document, JSON.stringify(damaged));
    const origin = await serveStatic(published);
    const seeder = swarmCommand('seed', folder, ...NO_TRACKER, '--origin', origin, '--json');
    await until('the other is given on', () => Object.keys(seededBy(seeder)).length > 0);
    await until('it says why', () => seeder.stderr().includes('skipping'));
    expect(Object.keys(seededBy(seeder))).toEqual(['other']);
    expect(seeder.stderr()).toContain('skipping "song.wav": what the origin says of it is refused: ');
    expect(manifest.root).not.toBe(damaged.root);
  });

  it('is not believed where its file of that id is another', async () => {
    const folder = await folderOf({ 'song.wav': 300_000 });
    const published = await folderOf({ 'else/song.wav': 300_001 });
    await writeStaticManifest(join(published, 'else/song.wav'), trackIdFor('song.wav'), {
      outDir: published,
    });
    const origin = await serveStatic(published);
    const seeder = swarmCommand('seed', folder, ...NO_TRACKER, '--origin', origin, '--json');
    expect(await seeder.json()).toMatchObject({ trackId: 'song', size: 300_000 });
  });
});

/** The files that are given on by now, by track id. */
function seededBy(seeder: RunningCommand): Record<string, string> {
  const lines = seeder.stdout().split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const { trackId, file } = JSON.parse(line) as { trackId: string; file: string };
      return [trackId, file];
    }),
  );
}

/** A folder of WAV files of these sizes, each with other sound. */
async function folderOf(files: Readonly<Record<string, number>>): Promise<string> {
  const folder = await makeFolder();
  for (const [name, size] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), size === 0 ? '' : makeWav(size, size));
  }
  return folder;
}

/** A web server that knows files and lists none. */
async function serveStatic(folder: string): Promise<string> {
  const server = createServer((request, response) => {
    readFile(join(folder, request.url ?? '')).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
