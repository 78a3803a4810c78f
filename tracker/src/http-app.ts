import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { isTrackId, type TrackId } from '@sonantica/wire';
import type { AddressLimits } from './address-limits.ts';
import { clientAddress } from './client-address.ts';
import type { RefusalReason } from './core/refusal.ts';
import type { TrackerStats } from './core/tracker-options.ts';
import type { SwarmCounts } from './core/peer-registry.ts';
import { livePage } from './live-page.ts';
import { offload, type Metrics } from './metrics.ts';
import { openApiDocument } from './openapi.ts';

/** What the pages show of a tracker, and how they are kept from being asked too often. */
export interface TrackerView {
  readonly version: string;
  readonly metrics: Metrics;
  readonly limits: AddressLimits;
  /** Proxies whose `X-Forwarded-For` is believed. */
  readonly trustProxy: number;
  stats(): TrackerStats;
  trackCounts(trackId: TrackId): SwarmCounts;
  /** Seconds since the start. */
  uptimeSeconds(): number;
  /** Resident memory of the process. */
  residentBytes(): number;
  /** Takes note of a request that was refused, and the address it came from. */
  refused(reason: RefusalReason, address: string): void;
}

/**
 * The tracker's HTTP pages: health, metrics, totals, the counts of one track, and a live page. Nothing lists
 * tracks, Aulas or peers.
 */
export function createHttpApp(view: TrackerView): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(async (request, response, next) => {
    response.set({
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Access-Control-Allow-Origin': '*',
    });
    const from = clientAddress(request, view.trustProxy);
    const allowance = await view.limits.mayRequest(from.key);
    if (allowance.allowed) return next();
    view.refused('too-many-requests', from.text);
    response.set('Retry-After', String(allowance.retryAfterSeconds));
    response.status(429).json({ error: 'too-many-requests' });
  });
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok', uptimeSeconds: view.uptimeSeconds() });
  });
  app.get('/metrics', async (_request, response) => {
    response.type(view.metrics.contentType).send(await view.metrics.text());
  });
  app.get('/api/stats', (_request, response) => {
    const stats = view.stats();
    response.json({
      uptimeSeconds: view.uptimeSeconds(),
      memoryBytes: view.residentBytes(),
      offload: offload(stats.delivered) ?? null,
      ...stats,
    });
  });
  const document = openApiDocument(view.version);
  app.get('/api/openapi.json', (_request, response) => {
    response.json(document);
  });
  app.get('/api/p2p/tracks/:trackId', (request, response) => {
    const { trackId } = request.params;
    if (isTrackId(trackId)) response.json({ trackId, ...view.trackCounts(trackId) });
    else response.status(400).json({ error: 'bad-track-id' });
  });
  app.use(livePage());
  app.use((_request, response) => {
    response.status(404).json({ error: 'not-found' });
  });
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error);
    const status = error instanceof URIError ? 400 : 500;
    response.status(status).json({ error: status === 400 ? 'bad-request' : 'internal' });
  });
  return app;
}
