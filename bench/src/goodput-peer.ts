import { createHash } from 'node:crypto';
import { createSwarm } from '@sonantica/swarm';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { buildManifest, chunkCount, chunkRange, chunkRoot, LIMITS, parseTrackId } from '@sonantica/wire';

// An open connection keeps a process alive: it must not outlive the one that measures.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

/** One end of a goodput measurement: seeds a made-up track, or fetches it and says how fast it came. */
const [role, rtcName, tracker = '', origin = '', megabytes = '64'] = process.argv.slice(2);

const geometry = { size: Number(megabytes) * 1_000_000, chunkSize: LIMITS.defaultChunkBytes };
const rtc = await loadNodeRtc(rtcName === 'werift' ? 'werift' : 'wrtc');
const swarm = createSwarm({
  tracker,
  origin,
  aulaId: 'goodput',
  rtc,
  contribution: { maxBandwidthMBPerDay: 100_000, maxStorageGB: 10 },
});

if (role === 'seeder') {
  const manifest = await makeManifest();
  await swarm.seed(manifest, async (chunk) => chunkBytes(chunk));
  process.send?.({ type: 'manifest', manifest });
  // A giver proves each chunk once, when it first loads it. The link is what is measured, so that is done before.
  await swarm.open('goodput').download();
  process.send?.({ type: 'ready' });
} else {
  const track = swarm.open('goodput');
  let firstMs: number | undefined;
  let firstBytes = 0;
  track.on('block', ({ bytes }) => {
    if (firstMs !== undefined) return;
    firstMs = performance.now();
    firstBytes = bytes;
  });
  await track.download();
  const ms = performance.now() - (firstMs ?? 0);
  const { bytes } = track.stats();
  process.send?.({
    type: 'done',
    mbPerS: (geometry.size - firstBytes) / 1000 / ms,
    originBytes: bytes.origin,
  });
  await swarm.close();
}

/** The same bytes for the same chunk, and cheap to make. */
function chunkBytes(chunk: number): Uint8Array {
  const { start, end } = chunkRange(geometry, chunk);
  const bytes = Buffer.alloc(end - start, chunk & 0xff);
  bytes.writeUInt32BE(chunk, 0);
  return new Uint8Array(bytes);
}

async function makeManifest() {
  const hasher = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
  const whole = createHash('sha256');
  const chunkHashes: Uint8Array[] = [];
  for (let chunk = 0; chunk < chunkCount(geometry); chunk++) {
    const bytes = chunkBytes(chunk);
    whole.update(bytes);
    const leaves: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += LIMITS.blockBytes) {
      leaves.push(hasher(bytes.subarray(at, at + LIMITS.blockBytes)));
    }
    chunkHashes.push(await chunkRoot(hasher, geometry, leaves));
  }
  const facts = { trackId: parseTrackId('goodput'), ...geometry, mime: 'audio/flac' };
  return buildManifest({ ...facts, sha256: whole.digest('hex'), chunkHashes }, hasher);
}
