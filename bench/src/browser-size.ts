import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUILD = fileURLToPath(new URL('../../packages/swarm/dist/browser/', import.meta.url));

/** Gzipped bytes of what a page loads before it plays, and of the service worker, as they were built. */
export async function browserSize(): Promise<{ coreBytes: number; workerBytes: number }> {
  return {
    coreBytes: await staticBytes('sonantica.js', new Set()),
    workerBytes: gzipSync(await readFile(join(BUILD, 'sonantica-worker.js')), { level: 9 }).length,
  };
}

/** A module and all it imports, but what it imports only when it needs it. */
async function staticBytes(name: string, seen: Set<string>): Promise<number> {
  if (seen.has(name)) return 0;
  seen.add(name);
  const code = await readFile(join(BUILD, name), 'utf8');
  let bytes = gzipSync(code, { level: 9 }).length;
  for (const [, imported = ''] of code.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g))
    bytes += await staticBytes(imported, seen);
  return bytes;
}
