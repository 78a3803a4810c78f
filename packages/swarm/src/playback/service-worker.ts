import { isTrackId } from '@sonantica/wire';
import { answerMedia, refusal, type MediaFacts } from './media-answer.ts';
import {
  isOf,
  WORKER_PROTOCOL,
  type BytesMessage,
  type HereMessage,
  type OpenMessage,
  type PageMessage,
  type PullMessage,
} from './worker-messages.ts';
import type { FetchEventLike, WindowClientLike, WorkerScope } from './worker-scope.ts';

/** How long a page may take to say whether it knows a track, its manifest fetched anew included. */
const ANSWER_MS = 20_000;
/** What asks for media and can do no harm with it. A page, frame or script is never answered. */
const ANSWERED = new Set(['', 'audio', 'video']);

/**
 * Lets a service worker answer `GET <scope>sonantica/<trackId>` out of the swarm of the page that asks. Requests for
 * anything else are left to the worker's other listeners. Nothing is kept here: a worker that is ended in the middle of
 * a response is started again by the player's next request.
 *
 * ```ts
 * import { installSonantica } from '@sonantica/swarm/service-worker';
 * installSonantica(self);
 * ```
 */
export function installSonantica(scope: WorkerScope): void {
  const prefix = new URL('sonantica/', scope.registration.scope).href;
  scope.addEventListener('fetch', (event) => {
    if (!event.request.url.startsWith(prefix)) return;
    event.respondWith(answer(scope, event, prefix).catch((error: unknown) => refusal(500, String(error))));
  });
  scope.addEventListener('message', (event) => {
    if (!isOf<PageMessage>(event.data, 'hello')) return;
    const here: HereMessage = { type: 'here', prefix };
    event.waitUntil(scope.clients.claim().then(() => event.ports[0]?.postMessage(here)));
  });
}

/** For a worker of its own: takes up its work at once, also in place of an older one. */
export function startSonantica(scope: WorkerScope): void {
  scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()));
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
  installSonantica(scope);
}

async function answer(scope: WorkerScope, event: FetchEventLike, prefix: string): Promise<Response> {
  const { request } = event;
  if (request.mode === 'navigate' || !ANSWERED.has(request.destination))
    return refusal(403, 'This is sound, not a page.');
  const url = new URL(request.url);
  const trackId = decodeURIComponent(url.href.slice(prefix.length).replace(/[?#].*$/s, ''));
  if (!isTrackId(trackId)) return refusal(404, 'There is no such track.');
  const version = url.searchParams.get('v') ?? '';
  for (const client of await whoMayKnow(scope, event.clientId)) {
    const page = await openTrack(client, trackId, version);
    if (page === undefined) continue;
    if ('status' in page) return refusal(page.status, page.message);
    return respond(page, request);
  }
  return refusal(404, 'No page has opened this track.');
}

/** The page that asks, then the others. */
async function whoMayKnow(scope: WorkerScope, clientId: string): Promise<WindowClientLike[]> {
  const asking = clientId === '' ? undefined : await scope.clients.get(clientId);
  const all = await scope.clients.matchAll({ type: 'window' });
  const others = all.filter((client) => client.id !== clientId);
  return asking === undefined ? others : [asking, ...others];
}

interface OpenTrack {
  readonly facts: MediaFacts;
  readonly port: MessagePort;
}

/** What a page knows of a track; `undefined` when it knows nothing or does not answer. */
async function openTrack(
  client: WindowClientLike,
  trackId: string,
  version: string,
): Promise<OpenTrack | Extract<BytesMessage, { type: 'failed' }> | undefined> {
  const { port1: port, port2 } = new MessageChannel();
  const open: OpenMessage = { protocol: WORKER_PROTOCOL, type: 'open', trackId, version };
  client.postMessage(open, [port2]);
  const message = await nextMessage(port, ANSWER_MS);
  if (message?.type === 'track') return { facts: message, port };
  port.close();
  return message?.type === 'failed' ? message : undefined;
}

function respond({ facts, port }: OpenTrack, request: FetchEventLike['request']): Response {
  const answer = answerMedia(facts, {
    method: request.method,
    range: request.headers.get('range'),
    ifRange: request.headers.get('if-range'),
  });
  const { status, headers, body } = answer;
  if (body === undefined) {
    port.close();
    return new Response(null, { status, headers });
  }
  tell(port, { type: 'range', range: body });
  let pulling: ReadableStreamDefaultController<Uint8Array> | undefined;
  let pulled: (() => void) | undefined;
  port.onmessage = ({ data }: MessageEvent<BytesMessage>) => {
    if (data.type === 'bytes') pulling?.enqueue(data.bytes);
    else {
      if (data.type === 'end') pulling?.close();
      else pulling?.error(new Error(data.type === 'failed' ? data.message : 'the page answered out of turn'));
      port.close();
    }
    pulled?.();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        pulling = controller;
        tell(port, { type: 'pull' });
        return new Promise((resolve) => (pulled = resolve));
      },
      cancel: () => {
        tell(port, { type: 'cancel' });
        port.close();
      },
    },
    { highWaterMark: 1 },
  );
  return new Response(stream, { status, headers });
}

function tell(port: MessagePort, message: PullMessage): void {
  port.postMessage(message);
}

function nextMessage(port: MessagePort, withinMs: number): Promise<BytesMessage | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), withinMs);
    port.onmessage = ({ data }: MessageEvent<BytesMessage>) => {
      clearTimeout(timer);
      resolve(data);
    };
  });
}
