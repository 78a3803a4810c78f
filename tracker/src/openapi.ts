const count = { type: 'integer', minimum: 0 };
const counts = (names: readonly string[]) => ({
  type: 'object',
  required: names,
  properties: Object.fromEntries(names.map((name) => [name, count])),
});
const json = (description: string, schema: object) => ({
  description,
  content: { 'application/json': { schema } },
});
const error = (description: string) => json(description, { $ref: '#/components/schemas/Error' });
const tooMany = {
  ...error('Too many requests from this address.'),
  headers: { 'Retry-After': { description: 'Seconds to wait.', schema: count } },
};

/** The tracker's HTTP interface as an OpenAPI 3.1 document. `version` is the package's. */
export function openApiDocument(version: string): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sonántica tracker',
      version,
      description:
        'Health, totals and the counts of one track. Listeners speak a WebSocket protocol on the same port. Nothing lists tracks, Aulas or peers.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This tracker.' }],
    paths: {
      '/healthz': {
        get: {
          operationId: 'health',
          summary: 'Whether the tracker is well.',
          responses: { 200: json('It is.', { $ref: '#/components/schemas/Health' }), 429: tooMany },
        },
      },
      '/metrics': {
        get: {
          operationId: 'metrics',
          summary: 'Metrics in the text form of Prometheus.',
          responses: {
            200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
            429: tooMany,
          },
        },
      },
      '/api/stats': {
        get: {
          operationId: 'stats',
          summary: 'Totals over all swarms and Aulas.',
          responses: { 200: json('The totals.', { $ref: '#/components/schemas/Stats' }), 429: tooMany },
        },
      },
      '/api/p2p/tracks/{trackId}': {
        get: {
          operationId: 'trackCounts',
          summary: 'How many peers that are shown to everyone hold a track, or want it.',
          parameters: [
            {
              name: 'trackId',
              in: 'path',
              required: true,
              schema: { type: 'string', pattern: '^[A-Za-z0-9._~-]{1,128}$' },
            },
          ],
          responses: {
            200: json('The counts; zero for a track nobody announced.', {
              $ref: '#/components/schemas/TrackCounts',
            }),
            400: error('That names no track.'),
            429: tooMany,
          },
        },
      },
      '/api/openapi.json': {
        get: {
          operationId: 'openapi',
          summary: 'This document.',
          responses: { 200: json('This document.', { type: 'object' }), 429: tooMany },
        },
      },
      '/': {
        get: {
          operationId: 'live',
          summary: 'A live page for people.',
          responses: {
            200: { description: 'The page.', content: { 'text/html': { schema: { type: 'string' } } } },
            429: tooMany,
          },
        },
      },
    },
    components: {
      schemas: {
        Error: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } },
        Health: {
          type: 'object',
          required: ['status', 'uptimeSeconds'],
          properties: { status: { const: 'ok' }, uptimeSeconds: count },
        },
        TrackCounts: {
          type: 'object',
          required: ['trackId', 'complete', 'incomplete'],
          properties: { trackId: { type: 'string' }, complete: count, incomplete: count },
        },
        Stats: {
          type: 'object',
          required: ['uptimeSeconds', 'memoryBytes', 'offload', ...STAT_COUNTS, 'refusedBy', 'delivered'],
          properties: {
            uptimeSeconds: count,
            memoryBytes: count,
            offload: {
              type: ['number', 'null'],
              description:
                'Share of reported bytes that the origin did not send; null when none were reported.',
            },
            ...Object.fromEntries(STAT_COUNTS.map((name) => [name, count])),
            refusedBy: { type: 'object', additionalProperties: count },
            delivered: counts(['cache', 'aula', 'global', 'origin']),
          },
        },
      },
    },
  };
}

/** The whole numbers of `/api/stats`. */
const STAT_COUNTS = [
  'peers',
  'pending',
  'swarms',
  'members',
  'aulas',
  'aulaPeers',
  'leases',
  'joins',
  'announces',
  'haves',
  'finds',
  'claims',
  'signals',
  'granted',
  'refused',
] as const;
