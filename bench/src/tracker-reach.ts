import { encodeClientMessage, TRACKER_SUBPROTOCOL } from '@sonantica/wire';
import { WebSocket } from 'ws';
import { lineOf, Misuse } from './failure.ts';

/** A tracker that does not welcome anyone within this is not there, in milliseconds. */
const WITHIN_MS = 5_000;

/** Says hello to a tracker of ours once. Throws {@link Misuse} where none answers: nothing is loaded then. */
export async function reachTracker(url: string): Promise<void> {
  const socket = new WebSocket(url, [TRACKER_SUBPROTOCOL], { handshakeTimeout: WITHIN_MS });
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no welcome within ${WITHIN_MS} ms`)), WITHIN_MS);
      socket.on('open', () => socket.send(encodeClientMessage({ type: 'hello' })));
      socket.on('message', (data) => {
        if (String(data).startsWith('{"type":"welcome"')) resolve();
        else reject(new Error('it is no tracker of ours'));
      });
      socket.on('close', (code, reason) =>
        reject(new Error(`it closed with ${code} ${String(reason)}`.trim())),
      );
      socket.on('error', reject);
    });
  } catch (error) {
    throw new Misuse(`no tracker at ${url}: ${lineOf(error)}`);
  } finally {
    clearTimeout(timer);
    socket.on('error', () => undefined);
    socket.terminate();
  }
}
