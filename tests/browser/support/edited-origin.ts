import { createServer } from 'node:http';
import { onTestFinished } from 'vitest';

type ManifestDocument = Record<string, unknown>;

/**
 * An origin that passes on what another says, its manifests changed or held back; `heard` is told of each request as it
 * comes, by its path and its Range. Gone after the test.
 */
export async function editOrigin(
  origin: string,
  edit: (manifest: ManifestDocument) => ManifestDocument | Promise<ManifestDocument>,
  heard: (path: string, range: string | undefined) => void = () => undefined,
): Promise<string> {
  const server = createServer((request, response) => {
    void (async () => {
      const { range } = request.headers;
      if (request.method === 'GET') heard(new URL(request.url ?? '/', origin).pathname, range);
      const answer = await fetch(
        `${origin}${request.url ?? '/'}`,
        range === undefined ? {} : { headers: { range } },
      );
      const body = Buffer.from(await answer.arrayBuffer());
      const isManifest = (request.url ?? '').endsWith('.manifest.json');
      response.statusCode = answer.status;
      for (const name of ['content-type', 'content-range', 'etag', 'accept-ranges']) {
        const value = answer.headers.get(name);
        if (value !== null) response.setHeader(name, value);
      }
      response.setHeader('Access-Control-Allow-Origin', '*');
      response.setHeader('Access-Control-Allow-Headers', '*');
      response.setHeader('Access-Control-Expose-Headers', '*');
      response.end(isManifest && answer.ok ? JSON.stringify(await edit(JSON.parse(body.toString()))) : body);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}
