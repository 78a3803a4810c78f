import { SwarmError } from '../errors.ts';

/** What file systems say when the disk or the user's quota is full. */
const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** Converts what a file system threw: `store-full` or `store-failed`. A `SwarmError` passes unchanged. */
export function toStoreError(error: unknown, doing: string): SwarmError {
  if (error instanceof SwarmError) return error;
  const code = systemCode(error);
  if (code !== undefined && FULL.has(code))
    return new SwarmError('store-full', `${doing}: the disk is full`, error);
  const why = error instanceof Error ? error.message : String(error);
  return new SwarmError('store-failed', `${doing}: ${why}`, error);
}

/** The code of an error of the operating system (`ENOENT`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
