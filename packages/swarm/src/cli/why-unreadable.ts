import { systemCode } from '../store/store-error.ts';

/** What a message says of a file that the system does not give: `cannot be read (EACCES)`. */
export function whyUnreadable(error: unknown): string {
  const code = systemCode(error);
  return code === 'ENOENT' ? 'is not there' : `cannot be read${code === undefined ? '' : ` (${code})`}`;
}
