import { answerMedia, beginsAtHead } from './media-answer.ts';
import { mediaFacts, statusOf, type PlayableTrack } from './playable-track.ts';
import { RangeReader } from './range-reader.ts';
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

/** How long a worker may take to install itself, take control and answer. */
const CONTROL_MS = 4_000;
/** How often a worker with a response under way is kept from falling asleep. */
const KEEP_MS = 10_000;
/** A response nobody pulls from for this long is let go; the player asks again when it wants more. */
const IDLE_MS = 300_000;

/** Finds the track that is meant by an id and the name of a handle, or `undefined` when it is not open here. */
export type FindTrack = (trackId: string, handle: string) => PlayableTrack | undefined;

/** The page's end of the service worker: gives it the bytes of open tracks. */
export class WorkerHost {
  readonly #container: ServiceWorkerContainer;
  readonly #find: FindTrack;
  readonly #onMessage = (event: MessageEvent) => this.#opened(event);
  readonly #readers = new Set<RangeReader>();
  #keeping: ReturnType<typeof setInterval> | undefined;

  constructor(container: ServiceWorkerContainer, find: FindTrack) {
    this.#container = container;
    this.#find = find;
    container.addEventListener('message', this.#onMessage);
    container.startMessages();
  }

  /**
   * What the URLs begin with that the page's worker answers; `undefined` when there is none, it is not of this
   * library, or it does not control the page in time. `script` is registered first, if given.
   */
  async connect(script: string | undefined): Promise<string | undefined> {
    try {
      if (script !== undefined) await this.#container.register(script);
      const registration = await within(
        CONTROL_MS,
        script === undefined ? this.#container.getRegistration() : this.#container.ready,
      );
      const worker = this.#container.controller ?? registration?.active;
      if (worker === null || worker === undefined) return undefined;
      const here = await this.#hello(worker);
      if (here === undefined || !(await this.#controlled())) return undefined;
      return here.prefix;
    } catch {
      // Refused by the browser: a private window, a policy, no file at that URL.
      return undefined;
    }
  }

  close(): void {
    this.#container.removeEventListener('message', this.#onMessage);
    clearInterval(this.#keeping);
    for (const reader of this.#readers) reader.cancel();
    this.#readers.clear();
  }

  #hello(worker: ServiceWorker): Promise<HereMessage | undefined> {
    const { port1, port2 } = new MessageChannel();
    const hello: PageMessage = { protocol: WORKER_PROTOCOL, type: 'hello' };
    worker.postMessage(hello, [port2]);
    const answer = new Promise<HereMessage>((resolve) => {
      port1.onmessage = ({ data }: MessageEvent<HereMessage>) => resolve(data);
    });
    return within(CONTROL_MS, answer).finally(() => port1.close());
  }

  async #controlled(): Promise<boolean> {
    if (this.#container.controller !== null) return true;
    const change = new Promise<true>((resolve) => {
      this.#container.addEventListener('controllerchange', () => resolve(true), { once: true });
    });
    return (await within(CONTROL_MS, change)) === true;
  }

  #opened({ data, ports }: MessageEvent): void {
    const [port] = ports;
    if (port === undefined || !isOf<OpenMessage>(data, 'open')) return;
    const track = this.#find(data.trackId, data.handle);
    if (track === undefined) say(port, { type: 'unknown' });
    else void this.#serve(track, data, port);
  }

  async #serve(
    track: PlayableTrack,
    { request, isPlayer = true }: OpenMessage,
    port: MessagePort,
  ): Promise<void> {
    let reader: RangeReader | undefined;
    let idle: ReturnType<typeof setTimeout> | undefined;
    let asked = PIECES_UNASKED;
    let sending = false;
    let ended = false;
    const end = () => {
      ended = true;
      clearTimeout(idle);
      reader?.cancel();
      if (reader !== undefined) this.#readers.delete(reader);
      this.#keepAwake();
      port.close();
    };
    const fail = (error: unknown) => {
      if (!ended) say(port, { type: 'failed', status: statusOf(error), message: String(error) });
      end();
    };
    /** As many pieces as are asked for, in order. */
    const send = async () => {
      if (sending || reader === undefined) return;
      sending = true;
      clearTimeout(idle);
      for (; asked > 0; asked--) {
        const bytes = await reader.next();
        if (bytes === undefined) {
          say(port, { type: 'end' });
          return end();
        }
        const own = bytes as Uint8Array<ArrayBuffer>;
        port.postMessage({ type: 'bytes', bytes: own } satisfies BytesMessage, [own.buffer]);
      }
      sending = false;
      if (!ended) idle = setTimeout(() => fail(new Error('nobody listens')), IDLE_MS);
    };
    port.onmessage = ({ data }: MessageEvent<PullMessage>) => {
      if (data.type === 'cancel') return end();
      asked++;
      this.#keepAwake();
      send().catch(fail);
    };
    // The worker was ended; what it was answering is asked for again.
    port.addEventListener('close', end);
    try {
      if (beginsAtHead(request)) track.expectHead();
      const manifest = await track.manifest();
      if (ended) return;
      const facts = mediaFacts(manifest);
      say(port, { type: 'track', ...facts });
      const { body } = answerMedia(facts, request);
      if (body === undefined) return end();
      reader = new RangeReader(track, manifest, body, isPlayer ? pause : undefined);
      this.#readers.add(reader);
      this.#keepAwake();
      await send();
    } catch (error) {
      fail(error);
    }
  }

  /** A worker is put to sleep half a minute after its last event, in the middle of a response too. */
  #keepAwake(): void {
    if (this.#readers.size === 0) {
      clearInterval(this.#keeping);
      this.#keeping = undefined;
    } else {
      this.#keeping ??= setInterval(() => {
        const keep: PageMessage = { protocol: WORKER_PROTOCOL, type: 'keep' };
        this.#container.controller?.postMessage(keep);
      }, KEEP_MS);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(port: MessagePort, message: BytesMessage): void {
  port.postMessage(message);
}

/** What a promise resolves with, or `undefined` when that takes too long. */
function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
