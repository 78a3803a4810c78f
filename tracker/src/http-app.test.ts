import { ChunkSet, encodeClientMessage, parseAulaId, parseRootHash, parseTrackId } from '@sonantica/wire';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { TrackerConfig } from './config.ts';
import { startTracker, type RunningTracker } from './start-tracker.ts';

let tracker: RunningTracker | undefined;
afterEach(async () => {
  await tracker?.close();
  tracker = undefined;
});

async function ask(path: string, init: RequestInit = {}) {
  tracker ??= await startTracker({ port: 0 });
  const response = await fetch(`http://127.0.0.1:${tracker.port}${path}`, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function get(path: string, init: RequestInit = {}) {
  const { text, ...rest } = await ask(path, init);
  const body: unknown = JSON.parse(text);
  return { body, ...rest };
}

/** A tracker with one listener in an Aula that announced a track and told what it was given. */
async function withListener(config: Partial<TrackerConfig> = {}): Promise<WebSocket> {
  tracker = await startTracker({ port: 0, ...config });
  const socket = new WebSocket(tracker.url, 'sonantica.v1');
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(encodeClientMessage({ type: 'hello' }));
  socket.send(encodeClientMessage({ type: 'join', aulaId: parseAulaId('secret-aula') }));
  socket.send(
    encodeClientMessage({
      type: 'announce',
      trackId: parseTrackId('a~song.1'),
      root: parseRootHash('11'.repeat(32)),
      chunkCount: 3,
      have: ChunkSet.all(3),
      delivered: { cache: 100, aula: 500, global: 150, origin: 250 },
    }),
  );
  socket.send('{"type":"whisper"}');
  await expect.poll(async () => (await get('/api/stats')).body).toMatchObject({ refused: 1 });
  return socket;
}

describe('the HTTP pages', () => {
  it('say that the tracker is well', async () => {
    const { status, body, headers } = await get('/healthz');
    expect({ status, body }).toEqual({ status: 200, body: { status: 'ok', uptimeSeconds: 0 } });
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('tell totals, and the counts of a track whose name one knows', async () => {
    const socket = await withListener();
    expect((await get('/api/stats')).body).toMatchObject({
      peers: 1,
      swarms: 1,
      announces: 1,
      aulas: 1,
      offload: 0.75,
      refusedBy: { 'unknown-type': 1 },
    });
    expect((await get('/api/p2p/tracks/a~song.1')).body).toEqual({
      trackId: 'a~song.1',
      complete: 1,
      incomplete: 0,
    });
    expect((await get('/api/p2p/tracks/unknown')).body).toEqual({
      trackId: 'unknown',
      complete: 0,
      incomplete: 0,
    });
    socket.terminate();
  });

  it('say nowhere which tracks, Aulas and peers there are', async () => {
    const socket = await withListener();
    const peerId = /[A-Za-z0-9_-]{22}/;
    for (const path of ['/', '/healthz', '/metrics', '/api/stats', '/api/openapi.json']) {
      const { text } = await ask(path);
      expect(text, path).not.toMatch(/a~song|secret-aula|1111111|127\.0\.0\.1/);
      if (path !== '/api/openapi.json')
        expect(text.replaceAll(/sonantica_\w+/g, ''), path).not.toMatch(peerId);
    }
    socket.terminate();
  });

  it.each([
    ['/api/p2p/tracks', 404],
    ['/api/p2p/tracks/', 404],
    ['/api/p2p/tracks/a%20b', 400],
    ['/api/p2p/tracks/%E0%A4%A', 400],
    [`/api/p2p/tracks/${'x'.repeat(129)}`, 400],
    ['/api/peers', 404],
    ['/page/', 404],
    ['/page/..%2fpackage.json', 404],
  ])('answer %s with %i and JSON', async (path, expected) => {
    const { status, body } = await get(path);
    expect(status).toBe(expected);
    expect(body).toHaveProperty('error');
  });

  it('take nothing in', async () => {
    expect((await get('/api/stats', { method: 'POST', body: '{}' })).status).toBe(404);
  });

  it('are limited for one address, which is the proxy’s word', async () => {
    tracker = await startTracker({ port: 0, trustProxy: 1, requestsPerMinutePerAddress: 2 });
    const from = (address: string) => ask('/healthz', { headers: { 'X-Forwarded-For': address } });
    expect((await from('203.0.113.9')).status).toBe(200);
    expect((await from('6.6.6.6, 203.0.113.9')).status).toBe(200);
    const { status, headers } = await from('7.7.7.7, 203.0.113.9');
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await from('203.0.113.10')).status).toBe(200);
    expect(tracker.stats().refusedBy['too-many-requests']).toBe(1);
  });
});

describe('the metrics', () => {
  it('are those Prometheus is told of, with their values', async () => {
    const socket = await withListener();
    const { text, headers } = await ask('/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const value = (name: string) => text.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1];
    expect(Object.fromEntries(EXPECTED.map(([name]) => [name, value(name)]))).toEqual(
      Object.fromEntries(EXPECTED),
    );
    expect(Number(value('sonantica_tracker_memory_bytes'))).toBeGreaterThan(10_000_000);
    expect(text).toMatch(/^sonantica_tracker_refused_total\{reason="unknown-type"\} 1$/m);
    expect(text).toMatch(/^sonantica_tracker_message_seconds_bucket\{le="0\.001"\} \d+$/m);
    socket.terminate();
  });

  it('count the same when they are asked for twice', async () => {
    const socket = await withListener();
    const counted = async () => (await ask('/metrics')).text.match(/^sonantica_tracker_\w+_total.*$/gm);
    expect(await counted()).toEqual(await counted());
    socket.terminate();
  });

  it('time one message in 32', async () => {
    const socket = await withListener({ othersPerMinute: 0 });
    for (let i = 0; i < 320; i++) socket.send('{"type":"part"}');
    await expect
      .poll(async () => (await ask('/metrics')).text)
      .toMatch(/^sonantica_tracker_message_seconds_count 10$/m);
    socket.terminate();
  });
});

const EXPECTED: readonly (readonly [string, string])[] = [
  ['sonantica_tracker_peers', '1'],
  ['sonantica_tracker_swarms', '1'],
  ['sonantica_tracker_announces_total', '1'],
  ['sonantica_tracker_signals_total', '0'],
  ['sonantica_tracker_claims_total', '0'],
  ['sonantica_room_active_count', '1'],
  ['sonantica_room_listeners_total', '1'],
  ['sonantica_stream_cache_hit_ratio', '0.75'],
];

interface Described {
  readonly paths: Readonly<Record<string, { readonly get: { readonly responses: object } }>>;
  readonly components: { readonly schemas: { readonly Stats: { readonly properties: object } } };
}

describe('the OpenAPI document', () => {
  const read = async () => JSON.parse((await ask('/api/openapi.json')).text) as Described;

  it('is accepted by a validator', async () => {
    const result = await new Validator().validate({ ...(await read()) });
    expect(result).toMatchObject({ valid: true });
  });

  it('describes every page, and only pages there are', async () => {
    const { paths } = await read();
    expect(Object.keys(paths).sort()).toEqual([
      '/',
      '/api/openapi.json',
      '/api/p2p/tracks/{trackId}',
      '/api/stats',
      '/healthz',
      '/metrics',
    ]);
    for (const [path, { get: operation }] of Object.entries(paths)) {
      const { status } = await ask(path.replace('{trackId}', 'song'));
      expect(Object.keys(operation.responses), path).toContain(String(status));
    }
  });

  it('names all that /api/stats tells', async () => {
    const { components } = await read();
    const { body } = await get('/api/stats');
    expect(Object.keys(components.schemas.Stats.properties).sort()).toEqual(Object.keys(body ?? {}).sort());
  });
});

describe('the live page', () => {
  it('loads nothing from elsewhere and nothing inline', async () => {
    const { text, headers } = await ask('/');
    expect(headers.get('content-type')).toMatch(/^text\/html/);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(text).not.toMatch(/https?:\/\/|<style|onload=|<script>/);
    const files = [...text.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].flatMap(([, file]) => file ?? []);
    expect(files.length).toBe(4);
    for (const file of files) expect((await ask(file)).status, file).toBe(200);
  });
});
