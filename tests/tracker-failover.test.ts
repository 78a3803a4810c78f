import { createServer } from 'node:net';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { expect, it, onTestFinished } from 'vitest';
import { listen, readBack, readerOf } from './support/listener.ts';
import { CHUNK_BYTES, startPlace } from './support/place.ts';
import { slow, tapped } from './support/tap.ts';
import { trackerForTest, type TrackerProcess } from './support/tracker-process.ts';
import { until } from './support/until.ts';

/** Heard often, listeners come back soon: within a second of a loss. */
const OFTEN = ['--announce-interval-ms', '2000'];

const members = async (tracker: TrackerProcess) => Number((await tracker.stats())['members']);

it('goes on with a transfer when its tracker is killed, and announces itself at the next', async () => {
  const { origin, track } = await startPlace({ chunks: 8 });
  const [first, second] = [await trackerForTest(OFTEN), await trackerForTest(OFTEN)];
  const tracker = [first.url, second.url];
  const rtc = tapped(await loadNodeRtc(), () => slow(20));
  const seeder = listen({ tracker, rtc });
  await seeder.seed(track.manifest, readerOf(track));
  await until('the seeder is announced', async () => (await members(first)) === 1);
  const listener = listen({ tracker, origin: origin.url });
  const log: string[] = [];
  listener.on('tracker', ({ up, url }) => log.push(`${up ? 'up' : 'down'} ${url === first.url ? 1 : 2}`));
  const handle = listener.open(track.trackId);
  const downloading = handle.download();
  await until('the transfer is under way', () => handle.stats().bytes.global > CHUNK_BYTES / 2);
  expect(await members(second)).toBe(0);

  first.kill('SIGKILL');
  await first.ended;
  await until('both have noticed', () => log.includes('down 1'));
  expect(handle.stats().chunks.held).toBeLessThan(8);
  const before = handle.stats().bytes.global;
  await until('blocks come without a tracker', () => handle.stats().bytes.global > before);

  await downloading;
  expect((await readBack(handle)).sha256).toBe(track.sha256);
  expect(handle.stats().bytes).toEqual({ cache: 0, aula: 0, global: track.size, origin: 0 });
  expect(listener.stats().links).toBe(1);
  await until('both are announced at the second', async () => (await members(second)) === 2);
  expect(log.filter((line) => line.startsWith('up'))).toEqual(['up 1', 'up 2']);
});

it('finds its peers at the second tracker when the first takes the socket and says nothing', async () => {
  const { origin, track } = await startPlace({ chunks: 2 });
  const mute = createServer((socket) => void onTestFinished(() => void socket.destroy()));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void mute.close());
  const address = mute.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const second = await trackerForTest();
  const listener = listen({ tracker: [`ws://127.0.0.1:${port}`, second.url], origin: origin.url });
  await listener.seed(track.manifest, readerOf(track));
  await until('it is announced at the second', async () => (await members(second)) === 1, 15_000);
});
