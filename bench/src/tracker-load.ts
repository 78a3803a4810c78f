import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Dialect, DialectPeer, JoinEvents } from './tracker-dialect.ts';
import { bittorrentDialect } from './tracker-dialect-bittorrent.ts';
import { sonanticaDialect } from './tracker-dialect-sonantica.ts';
import { wsDialect } from './tracker-dialect-ws.ts';
import type { Joined, JoinShape, Pace, SubjectName } from './tracker-messages.ts';

/** A join not ended by then has failed, in milliseconds. */
const JOIN_WITHIN_MS = 10_000;
/** Connections begun at a time where nothing else sets the pace. */
const CONNECTS_UNDER_WAY = 64;
/** How often joins are begun at a fixed rate, in milliseconds. */
const PACE_STEP_MS = 5;
/** Any mask but zero costs the server the same; random ones cost the load. */
const MASK = 0x5a;

/** How to talk with each subject. */
export const DIALECTS: Readonly<Record<SubjectName, Dialect>> = {
  sonantica: sonanticaDialect,
  'bittorrent-tracker': bittorrentDialect,
  ws: wsDialect,
};

/** Peers of one load process. They stay connected until they are told to go. */
export class Load {
  readonly #sockets = new Set<WebSocket>();
  #relayed = 0;
  #error: unknown;

  /** Lets `count` peers join. Rejects when the tracker refuses one of them. */
  async join(
    subject: SubjectName,
    url: string,
    { first, count, shape, pace }: { first: number; count: number; shape: JoinShape; pace: Pace },
  ): Promise<Joined> {
    const announceMs: number[] = [];
    const relayedBefore = this.#relayed;
    const dialect = DIALECTS[subject];
    let failed = 0;
    const one = async (index: number) => {
      let announcedAtMs = 0;
      const isJoined = await within(
        JOIN_WITHIN_MS,
        new Promise<void>((joined, reject) => {
          const events: JoinEvents = {
            announcing: () => void (announcedAtMs = performance.now()),
            announced: () => void announceMs.push(performance.now() - announcedAtMs),
            relayed: () => void this.#relayed++,
            joined,
          };
          this.#open(url, dialect.protocol, reject, (say) => dialect.joiner(index, shape, say, events));
        }),
      );
      if (!isJoined) failed++;
    };
    const startMs = performance.now();
    if ('underWay' in pace) await underWay(count, pace.underWay, (i) => one(first + i));
    else await atRate(count, pace.perS, (i) => one(first + i));
    const ms = performance.now() - startMs;
    if (this.#error !== undefined) throw this.#error;
    return {
      type: 'joined',
      joins: count - failed,
      failed,
      ms,
      announceMs,
      relayed: this.#relayed - relayedBefore,
    };
  }

  /** Lets `count` peers be admitted, who then say nothing. */
  async idle(subject: SubjectName, url: string, count: number): Promise<void> {
    const dialect = DIALECTS[subject];
    await underWay(
      count,
      CONNECTS_UNDER_WAY,
      () =>
        new Promise<void>((ready, reject) => {
          this.#open(url, dialect.protocol, reject, (say) => dialect.idler(say, ready));
        }),
    );
  }

  /** Sockets that are open now. */
  get connected(): number {
    return [...this.#sockets].filter(({ readyState }) => readyState === WebSocket.OPEN).length;
  }

  /**
   * Opens a socket that lives until {@link disconnect}; `peer` is told what it says, `failed` when it did not come
   * about or went.
   */
  open(
    url: string,
    protocol: string | undefined,
    peer: (say: (text: string) => void) => DialectPeer,
    failed: (error: Error) => void = () => {},
  ): void {
    this.#open(url, protocol, failed, peer);
  }

  /** Ends every socket, and resolves when the other side has noticed. */
  async disconnect(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map(
        (socket) =>
          new Promise<void>((resolve) => {
            if (socket.readyState === WebSocket.CLOSED) return resolve();
            socket.once('close', () => resolve());
            socket.terminate();
          }),
      ),
    );
    this.#sockets.clear();
  }

  #open(
    url: string,
    protocol: string | undefined,
    failed: (error: Error) => void,
    make: (say: (text: string) => void) => DialectPeer,
  ): void {
    const socket = new WebSocket(url, protocol === undefined ? [] : [protocol], {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      generateMask: (mask) => void mask.fill(MASK),
    });
    this.#sockets.add(socket);
    let stream: Duplex | undefined;
    socket.on('upgrade', (response) => (stream = response.socket));
    // What a peer says in one go leaves in one piece, as from a browser.
    const inOneGo = (run: () => void) => {
      stream?.cork();
      try {
        run();
      } catch (error) {
        this.#error ??= error;
      } finally {
        stream?.uncork();
      }
    };
    const peer = make((text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    });
    socket.on('open', () => inOneGo(() => peer.opened()));
    socket.on('message', (data) => inOneGo(() => peer.heard(String(data))));
    socket.on('error', failed);
    socket.on('close', (code, reason) =>
      failed(new Error(`the tracker closed a socket with ${code} ${String(reason)}`)),
    );
  }
}

/** Does `count` things, `limit` of them at a time. */
async function underWay(count: number, limit: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, lane));
}

/**
 * Begins `count` things, so many a second, however long each takes. Who is late catches up at twice the rate: all that
 * is due at once would be a storm.
 */
async function atRate(count: number, perS: number, run: (i: number) => Promise<void>): Promise<void> {
  const startMs = performance.now();
  const runs: Promise<void>[] = [];
  while (runs.length < count) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs) / 1_000) * perS));
    const most = runs.length + Math.ceil((2 * perS * PACE_STEP_MS) / 1_000);
    while (runs.length < Math.min(due, most)) runs.push(run(runs.length));
    await pause(PACE_STEP_MS);
  }
  await Promise.all(runs);
}

/** False when time ran out. */
async function within(ms: number, what: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([what.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
