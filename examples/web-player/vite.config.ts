import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

/** Puts the library's service worker beside the page: a worker answers only for its own folder and below. */
function serviceWorker(): Plugin {
  const name = 'sonantica-worker.js';
  const read = () => readFile(fileURLToPath(import.meta.resolve(`@sonantica/swarm/${name}`)));
  return {
    name: 'sonantica-worker',
    async generateBundle() {
      this.emitFile({ type: 'asset', fileName: name, source: await read() });
    },
    configureServer(server) {
      server.middlewares.use(`/${name}`, (_request, response, next) => {
        read().then((source) => response.setHeader('Content-Type', 'text/javascript').end(source), next);
      });
    },
  };
}

export default defineConfig({ plugins: [serviceWorker()], base: './', build: { target: 'es2022' } });
