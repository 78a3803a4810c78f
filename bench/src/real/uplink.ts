import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { PlayClock } from '../playback.ts';
import { Line } from './line.ts';

/** Bytes that get their turn on the line at once. */
const PACKET_BYTES = 16_384;
/** Bytes of a connection waiting for the line at which the server behind it is held back. */
const MOST_WAITING_BYTES = 65_536;

/**
 * Holds everything a server on this machine sends to one rate, shared fairly by its connections; what it is sent passes
 * freely. Resolves to the URL to use in place of the server's, once it listens. Rejects where the port cannot be had.
 */
export async function startUplink(
  clock: PlayClock,
  serverPort: number,
  port: number,
  rateBytesPerMs: number,
): Promise<string> {
  const line = new Line(clock, rateBytesPerMs);
  const listener = createServer({ noDelay: true, allowHalfOpen: false }, (client) =>
    carry(line, client, connect({ port: serverPort, host: '127.0.0.1', noDelay: true })),
  );
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

function carry(line: Line, client: Socket, server: Socket): void {
  const flow = line.flow();
  let isClientFull = false;
  const resume = () => {
    if (!isClientFull && flow.queuedBytes < MOST_WAITING_BYTES / 2) server.resume();
  };
  client.pipe(server);
  client.on('drain', () => {
    isClientFull = false;
    resume();
  });
  server.on('data', (bytes) => {
    for (let at = 0; at < bytes.length; at += PACKET_BYTES) {
      const piece = bytes.subarray(at, at + PACKET_BYTES);
      flow.push(piece.length, () => {
        if (client.destroyed) return;
        if (!client.write(piece)) isClientFull = true;
        resume();
      });
    }
    if (flow.queuedBytes >= MOST_WAITING_BYTES) server.pause();
  });
  // Whichever end goes, the other goes too; what waits for the line still leaves.
  server.on('close', () => {
    const whenEmpty = () => {
      if (flow.queuedBytes === 0 || client.destroyed) client.end();
      else flow.push(0, whenEmpty);
    };
    whenEmpty();
  });
  client.on('close', () => {
    flow.drop();
    server.destroy();
  });
  for (const socket of [client, server]) socket.on('error', () => socket.destroy());
}
