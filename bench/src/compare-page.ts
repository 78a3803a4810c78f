import type { Got, Way } from './compare-messages.ts';

// One end of a comparison in Chromium. The page has loaded the library before, and WebTorrent where it is needed.

declare global {
  /** In the page. */
  var WebTorrent: new (options: object) => Client;
}

/** What a page is told. */
export interface PageFacts {
  readonly way: Way;
  readonly withRival: boolean;
  readonly origin: string;
  readonly tracker: string;
  readonly iceServers: readonly { readonly urls: string }[];
  /** Where the track's bytes are, for who gives them. */
  readonly bytes: string;
  /** The track's manifest as JSON. */
  readonly manifest: string;
}

/** What is used of WebTorrent (its `docs/api.md`). */
interface Torrent {
  readonly torrentFile: Uint8Array;
  readonly files: readonly { arrayBuffer(): Promise<ArrayBuffer> }[];
  on(event: 'download', listener: (bytes: number) => void): void;
  on(event: 'done', listener: () => void): void;
}
interface Client {
  seed(file: File, options: object, seeding: (torrent: Torrent) => void): void;
  add(torrentFile: Uint8Array, options: object): Torrent;
  on(event: 'error', listener: (error: Error) => void): void;
}

const ID = 'compared';

/** Gives the track; answers the torrent file in base64, where there is one. */
export async function seedHere(facts: PageFacts): Promise<string | undefined> {
  const bytes = new Uint8Array(await (await fetch(`${facts.bytes}/${ID}`)).arrayBuffer());
  if (facts.withRival) {
    const client = openWebTorrent(facts);
    return new Promise((resolve, reject) => {
      client.on('error', reject);
      const options = { name: ID, announce: [facts.tracker], store: MemoryChunkStore };
      client.seed(new File([bytes], ID), options, ({ torrentFile }) => {
        let text = '';
        for (const byte of torrentFile) text += String.fromCodePoint(byte);
        resolve(btoa(text));
      });
    });
  }
  const swarm = openSwarm(facts);
  const { chunkSize } = await swarm.seed(JSON.parse(facts.manifest), async (chunk) =>
    bytes.slice(chunk * chunkSize, Math.min(bytes.length, (chunk + 1) * chunkSize)),
  );
  // A giver proves each chunk when it first loads it, as WebTorrent does while it makes the torrent file.
  await swarm.open(ID).download();
  return undefined;
}

/** Gets the track into memory, and says how it went. Of the processor's time a page knows nothing. */
export async function getHere(
  facts: PageFacts & { readonly torrent: string | undefined },
): Promise<Omit<Got, 'cpuS'>> {
  if (facts.way === 'http') return getByHttp(facts);
  return facts.withRival ? getTorrent(facts) : getFromSwarm(facts);
}

async function getByHttp({ origin }: PageFacts) {
  const watch = new Watch();
  const reader = (await fetch(`${origin}/${ID}`)).body?.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
    watch.heard(read.value.length);
    parts.push(read.value);
  }
  return watch.done(() => new Blob(parts).arrayBuffer());
}

async function getFromSwarm(facts: PageFacts) {
  const watch = new Watch();
  const track = openSwarm(facts).open(ID);
  track.on('block', ({ bytes }) => watch.heard(bytes));
  await track.download();
  return watch.done(async () => {
    const { size } = await track.manifest();
    return new Uint8Array(await track.read({ start: 0, end: size }));
  });
}

async function getTorrent(facts: PageFacts & { readonly torrent: string | undefined }) {
  const file = Uint8Array.from(atob(facts.torrent ?? ''), (letter) => letter.codePointAt(0) ?? 0);
  const watch = new Watch();
  const client = openWebTorrent(facts);
  const torrent = client.add(file, { store: MemoryChunkStore });
  torrent.on('download', (bytes) => watch.heard(bytes));
  await new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    torrent.on('done', resolve);
  });
  return watch.done(async () => (await torrent.files[0]?.arrayBuffer()) ?? new ArrayBuffer(0));
}

function openSwarm({ tracker, origin, iceServers }: PageFacts) {
  const { createSwarm, openMemoryStore } = globalThis.sonantica;
  return createSwarm({
    tracker,
    origin,
    iceServers,
    aulaId: ID,
    store: openMemoryStore(),
    contribution: { maxBandwidthMBPerDay: 100_000, maxStorageGB: 10 },
  });
}

function openWebTorrent({ iceServers }: PageFacts): Client {
  return new globalThis.WebTorrent({ tracker: { rtcConfig: { iceServers } }, webSeeds: false });
}

/** Times from when it is made. */
class Watch {
  readonly #startMs = performance.now();
  #firstByteMs: number | undefined;
  #firstBytes = 0;

  heard(bytes: number): void {
    if (this.#firstByteMs !== undefined) return;
    this.#firstByteMs = performance.now() - this.#startMs;
    this.#firstBytes = bytes;
  }

  async done(read: () => Promise<BufferSource>): Promise<Omit<Got, 'cpuS'>> {
    const doneMs = performance.now() - this.#startMs;
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await read()));
    const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return { firstByteMs: this.#firstByteMs ?? doneMs, firstBytes: this.#firstBytes, doneMs, sha256 };
  }
}

type Answer<T = void> = (error: Error | null, value?: T) => void;

/** Chunks in memory, as WebTorrent wants them (`abstract-chunk-store`): its own package is not in its bundle. */
class MemoryChunkStore {
  readonly chunkLength: number;
  readonly #chunks: Uint8Array[] = [];

  constructor(chunkLength: number) {
    this.chunkLength = chunkLength;
  }

  put(index: number, chunk: Uint8Array, done: Answer): void {
    this.#chunks[index] = chunk;
    queueMicrotask(() => done(null));
  }

  get(
    index: number,
    options: { offset?: number; length?: number } | Answer<Uint8Array> | undefined,
    done?: Answer<Uint8Array>,
  ): void {
    const answer = typeof options === 'function' ? options : done;
    const { offset = 0, length } = typeof options === 'object' && options !== null ? options : {};
    const chunk = this.#chunks[index];
    queueMicrotask(() => {
      if (chunk === undefined) answer?.(new Error('no such chunk'));
      else answer?.(null, chunk.subarray(offset, length === undefined ? undefined : offset + length));
    });
  }

  close(done: Answer): void {
    queueMicrotask(() => done(null));
  }

  destroy(done: Answer): void {
    queueMicrotask(() => done(null));
  }
}
