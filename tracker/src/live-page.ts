import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Router } from 'express';

/** Only what the page brings along: no script or style from anywhere else, no frame around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The live page at `/` and the files it loads, read once. They lie in `page/` beside the sources. */
export function livePage(): Router {
  const own = (name: string) => readFileSync(new URL(`../page/${name}`, import.meta.url));
  const chart = (name: string) => readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`));
  const files = [
    ['/', 'html', own('live.html')],
    ['/page/live.css', 'css', own('live.css')],
    ['/page/live.js', 'js', own('live.js')],
    ['/page/uplot.css', 'css', chart('uPlot.min.css')],
    ['/page/uplot.js', 'js', chart('uPlot.iife.min.js')],
  ] as const;
  const router = Router();
  for (const [path, type, body] of files) {
    router.get(path, (_request, response) => {
      response.set({ 'Content-Security-Policy': POLICY, 'Referrer-Policy': 'no-referrer' });
      response.type(type).send(body);
    });
  }
  return router;
}
