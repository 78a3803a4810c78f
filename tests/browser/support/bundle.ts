import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The page's half of most tests: the whole library under a global name. */
export const PAGE_SCRIPT = `import * as sonantica from '@sonantica/swarm';
globalThis.sonantica = sonantica;`;

/** A folder inside the repository, where imports of packages resolve. Gone after the test. */
export async function makeWorkFolder(): Promise<string> {
  const folder = await mkdtemp(join(ROOT, 'node_modules', '.sonantica-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Bundles a page's script with esbuild, no configuration beyond where it goes; answers the folder of the result. */
export async function bundleWithEsbuild(script = PAGE_SCRIPT): Promise<string> {
  const folder = await makeWorkFolder();
  await writeFile(join(folder, 'page.ts'), script);
  const outdir = await mkdtemp(join(tmpdir(), 'sonantica-page-'));
  onTestFinished(() => rm(outdir, { recursive: true, force: true }));
  await build({
    entryPoints: [join(folder, 'page.ts')],
    bundle: true,
    splitting: true,
    format: 'esm',
    outdir,
    logLevel: 'error',
  });
  return outdir;
}
