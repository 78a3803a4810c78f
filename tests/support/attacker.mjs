// A hostile stranger in a process of its own: node attacker.mjs <kind> <url>. Prints "ready" when it is at it,
// and goes on until it is killed.
import { connect } from 'node:net';
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';

const [kind, url] = process.argv.slice(2);
const { port } = new URL(url);
const root = 'ab'.repeat(32);
const json = JSON.stringify;
const ready = () => console.log('ready');
const turn = () => new Promise((resolve) => setImmediate(resolve));

function socket(onOpen = () => {}) {
  const ws = new WebSocket(url, 'sonantica.v1');
  ws.on('error', () => {});
  ws.on('open', () => {
    ws.send(json({ type: 'hello' }));
    ws.send(json({ type: 'announce', trackId: 'attacked', root, chunkCount: 115, have: 'none' }));
    onOpen(ws);
  });
  return ws;
}

/** Keeps `count` sockets saying what `say` makes, as fast as they are read; those closed come back. */
function flood(count, say) {
  ready();
  for (let i = 0; i < count; i++) {
    const again = () => {
      const ws = socket(async () => {
        for (let n = 0; ws.readyState === WebSocket.OPEN; n++) {
          if (ws.bufferedAmount > 100_000 || n % 20 === 19) await turn();
          else ws.send(say(n, i));
        }
      });
      ws.on('close', () => setTimeout(again, 50));
    };
    again();
  }
}

/** A masked client frame (RFC 6455, 5.2). */
function frame(first, length, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(14);
  head[0] = first;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const UPGRADE =
  `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Protocol: sonantica.v1\r\n\r\n`;

/** Raw connections, upgraded, on which `then` writes what it likes. */
function raw(count, then) {
  ready();
  for (let i = 0; i < count; i++) {
    const again = () => {
      const tcp = connect(Number(port), '127.0.0.1', () => tcp.write(UPGRADE));
      tcp.once('data', () => then(tcp));
      tcp.on('error', () => {});
      tcp.on('close', () => setTimeout(again, 20));
    };
    again();
  }
}

/** Writes something again and again, as fast as it is read. */
function pour(tcp, bytes) {
  const heap = Buffer.concat(Array.from({ length: 10_000 }, () => bytes));
  const more = () => {
    if (!tcp.destroyed && tcp.writable) tcp.write(heap, () => setImmediate(more));
  };
  more();
}

const attacks = {
  announces: () =>
    flood(20, () =>
      json({ type: 'announce', trackId: 'attacked', root, chunkCount: 115, have: 'all', want: 50 }),
    ),
  tracks: () =>
    flood(20, (n, i) =>
      json({
        type: 'announce',
        trackId: `attacked-${i}-${n}`,
        root,
        chunkCount: 32_768,
        have: `${'A'.repeat(5_458)}g===`.slice(0, 5_464),
      }),
    ),
  claims: () =>
    flood(20, (n) =>
      json({ type: 'claim', trackId: 'attacked', root, chunks: [0, 1, 2, 3, 4, 5, 6, n % 115] }),
    ),
  finds: () => flood(20, () => json({ type: 'find', trackId: 'attacked', root, want: 50 })),
  strangers: () =>
    flood(20, () =>
      json({ type: 'signal', to: randomBytes(16).toString('base64url'), data: 'x'.repeat(10_000) }),
    ),
  rubbish: () => flood(20, (n) => ['null', '[]', '{', '{"type":null}', '[['.repeat(n)][n % 5] ?? ''),
  deep: () =>
    flood(20, (n) =>
      n % 2 === 0
        ? '['.repeat(10_000) + ']'.repeat(10_000)
        : `{"type":"signal","to":"${'a'.repeat(22)}","data":${'['.repeat(8_000)}${']'.repeat(8_000)}}`,
    ),
  joins: () => flood(20, (n) => json({ type: 'join', aulaId: `attacked-${n}`, want: 50 })),
  hellos: () => flood(20, () => json({ type: 'hello', token: 'x'.repeat(8_000) })),
  'huge frames': () => raw(20, (tcp) => tcp.write(frame(0x81, 100_000_000, Buffer.alloc(65_000)))),
  'unfinished fragments': () =>
    raw(50, (tcp) => {
      tcp.write(frame(0x01, 1_000, Buffer.alloc(1_000)));
      const more = setInterval(
        () => (tcp.destroyed ? clearInterval(more) : tcp.write(frame(0x00, 1_000, Buffer.alloc(1_000)))),
        5,
      );
    }),
  'pings and pongs': () =>
    raw(20, (tcp) => pour(tcp, Buffer.from([0x89, 0x80, 0, 0, 0, 0, 0x8a, 0x80, 0, 0, 0, 0]))),
  'empty fragments': () =>
    raw(20, (tcp) => {
      tcp.write(Buffer.from([0x01, 0x80, 0, 0, 0, 0]));
      pour(tcp, Buffer.from([0x00, 0x80, 0, 0, 0, 0]));
    }),
  'half-open sockets': () => {
    let open = 0;
    for (let i = 0; i < 10_000; i++) {
      const tcp = connect(Number(port), '127.0.0.1', () => {
        if (i % 2 === 0) tcp.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
        if (++open === 2_000) ready();
      });
      tcp.on('error', () => {});
    }
  },
  'sockets without hello': () => {
    ready();
    for (let i = 0; i < 3_000; i++) new WebSocket(url, 'sonantica.v1').on('error', () => {});
  },
  connects: () => {
    ready();
    const again = () => {
      const ws = new WebSocket(url, 'sonantica.v1');
      ws.on('error', () => {});
      ws.on('open', () => ws.terminate());
      ws.on('close', () => setImmediate(again));
    };
    for (let i = 0; i < 20; i++) again();
  },
  'slow readers': () => {
    ready();
    // Fifty of one Aula whose members are signalled by the others and never read.
    const ids = [];
    for (let i = 0; i < 20; i++) {
      const ws = socket();
      ws.on('message', (data) => {
        const message = JSON.parse(String(data));
        if (message.type !== 'welcome') return;
        ids.push(message.peerId);
        ws.pause();
      });
    }
    flood(20, (n) =>
      json({ type: 'signal', to: ids[n % ids.length] ?? 'a'.repeat(22), data: 'x'.repeat(15_000) }),
    );
  },
};

const attack = attacks[kind];
if (attack === undefined) throw new Error(`no attack ${kind}`);
attack();
