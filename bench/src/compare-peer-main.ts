import { createSwarm, openMemoryStore, type Swarm } from '@sonantica/swarm';
import { loadNodeRtc } from '@sonantica/swarm/node';
import { chunkRange } from '@sonantica/wire';
import type { FromPeer, Got, Place, Seed, ToPeer, Way } from './compare-messages.ts';
import { getTorrent, loadWebTorrent, seedTorrent } from './compare-peer-webtorrent.ts';
import { manifestOf, serveText, serveTrack, sha256, trackBytes, TRACK_ID } from './compare-track.ts';
import { answer } from './tracker-child.ts';

// One end of a comparison in Node, in a process of its own, told what to do over IPC.

let get: ((seed: Seed) => Promise<Got>) | undefined;

answer<ToPeer, FromPeer>(async (message) => {
  switch (message.type) {
    case 'seed':
      return { type: 'seeding', ...(await seed(message.way, message.place, message.rival)) };
    case 'prepare':
      get = await prepare(message.way, message.place, message.rival);
      return { type: 'prepared' };
    case 'get':
      if (get === undefined) throw new Error('not prepared');
      return { type: 'got', ...(await get(message.seed)) };
    case 'cpu': {
      const { user, system } = process.cpuUsage();
      return { type: 'cpu', cpuS: (user + system) / 1e6 };
    }
  }
});

/**
 * Does once what is slow the first time in a process, whichever way is measured: a request, and a connection with
 * nobody. A player that runs has done both.
 */
async function warmUp(): Promise<void> {
  const { url, close } = await serveText('warm');
  await (await fetch(url)).text();
  close();
  const { RTCPeerConnection } = await loadNodeRtc('wrtc');
  const connection = new RTCPeerConnection({ iceServers: [] });
  connection.createDataChannel('warm', { negotiated: true, id: 0, ordered: true });
  const { sdp = '' } = await connection.createOffer();
  await connection.setLocalDescription({ type: 'offer', sdp });
  connection.close();
}

async function seed(way: Way, place: Place, rival: string | undefined): Promise<Seed> {
  await warmUp();
  const bytes = trackBytes(place.megabytes);
  const manifest = await manifestOf(bytes);
  const audio = way === 'http' || way === 'sonantica-origin';
  const { url: origin } = await serveTrack(bytes, { manifest, audio });
  if (way === 'http') return { origin, torrent: undefined };
  if (rival !== undefined)
    return { origin, torrent: await seedTorrent(await loadWebTorrent(rival), bytes, place) };
  const swarm = await swarmAt(place, origin);
  await swarm.seed(manifest, async (chunk) => {
    const { start, end } = chunkRange(manifest, chunk);
    return new Uint8Array(bytes.subarray(start, end));
  });
  // A giver proves each chunk when it first loads it, as WebTorrent does while it makes the torrent file.
  await swarm.open(TRACK_ID).download();
  return { origin, torrent: undefined };
}

/** Loads what the way needs, so that loading it is not measured. */
async function prepare(
  way: Way,
  place: Place,
  rival: string | undefined,
): Promise<(seed: Seed) => Promise<Got>> {
  await warmUp();
  if (way === 'http') return getByHttp;
  if (rival !== undefined) {
    const module = await loadWebTorrent(rival);
    return (from) => getTorrent(module, from, place);
  }
  return (from) => getFromSwarm(place, from);
}

async function swarmAt({ tracker, iceServers }: Place, origin: string): Promise<Swarm> {
  return createSwarm({
    tracker,
    origin,
    iceServers,
    aulaId: 'compared',
    rtc: await loadNodeRtc('wrtc'),
    store: openMemoryStore(),
    contribution: { maxBandwidthMBPerDay: 100_000, maxStorageGB: 10 },
  });
}

async function getByHttp({ origin }: Seed): Promise<Got> {
  const { elapsedMs, cpuS } = begin();
  const response = await fetch(`${origin}/${TRACK_ID}`);
  const parts: Uint8Array[] = [];
  let firstByteMs: number | undefined;
  for await (const part of response.body ?? []) {
    firstByteMs ??= elapsedMs();
    parts.push(part);
  }
  const doneMs = elapsedMs();
  const firstBytes = parts[0]?.length ?? 0;
  return {
    firstByteMs: firstByteMs ?? doneMs,
    firstBytes,
    doneMs,
    cpuS: cpuS(),
    sha256: sha256(Buffer.concat(parts)),
  };
}

async function getFromSwarm(place: Place, { origin }: Seed): Promise<Got> {
  const { elapsedMs, cpuS } = begin();
  const swarm = await swarmAt(place, origin);
  const track = swarm.open(TRACK_ID);
  let firstByteMs: number | undefined;
  let firstBytes = 0;
  track.on('block', ({ bytes }) => {
    if (firstByteMs !== undefined) return;
    firstByteMs = elapsedMs();
    firstBytes = bytes;
  });
  await track.download();
  const doneMs = elapsedMs();
  const spentS = cpuS();
  const { size } = await track.manifest();
  const bytes = await track.read({ start: 0, end: size });
  await swarm.close();
  return { firstByteMs: firstByteMs ?? doneMs, firstBytes, doneMs, cpuS: spentS, sha256: sha256(bytes) };
}

/** Counts from now. */
function begin(): { elapsedMs: () => number; cpuS: () => number } {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  return {
    elapsedMs: () => performance.now() - startMs,
    cpuS: () => {
      const { user, system } = process.cpuUsage(startCpu);
      return (user + system) / 1e6;
    },
  };
}
