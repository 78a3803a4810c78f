import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadNodeRtc, openFileStore } from '@sonantica/swarm/node';
import { decodePeerFrame } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { swarmCommand, type RunningCommand } from './support/command.ts';
import { fetchWhole, listen, readBack, seedTrack } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { CHUNK_BYTES, makeFolder, startPlace, type Place } from './support/place.ts';
import { tapped } from './support/tap.ts';
import { until } from './support/until.ts';

describe('a peer killed with -9 in the middle of a chunk', () => {
  it('is replaced by the origin, soon', async () => {
    const place = await startPlace();
    const { tracker, origin, track } = place;
    const seeder = await startSeeder(place);
    const listener = listen({ tracker: tracker.url, origin: origin.url, rtc: await killingAfter(3, seeder) });
    const begun = performance.now();
    const { sha256, stats } = await fetchWhole(listener, track.trackId);
    expect(sha256).toBe(track.sha256);
    expect(stats.rejectedBlocks).toBe(0);
    expect(stats.bytes.global).toBeGreaterThan(0);
    expect(stats.bytes.origin).toBeGreaterThan(track.size / 2);
    expect(performance.now() - begun).toBeLessThan(6_000);
    expect((await seeder.ended).status).toBeNull();
  });

  it('is replaced by another peer, soon, and the origin is not needed', async () => {
    const place = await startPlace();
    const { tracker, origin, track } = place;
    const seeder = await startSeeder(place);
    const listener = listen({ tracker: tracker.url, origin: origin.url, rtc: await killingAfter(3, seeder) });
    const handle = listener.open(track.trackId);
    await handle.manifest();
    await until('the seeder is linked', () => handle.stats().peers === 1);
    await seedTrack(place);
    const begun = performance.now();
    await handle.download();
    expect((await readBack(handle)).sha256).toBe(track.sha256);
    expect(handle.stats().bytes).toMatchObject({ global: track.size, origin: 0 });
    expect(performance.now() - begun).toBeLessThan(6_000);
    expect((await seeder.ended).status).toBeNull();
  });
});

describe('a fetch into a store killed with -9', () => {
  it('is taken up by the next one, which fetches only what is missing', async () => {
    const place = await startPlace({ chunks: 12 });
    const { track } = place;
    const mirror = await startMirror(place, (good, { kind }) =>
      kind === 'audio' ? { ...good, paceMs: 5 } : good,
    );
    const store = await makeFolder();
    const args = ['get', track.trackId, '--origin', mirror.url, '--store', store, '--json'];
    const first = swarmCommand(...args);
    await until('some chunks are stored', async () => (await chunkFiles(store)).length >= 3);
    first.kill('SIGKILL');
    expect(await first.ended).toMatchObject({ status: null, stdout: '' });
    const kept = await chunkFiles(store);
    expect(kept.length).toBeLessThan(12);

    await until('the mirror has noticed', () => mirror.underWay === 0);
    const before = mirror.audioBytes;
    mirror.behave((good) => good);
    const report = await reportOf(swarmCommand(...args));
    expect(report).toMatchObject({ sha256: track.sha256, size: track.size });
    expect(report.bytes.cache).toBeGreaterThanOrEqual(3 * CHUNK_BYTES - CHUNK_BYTES);
    expect(report.bytes.cache + report.bytes.origin).toBe(track.size);
    expect(mirror.audioBytes - before).toBe(report.bytes.origin);

    const third = await reportOf(swarmCommand(...args));
    expect(third).toMatchObject({ sha256: track.sha256, bytes: { cache: track.size, origin: 0 } });
    expect(third.rejectedBlocks).toBe(0);
  });

  it('drops a chunk that was damaged in the store, and fetches that one again', async () => {
    const place = await startPlace({ chunks: 6 });
    const { track } = place;
    const mirror = await startMirror(place);
    const store = await makeFolder();
    const args = ['get', track.trackId, '--origin', mirror.url, '--store', store, '--json'];
    await reportOf(swarmCommand(...args));
    const damaged = (await chunkFiles(store)).find((path) => path.endsWith('/2.chunk')) ?? '';
    const bytes = await readFile(damaged);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    await writeFile(damaged, bytes);
    const before = mirror.audioBytes;
    const report = await reportOf(swarmCommand(...args));
    expect(report).toMatchObject({
      sha256: track.sha256,
      bytes: { cache: track.size - CHUNK_BYTES, aula: 0, global: 0, origin: CHUNK_BYTES },
    });
    expect(mirror.audioBytes - before).toBe(CHUNK_BYTES);
    const again = await reportOf(swarmCommand(...args));
    expect(again).toMatchObject({ sha256: track.sha256, bytes: { cache: track.size, origin: 0 } });
  });

  it('never gives a damaged chunk to a peer', async () => {
    const place = await startPlace({ chunks: 3 });
    const { track, origin, tracker } = place;
    const store = await makeFolder();
    const args = ['get', track.trackId, '--origin', origin.url, '--store', store];
    await reportOf(swarmCommand(...args, '--json'));
    for (const path of await chunkFiles(store)) {
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(7, 0, 100));
    }
    const holder = listen({ tracker: tracker.url, store: await openFileStore(store) });
    await holder.ready();
    await until('the holder is announced', () => tracker.stats().members === 1);
    const listener = listen({ tracker: tracker.url, origin: origin.url });
    const { sha256, stats } = await fetchWhole(listener, track.trackId);
    expect(sha256).toBe(track.sha256);
    expect(stats).toMatchObject({ rejectedBlocks: 0, bytes: { global: 0, origin: track.size } });
  });
});

describe('the daily upload budget', () => {
  it('is not exceeded by a byte, though the process is killed with -9 and started again', async () => {
    const place = await startPlace({ chunks: 24 });
    const { tracker, origin, track } = place;
    const BUDGET_BYTES = 3_000_000;
    const store = await makeFolder();
    const preparing = listen({ origin: origin.url, store: await openFileStore(store) });
    await preparing.setContribution({ maxBandwidthMBPerDay: BUDGET_BYTES / 1e6 });
    await fetchWhole(preparing, track.trackId);
    await preparing.close();

    const startGiver = async () => {
      const members = tracker.stats().members;
      const giver = swarmCommand(
        ...['get', track.trackId, '--tracker', tracker.url, '--origin', origin.url],
        ...['--store', store, '--stay', '--json'],
      );
      await giver.json();
      await until('the giver is announced', () => tracker.stats().members === members + 1);
      return giver;
    };
    let received = 0;
    const take = async (onBytes: () => void) => {
      const rtc = tapped(await loadNodeRtc(), () => ({
        received: (bytes) => {
          const frame = decodePeerFrame(bytes);
          if (frame.type === 'block') received += frame.bytes.length;
          if (frame.type === 'proof') received += frame.leaves.length;
          onBytes();
        },
      }));
      const listener = listen({ tracker: tracker.url, origin: origin.url, rtc });
      const { sha256 } = await fetchWhole(listener, track.trackId);
      expect(sha256).toBe(track.sha256);
      await listener.close();
    };

    const first = await startGiver();
    await take(() => received > 500_000 && first.kill('SIGKILL'));
    expect((await first.ended).status).toBeNull();
    const beforeRestart = received;
    expect(beforeRestart).toBeLessThan(BUDGET_BYTES - 500_000);
    await until('the tracker has lost it', () => tracker.stats().peers === 0);

    const second = await startGiver();
    await take(() => undefined);
    expect(received).toBeGreaterThan(beforeRestart);
    await take(() => undefined);
    expect(received).toBeLessThanOrEqual(BUDGET_BYTES);
    // A kill costs at most the lot that was set aside; the rest of the day was given.
    expect(received).toBeGreaterThan(BUDGET_BYTES - 1_600_000);
    second.kill('SIGTERM');
    await second.ended;
  }, 60_000);

  it('is used to the last block that fits, and no further, within one run', async () => {
    const place = await startPlace({ chunks: 8 });
    const { tracker, origin, track } = place;
    const seeder = await seedTrack(place, { contribution: { maxBandwidthMBPerDay: 1 } });
    for (let i = 0; i < 3; i++) {
      const listener = listen({ tracker: tracker.url, origin: origin.url });
      expect((await fetchWhole(listener, track.trackId)).sha256).toBe(track.sha256);
      await listener.close();
    }
    expect(seeder.stats().uploadedBytes).toBeLessThanOrEqual(1_000_000);
    expect(seeder.stats().uploadedBytes).toBeGreaterThan(1_000_000 - 2 * 16_384);
  });
});

interface Report {
  readonly sha256: string;
  readonly size: number;
  readonly rejectedBlocks: number;
  readonly bytes: { readonly cache: number; readonly origin: number };
}

async function reportOf(command: RunningCommand): Promise<Report> {
  const { status, stdout, stderr } = await command.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Report;
}

async function chunkFiles(store: string): Promise<string[]> {
  const names = await readdir(store, { recursive: true });
  return names.filter((name) => name.endsWith('.chunk')).map((name) => join(store, name));
}

async function startSeeder({ tracker, track }: Place): Promise<RunningCommand> {
  const seeder = swarmCommand('seed', track.path, '--tracker', tracker.url, '--json');
  await seeder.json();
  await until('the seeder is announced', () => tracker.stats().members === 1);
  return seeder;
}

/** WebRTC that kills a process with -9 as soon as so many blocks have come in over the first link. */
async function killingAfter(blocks: number, process: RunningCommand) {
  let links = 0;
  let left = blocks;
  return tapped(await loadNodeRtc(), () => {
    const link = links++;
    return {
      received: (frame) => {
        if (link === 0 && decodePeerFrame(frame).type === 'block' && --left === 0) process.kill('SIGKILL');
      },
    };
  });
}
