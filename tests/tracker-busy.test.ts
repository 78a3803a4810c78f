import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { listen, readerOf } from './support/listener.ts';
import { startPlace } from './support/place.ts';
import { until } from './support/until.ts';

/** A tracker that has no room for a swarm at first, and notes when it was told what. */
async function busyTracker(retryAfterMs: number): Promise<{ url: string; announcedMs: number[] }> {
  const server: Server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'sonantica.v1' });
  const announcedMs: number[] = [];
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      const { type, trackId, root } = JSON.parse(String(data)) as Record<string, string>;
      const say = (message: object) => socket.send(JSON.stringify(message));
      if (type === 'hello') {
        say({
          type: 'welcome',
          peerId: 'A'.repeat(22),
          iceServers: [],
          announceIntervalMs: 60_000,
          serverTimeMs: Date.now(),
          limits: {},
        });
      } else if (type === 'announce') {
        announcedMs.push(performance.now());
        if (announcedMs.length === 1) {
          say({
            type: 'error',
            code: 'busy',
            message: 'no room',
            re: 'announce',
            trackId,
            root,
            retryAfterMs,
          });
        } else say({ type: 'peers', trackId, root, peers: [], complete: 1, incomplete: 0 });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, announcedMs };
}

it('announces a track again when a tracker without room said it may, not before and not much later', async () => {
  const { track } = await startPlace({ chunks: 1 });
  const { url, announcedMs } = await busyTracker(1_500);
  const listener = listen({ tracker: url });
  await listener.seed(track.manifest, readerOf(track));
  // A complete listener announces once a minute otherwise.
  await until('it is announced again', () => announcedMs.length > 1);
  const waitedMs = (announcedMs[1] ?? 0) - (announcedMs[0] ?? 0);
  expect(waitedMs).toBeGreaterThanOrEqual(1_500);
  expect(waitedMs).toBeLessThan(5_000);
});
