import { ChunkSet, encodeClientMessage, parseRootHash, parseTrackId } from '@sonantica/wire';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTracker, type RunningTracker } from './start-tracker.ts';

let tracker: RunningTracker | undefined;
afterEach(async () => {
  await tracker?.close();
  tracker = undefined;
});

async function get(path: string, init: RequestInit = {}) {
  tracker ??= await startTracker({ port: 0 });
  const response = await fetch(`http://127.0.0.1:${tracker.port}${path}`, init);
  const body: unknown = await response.json();
  return { status: response.status, body, headers: response.headers };
}

describe('the HTTP pages', () => {
  it('say that the tracker is well', async () => {
    const { status, body, headers } = await get('/healthz');
    expect({ status, body }).toEqual({ status: 200, body: { status: 'ok', uptimeSeconds: 0 } });
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('tell totals, and the counts of a track whose name one knows', async () => {
    tracker = await startTracker({ port: 0 });
    const socket = new WebSocket(tracker.url, 'sonantica.v1');
    await new Promise((resolve) => socket.once('open', resolve));
    const trackId = parseTrackId('a~song.1');
    const have = ChunkSet.all(3);
    socket.send(encodeClientMessage({ type: 'hello' }));
    socket.send(
      encodeClientMessage({
        type: 'announce',
        trackId,
        root: parseRootHash('11'.repeat(32)),
        chunkCount: 3,
        have,
      }),
    );
    await expect
      .poll(async () => (await get('/api/stats')).body)
      .toMatchObject({ peers: 1, swarms: 1, announces: 1 });
    expect((await get('/api/p2p/tracks/a~song.1')).body).toEqual({ trackId, complete: 1, incomplete: 0 });
    expect((await get('/api/p2p/tracks/unknown')).body).toEqual({
      trackId: 'unknown',
      complete: 0,
      incomplete: 0,
    });
    socket.terminate();
  });

  it.each([
    ['/api/p2p/tracks', 404],
    ['/api/p2p/tracks/', 404],
    ['/api/p2p/tracks/a%20b', 400],
    ['/api/p2p/tracks/%E0%A4%A', 400],
    [`/api/p2p/tracks/${'x'.repeat(129)}`, 400],
    ['/api/peers', 404],
  ])('answer %s with %i and JSON', async (path, expected) => {
    const { status, body } = await get(path);
    expect(status).toBe(expected);
    expect(body).toHaveProperty('error');
  });

  it('take nothing in', async () => {
    expect((await get('/api/stats', { method: 'POST', body: '{}' })).status).toBe(404);
  });
});
