import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { BROWSER_BUILD } from './browser-stage.ts';

/** Gzipped bytes of what a page loads at once, the entry and its static imports, and of the service worker. */
export async function browserSizes(): Promise<{ readonly core: number; readonly worker: number }> {
  const files = await readdir(BROWSER_BUILD);
  const seen = new Set<string>();
  const visit = async (name: string): Promise<number> => {
    if (seen.has(name)) return 0;
    seen.add(name);
    const source = await readFile(join(BROWSER_BUILD, name));
    let bytes = zipped(source);
    for (const [, imported] of source.toString().matchAll(/(?:from|import)"\.\/([^"]+)"/g))
      if (imported !== undefined && files.includes(imported)) bytes += await visit(imported);
    return bytes;
  };
  const worker = zipped(await readFile(join(BROWSER_BUILD, 'sonantica-worker.js')));
  return { core: await visit('sonantica.js'), worker };
}

function zipped(source: Uint8Array): number {
  return gzipSync(source, { level: 9 }).length;
}
