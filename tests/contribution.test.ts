import { SERVER_ONLY, type Swarm } from '@sonantica/swarm';
import { loadNodeRtc, openFileStore } from '@sonantica/swarm/node';
import { decodePeerFrame } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { fetchWhole, listen, readBack, seedTrack } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { CHUNK_BYTES, chunkBytes, makeFolder, startPlace } from './support/place.ts';
import { slow, tapped, type Tap } from './support/tap.ts';
import { until } from './support/until.ts';

describe('shareWithAnyUser: false', () => {
  it('gives to the Aula, and nothing to a stranger', async () => {
    const place = await startPlace();
    const { tracker, origin, track } = place;
    const seeder = await seedTrack(place, { aulaId: 'red', contribution: { shareWithAnyUser: false } });
    const stranger = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'blue' });
    const { stats } = await fetchWhole(stranger, track.trackId);
    expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: 0, origin: track.size });
    expect(seeder.stats().uploadedBytes).toBe(0);
    await stranger.close();
    const member = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'red' });
    const { stats: own } = await fetchWhole(member, track.trackId);
    expect(own.bytes).toEqual({ cache: 0, aula: track.size, global: 0, origin: 0 });
  });

  it('gives nothing to a stranger whom it takes from, though they are linked', async () => {
    const place = await startPlace({ chunks: 8 });
    const { tracker, origin, track } = place;
    const join = (aulaId: string, shareWithAnyUser: boolean) =>
      listen({ tracker: tracker.url, origin: origin.url, aulaId, contribution: { shareWithAnyUser } });
    const half = 4 * CHUNK_BYTES;
    const open = join('blue', true);
    await open.open(track.trackId).read({ start: half, end: track.size });
    const discreet = join('red', false);
    await discreet.open(track.trackId).read({ start: 0, end: half });
    await until('the two are linked', () => open.stats().links === 1 && discreet.stats().links === 1);
    const taken = await fetchWhole(discreet, track.trackId);
    expect(taken.stats.bytes.global).toBe(chunkBytes(track, 4, 8));
    const refused = await fetchWhole(open, track.trackId);
    expect(refused.stats.bytes).toMatchObject({ global: 0, origin: track.size });
    expect(refused.sha256).toBe(track.sha256);
    expect(discreet.stats().uploadedBytes).toBe(0);
  });

  it('stops giving to strangers at once when it is chosen, and gives again when it is taken back', async () => {
    const place = await startPlace({ chunks: 6 });
    const { tracker, origin, track } = place;
    const line = watched(slow(15));
    const seeder = await seedTrack(place, { aulaId: 'red', rtc: await line.rtc() });
    const stranger = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'blue' });
    const handle = stranger.open(track.trackId);
    const done = handle.download();
    await until('the transfer is under way', () => line.blocksSent() > 8);
    await seeder.setContribution({ shareWithAnyUser: false });
    const given = seeder.stats().uploadedBytes;
    await done;
    expect((await readBack(handle)).sha256).toBe(track.sha256);
    expect(seeder.stats().uploadedBytes).toBe(given);
    expect(handle.stats().bytes.origin).toBeGreaterThan(0);
    await seeder.setContribution({ shareWithAnyUser: true });
    const next = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'blue' });
    await stranger.close();
    await fetchWhole(next, track.trackId);
    expect(seeder.stats().uploadedBytes).toBeGreaterThan(given);
  });
});

describe('allowDownloadFromPeers: false', () => {
  it('takes from the origin alone, yet gives', async () => {
    const place = await startPlace();
    const { tracker, origin, track } = place;
    const seeder = await seedTrack(place);
    const listener = listen({
      tracker: tracker.url,
      origin: origin.url,
      contribution: { allowDownloadFromPeers: false },
    });
    const { stats } = await fetchWhole(listener, track.trackId);
    expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: 0, origin: track.size });
    await seeder.close();
    const next = listen({ tracker: tracker.url, origin: origin.url });
    const handle = next.open(track.trackId);
    await handle.manifest();
    await until('the two are linked', () => handle.stats().peers === 1);
    await handle.download();
    expect(handle.stats().bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
  });

  it('asks no peer any more when it is chosen in the middle of a transfer', async () => {
    const place = await startPlace({ chunks: 6 });
    const { tracker, origin, track } = place;
    await seedTrack(place, { rtc: tapped(await loadNodeRtc(), () => slow(15)) });
    const line = watched({});
    const listener = listen({ tracker: tracker.url, origin: origin.url, rtc: await line.rtc() });
    const handle = listener.open(track.trackId);
    const done = handle.download();
    await until('the transfer is under way', () => handle.stats().bytes.global > 0);
    await listener.setContribution({ allowDownloadFromPeers: false });
    const asked = line.requestsSent();
    await done;
    expect((await readBack(handle)).sha256).toBe(track.sha256);
    expect(line.requestsSent()).toBe(asked);
    expect(handle.stats().bytes.origin).toBeGreaterThan(track.size / 2);
  });
});

describe('preferServerOverP2P: true', () => {
  it('takes from the origin what the origin gives, though a peer has it all', async () => {
    const place = await startPlace();
    const { tracker, origin, track } = place;
    await seedTrack(place, { aulaId: 'red' });
    const listener = listen({
      tracker: tracker.url,
      origin: origin.url,
      aulaId: 'red',
      contribution: { preferServerOverP2P: true },
    });
    const handle = listener.open(track.trackId);
    await handle.manifest();
    await until('it is linked', () => handle.stats().peers === 1);
    await handle.download();
    expect(handle.stats().bytes).toEqual({ cache: 0, aula: 0, global: 0, origin: track.size });
  });

  it('takes from a peer what the origin does not give', async () => {
    const place = await startPlace();
    const { tracker, track } = place;
    await seedTrack(place);
    const mirror = await startMirror(place, (good, { kind }) =>
      kind === 'audio' ? { status: 503, headers: {}, body: new Uint8Array() } : good,
    );
    const listener = listen({
      tracker: tracker.url,
      origin: mirror.url,
      contribution: { preferServerOverP2P: true },
    });
    const { sha256, stats } = await fetchWhole(listener, track.trackId);
    expect(sha256).toBe(track.sha256);
    expect(stats.bytes.global).toBe(track.size);
  });

  it('is obeyed in the middle of a transfer', async () => {
    const place = await startPlace({ chunks: 6 });
    const { tracker, origin, track } = place;
    await seedTrack(place, { rtc: tapped(await loadNodeRtc(), () => slow(15)) });
    const listener = listen({ tracker: tracker.url, origin: origin.url });
    const handle = listener.open(track.trackId);
    const done = handle.download();
    await until('the transfer is under way', () => handle.stats().bytes.global > 0);
    expect(handle.stats().bytes.origin).toBe(0);
    await listener.setContribution({ preferServerOverP2P: true });
    await done;
    expect((await readBack(handle)).sha256).toBe(track.sha256);
    expect(handle.stats().bytes.origin).toBeGreaterThan(track.size / 2);
  });
});

describe('maxBandwidthMBPerDay', () => {
  it('gives nothing at 0, and gives when it is raised', async () => {
    const place = await startPlace();
    const { tracker, origin, track } = place;
    const seeder = await seedTrack(place, { contribution: { maxBandwidthMBPerDay: 0 } });
    const first = listen({ tracker: tracker.url, origin: origin.url });
    const { sha256, stats } = await fetchWhole(first, track.trackId);
    expect(sha256).toBe(track.sha256);
    expect(stats.bytes.origin).toBe(track.size);
    expect(seeder.stats().uploadedBytes).toBe(0);
    await first.close();
    await seeder.setContribution({ maxBandwidthMBPerDay: 500 });
    const second = listen({ tracker: tracker.url, origin: origin.url });
    expect((await fetchWhole(second, track.trackId)).stats.bytes.global).toBe(track.size);
  });
});

describe('maxStorageGB', () => {
  it('keeps nothing at 0, and drops what is over when it is lowered', async () => {
    const { origin, track } = await startPlace();
    const store = await openFileStore(await makeFolder());
    const listener = listen({ origin: origin.url, store });
    await fetchWhole(listener, track.trackId);
    expect(listener.stats().storedBytes).toBe(track.size);
    await listener.setContribution({ maxStorageGB: 0.001 });
    await until('what is over is gone', () => listener.stats().storedBytes <= 1_000_000);
    await listener.setContribution({ maxStorageGB: 0 });
    await until('everything is gone', () => listener.stats().storedBytes === 0);
    expect(await store.tracks()).toEqual([]);
    const handle = listener.open(track.trackId);
    expect((await readBack(handle)).sha256).toBe(track.sha256);
    expect(listener.stats().storedBytes).toBe(0);
  });
});

it('keeps every choice over a restart, whatever the options say', async () => {
  const folder = await makeFolder();
  const choice = {
    p2pEnabled: true,
    maxBandwidthMBPerDay: 7,
    maxStorageGB: 0.5,
    shareWithAnyUser: false,
    prioritizeAulaMembers: false,
    allowDownloadFromPeers: false,
    preferServerOverP2P: true,
  };
  const first = listen({ store: await openFileStore(folder) });
  await first.setContribution(choice);
  await first.close();
  const second: Swarm = listen({
    store: await openFileStore(folder),
    contribution: { maxBandwidthMBPerDay: 900, shareWithAnyUser: true },
  });
  await second.ready();
  expect(second.contribution).toEqual(choice);
});

describe('what is said for one run', () => {
  it('outranks the stored choice, is not stored, and lets go of nothing that is kept', async () => {
    const { origin, track } = await startPlace({ chunks: 3 });
    const folder = await makeFolder();
    const first = listen({ origin: origin.url, store: await openFileStore(folder) });
    await first.setContribution({ maxBandwidthMBPerDay: 7 });
    await fetchWhole(first, track.trackId);
    await first.close();
    const contributionForThisRun = { p2pEnabled: false, maxBandwidthMBPerDay: 9 };
    const second = listen({
      origin: origin.url,
      store: await openFileStore(folder),
      contribution: { p2pEnabled: true },
      contributionForThisRun,
    });
    const { stats } = await fetchWhole(second, track.trackId);
    expect(stats.bytes).toEqual({ cache: track.size, aula: 0, global: 0, origin: 0 });
    expect(second.contribution).toMatchObject(contributionForThisRun);
    await second.setContribution({ shareWithAnyUser: false });
    expect(second.contribution).toMatchObject({ ...contributionForThisRun, shareWithAnyUser: false });
    await second.close();
    const third = listen({ store: await openFileStore(folder) });
    await third.ready();
    expect(third.contribution).toMatchObject({
      p2pEnabled: true,
      maxBandwidthMBPerDay: 7,
      shareWithAnyUser: false,
    });
    expect(third.stats().storedBytes).toBe(track.size);
  });

  it('gives way to what the listener chooses while it lasts', async () => {
    const listener = listen({ contributionForThisRun: { p2pEnabled: true, maxStorageGB: 1 } });
    await listener.setContribution(SERVER_ONLY);
    expect(listener.contribution).toEqual(SERVER_ONLY);
  });
});

/** A line whose requests and blocks are counted as they leave. */
function watched(tap: Tap) {
  let blocks = 0;
  let requests = 0;
  return {
    rtc: async () =>
      tapped(await loadNodeRtc(), () => ({
        ...tap,
        sent: (frame, pass) => {
          const { type } = decodePeerFrame(frame);
          if (type === 'block') blocks++;
          if (type === 'request') requests++;
          if (tap.sent === undefined) pass(frame);
          else tap.sent(frame, pass);
        },
      })),
    blocksSent: () => blocks,
    requestsSent: () => requests,
  };
}
