import { fstatSync, type ReadStream } from 'node:fs';
import type { Request, Response } from 'express';
import send from 'send';
import { OriginError } from './errors.ts';
import { isSameStamp, stampOf, type FileStamp } from './file-hashing.ts';

/** Which state of a file may be sent, and who counts its bytes. */
export interface FileGuard {
  readonly stamp: FileStamp;
  /** Told of each piece as it is handed to the network. */
  readonly count: (bytes: number) => void;
}

/**
 * Sends a file, or the range of it that was asked for, under the headers already set; resolves when the
 * response is over. `path` is absolute. With a guard, a file that is not (or no longer) of that stamp is
 * refused with `file-changing`, or its response cut short: no complete answer ever mixes two versions.
 * Rejects with the errors of `send`, which carry an HTTP `status`.
 */
export function sendFile(req: Request, res: Response, path: string, guard?: FileGuard): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending = send(req, encodeURIComponent(path), {
      cacheControl: false,
      dotfiles: 'allow',
      etag: false,
      index: false,
      lastModified: false,
    });
    sending.on('error', reject);
    sending.on('directory', () => reject(new OriginError('track-not-found', 'there is no such track here')));
    if (guard !== undefined) {
      sending.on('stream', (stream: ReadStream) => {
        let file = -1;
        const stop = () => {
          stream.unpipe(res);
          stream.destroy();
          reject(new OriginError('file-changing', 'the file has just changed; ask again'));
        };
        stream.once('open', (fd) => {
          file = fd;
          if (!isSameStamp(guard.stamp, stampOf(fstatSync(file)))) stop();
        });
        // Asked after the bytes were read and before they are sent.
        stream.on('data', (piece) => {
          if (isSameStamp(guard.stamp, stampOf(fstatSync(file)))) guard.count(piece.length);
          else stop();
        });
      });
    }
    res.once('close', resolve);
    sending.pipe(res);
  });
}
