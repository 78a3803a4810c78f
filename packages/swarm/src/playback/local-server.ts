import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { answerMedia, beginsAnew, beginsAtHead, SAFE_HEADERS } from './media-answer.ts';
import { mediaFacts, statusOf } from './playable-track.ts';
import { RangeReader } from './range-reader.ts';
import { SharedTracks, type ClosableTrack, type Lease } from './shared-tracks.ts';

/** What a local server needs of a swarm. */
export interface TrackOpener {
  open(trackId: string): ClosableTrack;
}

/** How a local server listens. */
export interface LocalServerOptions {
  /** Any free port unless told otherwise. */
  readonly port?: number;
}

/** Tracks of a swarm under HTTP, for players that are programs of their own: mpv, VLC, an Electron window. */
export interface LocalServer {
  readonly port: number;
  /** Where a player finds a track. It contains a secret: who knows it may read every track. */
  url(trackId: string): string;
  /** Breaks off what is under way and stops listening. The swarm is left open. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves a swarm's tracks to this machine, with Range, each byte as it is proven. Listens on 127.0.0.1 alone, answers
 * only to that name, so that no web page can reach it by a name of its own, and only below a random path. Rejects with
 * the system's error where the port cannot be had.
 *
 * ```ts
 * const server = await createLocalServer(swarm);
 * spawn('mpv', [server.url('track-id')]);
 * ```
 */
export async function createLocalServer(
  swarm: TrackOpener,
  { port: wanted = 0 }: LocalServerOptions = {},
): Promise<LocalServer> {
  const token = randomBytes(16).toString('base64url');
  const tracks = new SharedTracks((trackId) => swarm.open(trackId));
  const server = createServer((request, response) => {
    const trackId = isLocal(request, port) ? trackIdBelow(token, request.url ?? '') : undefined;
    const answering =
      trackId === undefined ? refuse(response, 404, 'not found') : serve(tracks, trackId, request, response);
    answering.catch(() => response.destroy());
  });
  server.listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : wanted;
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    tracks.close();
    await closed;
  };
  return {
    port,
    url: (trackId) => `http://127.0.0.1:${port}/${token}/${encodeURIComponent(trackId)}`,
    close: () => (closing ??= close()),
  };
}

async function serve(
  tracks: SharedTracks,
  trackId: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const ifRange = request.headers['if-range'];
  const wanted = {
    method: request.method ?? 'GET',
    range: request.headers.range,
    ifRange: typeof ifRange === 'string' ? ifRange : undefined,
  };
  let lease: Lease | undefined;
  let manifest;
  try {
    lease = tracks.take(trackId, beginsAnew(wanted));
    if (beginsAtHead(wanted)) lease.track.expectHead();
    manifest = await lease.track.manifest();
  } catch (error) {
    lease?.done();
    return refuse(response, statusOf(error), error instanceof Error ? error.message : String(error));
  }
  const answer = answerMedia(mediaFacts(manifest), wanted);
  response.writeHead(answer.status, answer.headers);
  if (answer.body === undefined) {
    lease.done();
    return void response.end();
  }
  const reader = new RangeReader(lease.track, manifest, answer.body);
  // A player that leaves while it waits for bytes is heard of here alone.
  response.once('close', () => reader.cancel());
  try {
    await pipeline(piecesOf(reader), response);
    lease.done();
  } catch (error) {
    lease.done(error);
    throw error;
  }
}

async function* piecesOf(reader: RangeReader): AsyncGenerator<Uint8Array> {
  try {
    for (let bytes = await reader.next(); bytes !== undefined; bytes = await reader.next()) yield bytes;
  } finally {
    reader.cancel();
  }
}

/** Whether the client calls this machine by its own name: a web page that was lured here calls it by another. */
function isLocal({ headers }: IncomingMessage, port: number): boolean {
  return headers.host === `127.0.0.1:${port}` || headers.host === `localhost:${port}`;
}

function trackIdBelow(token: string, path: string): string | undefined {
  const [, given = '', name, ...rest] = path.replace(/[?#].*$/s, '').split('/');
  const isRight =
    given.length === token.length &&
    timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(token, 'latin1'));
  if (!isRight || name === undefined || rest.length > 0) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

async function refuse(response: ServerResponse, status: number, why: string): Promise<void> {
  response.writeHead(status, { ...SAFE_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${why}\n`);
}
