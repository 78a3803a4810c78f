import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createOriginRouter } from '@sonantica/origin';
import express from 'express';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** The example tracks, and the library as pages load it. */
const LIBRARY = fileURLToPath(new URL('../../examples/library/', import.meta.url));
export const BROWSER_BUILD = fileURLToPath(new URL('../../packages/swarm/dist/browser/', import.meta.url));

const PAGE = `<!doctype html><meta charset="utf-8"><title>bench</title><link rel="icon" href="data:,">
<audio></audio><script type="module">
import * as sonantica from '/sonantica.js';
globalThis.sonantica = sonantica;
</script>`;

/** How often a shaped response may send, in bytes: small against what is measured. */
const PIECE_BYTES = 4_096;
/** What a timer was late is made up for, up to this, in milliseconds: the rate holds on a busy machine. */
const LATE_MS = 25;

/** A server on loopback. */
export interface Served {
  readonly url: string;
  close(): void;
}

/** Serves the page that measures, with further files: path → where it lies. */
export function servePage(files: Readonly<Record<string, URL>> = {}): Promise<Served> {
  const types: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript' };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    const path = pathname === '/' ? '/index.html' : pathname;
    const body =
      path === '/index.html'
        ? Promise.resolve(PAGE)
        : readFile(files[path] ?? join(BROWSER_BUILD, normalize(path)));
    body.then(
      (content) => response.setHeader('Content-Type', types[extname(path)] ?? 'text/plain').end(content),
      () => response.writeHead(404).end(),
    );
  });
  return listen(server, () => undefined);
}

/** Serves the tracks of a folder, the examples unless told otherwise, all responses together at no more than `bytesPerSecond`. */
export function serveLibrary(bytesPerSecond = Number.POSITIVE_INFINITY, dir = LIBRARY): Promise<Served> {
  const router = createOriginRouter({ dir });
  const app = express();
  app.use(router);
  const inner = createServer(app);
  const upstream = listen(inner, () => void router.close());
  return upstream.then(async ({ url, close }) => {
    if (bytesPerSecond === Number.POSITIVE_INFINITY) return { url, close };
    const line = new Line(bytesPerSecond);
    const shaped = createServer((request, response) => {
      void (async () => {
        const stop = new AbortController();
        response.once('close', () => stop.abort());
        const { range, 'if-range': ifRange } = request.headers;
        const headers: Record<string, string> = {};
        if (range !== undefined) headers['Range'] = range;
        if (typeof ifRange === 'string') headers['If-Range'] = ifRange;
        const { method = 'GET' } = request;
        const answer = await fetch(`${url}${request.url ?? '/'}`, { method, headers, signal: stop.signal });
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        if (answer.body === null) return response.end();
        await pipeline(line.shape(Readable.fromWeb(answer.body as never)), response);
      })().catch(() => response.destroy());
    });
    return listen(shaped, close);
  });
}

/** A line of limited rate that several responses share. */
class Line {
  readonly #bytesPerMs: number;
  #freeAtMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  async *shape(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of body) {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        const now = performance.now();
        this.#freeAtMs = Math.max(now - LATE_MS, this.#freeAtMs) + piece.length / this.#bytesPerMs;
        const waitMs = this.#freeAtMs - now;
        if (waitMs >= 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
        yield piece;
      }
    }
  }
}

async function listen(server: Server, closed: () => void): Promise<Served> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
      closed();
    },
  };
}
