// Makes what pages load without a bundler: the library as modules, and the ready service worker.
// Run after tsc; writes packages/swarm/dist/browser.
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const dist = fileURLToPath(new URL('../packages/swarm/dist/', import.meta.url));
const outdir = `${dist}browser`;
const shared = {
  bundle: true,
  minify: true,
  target: 'es2022',
  logLevel: 'warning',
  sourcemap: true,
  // Chromium compiles all of a file that begins so while it loads, and not while a listener waits for the first sound.
  banner: { js: '//# allFunctionsCalledOnLoad' },
};

await rm(outdir, { recursive: true, force: true });
await Promise.all([
  build({
    ...shared,
    entryPoints: { sonantica: `${dist}index.js` },
    outdir,
    format: 'esm',
    splitting: true,
    chunkNames: 'sonantica-[name]-[hash]',
  }),
  // A classic script: not every browser takes modules as service workers.
  build({
    ...shared,
    entryPoints: { 'sonantica-worker': `${dist}playback/service-worker-main.js` },
    outdir,
    format: 'iife',
  }),
]);
