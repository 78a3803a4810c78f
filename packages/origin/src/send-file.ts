import { fstatSync, type ReadStream } from 'node:fs';
import type { Request, Response } from 'express';
import send from 'send';
import { OriginError, systemCode } from './errors.ts';
import { isSameStamp, stampOf, type FileStamp } from './file-hashing.ts';

/** What is sent. */
export interface FileToSend {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Told of each piece as it is handed to the network. */
  readonly count?: (bytes: number) => void;
  /** The one state of the file that may be sent. */
  readonly stamp?: FileStamp;
}

/**
 * Sends a file, or the range of it that was asked for, under the headers already set; resolves when the
 * response is over. A file that is not (or no longer) in the state of `stamp` is refused with
 * `file-changing`, or its response cut short: no complete answer ever mixes two versions. Rejects with the
 * errors of `send`, which carry an HTTP `status`.
 */
export function sendFile(req: Request, res: Response, file: FileToSend): Promise<void> {
  clampSuffixRange(req, file.sizeBytes);
  return new Promise((resolve, reject) => {
    const sending = send(req, encodeURIComponent(file.path), {
      cacheControl: false,
      dotfiles: 'allow',
      etag: false,
      index: false,
      lastModified: false,
    });
    sending.on('error', reject);
    sending.on('directory', () => reject(new OriginError('track-not-found', 'there is no such track here')));
    sending.on('stream', (stream: ReadStream) => watch(stream, res, file, reject));
    res.once('close', resolve);
    sending.pipe(res);
  });
}

/** Counts the pieces of a file on their way, and lets none pass that is not of the file's one state. */
function watch(
  stream: ReadStream,
  res: Response,
  file: FileToSend,
  reject: (error: OriginError) => void,
): void {
  let fd = -1;
  const isUnchanged = () => file.stamp === undefined || isInState(fd, file.stamp);
  const stop = () => {
    stream.unpipe(res);
    stream.destroy();
    reject(new OriginError('file-changing', 'the file has just changed; ask again'));
  };
  stream.once('open', (opened) => {
    fd = opened;
    if (!isUnchanged()) stop();
  });
  // Asked after the bytes were read and before they are sent.
  stream.on('data', (piece) => {
    // A stream that was given up still hands on what it had read; its descriptor may be another file's by now.
    if (stream.destroyed) return;
    if (isUnchanged()) file.count?.(piece.length);
    else stop();
  });
}

function isInState(fd: number, stamp: FileStamp): boolean {
  try {
    return isSameStamp(stamp, stampOf(fstatSync(fd)));
  } catch (error) {
    // A file that a network drive no longer answers for is not known to be the same.
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

/**
 * A suffix longer than the file means all of it (RFC 9110 §14.1.2); the parser behind `send` would answer
 * that it cannot be had.
 */
function clampSuffixRange(req: Request, sizeBytes: number): void {
  const [, suffix] = /^bytes=-(\d+)$/.exec(req.headers.range ?? '') ?? [];
  if (suffix !== undefined && Number(suffix) > sizeBytes) req.headers.range = 'bytes=0-';
}
