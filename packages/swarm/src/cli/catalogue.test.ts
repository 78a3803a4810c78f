import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { readCatalogue } from './catalogue.ts';

const { signal } = new AbortController();
const LIST = JSON.stringify({ tracks: [{ trackId: 'song', size: 5 }, { trackId: 'no/id', size: 5 }, null] });

it.each<[string, RequestListener]>([
  ['says nothing', () => undefined],
  ['begins and stands still', (_, res) => void res.writeHead(200).write('{"tracks":')],
])('an origin that %s is given up in time', async (_, answer) => {
  const base = await serve(answer);
  await expect(readCatalogue([base], { signal, withinMs: 100 })).rejects.toMatchObject({
    code: 'origin-unavailable',
    message: `${base}/ did not answer within 0.1 s`,
  });
});

it('a mirror that does not answer is passed over', async () => {
  const base = await serve((_, res) => void res.end(LIST));
  expect(await readCatalogue(['http://127.0.0.1:9', `${base}/`], { signal })).toEqual({
    entries: [{ base, trackId: 'song', size: 5 }],
    listless: [],
  });
});

it.each(['', 'no json', '{}', '[]', '{"tracks":{}}', 'null'])('rubbish lists nothing: %s', async (text) => {
  const base = await serve((_, res) => void res.end(text));
  expect(await readCatalogue([base], { signal })).toEqual({ entries: [], listless: [base] });
});

it('who stops waiting is heard at once', async () => {
  const stop = new AbortController();
  const base = await serve(() => stop.abort(new Error('stopped')));
  await expect(readCatalogue([base], { signal: stop.signal })).rejects.toThrow('stopped');
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
