import type { Response } from 'express';
import { OriginError, systemCode, type OriginErrorCode } from './errors.ts';

const CODE_BY_STATUS: ReadonlyMap<number, OriginErrorCode> = new Map([
  [400, 'bad-request'],
  [404, 'track-not-found'],
  [412, 'precondition-failed'],
  [416, 'range-not-satisfiable'],
]);

const MESSAGES: Partial<Record<OriginErrorCode, string>> = {
  'bad-request': 'the address cannot be read',
  'track-not-found': 'there is no such track here',
  'precondition-failed': 'the track is not in the version asked for',
  'range-not-satisfiable': 'the track ends before this range',
};

/**
 * Answers with `{ error: { code, message } }`. A response that has already begun is broken off, so that
 * nobody takes it for whole. `log` hears of what the operator must mend, never the asker.
 */
export function answerError(res: Response, error: unknown, log: (line: string) => void): void {
  const { status, code, message } = toOriginError(error, log);
  if (res.headersSent) {
    res.destroy();
    return;
  }
  for (const name of ['ETag', 'Content-Type', 'Content-Length', 'X-Audio-Quality']) res.removeHeader(name);
  if (status !== 416) res.removeHeader('Content-Range');
  if (status === 503) res.setHeader('Retry-After', '2');
  res.setHeader('Cache-Control', 'no-store');
  // Not by `res.json`, which would give the error an ETag.
  const body = Buffer.from(JSON.stringify({ error: { code, message } }));
  res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': body.length });
  res.end(body);
}

function toOriginError(error: unknown, log: (line: string) => void): OriginError {
  if (error instanceof OriginError) {
    if (error.status >= 500) log(error.message);
    return error;
  }
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 500;
  const known = CODE_BY_STATUS.get(status);
  if (known !== undefined) return new OriginError(known, MESSAGES[known] ?? known);
  const system = systemCode(error);
  if (system === 'ENOENT') return new OriginError('track-not-found', 'there is no such track here');
  log(error instanceof Error ? error.message : String(error));
  if (system !== undefined) return new OriginError('file-unreadable', 'the file cannot be read just now');
  return new OriginError('internal', 'something went wrong here');
}
