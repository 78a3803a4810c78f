import { createRequire } from 'node:module';
import type { Got, Place, Seed } from './compare-messages.ts';
import { sha256, TRACK_ID } from './compare-track.ts';

/** What is used of WebTorrent (its `docs/api.md`). */
interface Torrent {
  readonly torrentFile: Uint8Array;
  readonly files: readonly { arrayBuffer(): Promise<ArrayBuffer> }[];
  on(event: 'download', listener: (bytes: number) => void): void;
  on(event: 'done', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}
interface Client {
  seed(bytes: Uint8Array, options: object, seeding: (torrent: Torrent) => void): void;
  add(torrentFile: Uint8Array, options: object): Torrent;
  on(event: 'error', listener: (error: Error) => void): void;
}
interface WebTorrentModule {
  readonly WebTorrent: new (options: object) => Client;
  readonly MemoryChunkStore: unknown;
}

/** Loads WebTorrent over the WebRTC that the library uses, `@roamhq/wrtc`. */
export async function loadWebTorrent(module: string): Promise<WebTorrentModule> {
  const require = createRequire(import.meta.resolve('@sonantica/swarm/node'));
  Object.assign(globalThis, { WRTC: require('@roamhq/wrtc') });
  // It says on the console that µTP is not there, which is not compared.
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return await import(module);
  } finally {
    console.warn = warn;
  }
}

/** Peers come from the one tracker alone, over the transport it names. */
function clientOptions({ iceServers }: Place): object {
  return {
    tracker: { rtcConfig: { iceServers } },
    ...{ dht: false, lsd: false, utp: false, utPex: false, natUpnp: false, natPmp: false, webSeeds: false },
  };
}

/** Gives the bytes on from memory; answers the torrent file in base64 when every piece is hashed. */
export function seedTorrent(
  { WebTorrent, MemoryChunkStore }: WebTorrentModule,
  bytes: Uint8Array,
  place: Place,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new WebTorrent(clientOptions(place));
    client.on('error', reject);
    const options = { name: TRACK_ID, announce: [place.tracker], store: MemoryChunkStore };
    client.seed(bytes, options, ({ torrentFile }) => resolve(Buffer.from(torrentFile).toString('base64')));
  });
}

/** Gets them into memory, each piece proven. The first byte counts before it is. */
export function getTorrent(
  { WebTorrent, MemoryChunkStore }: WebTorrentModule,
  { torrent }: Seed,
  place: Place,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    let firstByteMs: number | undefined;
    let firstBytes = 0;
    const client = new WebTorrent(clientOptions(place));
    client.on('error', reject);
    const got = client.add(Buffer.from(torrent ?? '', 'base64'), { store: MemoryChunkStore });
    got.on('error', reject);
    got.on('download', (bytes) => {
      if (firstByteMs !== undefined) return;
      firstByteMs = performance.now() - startMs;
      firstBytes = bytes;
    });
    got.on('done', () => {
      const doneMs = performance.now() - startMs;
      const { user, system } = process.cpuUsage(cpu);
      const [file] = got.files;
      if (file === undefined) return reject(new Error('a torrent without a file'));
      file.arrayBuffer().then(
        (bytes) =>
          resolve({
            firstByteMs: firstByteMs ?? doneMs,
            firstBytes,
            doneMs,
            cpuS: (user + system) / 1e6,
            sha256: sha256(new Uint8Array(bytes)),
          }),
        reject,
      );
    });
  });
}
