import { createServer } from 'node:net';
import { createSwarm, SERVER_ONLY, type RtcConfiguration, type RtcImplementation } from '@sonantica/swarm';
import { loadNodeRtc, openFileStore } from '@sonantica/swarm/node';
import { expect, it, onTestFinished } from 'vitest';
import { fetchWhole, listen, readBack, seedTrack } from './support/listener.ts';
import { makeFolder, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

it('opens nothing but HTTP when it is the choice from the start', async () => {
  const { origin, track } = await startPlace();
  const tracker = await countingServer();
  const rtc = await countingRtc();
  const listener = listen({
    tracker: tracker.url,
    origin: origin.url,
    aulaId: 'red',
    rtc,
    contribution: SERVER_ONLY,
  });
  const { sha256, stats } = await readBack(listener.open(track.trackId));
  await listener.joinAula('blue');
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: 0, origin: track.size });
  expect(rtc.made()).toBe(0);
  expect(tracker.sockets()).toBe(0);
});

it('closes every link and the tracker’s socket when it is chosen while running, and opens none again', async () => {
  const place = await startPlace();
  const { origin, tracker, track } = place;
  await seedTrack(place, { aulaId: 'red' });
  const rtc = await countingRtc();
  const listener = listen({ tracker: tracker.url, origin: origin.url, aulaId: 'red', rtc });
  await until('it is linked', () => listener.stats().links === 1);
  expect(rtc.made()).toBe(1);
  await listener.setContribution(SERVER_ONLY);
  expect(listener.stats()).toMatchObject({ links: 0, trackerUp: false });
  await until('the tracker has lost it', () => tracker.stats().peers === 1);
  await until('its connections are closed', () => rtc.open() === 0);
  const bytes = await listener.open(track.trackId).read({ start: 0, end: track.size });
  expect(bytes.length).toBe(track.size);
  expect(listener.stats().bytes).toEqual({ cache: 0, aula: 0, global: 0, origin: track.size });
  expect(rtc.made()).toBe(1);
  expect(tracker.stats().peers).toBe(1);
});

it('goes on with the origin when it is chosen in the middle of a transfer', async () => {
  const place = await startPlace();
  const { origin, tracker, track } = place;
  await seedTrack(place);
  const listener = listen({ tracker: tracker.url, origin: origin.url });
  const handle = listener.open(track.trackId);
  let chosen: Promise<void> | undefined;
  handle.on('block', ({ tier }) => {
    if (tier === 'global') chosen ??= listener.setContribution({ ...SERVER_ONLY, maxStorageGB: 1 });
  });
  await handle.download();
  const { sha256, stats } = await readBack(handle);
  await chosen;
  expect(chosen).toBeDefined();
  expect(sha256).toBe(track.sha256);
  expect(stats.bytes.origin).toBeGreaterThan(track.size / 2);
  expect(stats.bytes.global + stats.bytes.origin).toBe(track.size);
});

it('is remembered over a restart, before any socket opens', async () => {
  const { origin, track } = await startPlace();
  const folder = await makeFolder();
  const first = createSwarm({ origin: origin.url, store: await openFileStore(folder) });
  await first.setContribution({ ...SERVER_ONLY, maxStorageGB: 1 });
  await first.close();

  const tracker = await countingServer();
  const rtc = await countingRtc();
  const again = listen({
    tracker: tracker.url,
    origin: origin.url,
    aulaId: 'red',
    rtc,
    store: await openFileStore(folder),
    contribution: { p2pEnabled: true },
  });
  const { sha256 } = await fetchWhole(again, track.trackId);
  expect(sha256).toBe(track.sha256);
  expect(again.contribution.p2pEnabled).toBe(false);
  expect(rtc.made()).toBe(0);
  expect(tracker.sockets()).toBe(0);
});

it('can be taken back, and peers are found again', async () => {
  const place = await startPlace();
  const { origin, tracker, track } = place;
  await seedTrack(place);
  const listener = listen({
    tracker: tracker.url,
    origin: origin.url,
    contribution: { ...SERVER_ONLY, maxStorageGB: 1 },
  });
  await listener.ready();
  await listener.setContribution({
    p2pEnabled: true,
    allowDownloadFromPeers: true,
    preferServerOverP2P: false,
  });
  const { stats } = await fetchWhole(listener, track.trackId);
  expect(stats.bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
});

/** A server that counts who knocks, whatever they want. */
async function countingServer(): Promise<{ url: string; sockets(): number }> {
  let sockets = 0;
  const server = createServer((socket) => {
    sockets++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { url: `ws://127.0.0.1:${address.port}`, sockets: () => sockets };
}

/** WebRTC that counts the connections made, and those not yet closed. */
async function countingRtc(): Promise<RtcImplementation & { made(): number; open(): number }> {
  const base = await loadNodeRtc();
  let made = 0;
  let closed = 0;
  return {
    ...base,
    made: () => made,
    open: () => made - closed,
    RTCPeerConnection: class extends base.RTCPeerConnection {
      #closed = false;

      constructor(configuration: RtcConfiguration) {
        super(configuration);
        made++;
      }

      override close(): unknown {
        if (!this.#closed) closed++;
        this.#closed = true;
        return super.close();
      }
    },
  };
}
