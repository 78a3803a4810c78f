import { LIMITS, type ManifestJson } from '@sonantica/wire';
import type { Fetch } from '../sources/origin-http.ts';
import type { SimNetwork, SimNode } from './sim-network.ts';
import { zeros } from './sim-proof.ts';

/** Round trips until a listener's first request can be sent: TCP and TLS 1.3. Later ones reuse the connection. */
const SETUP_ROUND_TRIPS = 2;
/** What a request and the head of an answer take, about. */
const REQUEST_BYTES = 300;
const HEAD_BYTES = 400;
/** Bytes of an answer that wait in the server's send buffer. */
const SEND_BUFFER_BYTES = 65_536;

/** What an origin counts. */
export interface OriginMeter {
  /** A node asks for bytes of a track's audio, the end exclusive. */
  asked(from: SimNode, start: number, end: number, trackId: string): void;
  /** Audio bytes that left the origin for a node. */
  audioSent(to: SimNode, bytes: number): void;
  audioArrived(to: SimNode, bytes: number): void;
  /** Manifests, leaf hashes, heads of requests and answers. */
  otherBytes(to: SimNode, bytes: number): void;
}

/** A track and what is served beside it. */
interface Served {
  readonly document: ManifestJson;
  readonly manifest: Uint8Array<ArrayBuffer>;
}

/** An HTTP server with some tracks: their manifests, their leaf hashes and their bytes by Range. */
export class SimOrigin {
  readonly node: SimNode;
  readonly #network: SimNetwork;
  readonly #served = new Map<string, Served>();
  readonly #meter: OriginMeter;
  readonly #connections = new Map<SimNode, Promise<void>>();

  constructor(
    network: SimNetwork,
    node: SimNode,
    documents: ManifestJson | readonly ManifestJson[],
    meter: OriginMeter,
  ) {
    this.#network = network;
    this.node = node;
    for (const document of [documents].flat()) {
      const manifest = new TextEncoder().encode(JSON.stringify(document));
      this.#served.set(document.trackId, { document, manifest });
    }
    this.#meter = meter;
  }

  /** `fetch` as a listener at this node has it. */
  fetchFor(client: SimNode): Fetch {
    return async (url, init) => {
      const signal = init.signal ?? undefined;
      await this.#connected(client);
      signal?.throwIfAborted();
      const path = new URL(url).pathname;
      const range = new Headers(init.headers).get('range');
      return new Promise<Response>((resolve, reject) => {
        const fail = () => reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
        signal?.addEventListener('abort', fail, { once: true });
        this.#meter.otherBytes(client, REQUEST_BYTES);
        this.#network.sendUrgent(client, this.node, REQUEST_BYTES, () => {
          this.#answer(client, path, range, signal, resolve);
        });
      });
    };
  }

  /** Resolves when a request can be sent. */
  #connected(client: SimNode): Promise<void> {
    const open =
      this.#connections.get(client) ??
      new Promise<void>((resolve) => {
        this.#network.clock.schedule(
          SETUP_ROUND_TRIPS * this.#network.rttMs(client, this.node),
          () => this.#network.reaches(client, this.node) && resolve(),
        );
      });
    this.#connections.set(client, open);
    return open;
  }

  #answer(
    client: SimNode,
    path: string,
    range: string | null,
    signal: AbortSignal | undefined,
    resolve: (response: Response) => void,
  ): void {
    const [, trackId = '', kind] = /([^/]+?)(\.manifest\.json|\/manifest|\.leaves)?$/.exec(path) ?? [];
    const served = this.#served.get(trackId);
    if (served === undefined) {
      this.#network.sendUrgent(this.node, client, HEAD_BYTES, () =>
        resolve(new Response(null, { status: 404 })),
      );
      return;
    }
    const { document, manifest } = served;
    const isLeaves = kind === '.leaves';
    const isManifest = kind !== undefined && !isLeaves;
    const size = isManifest
      ? manifest.length
      : isLeaves
        ? Math.ceil(document.size / LIMITS.blockBytes) * LIMITS.hashBytes
        : document.size;
    const [start, end] = spanOf(range, size);
    const headers: Record<string, string> =
      range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` };
    const status = range === null ? 200 : 206;
    this.#meter.otherBytes(client, HEAD_BYTES);
    if (!isManifest && !isLeaves) this.#meter.asked(client, start, end, trackId);
    this.#send(client, start, end, {
      isAudio: !isManifest && !isLeaves,
      bytes: isManifest ? manifest : undefined,
      signal,
      begun: (body) => resolve(new Response(body, { status, headers })),
    });
  }

  #send(
    client: SimNode,
    start: number,
    end: number,
    answer: {
      readonly isAudio: boolean;
      readonly bytes: Uint8Array<ArrayBuffer> | undefined;
      readonly signal: AbortSignal | undefined;
      begun(body: ReadableStream<Uint8Array<ArrayBuffer>>): void;
    },
  ): void {
    const { isAudio, bytes, signal, begun } = answer;
    const network = this.#network;
    const flow = network.flow(this.node, client, true);
    let at = start;
    let arrivedTo = start;
    let stopped = false;
    let sink: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      { start: (controller) => void (sink = controller), cancel: () => stop() },
      { highWaterMark: Number.POSITIVE_INFINITY },
    );
    const stop = () => {
      network.clock.schedule(network.rttMs(client, this.node) / 2, () => {
        stopped = true;
        flow.drop();
      });
    };
    signal?.addEventListener('abort', () => {
      if (arrivedTo < end) stop();
      try {
        sink?.error(signal.reason);
      } catch {
        // The stream had ended.
      }
    });
    const pump = () => {
      while (!stopped && at < end && flow.queuedBytes < SEND_BUFFER_BYTES) {
        const length = Math.min(LIMITS.blockBytes, end - at);
        const from = at;
        at += length;
        flow.send({
          bytes: length + (from === start ? HEAD_BYTES : 0),
          sent: () => {
            if (isAudio) this.#meter.audioSent(client, length);
            else this.#meter.otherBytes(client, length);
            pump();
          },
          arrived: () => {
            if (from === start) begun(body);
            if (isAudio) this.#meter.audioArrived(client, length);
            arrivedTo = from + length;
            if (signal?.aborted === true) return;
            sink?.enqueue(bytes === undefined ? copyOfZeros(length) : bytes.slice(from, from + length));
            if (arrivedTo >= end) sink?.close();
          },
        });
      }
    };
    pump();
  }
}

function copyOfZeros(length: number): Uint8Array<ArrayBuffer> {
  const view = zeros(length);
  return view.buffer instanceof ArrayBuffer ? new Uint8Array(view.buffer, 0, length) : new Uint8Array(length);
}

function spanOf(range: string | null, size: number): [number, number] {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (match === null) return [0, size];
  const end = match[2] === '' ? size : Math.min(size, Number(match[2]) + 1);
  return [Number(match[1]), end];
}
