// Fetches a track from other listeners, the origin last, and writes it to a file.
//   node listen.mjs first-light-24-96 out.flac
// Needs a tracker and an origin: `npm start` in the root of this repository runs both.
import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { createSwarm } from '@sonantica/swarm';
import { openFileStore } from '@sonantica/swarm/node';

const [trackId = 'first-light-24-96', out = `${trackId}.flac`] = process.argv.slice(2);

const swarm = createSwarm({
  tracker: 'ws://127.0.0.1:7000',
  origin: 'http://127.0.0.1:7001',
  aulaId: 'red',
  contribution: { maxBandwidthMBPerDay: 500, maxStorageGB: 2 },
  store: await openFileStore('.sonantica'),
});

const track = swarm.open(trackId);
const { audio, size } = await track.manifest().catch(async (error) => {
  console.error(`${trackId}: ${error.message} (is \`npm start\` running?)`);
  await swarm.close();
  process.exit(1);
});
console.log(`${trackId}: ${size} bytes, ${audio?.sampleRate} Hz, ${audio?.bitsPerSample} bit`);

track.on('chunk', ({ index, tier }) => console.log(`chunk ${index} from ${tier}`));
await track.download(); // every chunk proven and kept

await track.stream().pipeTo(Writable.toWeb(createWriteStream(out)));
console.log(`written to ${out}`, track.stats().bytes);
await swarm.close();
