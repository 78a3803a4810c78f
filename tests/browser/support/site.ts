import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { onTestFinished } from 'vitest';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

/** A site that serves pages. */
export interface Site {
  readonly url: string;
  /** The same site under a name that makes it no secure context. */
  readonly plainUrl: string;
}

/** Serves files of folders, `pages` before them, on loopback until the test is over. */
export async function serveSite(
  folders: readonly string[],
  pages: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const server = createServer((request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '/', 'http://site');
      const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
      response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream');
      response.setHeader('Cache-Control', 'no-cache');
      const page = pages[path.slice(1)];
      if (page !== undefined) return response.end(page);
      for (const folder of folders) {
        try {
          return response.end(await readFile(join(folder, normalize(path))));
        } catch {
          continue;
        }
      }
      return response.writeHead(404).end();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}/`, plainUrl: `http://plain.test:${port}/` };
}
