import { isTrackId } from '@sonantica/wire';
import { answerMedia, refusal, type MediaFacts, type MediaRequest } from './media-answer.ts';
import {
  isOf,
  PIECES_UNASKED,
  WORKER_PROTOCOL,
  type BytesMessage,
  type HereMessage,
  type OpenMessage,
  type PageMessage,
  type PullMessage,
} from './worker-messages.ts';
import type { FetchEventLike, WindowClientLike, WorkerClients, WorkerScope } from './worker-scope.ts';

/** How long a page may take to say whether it knows a track, its manifest fetched anew included. */
const ANSWER_MS = 20_000;
/** Pieces of an answer that are here or on their way and that nobody has taken. */
const PIECES_AHEAD = 2;
/** Pages that are known without asking the browser for them. */
const MOST_KNOWN = 32;
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
  const prefix = prefixOf(scope);
  const pages = new Pages(scope.clients);
  scope.addEventListener('fetch', (event) => {
    if (!event.request.url.startsWith(prefix)) return;
    event.respondWith(answer(pages, event, prefix).catch((error: unknown) => refusal(500, String(error))));
  });
  scope.addEventListener('message', (event) => {
    if (!isOf<PageMessage>(event.data, 'hello', 'keep')) return;
    pages.heard(event.source);
    if (event.data.type === 'keep') return;
    const here: HereMessage = { type: 'here', prefix };
    event.waitUntil(scope.clients.claim().then(() => event.ports[0]?.postMessage(here)));
  });
}

function prefixOf({ registration }: WorkerScope): string {
  return new URL('sonantica/', registration.scope).href;
}

/** For a worker of its own: takes up its work at once, also in place of an older one. */
export function startSonantica(scope: WorkerScope): void {
  scope.addEventListener('install', (event) => {
    event.waitUntil(scope.skipWaiting());
    // Whatever else the page asks for need not wait for this worker, where the browser can be told so.
    const others = { condition: { not: { urlPattern: `${prefixOf(scope)}*` } }, source: 'network' } as const;
    event.addRoutes?.(others).catch(() => undefined);
  });
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
  installSonantica(scope);
}

/** The pages that may have opened a track. Who spoke of late need not be looked for. */
class Pages {
  readonly #clients: WorkerClients;
  readonly #known = new Map<string, WindowClientLike>();

  constructor(clients: WorkerClients) {
    this.#clients = clients;
  }

  heard(source: unknown): void {
    const page = source as WindowClientLike | null;
    if (page === null || this.#known.has(page.id)) return;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(page.id, page);
  }

  /** The page that asks, then the others. */
  async *from(clientId: string): AsyncGenerator<WindowClientLike, void, void> {
    const asking =
      this.#known.get(clientId) ?? (clientId === '' ? undefined : await this.#clients.get(clientId));
    if (asking !== undefined) yield asking;
    for (const other of await this.#clients.matchAll({ type: 'window' }))
      if (other.id !== clientId) yield other;
  }
}

async function answer(pages: Pages, event: FetchEventLike, prefix: string): Promise<Response> {
  const { mode, destination, method, headers, url } = event.request;
  if (mode === 'navigate' || !ANSWERED.has(destination)) return refusal(403, 'This is sound, not a page.');
  const { href, searchParams } = new URL(url);
  const trackId = decodeURIComponent(href.slice(prefix.length).replace(/[?#].*$/s, ''));
  if (!isTrackId(trackId)) return refusal(404, 'There is no such track.');
  const open: OpenMessage = {
    protocol: WORKER_PROTOCOL,
    type: 'open',
    trackId,
    handle: searchParams.get('h') ?? '',
    request: { method, range: headers.get('range'), ifRange: headers.get('if-range') },
    isPlayer: destination !== '',
  };
  for await (const page of pages.from(event.clientId)) {
    const response = await ask(page, open);
    if (response !== undefined) return response;
  }
  return refusal(404, 'No page has opened this track.');
}

/** A page's answer; `undefined` when it knows nothing of the track or says nothing. */
function ask(page: WindowClientLike, open: OpenMessage): Promise<Response | undefined> {
  const { port1: port, port2 } = new MessageChannel();
  page.postMessage(open, [port2]);
  return new Promise((resolve) => {
    const done = (response?: Response) => {
      clearTimeout(timer);
      if (response === undefined) port.close();
      resolve(response);
    };
    const timer = setTimeout(done, ANSWER_MS);
    port.onmessage = ({ data }: MessageEvent<BytesMessage>) => {
      if (data.type === 'track') done(respond(data, port, open.request));
      else done(data.type === 'failed' ? refusal(data.status, data.message) : undefined);
    };
  });
}

/** Takes over the port: what comes over it from here on is the body. */
function respond(facts: MediaFacts, port: MessagePort, request: MediaRequest): Response {
  const { status, headers, body } = answerMedia(facts, request);
  if (body === undefined) {
    port.close();
    return new Response(null, { status, headers });
  }
  let coming = PIECES_UNASKED;
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        port.onmessage = ({ data }: MessageEvent<BytesMessage>) => {
          if (data.type === 'bytes') {
            coming--;
            return controller.enqueue(data.bytes);
          }
          if (data.type === 'end') controller.close();
          else
            controller.error(
              new Error(data.type === 'failed' ? data.message : 'the page answered out of turn'),
            );
          port.close();
        };
      },
      pull: ({ desiredSize }) => {
        for (let lacking = (desiredSize ?? 0) - coming; lacking > 0; lacking--) {
          coming++;
          tell(port, { type: 'pull' });
        }
      },
      cancel: () => {
        tell(port, { type: 'cancel' });
        port.close();
      },
    },
    { highWaterMark: PIECES_AHEAD },
  );
  return new Response(stream, { status, headers });
}

function tell(port: MessagePort, message: PullMessage): void {
  port.postMessage(message);
}
