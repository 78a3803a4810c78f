import { startTracker } from '@sonantica/tracker';
import { WebSocketServer, type WebSocket } from 'ws';
import type { SubjectName } from './tracker-messages.ts';

/** Starts what is measured on a port of 127.0.0.1 and answers which. */
export async function startSubject(
  subject: SubjectName,
  port: number,
  rival: string | undefined,
): Promise<number> {
  switch (subject) {
    case 'sonantica':
      return (await startTracker({ port, logLevel: 'silent' })).port;
    case 'ws':
      return startBareRelay(port);
    case 'bittorrent-tracker':
      if (rival === undefined) throw new Error('the rival is not installed');
      return startBittorrentTracker(rival, port);
  }
}

/** The part of bittorrent-tracker's server that is used (its README, "server"). */
interface BittorrentServer {
  readonly http: { address(): { port: number } | string | null };
  listen(port: number, hostname: string, onListening: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

type BittorrentServerClass = new (options: {
  udp: boolean;
  http: boolean;
  ws: boolean;
  stats: boolean;
}) => BittorrentServer;

async function startBittorrentTracker(module: string, port: number): Promise<number> {
  const { Server }: { Server: BittorrentServerClass } = await import(module);
  const server = new Server({ udp: false, http: false, ws: true, stats: false });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.http.address();
  if (address === null || typeof address === 'string') throw new Error('the rival has no port');
  return address.port;
}

/** Peers of a room that the yardstick names to a newcomer, at most. */
const NAMED = 50;

/**
 * The least that relays: a newcomer names a room and how many peers it wants, is told its number and those,
 * and sends to them by number. Nothing is checked or limited.
 */
function startBareRelay(port: number): Promise<number> {
  const rooms = new Map<string, number[]>();
  const sockets = new Map<number, WebSocket>();
  let lastId = 0;
  const server = new WebSocketServer({
    port,
    host: '127.0.0.1',
    perMessageDeflate: false,
    clientTracking: false,
  });
  server.on('connection', (socket) => {
    const id = ++lastId;
    let room: number[] | undefined;
    sockets.set(id, socket);
    socket.on('close', () => {
      sockets.delete(id);
      room?.splice(room.indexOf(id), 1);
    });
    socket.on('message', (data) => {
      const message: { room?: string; want?: number; to?: number; data?: unknown } = JSON.parse(String(data));
      if (message.room === undefined) {
        sockets.get(message.to ?? 0)?.send(JSON.stringify({ from: id, data: message.data }));
        return;
      }
      room = rooms.get(message.room) ?? [];
      const peers: number[] = [];
      const want = Math.min(message.want ?? 0, NAMED, room.length);
      for (let i = 0, at = Math.floor(Math.random() * room.length); i < want; i++, at++) {
        peers.push(room[at % room.length] ?? 0);
      }
      room.push(id);
      rooms.set(message.room, room);
      socket.send(JSON.stringify({ id, peers }));
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no port'));
      else resolve(address.port);
    });
  });
}
