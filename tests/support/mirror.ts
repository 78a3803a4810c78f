import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import type { Place } from './place.ts';

/** What a mirror is asked for. */
export interface Asked {
  readonly kind: 'manifest' | 'leaves' | 'audio';
  readonly atMs: number;
  /** The Range header of the request. */
  readonly range?: string | undefined;
}

/** What it answers. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | number>;
  readonly body: Uint8Array;
  /** Bytes of the body after which the connection is cut, or silent for ever. */
  readonly cutAt?: number;
  readonly hangAt?: number;
  /** Milliseconds before each 16 KiB of the body. */
  readonly paceMs?: number;
}

/** What a mirror makes of a right answer. */
export type Behaviour = (good: Answer, asked: Asked) => Answer | 'hang';

/** An origin of one track that answers as it is told to. */
export interface Mirror {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Body bytes of audio handed to the network. */
  readonly audioBytes: number;
  /** Answers not yet handed over whole; one whose asker is gone ends soon. */
  readonly underWay: number;
  /** Changes its ways. */
  behave(behaviour: Behaviour): void;
}

const PIECE_BYTES = 16_384;

/** Starts a mirror of the place's track; it behaves well unless told otherwise. */
export async function startMirror(place: Place, behaviour: Behaviour = (good) => good): Promise<Mirror> {
  const { track, origin } = place;
  const leaves = new Uint8Array(await (await fetch(`${origin.url}/${track.trackId}.leaves`)).arrayBuffer());
  const bodies = {
    manifest: new TextEncoder().encode(JSON.stringify(track.manifest)),
    leaves,
    audio: track.bytes,
  };
  const asked: Asked[] = [];
  let audioBytes = 0;
  let underWay = 0;
  let ways = behaviour;
  const server = createServer((request, response) => {
    const kind = kindOf(request);
    asked.push({ kind, atMs: performance.now(), range: request.headers.range });
    const answer = ways(goodAnswer(bodies[kind], request.headers.range), { kind, atMs: performance.now() });
    if (answer === 'hang') return;
    underWay++;
    void give(response, answer, (bytes) => (audioBytes += kind === 'audio' ? bytes : 0)).finally(
      () => underWay--,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the mirror has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    get audioBytes() {
      return audioBytes;
    },
    get underWay() {
      return underWay;
    },
    behave: (next) => (ways = next),
  };
}

/** The same answer with one bit of its body flipped in every block. */
export function garbled(answer: Answer): Answer {
  const body = answer.body.slice();
  for (let at = 50; at < body.length; at += PIECE_BYTES) body[at] = (body[at] ?? 0) ^ 0x10;
  return { ...answer, body };
}

function kindOf({ url = '' }: IncomingMessage): Asked['kind'] {
  if (url.includes('.manifest.json')) return 'manifest';
  return url.includes('.leaves') ? 'leaves' : 'audio';
}

function goodAnswer(whole: Uint8Array, range: string | undefined): Answer {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  if (first === undefined || last === undefined) return { status: 200, headers: {}, body: whole };
  const body = whole.subarray(Number(first), Number(last) + 1);
  return {
    status: 206,
    headers: { 'content-range': `bytes ${first}-${last}/${whole.length}` },
    body,
  };
}

function room(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

async function give(response: ServerResponse, answer: Answer, count: (bytes: number) => void): Promise<void> {
  const { status, headers, body, cutAt, hangAt, paceMs } = answer;
  response.on('error', () => undefined);
  response.writeHead(status, { 'content-length': body.length, ...headers });
  const end = Math.min(body.length, cutAt ?? body.length, hangAt ?? body.length);
  for (let at = 0; at < end && !response.destroyed; at += PIECE_BYTES) {
    if (paceMs !== undefined) await new Promise((resolve) => setTimeout(resolve, paceMs));
    const piece = body.subarray(at, Math.min(end, at + PIECE_BYTES));
    count(piece.length);
    if (!response.write(piece)) await room(response);
  }
  if (cutAt !== undefined) response.destroy();
  else if (hangAt === undefined) response.end();
}
