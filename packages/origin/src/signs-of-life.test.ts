import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { answerError } from './http-errors.ts';
import { withSignsOfLife } from './signs-of-life.ts';

/** A server that answers what `work` comes to, with a sign of life every 20 ms. */
async function serve(work: () => Promise<object>): Promise<string> {
  const app = express();
  app.get('/', async (_req, res) => {
    try {
      const text = JSON.stringify(await withSignsOfLife(res, work(), 20));
      if (res.headersSent) res.end(text);
      else res.type('application/json').send(text);
    } catch (error) {
      answerError(res, error, () => undefined);
    }
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it('an answer that takes long begins with spaces, and is JSON all the same', async () => {
  const url = await serve(async () => {
    await after(150);
    return { a: 1 };
  });
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toContain('application/json');
  const text = await response.text();
  expect(text).toMatch(/^ {2,}\{"a":1\}$/);
  expect(JSON.parse(text)).toEqual({ a: 1 });
});

it('an answer that is there at once is as ever', async () => {
  const response = await fetch(await serve(() => Promise.resolve({ a: 1 })));
  expect(response.headers.get('content-length')).toBe('7');
  await after(60);
  expect(await response.text()).toBe('{"a":1}');
});

it('what fails in the middle is broken off', async () => {
  const url = await serve(async () => {
    await after(100);
    throw new Error('the disk went');
  });
  await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
});
