import { LIMITS, type Manifest, type TrackId } from '@sonantica/wire';
import type { Timers } from '../core/env.ts';
import { SwarmError } from '../errors.ts';

/** Where the origin is: a base URL, mirrors in order of preference, or a function of the track. */
export type OriginLocation = string | readonly string[] | ((trackId: TrackId) => string | readonly string[]);

/** `fetch`, the platform's or the author's own with headers and signed URLs. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** How the origin is reached: the way of a request, and the timers that bound its silence. */
export interface Http {
  readonly fetch: Fetch;
  readonly timers: Timers;
}

/** A mirror that says nothing for this long is given up, in milliseconds. */
export const ORIGIN_SILENCE_MS = 4_000;

/**
 * The base URLs of a track's mirrors, without a slash at the end. Throws `origin-unavailable` where the author's function
 * gives none: its reason is the cause.
 */
export function mirrorsOf(location: OriginLocation, trackId: TrackId): string[] {
  try {
    const given = typeof location === 'function' ? location(trackId) : location;
    return (typeof given === 'string' ? [given] : [...given]).map((base) => base.replace(/\/+$/, ''));
  } catch (error) {
    throw new SwarmError(
      'origin-unavailable',
      `the \`origin\` option gave no URL of ${trackId}: ${reasonOf(error)}`,
      error,
    );
  }
}

/**
 * Where a mirror has the file of one version: at the track's own address, or where the manifest says (`file`), which is
 * relative to the manifest's address. Throws `MirrorError` for a file at another server than the manifest: what the
 * author's `fetch` adds for the one, a token for instance, is not the other's.
 */
export function audioUrl(mirror: string, { trackId, root, file }: Manifest): string {
  const version = root.slice(0, 16);
  if (file === undefined) return `${mirror}/${trackId}?v=${version}`;
  const { document, location } = globalThis as {
    document?: { readonly baseURI: string };
    location?: { readonly href: string };
  };
  const beside = new URL(`${mirror}/${trackId}.manifest.json`, document?.baseURI ?? location?.href);
  const url = URL.canParse(file, beside) ? new URL(file, beside) : undefined;
  if (url?.origin !== beside.origin)
    throw new MirrorError(`the manifest of ${trackId} at ${mirror} names a file elsewhere: ${file}`);
  url.hash = '';
  url.searchParams.set('v', version);
  return url.href;
}

/** What a mirror answered. */
export class MirrorError extends Error {
  override readonly name = 'MirrorError';
  /** HTTP status, or 0 when none came. */
  readonly status: number;

  constructor(message: string, status = 0, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/**
 * One GET whose silence is bounded: the answer's head, and each piece of its body, comes within
 * {@link ORIGIN_SILENCE_MS}. Throws `MirrorError`; an abort of `signal` ends it with one too.
 */
export async function* getPieces(
  { fetch, timers }: Http,
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  accept: (response: Response) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const silence = new AbortController();
  let heard = timers.after(ORIGIN_SILENCE_MS, () => silence.abort());
  const stop = () => silence.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    // The browser's own cache would keep every byte twice, and lets ranges of one file wait for each other.
    const response = await fetch(url, { headers, signal: silence.signal, cache: 'no-store' });
    try {
      accept(response);
    } catch (error) {
      void response.body?.cancel().catch(() => undefined);
      throw error;
    }
    if (response.body === null) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        heard();
        heard = timers.after(ORIGIN_SILENCE_MS, () => silence.abort());
        const { done, value } = await reader.read();
        if (done) return;
        heard();
        yield value;
      }
    } finally {
      void reader.cancel().catch(() => undefined);
    }
  } catch (error) {
    if (error instanceof MirrorError) throw error;
    const why = signal.aborted
      ? 'was aborted'
      : silence.signal.aborted
        ? `was silent for ${ORIGIN_SILENCE_MS} ms`
        : reasonOf(error);
    throw new MirrorError(`${url} ${why}`, 0, error);
  } finally {
    heard();
    signal.removeEventListener('abort', stop);
  }
}

/** What {@link getWhole} asks for and bears. */
export interface WholeRequest {
  readonly headers?: Record<string, string>;
  /** More than this is refused before it is kept. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

/** A whole body and the status it came with, 200 to 299. Throws `MirrorError`. */
export async function getWhole(
  http: Http,
  url: string,
  { headers = {}, mostBytes, signal }: WholeRequest,
): Promise<{ status: number; bytes: Uint8Array }> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let status = 0;
  const accept = (response: Response) => {
    status = response.status;
    if (!response.ok) throw new MirrorError(`${url} answered ${response.status}`, response.status);
  };
  for await (const piece of getPieces(http, url, headers, signal, accept)) {
    bytes += piece.length;
    if (bytes > mostBytes) throw new MirrorError(`${url} sent more than ${mostBytes} bytes`);
    pieces.push(piece);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return { status, bytes: whole };
}

/**
 * The manifest of a track from the first mirror that has one which `check` takes; that rejects with what the others are
 * asked in spite of. Throws `SwarmError`: `track-not-found` when every mirror that answered says so,
 * `origin-unavailable`, or `manifest-invalid` for what is refused or no JSON.
 */
export async function fetchManifest(
  http: Http,
  mirrors: readonly string[],
  trackId: TrackId,
  signal: AbortSignal,
  check: (document: unknown) => Promise<Manifest>,
): Promise<Manifest> {
  let last: unknown = new MirrorError('no origin is configured');
  let answered = 0;
  let missing = 0;
  for (const mirror of mirrors) {
    try {
      const url = `${mirror}/${trackId}.manifest.json`;
      const { bytes } = await getWhole(http, url, { mostBytes: LIMITS.maxManifestBytes, signal });
      let document: unknown;
      try {
        document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
      } catch (error) {
        throw new SwarmError(
          'manifest-invalid',
          `the manifest of ${trackId} at ${mirror} is not JSON`,
          error,
        );
      }
      return await check(document);
    } catch (error) {
      last = error;
      if (error instanceof MirrorError && error.status !== 0) answered++;
      if (error instanceof MirrorError && (error.status === 404 || error.status === 410)) missing++;
    }
  }
  if (missing > 0 && missing === answered)
    throw new SwarmError('track-not-found', `the origin has no track ${trackId}`, last);
  if (last instanceof SwarmError) throw last;
  throw new SwarmError(
    'origin-unavailable',
    `no origin gave the manifest of ${trackId}: ${reasonOf(last)}`,
    last,
  );
}

/** What failed and why, each said once. A host of several addresses has a reason for each: the first is told. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  const why: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  // What a mirror answered says why by itself.
  const isTold = error instanceof MirrorError || !(why instanceof Error) || message.includes(why.message);
  return isTold ? message : `${message} (${why.message})`;
}
