import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { listen } from './support/listener.ts';
import { makeFolder } from './support/place.ts';
import { Speaker, trackerForTest } from './support/tracker-process.ts';
import { until } from './support/until.ts';

const SECRET = 'a secret between the house and its tracker';
const ENV = { SONANTICA_TRACKER_AUTH: SECRET };
const ROOT = 'ab'.repeat(32);

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;
const sign = (claims: Record<string, unknown>, secret = SECRET) =>
  new SignJWT({ sub: 'ada', exp: inSeconds(600), ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(createSecretKey(Buffer.from(secret)));
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function knock(url: string, token: string | undefined): Promise<number> {
  const speaker = await new Speaker(url).opened();
  speaker.say({ type: 'hello', ...(token === undefined ? {} : { token }) });
  return Promise.race([speaker.closed, until('welcome', () => speaker.welcome && 0)]);
}

describe('a tracker with --auth', () => {
  it('admits a good token, and closes with 4401 on all others', async () => {
    const { url, log } = await trackerForTest([], ENV);
    const claims = { sub: 'ada', exp: inSeconds(600) };
    const [head, , signature] = (await sign({})).split('.');
    const tokens = {
      good: await sign({}),
      missing: undefined,
      empty: '',
      expired: await sign({ exp: inSeconds(-1) }),
      forged: await sign({}, `${SECRET}!`),
      'with claims exchanged': `${head}.${part({ ...claims, sub: 'eve' })}.${signature}`,
      'of alg none': `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`,
      'of alg none with a signature': `${part({ alg: 'none' })}.${part(claims)}.${signature}`,
      'without exp': await sign({ exp: undefined }),
      'without sub': await sign({ sub: undefined }),
    };
    for (const [which, token] of Object.entries(tokens)) {
      expect({ which, code: await knock(url, token) }).toEqual({ which, code: which === 'good' ? 0 : 4401 });
    }
    const lines = log().filter(({ msg }) => msg === 'refused');
    expect(lines).toHaveLength(9);
    expect(lines[0]).toMatchObject({
      reason: 'not-authorised',
      conn: expect.any(Number),
      address: '127.0.0.1',
    });
    const text = JSON.stringify(log());
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(signature);
  });

  it('admits by the public key of a file alone who has the private one', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const file = join(await makeFolder(), 'public.pem');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    await writeFile(file, pem);
    const { url } = await trackerForTest(['--auth', file]);
    const claims = { sub: 'ada', exp: inSeconds(600) };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey);
    expect(await knock(url, token)).toBe(0);
    expect(await knock(url, await sign({}, pem))).toBe(4401);
  });

  it('keeps a token to its Aulas and tracks', async () => {
    const { url } = await trackerForTest([], ENV);
    const speaker = await Speaker.welcomed(url, undefined, await sign({ aulas: ['mine'], tracks: ['song'] }));
    speaker.raw('{"type":"join","aulaId":"yours"}');
    expect(await speaker.take('error')).toMatchObject({ code: 'forbidden', re: 'join' });
    speaker.raw('{"type":"join","aulaId":"mine"}');
    await speaker.take('peers');
    const announce = (trackId: string) =>
      speaker.raw(JSON.stringify({ type: 'announce', trackId, root: ROOT, chunkCount: 3, have: 'all' }));
    announce('other');
    expect(await speaker.take('error')).toMatchObject({ code: 'forbidden', re: 'announce' });
    announce('song');
    await speaker.take('peers');
  });

  it('ends the rights of an expired token at once, and says until when they last', async () => {
    const tracker = await trackerForTest([], ENV);
    const exp = inSeconds(2);
    const speaker = await Speaker.welcomed(tracker.url, undefined, await sign({ exp }));
    expect(speaker.welcome?.tokenExpiresMs).toBe(exp * 1_000);
    speaker.raw('{"type":"join","aulaId":"aula"}');
    await speaker.take('peers');
    expect(await speaker.closed).toBe(4401);
    expect(Date.now() - exp * 1_000).toBeLessThan(4_000);
    expect(await tracker.stats()).toMatchObject({ peers: 0, aulas: 0, refusedBy: { 'token-expired': 1 } });
  });

  it('has listeners renew their rights by a fresh token from their callback, on the same socket', async () => {
    const tracker = await trackerForTest([], ENV);
    let asked = 0;
    const swarm = listen({
      tracker: tracker.url,
      aulaId: 'aula',
      token: () => {
        asked++;
        return sign({ sub: 'ada', exp: inSeconds(asked === 1 ? 2 : 600), aulas: ['aula'] });
      },
    });
    await until('the listener is in its Aula', async () => (await tracker.stats())['aulaPeers'] === 1);
    const ups: boolean[] = [];
    swarm.on('tracker', ({ up }) => ups.push(up));
    await until('it asked for another', () => asked === 2);
    const renewedMs = Date.now();
    await until('the first token is over', () => Date.now() - renewedMs > 1_500);
    const { aulaPeers, refusedBy } = await tracker.stats();
    expect({ aulaPeers, ups }).toEqual({ aulaPeers: 1, ups: [] });
    expect(JSON.stringify(refusedBy)).toContain('"token-expired":0');
    await swarm.close();
  });

  it('takes a fresh token on the same socket: the name stays', async () => {
    const { url } = await trackerForTest([], ENV);
    const speaker = await Speaker.welcomed(url, undefined, await sign({ exp: inSeconds(2) }));
    const { id } = speaker;
    const exp = inSeconds(600);
    speaker.say({ type: 'hello', token: await sign({ exp }) });
    await until('a second welcome', () => speaker.welcome?.tokenExpiresMs === exp * 1_000);
    expect(speaker.id).toBe(id);
    await new Promise((resolve) => setTimeout(resolve, 2_700));
    speaker.raw('{"type":"join","aulaId":"aula"}');
    await speaker.take('peers');
  });
});
