import type { MediaRequest } from './media-answer.ts';

/** Marks the messages of this library among a page's own; changes when they do. */
export const WORKER_PROTOCOL = 'sonantica/2';

/** Page to worker, with a port: are you there? Without one: stay alive. */
export interface PageMessage {
  readonly protocol: typeof WORKER_PROTOCOL;
  readonly type: 'hello' | 'keep';
}

/** Worker to page, over the port of `hello`. */
export interface HereMessage {
  readonly type: 'here';
  /** What the URLs it answers begin with. */
  readonly prefix: string;
}

/** Worker to page, with a port: a player asks for this. */
export interface OpenMessage {
  readonly protocol: typeof WORKER_PROTOCOL;
  readonly type: 'open';
  readonly trackId: string;
  /** Which of the track's handles is meant; empty for any. */
  readonly handle: string;
  readonly request: MediaRequest;
  /** Whether a media element asks; missing from a worker of an earlier version. */
  readonly isPlayer?: boolean;
}

/** Pieces that a page sends before it is asked for any: the first are on their way while the answer is made. */
export const PIECES_UNASKED = 1;

/** Page to worker over a port: about the track, then the bytes that answer the request, or that there are none. */
export type BytesMessage =
  | { readonly type: 'track'; readonly size: number; readonly mime: string; readonly root: string }
  | { readonly type: 'unknown' }
  | { readonly type: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'end' }
  | { readonly type: 'failed'; readonly status: number; readonly message: string };

/** Worker to page over a port: one more piece, no more of them. */
export type PullMessage = { readonly type: 'pull' } | { readonly type: 'cancel' };

/** Whether a message is of this library, and of this kind. */
export function isOf<T extends PageMessage | OpenMessage>(data: unknown, ...types: T['type'][]): data is T {
  if (typeof data !== 'object' || data === null || !('protocol' in data && 'type' in data)) return false;
  return data.protocol === WORKER_PROTOCOL && (types as unknown[]).includes(data.type);
}
