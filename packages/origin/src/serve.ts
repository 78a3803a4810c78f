import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import express from 'express';
import { OriginError } from './errors.ts';
import { createOriginRouter, type OriginOptions, type OriginStats } from './router.ts';

/** How {@link startOrigin} listens. */
export interface StartOriginOptions extends OriginOptions {
  /** 7001 unless told otherwise; 0 takes any free port. */
  readonly port?: number;
  /** 127.0.0.1 unless told otherwise: only this machine. */
  readonly host?: string;
}

/** An origin that listens. */
export interface RunningOrigin {
  /** The base URL, without a slash at the end: what clients take as `origin`. */
  readonly url: string;
  readonly port: number;
  stats(): OriginStats;
  /** How many tracks the folder has now. Rejects where it cannot be read. */
  trackCount(): Promise<number>;
  /** Stops listening, lets responses under way end for a second, then breaks them off. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 1_000;

/**
 * Serves a folder over HTTP; resolves once it listens. Throws `OriginError('file-unreadable')` where `dir`
 * is no folder, and the system's error where the port cannot be had.
 */
export async function startOrigin(options: StartOriginOptions): Promise<RunningOrigin> {
  const stats = await stat(options.dir);
  if (!stats.isDirectory()) throw new OriginError('file-unreadable', `${options.dir} is not a folder`);
  const { port = 7001, host = '127.0.0.1' } = options;
  const router = createOriginRouter(options);
  const app = express();
  app.disable('x-powered-by');
  app.use(router);
  const server = createServer(app);
  await listen(server, port, host);
  const address = server.address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`,
    port: actualPort,
    stats: () => router.stats(),
    trackCount: () => router.trackCount(),
    close: () => (closing ??= closeServer(server).then(() => router.close())),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}
