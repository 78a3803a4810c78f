import { createCipheriv, createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { buildManifest, chunkCount, chunkRange, chunkRoot, LIMITS, parseTrackId } from '@sonantica/wire';
import type { ManifestJson } from '@sonantica/wire';

/** The track of every comparison. */
export const TRACK_ID = 'compared';

/** The same bytes for the same size in every process: AES in counter mode, which nothing compresses. */
export function trackBytes(megabytes: number): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'sonantica'), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(Math.round(megabytes * 1_000_000)));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function manifestOf(bytes: Uint8Array): Promise<ManifestJson> {
  const hasher = (part: Uint8Array) => new Uint8Array(createHash('sha256').update(part).digest());
  const geometry = { size: bytes.length, chunkSize: LIMITS.defaultChunkBytes };
  const chunkHashes: Uint8Array[] = [];
  for (let chunk = 0; chunk < chunkCount(geometry); chunk++) {
    const { start, end } = chunkRange(geometry, chunk);
    const leaves: Uint8Array[] = [];
    for (let at = start; at < end; at += LIMITS.blockBytes)
      leaves.push(hasher(bytes.subarray(at, Math.min(end, at + LIMITS.blockBytes))));
    chunkHashes.push(await chunkRoot(hasher, geometry, leaves));
  }
  const facts = { trackId: parseTrackId(TRACK_ID), ...geometry, mime: 'audio/flac' };
  return buildManifest({ ...facts, sha256: sha256(bytes), chunkHashes }, hasher);
}

/** An HTTP server of one track. */
export interface TrackServer {
  readonly url: string;
  close(): void;
}

/**
 * Serves a manifest and, with `audio`, its bytes, whole or a range of them, from memory to pages of any origin;
 * nothing for any other path.
 */
export function serveTrack(
  bytes: Uint8Array,
  { manifest, audio }: { manifest: ManifestJson; audio: boolean },
): Promise<TrackServer> {
  return serve((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://origin');
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Headers', 'Range');
    response.setHeader('Access-Control-Expose-Headers', 'Content-Range, ETag, Accept-Ranges');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    if (pathname === `/${TRACK_ID}.manifest.json`) return void response.end(JSON.stringify(manifest));
    if (pathname !== `/${TRACK_ID}` || !audio) return void response.writeHead(404).end();
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = last === undefined || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1);
    response.writeHead(first === undefined ? 200 : 206, {
      'Content-Type': manifest.mime,
      'Content-Length': end - start,
      'Accept-Ranges': 'bytes',
      ETag: `"${manifest.root}"`,
      ...(first === undefined ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` }),
    });
    response.end(bytes.subarray(start, end));
  });
}

/** Serves the same text for every path. */
export function serveText(text: string): Promise<TrackServer> {
  return serve((_, response) => void response.end(text));
}

async function serve(listener: RequestListener): Promise<TrackServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the origin has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
