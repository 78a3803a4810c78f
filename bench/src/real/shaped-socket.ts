import type { OpenWebSocket, WebSocketLike } from '@sonantica/swarm/testing';
import type { PlayClock } from '../playback.ts';

/** Round trips until a WebSocket is open: TCP, TLS 1.3, the upgrade. */
const SETUP_ROUND_TRIPS = 3;

/** What delays a socket to the tracker, and who counts its bytes. */
export interface SocketShape {
  readonly clock: PlayClock;
  readonly rttMs: number;
  /** Bytes of a message, either way. */
  count(bytes: number): void;
}

/** Sockets to the tracker that are as far away as the listener is: the round trips of setting up, then half of one each way. */
export function shapedSockets(open: OpenWebSocket, shape: SocketShape): OpenWebSocket {
  const { clock, rttMs, count } = shape;
  return (url, protocol): WebSocketLike => {
    const socket = open(url, protocol);
    const begunMs = clock.nowMs();
    const ways = { open: [], message: [], close: [], error: [] } as Record<
      string,
      ((event: never) => void)[]
    >;
    const tell = (type: string, event: unknown) => {
      for (const listener of ways[type] ?? []) (listener as (event: unknown) => void)(event);
    };
    let readyState = 0;
    /** When the last thing reached the listener: later ones come after it. */
    let lastMs = 0;
    const arrive = (atMs: number, run: () => void) => {
      lastMs = Math.max(lastMs, atMs);
      clock.schedule(lastMs - clock.nowMs(), run);
    };
    const inHalf = () => clock.nowMs() + rttMs / 2;
    socket.addEventListener('open', () =>
      arrive(Math.max(inHalf(), begunMs + SETUP_ROUND_TRIPS * rttMs), () => {
        if (readyState !== 0) return;
        readyState = 1;
        tell('open', undefined);
      }),
    );
    socket.addEventListener('message', (event) => {
      count(typeof event.data === 'string' ? event.data.length : 0);
      arrive(inHalf(), () => {
        if (readyState < 2) tell('message', event);
      });
    });
    socket.addEventListener('close', ({ code, reason }) =>
      arrive(inHalf(), () => {
        readyState = 3;
        tell('close', { code, reason });
      }),
    );
    socket.addEventListener('error', (event) => tell('error', event));
    return {
      get readyState() {
        return readyState;
      },
      send: (text) => {
        count(text.length);
        clock.schedule(rttMs / 2, () => {
          if (socket.readyState === 1) socket.send(text);
        });
      },
      close: (code, reason) => {
        if (readyState < 2) readyState = 2;
        clock.schedule(rttMs / 2, () => socket.close(code, reason));
      },
      addEventListener: (type: string, listener: (event: never) => void) =>
        void (ways[type] ??= []).push(listener),
    };
  };
}
