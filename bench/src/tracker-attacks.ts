import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { TRACKER_SUBPROTOCOL } from '@sonantica/wire';
import { WebSocket } from 'ws';

/** What a hostile stranger does: to one tracker, for as long as its process lives. */
export type AttackKind = keyof typeof ATTACKS;

/** A tracker under attack, and what to do once the attack is on. */
interface Target {
  readonly url: string;
  readonly port: number;
  on(): void;
}

/** What an attack has been so far. */
export interface AttackSoFar {
  /** Connections that came about. */
  readonly sockets: number;
  /** Bytes that left. */
  readonly bytes: number;
}

const ROOT = 'ab'.repeat(32);
/** Who was closed comes back after this, in milliseconds. */
const COMES_BACK_MS = 50;
const RAW_COMES_BACK_MS = 20;
/** Bytes a stranger lets wait before it listens to what it is told. */
const UNSENT_BYTES = 100_000;

const json = (message: object) => JSON.stringify(message);
const turn = () =>
  new Promise<void>((resolve) => {
    setImmediate(resolve);
  });

/** Every attack, by its name. */
const ATTACKS = {
  announces: (target: Target) =>
    flood(target, 20, () =>
      json({
        type: 'announce',
        trackId: 'attacked',
        root: ROOT,
        chunkCount: 115,
        have: 'all',
        want: 50,
      }),
    ),
  tracks: (target: Target) =>
    flood(target, 20, (n, i) =>
      json({
        type: 'announce',
        trackId: `attacked-${i}-${n}`,
        root: ROOT,
        chunkCount: 32_768,
        have: `${'A'.repeat(5_458)}g===`.slice(0, 5_464),
      }),
    ),
  claims: (target: Target) =>
    flood(target, 20, (n) =>
      json({ type: 'claim', trackId: 'attacked', root: ROOT, chunks: [0, 1, 2, 3, 4, 5, 6, n % 115] }),
    ),
  finds: (target: Target) =>
    flood(target, 20, () => json({ type: 'find', trackId: 'attacked', root: ROOT, want: 50 })),
  strangers: (target: Target) =>
    flood(target, 20, () =>
      json({ type: 'signal', to: randomBytes(16).toString('base64url'), data: 'x'.repeat(10_000) }),
    ),
  joins: (target: Target) =>
    flood(target, 20, (n) => json({ type: 'join', aulaId: `attacked-${n}`, want: 50 })),
  hellos: (target: Target) => flood(target, 20, () => json({ type: 'hello', token: 'x'.repeat(8_000) })),
  rubbish: (target: Target) =>
    flood(target, 20, (n) => ['null', '[]', '{', '{"type":null}', '[['.repeat(n)][n % 5] ?? ''),
  deep: (target: Target) =>
    flood(target, 20, (n) =>
      n % 2 === 0
        ? '['.repeat(10_000) + ']'.repeat(10_000)
        : `{"type":"signal","to":"${'a'.repeat(22)}","data":${'['.repeat(8_000)}${']'.repeat(8_000)}}`,
    ),
  'huge frames': (target: Target) =>
    raw(target, 20, (tcp) => tcp.write(frame(0x81, 100_000_000, Buffer.alloc(65_000)))),
  'unfinished fragments': (target: Target) =>
    raw(target, 50, (tcp) => {
      tcp.write(frame(0x01, 1_000, Buffer.alloc(1_000)));
      const more = setInterval(() => {
        if (tcp.destroyed) clearInterval(more);
        else tcp.write(frame(0x00, 1_000, Buffer.alloc(1_000)));
      }, 5);
    }),
  'pings and pongs': (target: Target) =>
    raw(target, 20, (tcp) => pour(tcp, Buffer.from([0x89, 0x80, 0, 0, 0, 0, 0x8a, 0x80, 0, 0, 0, 0]))),
  'empty fragments': (target: Target) =>
    raw(target, 20, (tcp) => {
      tcp.write(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
      pour(tcp, Buffer.from([0x00, 0x80, 0, 0, 0, 0]));
    }),
  'half-open sockets': ({ port, on }: Target) => {
    let open = 0;
    for (let i = 0; i < 10_000; i++) {
      const tcp = counted(connect(port, '127.0.0.1'));
      tcp.on('connect', () => {
        if (i % 2 === 0) tcp.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
        if (++open === 2_000) on();
      });
      tcp.on('error', () => {});
    }
  },
  'sockets without hello': ({ url, on }: Target) => {
    on();
    for (let i = 0; i < 3_000; i++) open(url).on('error', () => {});
  },
  connects: ({ url, on }: Target) => {
    on();
    const again = () => {
      const ws = open(url);
      ws.on('error', () => {});
      ws.on('open', () => ws.terminate());
      ws.on('close', () => setImmediate(again));
    };
    for (let i = 0; i < 20; i++) again();
  },
  'slow readers': (target: Target) => {
    // Twenty of one swarm who are signalled by the others and never read.
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      const ws = member(target);
      ws.on('message', (data) => {
        const message = JSON.parse(String(data)) as { type: string; peerId?: string };
        if (message.peerId === undefined) return;
        ids.push(message.peerId);
        ws.pause();
      });
    }
    flood(target, 20, (n) =>
      json({ type: 'signal', to: ids[n % ids.length] ?? 'a'.repeat(22), data: 'x'.repeat(15_000) }),
    );
  },
};

/** The names of all attacks. */
export const ATTACK_KINDS = Object.keys(ATTACKS).filter((name): name is AttackKind =>
  Object.hasOwn(ATTACKS, name),
);

/** Attacks a tracker from now on; resolves when it is on. It ends with this process. */
export function attack(kind: AttackKind, url: string): Promise<void> {
  return new Promise((on) => ATTACKS[kind]({ url, port: Number(new URL(url).port), on }));
}

let opened = 0;
let bytesOfClosed = 0;
const openSockets = new Set<Socket>();

/** What the attack of this process has been so far. */
export function attackSoFar(): AttackSoFar {
  let bytes = bytesOfClosed;
  for (const tcp of openSockets) bytes += sentOn(tcp);
  return { sockets: opened, bytes };
}

/** Bytes that left: what waits in this process did not. */
function sentOn({ bytesWritten, writableLength }: Socket): number {
  return Math.max(0, bytesWritten - writableLength);
}

function counted(tcp: Socket): Socket {
  tcp.once('connect', () => {
    opened++;
    openSockets.add(tcp);
  });
  tcp.once('close', () => {
    if (openSockets.delete(tcp)) bytesOfClosed += sentOn(tcp);
  });
  return tcp;
}

function open(url: string): WebSocket {
  return new WebSocket(url, TRACKER_SUBPROTOCOL, {
    createConnection: () => counted(connect(Number(new URL(url).port), '127.0.0.1')),
  });
}

/** A socket that says hello and announces what all attackers do. */
function member({ url }: Target, onOpen: (ws: WebSocket) => void = () => {}): WebSocket {
  const ws = open(url);
  ws.on('error', () => {});
  ws.on('open', () => {
    ws.send(json({ type: 'hello' }));
    ws.send(json({ type: 'announce', trackId: 'attacked', root: ROOT, chunkCount: 115, have: 'none' }));
    onOpen(ws);
  });
  return ws;
}

/** Keeps `count` sockets saying what `say` makes, as fast as they are read; those closed come back. */
function flood(target: Target, count: number, say: (n: number, socket: number) => string): void {
  target.on();
  const pourInto = async (ws: WebSocket, i: number) => {
    for (let n = 0; ws.readyState === WebSocket.OPEN; n++) {
      if (ws.bufferedAmount > UNSENT_BYTES || n % 20 === 19) await turn();
      else ws.send(say(n, i));
    }
  };
  for (let i = 0; i < count; i++) {
    const again = () => {
      const ws = member(target, () => void pourInto(ws, i));
      ws.on('close', () => setTimeout(again, COMES_BACK_MS));
    };
    again();
  }
}

/** Raw connections, upgraded, on which `then` writes what it likes; those closed come back. */
function raw({ port, on }: Target, count: number, then: (tcp: Socket) => void): void {
  on();
  for (let i = 0; i < count; i++) {
    const again = () => {
      const tcp = counted(connect(port, '127.0.0.1'));
      tcp.on('connect', () => tcp.write(UPGRADE));
      tcp.once('data', () => then(tcp));
      tcp.on('error', () => {});
      tcp.on('close', () => setTimeout(again, RAW_COMES_BACK_MS));
    };
    again();
  }
}

/** Writes something again and again, as fast as it is read. */
function pour(tcp: Socket, bytes: Buffer): void {
  const heap = Buffer.concat(Array.from({ length: 10_000 }, () => bytes));
  const more = () => {
    if (!tcp.destroyed && tcp.writable) tcp.write(heap, () => setImmediate(more));
  };
  more();
}

/** A masked client frame with a length of 64 bits (RFC 6455, 5.2). */
function frame(first: number, length: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(14);
  head[0] = first;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const UPGRADE =
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: ${TRACKER_SUBPROTOCOL}\r\n\r\n`;
