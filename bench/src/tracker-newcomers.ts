import { encodeClientMessage } from '@sonantica/wire';
import { WebSocket } from 'ws';
import { announcementOf, sonanticaDialect } from './tracker-dialect-sonantica.ts';
import { pause } from './tracker-load.ts';

/** Time between two newcomers, in milliseconds. */
const EVERY_MS = 20;
/** Who has not joined by then is given up, in milliseconds. */
const WITHIN_MS = 5_000;
/** Peers a newcomer asks for. */
const WANT = 20;

/**
 * Lets honest newcomers join for a time, one after another, however long each takes; answers how long that was, from
 * the beginning of the connection to the answer to an announcement, in milliseconds. They go at once. Rejects when one
 * is refused, or does not get in within five seconds.
 */
export async function newcomers(url: string, forMs: number): Promise<{ tookMs: number[] }> {
  const joins: Promise<number>[] = [];
  for (let i = 0; i * EVERY_MS < forMs; i++) {
    const joined = join(url, i);
    // Whoever fails before the others are done is told of below.
    joined.catch(() => {});
    joins.push(joined);
    await pause(EVERY_MS);
  }
  return { tookMs: await Promise.all(joins) };
}

function join(url: string, index: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const socket = new WebSocket(url, sonanticaDialect.protocol, { perMessageDeflate: false });
    const done = (settle: () => void) => {
      clearTimeout(timer);
      settle();
      socket.terminate();
    };
    const fail = (why: string) => done(() => reject(new Error(`a newcomer did not get in: ${why}`)));
    const timer = setTimeout(() => fail(`not within ${WITHIN_MS} ms`), WITHIN_MS);
    socket.on('error', (error) => fail(error.message));
    socket.on('close', (code) => fail(`closed with ${code}`));
    socket.on('open', () => {
      socket.send(encodeClientMessage({ type: 'hello' }));
      socket.send(encodeClientMessage(announcementOf(0, index, WANT)));
    });
    socket.on('message', (data) => {
      const text = String(data);
      if (text.startsWith('{"type":"peers"')) done(() => resolve(performance.now() - startMs));
      else if (text.startsWith('{"type":"error"')) fail(text);
    });
  });
}
