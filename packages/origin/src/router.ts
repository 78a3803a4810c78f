import { hash } from 'node:crypto';
import { isTrackId, LIMITS, type AudioFacts, type TrackId } from '@sonantica/wire';
import { Router, type NextFunction, type Request, type Response } from 'express';
import { audioQuality } from './audio-facts.ts';
import { CacheFolder } from './cache-folder.ts';
import { mapConcurrently } from './concurrency.ts';
import { OriginError } from './errors.ts';
import { answerError } from './http-errors.ts';
import { TrackLibrary, type LibraryFile } from './library.ts';
import { ManifestCache, type PreparedTrack } from './manifest-cache.ts';
import type { PublisherKey } from './publisher-key.ts';
import { withSignsOfLife } from './signs-of-life.ts';
import { sendFile } from './send-file.ts';

/** What an origin serves, and how. */
export interface OriginOptions {
  /** The folder of audio files; subfolders included. */
  readonly dir: string;
  /** Where manifests and leaves are kept: `.sonantica` in `dir`, or the user's cache folder if that is read-only. */
  readonly cacheDir?: string;
  /** Bytes of a chunk: 262,144, or 131,072 for low bitrates. */
  readonly chunkSize?: number;
  /** Signs every manifest; see `readPublisherKey`. */
  readonly publisherKey?: PublisherKey;
  /** Takes one line for whatever an operator should know. Silent by default. */
  readonly log?: (line: string) => void;
}

/** What an origin has sent since it began. */
export interface OriginStats {
  /** Requests of any kind. */
  readonly requests: number;
  /** Body bytes of audio handed to the network: divided by a track's size, the copies it cost. */
  readonly audioBytes: number;
}

/** An entry of `GET /`. */
export interface TrackListing {
  readonly trackId: TrackId;
  readonly size: number;
  readonly mime: string;
  readonly title: string;
  readonly audio?: AudioFacts;
}

/** The Express router of an origin, with its figures. */
export type OriginRouter = Router & {
  stats(): OriginStats;
  /** How many tracks the folder has now. Rejects where it cannot be read. */
  trackCount(): Promise<number>;
  /** Deletes what was kept in a temporary folder. */
  close(): Promise<void>;
};

const EXPOSED_HEADERS = 'Accept-Ranges, Content-Length, Content-Range, ETag, X-Audio-Quality';
const ALLOWED_HEADERS =
  'Accept, Authorization, Cache-Control, Content-Type, If-Match, If-None-Match, If-Range, Range';
const FOR_EVER = 'public, max-age=31536000, immutable';

/**
 * An Express 5 router that serves a folder by the origin's contract, at any mount path:
 * `app.use('/tracks', createOriginRouter({ dir: 'music' }))`.
 */
export function createOriginRouter(options: OriginOptions): OriginRouter {
  const log = options.log ?? (() => {});
  const folder = new CacheFolder(options.dir, options.cacheDir, log);
  const library = new TrackLibrary(options.dir, log);
  const cache = new ManifestCache({ ...options, folder });
  const stats = { requests: 0, audioBytes: 0 };
  const router = Router();

  const find = async (trackId: unknown): Promise<LibraryFile> => {
    const file = isTrackId(trackId) ? await library.find(trackId) : undefined;
    if (file === undefined) throw new OriginError('track-not-found', 'there is no such track here');
    return file;
  };

  const open = async (trackId: unknown): Promise<{ file: LibraryFile; track: PreparedTrack }> => {
    const file = await find(trackId);
    return { file, track: await cache.prepare(file) };
  };

  const sendManifest = async (req: Request, res: Response, trackId: unknown) => {
    const preparing = cache.prepare(await find(trackId));
    const track = await (req.method === 'GET' ? withSignsOfLife(res, preparing) : preparing);
    if (res.headersSent) return void res.end(track.manifestText);
    res.setHeader('Cache-Control', 'no-cache');
    res.setHeader('ETag', `"${hash('sha256', track.manifestText, 'hex').slice(0, 32)}"`);
    res.type('application/json').send(track.manifestText);
  };

  const sendLeaves = async (req: Request, res: Response, trackId: unknown) => {
    const { file, track } = await open(trackId);
    setVersionHeaders(req, res, track, `"${track.root}.leaves"`);
    const path = await cache.leavesPath(file, track);
    if (path === undefined) throw new OriginError('not-found', 'the leaves of this track are not there');
    res.setHeader('Content-Type', 'application/octet-stream');
    const sizeBytes = Math.ceil(file.stamp.size / LIMITS.blockBytes) * LIMITS.hashBytes;
    await sendFile(req, res, { path, sizeBytes });
  };

  const sendAudio = async (req: Request, res: Response, trackId: unknown) => {
    const { file, track } = await open(trackId);
    setVersionHeaders(req, res, track, `"${track.root}"`);
    res.setHeader('Content-Type', file.mime);
    if (track.audio !== undefined) res.setHeader('X-Audio-Quality', audioQuality(track.audio));
    await sendFile(req, res, {
      path: file.realPath,
      sizeBytes: track.stamp.size,
      stamp: track.stamp,
      count: (bytes) => (stats.audioBytes += bytes),
    });
  };

  router.use((req, res, next) => {
    stats.requests++;
    res.setHeader('Access-Control-Allow-Origin', '*');
    res.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
    res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    res.setHeader('X-Content-Type-Options', 'nosniff');
    if (req.method === 'GET' || req.method === 'HEAD') return next();
    res.setHeader('Allow', 'GET, HEAD, OPTIONS');
    if (req.method !== 'OPTIONS')
      return next(new OriginError('method-not-allowed', 'tracks can only be read'));
    res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, OPTIONS');
    res.setHeader('Access-Control-Allow-Headers', ALLOWED_HEADERS);
    res.setHeader('Access-Control-Max-Age', '86400');
    res.status(204).end();
  });

  router.get('/', async (_req, res) => {
    const tracks = await mapConcurrently(await library.list(), 4, async (file): Promise<TrackListing> => {
      const { trackId, mime, stamp } = file;
      return { trackId, size: stamp.size, mime, ...(await cache.facts(file)) };
    });
    res.setHeader('Cache-Control', 'no-cache');
    res.json({ tracks });
  });

  router.get('/:trackId/manifest', (req, res) => sendManifest(req, res, req.params.trackId));
  router.get('/:name', (req, res) => {
    const [, trackId, kind] = /^(.*?)(\.manifest\.json|\.leaves)?$/s.exec(req.params.name) ?? [];
    if (kind === '.manifest.json') return sendManifest(req, res, trackId);
    return kind === '.leaves' ? sendLeaves(req, res, trackId) : sendAudio(req, res, trackId);
  });

  router.use((_req, _res, next) => next(new OriginError('not-found', 'there is nothing here')));
  router.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    answerError(res, error, (line) => log(`${req.method} ${req.originalUrl}: ${line}`));
  });

  return Object.assign(router, {
    stats: () => ({ ...stats }),
    trackCount: async () => (await library.list()).length,
    close: () => folder.close(),
  });
}

/**
 * Names the version in `ETag` and lets a versioned URL be kept for ever. One that names another version
 * is not answered with this one.
 */
function setVersionHeaders(req: Request, res: Response, track: PreparedTrack, etag: string): void {
  const asked = req.query['v'];
  if (asked !== undefined && asked !== track.root.slice(0, 16)) {
    throw new OriginError('version-not-found', 'this version of the track is not here');
  }
  res.setHeader('ETag', etag);
  res.setHeader('Cache-Control', asked === undefined ? 'no-cache' : FOR_EVER);
}
