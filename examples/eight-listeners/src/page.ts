import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the built page lies. */
const PAGE = fileURLToPath(new URL('../../web-player/dist/', import.meta.url));

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** The web player, served. */
export interface RunningPage {
  readonly url: string;
  close(): void;
}

/** Serves the web player on this machine, told where the tracker and the origin are. */
export async function startPage(
  port: number,
  place: { readonly tracker: string; readonly origin: string },
): Promise<RunningPage> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    const path = pathname === '/' ? '/index.html' : pathname;
    const body =
      path === '/place.json' ? Promise.resolve(JSON.stringify(place)) : readFile(join(PAGE, normalize(path)));
    body.then(
      (content) => {
        response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream');
        response.setHeader('Cache-Control', 'no-cache').end(content);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const actual = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${actual}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
