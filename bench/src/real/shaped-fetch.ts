import type { Fetch } from '@sonantica/swarm';
import type { RealClock } from './real-clock.ts';
import type { Line } from './line.ts';

/** Round trips until a first request can be sent: TCP and TLS 1.3. Later ones reuse the connection. */
const SETUP_ROUND_TRIPS = 2;
/** Bytes that get their turn on the line at once. */
const PACKET_BYTES = 16_384;

/** What slows requests to the origin down, and who counts what they bring. */
export interface FetchShape {
  readonly clock: RealClock;
  readonly rttMs: number;
  readonly down: Line;
  /** Audio bytes that arrived. */
  audio(bytes: number): void;
  /** The listener crashed: its requests come to nothing. */
  isCut(): boolean;
}

/** `fetch` to an origin as far away as the listener is, its answers held to the listener's downlink. */
export function shapedFetch(shape: FetchShape): Fetch {
  const { clock, rttMs, isCut } = shape;
  let connected: Promise<void> | undefined;
  return async (url, init) => {
    const signal = init.signal ?? undefined;
    await (connected ??= clock.pause(SETUP_ROUND_TRIPS * rttMs));
    await clock.pause(rttMs / 2);
    signal?.throwIfAborted();
    if (isCut()) throw new Error('the listener is gone');
    const response = await fetch(url, init);
    await clock.pause(rttMs / 2);
    const { status, headers, body } = response;
    if (body === null) return response;
    const isAudio = !/\.(manifest\.json|leaves)$|\/manifest$/.test(new URL(url).pathname);
    return new Response(throughLine(body, shape, isAudio), { status, headers });
  };
}

function throughLine(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { down, audio, isCut }: FetchShape,
  isAudio: boolean,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  const flow = down.flow();
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        await new Promise<void>((resolve) => {
          for (let at = 0; at < value.length; at += PACKET_BYTES) {
            const piece = value.subarray(at, at + PACKET_BYTES);
            flow.push(piece.length, () => {
              if (isAudio) audio(piece.length);
              if (!isCut()) give(controller, piece);
              if (at + PACKET_BYTES >= value.length) resolve();
            });
          }
        });
      },
      cancel: (reason) => {
        flow.drop();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 1 },
  );
}

/** Who gave the stream up in the meantime wants no more. */
function give(
  controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
  piece: Uint8Array<ArrayBuffer>,
): void {
  try {
    controller.enqueue(piece);
  } catch {
    // Cancelled while the piece was on the line.
  }
}
