import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import {
  buildManifest,
  checkManifest,
  joinHashes,
  LIMITS,
  merkleRoot,
  splitHashes,
  type Manifest,
  type TrackId,
} from '@sonantica/wire';
import { trackKey } from '../core/track-key.ts';
import { SwarmError } from '../errors.ts';
import { nodeHasher } from '../verify/sha256-node.ts';
import {
  audioUrl,
  fetchManifest,
  getWhole,
  MirrorError,
  mirrorsOf,
  ORIGIN_SILENCE_MS,
} from './origin-http.ts';
import { OriginSource } from './origin-source.ts';

const BLOCK = LIMITS.blockBytes;
const SIZE = 2 * 131_072 + BLOCK + 100;
/** Two chunks of eight blocks and one of two, the last short. */
const SONG = Uint8Array.from({ length: SIZE }, (_, i) => (i * 31 + (i >> 9) + (i >> 17)) & 0xff);
const LEAVES = leavesOf(0, SIZE);

const open: Place[] = [];
afterEach(async () => {
  for (const place of open.splice(0)) await place.close();
});

describe('blocks over HTTP', () => {
  it('come by one Range, cut at their bounds, from the versioned address', async () => {
    const place = await Place.open([plain]);
    place.fetch(0, 2, 3);
    await place.until(() => place.blocks.size === 3);
    expect(place.blocks.get('0/3')).toEqual(SONG.slice(3 * BLOCK, 4 * BLOCK));
    expect(place.asked(0, 'song')).toEqual([`bytes=${2 * BLOCK}-${5 * BLOCK - 1}`]);
    expect(place.urls).toContain(`/song?v=${place.manifest.root.slice(0, 16)}`);
    expect(place.refused).toEqual([]);
  });

  it('end short with the track', async () => {
    const place = await Place.open([plain]);
    place.fetch(2, 0, 2);
    await place.until(() => place.blocks.size === 2);
    expect(place.blocks.get('2/1')).toEqual(SONG.slice(SIZE - 100));
  });

  it('are found in a whole file that answers the Range', async () => {
    const place = await Place.open([
      (request, response) => (isLeaves(request) ? leaves(request, response) : response.end(SONG)),
    ]);
    place.fetch(1, 6, 2);
    await place.until(() => place.blocks.size === 2);
    expect(place.blocks.get('1/7')).toEqual(SONG.slice(15 * BLOCK, 16 * BLOCK));
    expect(place.refused).toEqual([]);
  });

  it('are told to have begun when their first bytes came, once, where the first block took a while', async () => {
    let rest = () => undefined as void;
    const place = await Place.open([
      (_request, response) => {
        response.writeHead(206);
        response.write(SONG.subarray(0, 100));
        rest = () => void response.end(SONG.subarray(100, 3 * BLOCK));
      },
    ]);
    place.fetch(0, 0, 3, true);
    // One for the answer, one for its first bytes, one for those that follow.
    await place.until(() => place.timeouts.length === 3);
    place.now = 13;
    rest();
    await place.until(() => place.blocks.size === 3);
    expect(place.began).toEqual([{ chunk: 0, atMs: 0, blocks: 0 }]);
  });

  it('that come at once begin untold', async () => {
    const place = await Place.open([plain]);
    place.fetch(0, 2, 3);
    await place.until(() => place.blocks.size === 3);
    expect(place.began).toEqual([]);
  });

  it('that are no longer wanted are not handed on', async () => {
    const place = await Place.open([slowly]);
    place.fetch(0, 0, 4);
    place.source.cancel(place.track, { chunk: 0, first: 1, count: 2 });
    await place.until(() => place.blocks.size === 2);
    expect([...place.blocks.keys()]).toEqual(['0/0', '0/3']);
  });

  it('end the request when none is wanted any more', async () => {
    let closed = false;
    const place = await Place.open([
      (request, response) => {
        if (isLeaves(request)) return leaves(request, response);
        response.on('close', () => (closed = true));
        response.writeHead(206, { 'content-range': `bytes 0-${4 * BLOCK - 1}/${SIZE}` });
        response.write(SONG.subarray(0, BLOCK));
      },
    ]);
    place.fetch(0, 0, 4);
    await place.until(() => place.blocks.size === 1);
    place.source.cancel(place.track, { chunk: 0, first: 1, count: 3 });
    await place.until(() => closed);
    expect(place.refused).toEqual([]);
  });

  it('end with the source, and with the track', async () => {
    for (const end of [(p: Place) => p.source.close(), (p: Place) => p.source.forget(p.track)]) {
      let closed = false;
      const place = await Place.open([
        (request, response) => {
          if (isLeaves(request)) return leaves(request, response);
          response.on('close', () => (closed = true));
          response.writeHead(206);
          response.write(SONG.subarray(0, BLOCK));
        },
      ]);
      place.fetch(0, 0, 4);
      await place.until(() => place.blocks.size === 1);
      end(place);
      await place.until(() => closed);
      expect(place.refused).toEqual([]);
    }
  });
});

describe('a mirror that fails', () => {
  const failures: [string, Answer][] = [
    ['answers 500', status(500)],
    ['answers 503', status(503)],
    ['answers 404', status(404)],
    ['answers 416', status(416)],
    ['answers 204', status(204)],
    ['sends a short body', (_request, response) => partial(response, 0, SONG.subarray(0, 2 * BLOCK + 5))],
    [
      'breaks off in the middle',
      (_request, response) => {
        response.writeHead(206, { 'content-length': 4 * BLOCK });
        response.write(SONG.subarray(0, 2 * BLOCK + 5), () => setTimeout(() => response.destroy(), 20));
      },
    ],
    [
      'sends another range than was asked for',
      (_request, response) => {
        response.writeHead(206, { 'content-range': `bytes 1-${4 * BLOCK}/${SIZE}` });
        response.end(SONG.subarray(1, 4 * BLOCK + 1));
      },
    ],
    [
      'sends a range of a file of another size',
      (_request, response) => {
        response.writeHead(206, { 'content-range': `bytes 0-${4 * BLOCK - 1}/${SIZE + 1}` });
        response.end(SONG.subarray(0, 4 * BLOCK));
      },
    ],
    ['closes the connection', (request) => void request.socket.destroy()],
  ];

  it.each(failures)('and %s is refused when it is the only one', async (_what, answer) => {
    const place = await Place.open([dataOnly(answer)]);
    place.fetch(0, 0, 4);
    await place.until(() => place.refused.length > 0);
    const kept = place.blocks.size;
    expect(place.refused).toEqual([{ chunk: 0, first: kept, count: 4 - kept, reason: 'not-held' }]);
  });

  it.each(failures)('and %s gives way to the next, which sends only the rest', async (_what, answer) => {
    const place = await Place.open([dataOnly(answer), plain]);
    place.fetch(0, 0, 4);
    await place.until(() => place.blocks.size === 4);
    expect(place.twice).toEqual([]);
    for (let block = 0; block < 4; block++)
      expect(place.blocks.get(`0/${block}`)).toEqual(SONG.slice(block * BLOCK, (block + 1) * BLOCK));
    const [range] = place.asked(1, 'song');
    const first = Number(/bytes=(\d+)-/.exec(range ?? '')?.[1]);
    expect([0, 2 * BLOCK]).toContain(first);
    place.fetch(1, 0, 1);
    await place.until(() => place.blocks.size === 5);
    expect(place.asked(0, 'song')).toHaveLength(1);
    expect(place.refused).toEqual([]);
  });

  it('is passed over for ten seconds, then asked first again', async () => {
    let fails = true;
    const place = await Place.open([
      (request, response) => (fails ? status(500)(request, response) : plain(request, response)),
      plain,
    ]);
    place.fetch(0, 0, 1);
    await place.until(() => place.blocks.size === 1);
    fails = false;
    place.fetch(0, 1, 1);
    await place.until(() => place.blocks.size === 2);
    expect(place.asked(0, 'song')).toHaveLength(1);
    place.now += 10_000;
    place.fetch(0, 2, 1);
    await place.until(() => place.blocks.size === 3);
    expect(place.asked(0, 'song')).toHaveLength(2);
    expect(place.asked(1, 'song')).toHaveLength(2);
  });

  it('is asked again at once when all have failed', async () => {
    const place = await Place.open([dataOnly(status(500)), dataOnly(status(500))]);
    for (const times of [1, 2]) {
      place.fetch(0, 0, 1);
      await place.until(() => place.refused.length === times);
    }
    expect(place.asked(0, 'song')).toHaveLength(2);
  });

  it('and hangs is given up after a bounded silence', async () => {
    for (const hang of [
      () => undefined,
      (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(206);
        response.write(SONG.subarray(0, BLOCK));
      },
    ]) {
      const place = await Place.open([dataOnly(hang), plain]);
      place.fetch(0, 0, 4);
      await place.until(() => place.asked(0, 'song').length === 1 && place.waiting > 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(place.asked(1, 'song')).toEqual([]);
      place.silence();
      await place.until(() => place.blocks.size === 4);
      expect(place.timeouts.every((ms) => ms === ORIGIN_SILENCE_MS)).toBe(true);
    }
  });

  it('and sent wrong bytes is passed over, even when its answer went on', async () => {
    const place = await Place.open([plain, plain]);
    place.onBlock = (chunk, block) => {
      if (block === 1) place.source.distrust(place.track, chunk);
    };
    place.fetch(0, 0, 4);
    await place.until(() => place.blocks.size === 4 && place.idle);
    place.fetch(1, 0, 1);
    await place.until(() => place.blocks.size === 5);
    expect(place.asked(0, 'song')).toHaveLength(1);
    expect(place.asked(1, 'song')).toHaveLength(1);
  });
});

describe('leaf hashes', () => {
  it('come beside the blocks, for more chunks at once the more are asked for', async () => {
    const place = await Place.open([plain]);
    place.fetch(0, 0, 1);
    await place.until(() => place.proofs.has(0));
    place.fetch(1, 0, 1);
    await place.until(() => place.proofs.has(2));
    expect(place.asked(0, 'song.leaves')).toEqual(['bytes=0-255', 'bytes=256-575']);
    for (const [chunk, start, end] of [
      [0, 0, 256],
      [1, 256, 512],
      [2, 512, 576],
    ] as const)
      expect(place.proofs.get(chunk)).toEqual(LEAVES.slice(start, end));
  });

  it('are not asked for when they are known, nor twice at a time', async () => {
    const place = await Place.open([plain]);
    place.fetch(0, 0, 1, true);
    place.fetch(1, 0, 1);
    place.fetch(1, 1, 1);
    await place.until(() => place.blocks.size === 3 && place.proofs.has(1));
    expect(place.asked(0, 'song.leaves')).toHaveLength(1);
  });

  it('are found in a whole file that answers the Range', async () => {
    const place = await Place.open([
      (request, response) => (isLeaves(request) ? response.end(LEAVES) : plain(request, response)),
    ]);
    place.fetch(1, 0, 1);
    await place.until(() => place.proofs.size === 1);
    expect(place.proofs.get(1)).toEqual(LEAVES.slice(256, 512));
  });

  it('that do not exist are told once, and not asked for again', async () => {
    const place = await Place.open([leavesAnswer(status(404))]);
    place.fetch(0, 0, 1);
    await place.until(() => place.noLeaves === 1);
    place.fetch(1, 0, 1);
    await place.until(() => place.blocks.size === 2 && place.idle);
    expect(place.asked(0, 'song.leaves')).toHaveLength(1);
    expect(place.noLeaves).toBe(1);
  });

  it.each<[string, Answer]>([
    ['fail', status(500)],
    ['are cut short', (_request, response) => partial(response, 0, LEAVES.subarray(0, 100))],
    ['are longer than the track has', (_request, response) => partial(response, 0, new Uint8Array(5_000))],
    ['break off', (request) => void request.socket.destroy()],
  ])('that %s are told to be missing, so that nothing waits for them', async (_what, answer) => {
    const place = await Place.open([leavesAnswer(answer)]);
    place.fetch(0, 0, 6);
    await place.until(() => place.noLeaves > 0);
    await place.until(() => place.blocks.size === 6);
    expect(place.proofs.size).toBe(0);
    expect(place.refused).toEqual([]);
  });

  it('that are wrong are not asked for again', async () => {
    const place = await Place.open([plain]);
    place.fetch(0, 0, 1);
    await place.until(() => place.proofs.has(0));
    place.source.distrustLeaves(place.track);
    place.source.distrustLeaves(place.track);
    expect(place.noLeaves).toBe(1);
    place.fetch(1, 0, 1);
    await place.until(() => place.blocks.size === 2 && place.idle);
    expect(place.asked(0, 'song.leaves')).toHaveLength(1);
  });
});

describe('a track that was given up', () => {
  it('is taken up anew: its leaf hashes are asked for again, and nothing of it is under way', async () => {
    const place = await Place.open([plain]);
    place.fetch(0, 0, 1);
    await place.until(() => place.proofs.has(0) && place.idle);
    place.source.distrustLeaves(place.track);
    place.source.forget(place.track);
    place.fetch(1, 0, 1);
    await place.until(() => place.proofs.has(1) && place.idle);
    expect(place.asked(0, 'song.leaves')).toHaveLength(2);
  });

  it('is not blamed on the mirror that once gave it', async () => {
    const place = await Place.open([plain, plain]);
    place.fetch(0, 0, 1);
    await place.until(() => place.blocks.size === 1 && place.idle);
    place.source.forget(place.track);
    place.source.distrust(place.track, 0);
    place.fetch(1, 0, 1);
    await place.until(() => place.blocks.size === 2 && place.idle);
    expect(place.asked(1, 'song')).toEqual([]);
  });

  it('is no longer fetched', async () => {
    const place = await Place.open([
      ({ url }, response) => {
        if (url?.includes('.leaves') === true) response.writeHead(404).end();
        else response.writeHead(206).flushHeaders();
      },
    ]);
    place.fetch(0, 0, 1);
    await place.until(() => place.asked(0, 'song').length === 1);
    place.source.forget(place.track);
    await place.until(() => place.idle);
    expect(place.blocks.size).toBe(0);
  });
});

describe('where the origin is', () => {
  it.each([
    ['https://a.example/', ['https://a.example']],
    [
      ['https://a.example//', 'https://b.example'],
      ['https://a.example', 'https://b.example'],
    ],
    [(trackId: string) => `https://${trackId}.example/x/`, ['https://song.example/x']],
    [() => ['https://c.example/'], ['https://c.example']],
  ])('is read from %s', (location, mirrors) => {
    expect(mirrorsOf(location, 'song' as TrackId)).toEqual(mirrors);
  });
});

describe('the address of a file', () => {
  const at = (file: string, mirror = 'https://a.example/music') =>
    audioUrl(mirror, { trackId: 'song', root: '0123456789abcdef0123', file } as never);

  it.each([
    ['01%20Song.flac', 'https://a.example/music/01%20Song.flac?v=0123456789abcdef'],
    ['disc 1/song.flac#x', 'https://a.example/music/disc%201/song.flac?v=0123456789abcdef'],
    ['../files/song.flac?key=1', 'https://a.example/files/song.flac?key=1&v=0123456789abcdef'],
    ['https://a.example/x.flac', 'https://a.example/x.flac?v=0123456789abcdef'],
  ])('is read from the manifest: %s', (file, url) => {
    expect(at(file)).toBe(url);
  });

  it.each([
    'https://b.example/x.flac',
    '//b.example/x.flac',
    'http://a.example/x.flac',
    'data:,x',
    'http://[',
  ])('is at no other server than the manifest: %s', (file) => {
    expect(() => at(file)).toThrow(MirrorError);
  });

  it('is the track’s own where the manifest names none', () => {
    const manifest = { trackId: 'song', root: '0123456789abcdef0123' } as never;
    expect(audioUrl('/music', manifest)).toBe('/music/song?v=0123456789abcdef');
  });

  it('is what blocks are asked from; there is no head to ask for ahead of such a manifest', async () => {
    const place = await Place.open([plain], { file: 'disc%201/song.flac' });
    const { trackId } = place.manifest;
    place.source.startHead(trackId);
    place.fetch(0, 0, 2);
    await place.until(() => place.blocks.size === 2);
    expect(place.asked(0, 'disc%201/song.flac')).toHaveLength(0);
    place.fetch(1, 0, 2);
    await place.until(() => place.blocks.size === 4);
    expect(place.asked(0, 'disc%201/song.flac')).toHaveLength(1);
    expect(place.urls.at(-1)).toContain(`?v=${place.manifest.root.slice(0, 16)}`);
    place.source.startHead(trackId);
    expect(place.source.headSinceMs(trackId)).toBeUndefined();
  });
});

it('heads that were given on leave nothing with the source', async () => {
  const warned: string[] = [];
  const hear = ({ name }: Error) => void warned.push(name);
  process.on('warning', hear);
  const place = await Place.open([plain]);
  for (let i = 0; i < 12; i++) {
    place.blocks.clear();
    place.source.startHead(place.manifest.trackId);
    place.fetch(0, 0, 2);
    await place.until(() => place.blocks.size === 2);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', hear);
  // Of so many listeners on one signal Node warns.
  expect(warned).toEqual([]);
});

describe('a manifest document', () => {
  it('comes from the first mirror that has it', async () => {
    const place = await Place.open([status(404), status(500), json('{"a":1}')]);
    expect(await place.document()).toEqual({ a: 1 });
  });

  it('is asked of the next mirror where one answers with another page', async () => {
    const place = await Place.open([json('{"error":"closed for today"}'), json('{"a":1}')]);
    expect(await place.document()).toEqual({ a: 1 });
    const only = await Place.open([json('{"error":"closed for today"}')]);
    await expect(only.document()).rejects.toMatchObject({ code: 'manifest-invalid' });
  });

  it.each<[string, Answer[], string]>([
    ['every mirror says it has none', [status(404), status(410)], 'track-not-found'],
    ['every mirror that answers says so', [status(404), (r) => void r.socket.destroy()], 'track-not-found'],
    ['one has none and another fails', [status(404), status(500)], 'origin-unavailable'],
    ['none answers', [(r) => void r.socket.destroy()], 'origin-unavailable'],
    ['it is not JSON', [json('{')], 'manifest-invalid'],
    [
      'it is not UTF-8',
      [(_r, response) => response.end(Uint8Array.of(0x22, 0xff, 0x22))],
      'manifest-invalid',
    ],
    ['there is no mirror', [], 'origin-unavailable'],
  ])('fails when %s', async (_when, answers, code) => {
    const place = await Place.open(answers);
    const error: unknown = await place.document().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SwarmError);
    expect(error instanceof SwarmError && error.code).toBe(code);
  });

  const refused = new Error('connect ECONNREFUSED 127.0.0.1:9');
  it.each<[string, Error, string]>([
    [
      'of what lies beneath',
      new TypeError('fetch failed', { cause: refused }),
      `fetch failed (${refused.message})`,
    ],
    [
      'of the first of several addresses',
      new TypeError('fetch failed', { cause: new AggregateError([refused, new Error('and so on')]) }),
      `fetch failed (${refused.message})`,
    ],
    [
      'that is told already',
      new Error(`no: ${refused.message}`, { cause: refused }),
      `no: ${refused.message}`,
    ],
    ['that stands alone', refused, refused.message],
  ])('says the reason %s once', async (_which, failure, reason) => {
    const never = () => () => undefined;
    const http = { fetch: () => Promise.reject(failure), timers: { after: never, every: never } };
    const { signal } = new AbortController();
    const check = () => Promise.reject(new Error('not asked'));
    await expect(fetchManifest(http, ['http://a'], 'song' as TrackId, signal, check)).rejects.toMatchObject({
      code: 'origin-unavailable',
      message: `no origin gave the manifest of song: http://a/song.manifest.json ${reason}`,
    });
  });

  it('says once that a mirror was silent', async () => {
    const place = await Place.open([() => undefined]);
    const got = place.document();
    place.silence();
    await expect(got).rejects.toThrow(new RegExp(`was silent for ${ORIGIN_SILENCE_MS} ms$`));
  });

  it('is bounded, as every whole body', async () => {
    const place = await Place.open([(_r, response) => response.end(new Uint8Array(1_001))]);
    const signal = new AbortController().signal;
    const get = (mostBytes: number) => getWhole(place.http, `${place.mirrors[0]}/x`, { mostBytes, signal });
    expect((await get(1_001)).bytes).toHaveLength(1_001);
    await expect(get(1_000)).rejects.toBeInstanceOf(MirrorError);
  });

  it('is not waited for once the caller gave up', async () => {
    const place = await Place.open([() => undefined]);
    const abort = new AbortController();
    const got = getWhole(place.http, `${place.mirrors[0]}/x`, { mostBytes: 10, signal: abort.signal });
    abort.abort();
    await expect(got).rejects.toThrow('was aborted');
  });
});

// --- Mirrors on this machine, and a source that asks them ---

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

function isLeaves({ url = '' }: IncomingMessage): boolean {
  return url.startsWith('/song.leaves');
}

/** Serves the song and its leaves by Range, as a plain web server does. */
function plain(request: IncomingMessage, response: ServerResponse): void {
  const file = isLeaves(request) ? LEAVES : SONG;
  const [, first = '0', last = '0'] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const end = Math.min(Number(last) + 1, file.length);
  response.writeHead(206, { 'content-range': `bytes ${first}-${end - 1}/${file.length}` });
  response.end(file.subarray(Number(first), end));
}

function leaves(request: IncomingMessage, response: ServerResponse): void {
  plain(request, response);
}

/** Gives the caller time to change its mind. */
function slowly(request: IncomingMessage, response: ServerResponse): void {
  setTimeout(() => plain(request, response), 30);
}

function dataOnly(answer: Answer): Answer {
  return (request, response) => (isLeaves(request) ? plain(request, response) : answer(request, response));
}

function leavesAnswer(answer: Answer): Answer {
  return (request, response) => (isLeaves(request) ? answer(request, response) : plain(request, response));
}

function status(code: number): Answer {
  return (_request, response) => {
    response.writeHead(code);
    response.end();
  };
}

function json(text: string): Answer {
  return (_request, response) => response.end(text);
}

function partial(response: ServerResponse, _at: number, bytes: Uint8Array): void {
  response.writeHead(206);
  response.end(bytes);
}

class Place {
  readonly manifest: Manifest;
  readonly mirrors: string[];
  readonly source: OriginSource;
  readonly urls: string[] = [];
  readonly blocks = new Map<string, Uint8Array>();
  readonly twice: string[] = [];
  readonly proofs = new Map<number, Uint8Array>();
  readonly refused: { chunk: number; first: number; count: number; reason: string }[] = [];
  readonly timeouts: number[] = [];
  readonly began: { chunk: number; atMs: number; blocks: number }[] = [];
  noLeaves = 0;
  now = 0;
  onBlock: (chunk: number, block: number) => void = () => undefined;
  readonly http = {
    fetch: (url: string, init: RequestInit) => fetch(url, init),
    timers: {
      after: (ms: number, run: () => void) => {
        this.timeouts.push(ms);
        this.#timers.add(run);
        return () => void this.#timers.delete(run);
      },
      every: () => () => undefined,
    },
  };
  readonly #timers = new Set<() => void>();
  readonly #ranges: { mirror: number; file: string; range: string }[];
  readonly #close: () => Promise<void>;

  static async open(answers: readonly Answer[], facts: { file?: string } = {}): Promise<Place> {
    const ranges: { mirror: number; file: string; range: string }[] = [];
    const urls: string[] = [];
    const servers = await Promise.all(
      answers.map(async (answer, mirror) => {
        const server = createServer((request, response) => {
          const { url = '', headers } = request;
          urls.push(url);
          ranges.push({ mirror, file: url.slice(1).split('?')[0] ?? '', range: headers.range ?? '' });
          answer(request, response);
        });
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
        return server;
      }),
    );
    const mirrors = servers.map((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no address');
      return `http://127.0.0.1:${address.port}`;
    });
    const close = async () => {
      await Promise.all(
        servers.map((server) => {
          const closed = new Promise((resolve) => server.close(resolve));
          server.closeAllConnections();
          return closed;
        }),
      );
    };
    const place = new Place(await manifestOf(facts), mirrors, ranges, urls, close);
    open.push(place);
    return place;
  }

  private constructor(
    manifest: Manifest,
    mirrors: string[],
    ranges: { mirror: number; file: string; range: string }[],
    urls: string[],
    close: () => Promise<void>,
  ) {
    this.manifest = manifest;
    this.mirrors = mirrors;
    this.urls = urls;
    this.#ranges = ranges;
    this.#close = close;
    this.source = new OriginSource({
      location: mirrors,
      http: this.http,
      nowMs: () => this.now,
      onNoLeaves: () => void this.noLeaves++,
      log: () => undefined,
      sink: {
        block: (_source, _track, chunk, block, bytes) => {
          const id = `${chunk}/${block}`;
          if (this.blocks.has(id)) this.twice.push(id);
          this.blocks.set(id, bytes);
          this.onBlock(chunk, block);
        },
        began: (_source, _track, chunk, atMs) =>
          void this.began.push({ chunk, atMs, blocks: this.blocks.size }),
        proof: (_source, _track, chunk, packed) => void this.proofs.set(chunk, packed),
        refused: (_source, _track, { chunk, first, count }, reason) =>
          void this.refused.push({ chunk, first, count, reason }),
      },
    });
  }

  get track() {
    return trackKey(this.manifest.trackId, this.manifest.root);
  }

  /** Whether no request is under way. */
  get idle(): boolean {
    return this.#timers.size === 0;
  }

  /** Requests whose silence is being timed. */
  get waiting(): number {
    return this.#timers.size;
  }

  fetch(chunk: number, first: number, count: number, leavesKnown = false): void {
    const { track, manifest } = this;
    this.source.fetch({ track, manifest, chunk, first, count, dueInMs: 1_000, leavesKnown, together: false });
  }

  /** Whatever is timed runs out now. */
  silence(): void {
    for (const run of [...this.#timers]) run();
  }

  /** The ranges a mirror was asked for of a file. */
  asked(mirror: number, file: string): string[] {
    return this.#ranges.filter((one) => one.mirror === mirror && one.file === file).map(({ range }) => range);
  }

  document(): Promise<unknown> {
    const signal = new AbortController().signal;
    const check = async (document: unknown) => {
      if (typeof document === 'object' && document !== null && 'error' in document)
        throw new SwarmError('manifest-invalid', 'no manifest');
      return document as Manifest;
    };
    return fetchManifest(this.http, this.mirrors, this.manifest.trackId, signal, check);
  }

  async until(done: () => boolean): Promise<void> {
    for (let i = 0; i < 1_000 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(done()).toBe(true);
  }

  async close(): Promise<void> {
    this.source.close();
    await this.#close();
  }
}

function leavesOf(start: number, end: number): Uint8Array {
  const hashes: Uint8Array[] = [];
  for (let at = start; at < end; at += BLOCK)
    hashes.push(nodeHasher(SONG.subarray(at, Math.min(at + BLOCK, end))));
  return joinHashes(hashes);
}

async function manifestOf(more: { file?: string }): Promise<Manifest> {
  const chunkSize = 131_072;
  const chunkHashes: Uint8Array[] = [];
  for (let start = 0; start < SIZE; start += chunkSize)
    chunkHashes.push(
      await merkleRoot(nodeHasher, splitHashes(leavesOf(start, Math.min(start + chunkSize, SIZE))), 8),
    );
  const facts = { size: SIZE, chunkSize, trackId: 'song' as TrackId, mime: 'audio/flac', ...more };
  const document = await buildManifest({ ...facts, sha256: '00'.repeat(32), chunkHashes }, nodeHasher);
  return checkManifest(document, { hasher: nodeHasher });
}

describe('an `origin` option that is a function and throws', () => {
  const location = () => {
    throw new Error('not signed in any more');
  };

  it('is an origin out of reach', () => {
    expect(() => mirrorsOf(location, 'song' as TrackId)).toThrow(
      expect.objectContaining({ name: 'SwarmError', code: 'origin-unavailable' }),
    );
    expect(() => mirrorsOf((() => undefined) as never, 'song' as TrackId)).toThrow(SwarmError);
  });

  it('gives nothing of a track whose manifest is known, and says so', async () => {
    const refused: unknown[] = [];
    const source = new OriginSource({
      location,
      http: { fetch: () => Promise.reject(new Error('not asked')), timers: undefined as never },
      sink: { refused: (...told: unknown[]) => void refused.push(told) } as never,
      nowMs: () => 0,
      onNoLeaves: () => undefined,
      log: () => undefined,
    });
    source.startHead('song' as TrackId);
    source.fetch({ track: 'song/1', manifest: { trackId: 'song' }, chunk: 1, first: 2, count: 3 } as never);
    await Promise.resolve();
    expect(refused).toEqual([['origin', 'song/1', { chunk: 1, first: 2, count: 3 }, 'not-held']]);
  });
});
