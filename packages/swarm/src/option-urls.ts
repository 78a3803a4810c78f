import { refused } from './ids.ts';
import type { SwarmOptions } from './options.ts';

/**
 * Throws `invalid-argument` for an address among the options that can be nobody's: what is no WebSocket URL, or no URL
 * that the platform's `fetch` takes. The author's own may take others, and a function is asked later.
 */
export function checkUrls({ tracker = [], origin = [], fetch }: SwarmOptions): void {
  for (const url of typeof tracker === 'string' ? [tracker] : tracker)
    if (!/^wss?:\/\/[^/\s]/i.test(url) || !URL.canParse(url)) refused(url, 'is no URL of a tracker');
  if (fetch !== undefined || typeof origin === 'function') return;
  const { document } = globalThis as { document?: { readonly baseURI: string } };
  for (const url of typeof origin === 'string' ? [origin] : origin)
    if (!URL.canParse(url, document?.baseURI)) refused(url, 'is no URL of an origin');
}
