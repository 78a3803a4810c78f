import type { ByteRange } from '@sonantica/wire';
import { readRangeHeader } from './range-header.ts';

/** What a player must be told of a track. */
export interface MediaFacts {
  readonly size: number;
  /** As the manifest has it. */
  readonly mime: string;
  /** The version's root hash: its strong ETag. */
  readonly root: string;
}

/** A request for media, as far as it changes the answer. */
export interface MediaRequest {
  readonly method: string;
  readonly range?: string | null | undefined;
  readonly ifRange?: string | null | undefined;
}

/** Whether a request is for the beginning of a track, and no one byte of it. */
export function beginsAtHead({ method, range }: MediaRequest): boolean {
  return method === 'GET' && (range === null || range === undefined || /^bytes=0-(?!0$)/i.test(range));
}

/** Whether a request is where a player begins: it has no version yet. */
export function beginsAnew(request: MediaRequest): boolean {
  return request.method === 'HEAD' || beginsAtHead(request);
}

/** An answer without its body. */
export interface MediaAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The bytes of the body; `undefined` for none. */
  readonly body: ByteRange | undefined;
}

/** On every answer: whatever the bytes are, nothing runs them. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

const AUDIO = /^audio\/[a-z0-9][a-z0-9.+-]{0,63}$/i;

/** The type the bytes are served under: audio as it is, anything else as bytes of no kind. */
export function servedType(mime: string): string {
  return AUDIO.test(mime) ? mime.toLowerCase() : 'application/octet-stream';
}

/** The answer to a request for a track: 200, 206, 405 or 416. */
export function answerMedia({ size, mime, root }: MediaFacts, request: MediaRequest): MediaAnswer {
  const { method, range, ifRange } = request;
  if (method !== 'GET' && method !== 'HEAD')
    return { status: 405, headers: { ...SAFE_HEADERS, Allow: 'GET, HEAD' }, body: undefined };
  const etag = `"${root}"`;
  const usable = ifRange === null || ifRange === undefined || ifRange === etag;
  // RFC 9110: only a GET has ranges.
  const wanted = usable && method === 'GET' ? readRangeHeader(range, size) : 'whole';
  const headers: Record<string, string> = {
    ...SAFE_HEADERS,
    'Content-Type': servedType(mime),
    'Accept-Ranges': 'bytes',
    ETag: etag,
  };
  if (wanted === 'unsatisfiable') {
    headers['Content-Range'] = `bytes */${size}`;
    return { status: 416, headers, body: undefined };
  }
  const whole = wanted === 'whole';
  const bytes = whole ? { start: 0, end: size } : wanted;
  headers['Content-Length'] = String(bytes.end - bytes.start);
  if (!whole) headers['Content-Range'] = `bytes ${bytes.start}-${bytes.end - 1}/${size}`;
  return { status: whole ? 200 : 206, headers, body: method === 'HEAD' ? undefined : bytes };
}

/** An answer that says only what went wrong. */
export function refusal(status: number, why: string): Response {
  return new Response(`${why}\n`, {
    status,
    headers: { ...SAFE_HEADERS, 'Content-Type': 'text/plain; charset=utf-8' },
  });
}
