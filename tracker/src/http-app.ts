import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { isTrackId } from '@sonantica/wire';
import type { TrackerStats } from './core/tracker-options.ts';
import type { SwarmCounts } from './core/peer-registry.ts';
import type { TrackId } from '@sonantica/wire';

/** What the pages show of a tracker. */
export interface TrackerView {
  stats(): TrackerStats;
  trackCounts(trackId: TrackId): SwarmCounts;
  /** Seconds since the start. */
  uptimeSeconds(): number;
}

/** The tracker's HTTP pages: health, totals, and the counts of one track. Nothing lists tracks, Aulas or peers. */
export function createHttpApp(view: TrackerView): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_request, response, next) => {
    response.set({
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Access-Control-Allow-Origin': '*',
    });
    next();
  });
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok', uptimeSeconds: view.uptimeSeconds() });
  });
  app.get('/api/stats', (_request, response) => {
    response.json({ uptimeSeconds: view.uptimeSeconds(), ...view.stats() });
  });
  app.get('/api/p2p/tracks/:trackId', (request, response) => {
    const { trackId } = request.params;
    if (isTrackId(trackId)) response.json({ trackId, ...view.trackCounts(trackId) });
    else response.status(400).json({ error: 'bad-track-id' });
  });
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
