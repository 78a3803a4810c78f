import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT, type JWTPayload } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { createAdmission } from './auth.ts';
import type { Verdict } from './core/admission.ts';

const SECRET = 'the secret of the house, 32 bytes or more';
const NOW_MS = 1_700_000_000_000;
const NOW = NOW_MS / 1_000;

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sonantica-auth-'));
  folders.push(folder);
  const path = join(folder, 'auth.key');
  writeFileSync(path, text);
  return path;
}

function judge(auth: string, token: string | undefined): Promise<Verdict> {
  return new Promise((resolve) => createAdmission(auth, () => NOW_MS).admit(token, resolve));
}

function signed(claims: JWTPayload, secret = SECRET, alg = 'HS256'): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(createSecretKey(Buffer.from(secret)));
}

const ADA = { sub: 'ada', exp: NOW + 60 };
const REFUSED = { admitted: false, reason: 'the token is not valid' };

describe('a token signed with the secret', () => {
  it('gives its bearer rights for a time', async () => {
    expect(await judge(SECRET, await signed(ADA))).toEqual({
      admitted: true,
      rights: { subject: 'ada', expiresMs: NOW_MS + 60_000 },
    });
  });

  it('may name Aulas and tracks', async () => {
    const verdict = await judge(SECRET, await signed({ ...ADA, aulas: ['a', 'b'], tracks: [] }));
    expect(verdict).toMatchObject({
      rights: { aulas: new Set(['a', 'b']), tracks: new Set() },
    });
  });

  it('may be checked with a file', async () => {
    expect(await judge(fileOf(`${SECRET}\n`), await signed(ADA))).toMatchObject({ admitted: true });
  });

  it('is refused when it expired, to the second', async () => {
    expect(await judge(SECRET, await signed({ ...ADA, exp: NOW + 1 }))).toMatchObject({ admitted: true });
    expect(await judge(SECRET, await signed({ ...ADA, exp: NOW }))).toEqual({
      admitted: false,
      reason: 'the token expired',
    });
  });

  it.each<[string, JWTPayload]>([
    ['no sub', { exp: NOW + 60 }],
    ['no exp', { sub: 'ada' }],
    ['an empty sub', { ...ADA, sub: '' }],
    ['a long sub', { ...ADA, sub: 'x'.repeat(257) }],
    ['not yet', { ...ADA, nbf: NOW + 10 }],
    ['one Aula', { ...ADA, aulas: 'a' }],
    ['an Aula that is none', { ...ADA, aulas: ['a b'] }],
    ['tracks by number', { ...ADA, tracks: [7] }],
    ['tracks of a prototype', { ...ADA, tracks: { length: 1, 0: 'a' } }],
    ['too many tracks', { ...ADA, tracks: Array(1_025).fill('a') }],
  ])('is refused with %s', async (_, claims) => {
    expect(await judge(SECRET, await signed(claims))).toEqual(REFUSED);
  });

  it('is refused when it is forged', async () => {
    expect(await judge(SECRET, await signed(ADA, `${SECRET}.`))).toEqual(REFUSED);
    const [head, , signature] = (await signed(ADA)).split('.');
    const claims = Buffer.from(JSON.stringify({ ...ADA, sub: 'eve' })).toString('base64url');
    expect(await judge(SECRET, `${head}.${claims}.${signature}`)).toEqual(REFUSED);
  });

  it.each(['none', 'None', 'NONE'])('is refused with alg %s', async (alg) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const signature of ['', 'AAAA']) {
      expect(await judge(SECRET, `${part({ alg })}.${part(ADA)}.${signature}`)).toEqual(REFUSED);
    }
  });

  it.each(['', '.', '..', 'a.b.c', 'x'.repeat(8_192), '\u0000'])('is refused as %j', async (token) => {
    expect(await judge(SECRET, token)).toEqual(REFUSED);
  });

  it('is needed', async () => {
    expect(await judge(SECRET, undefined)).toEqual({ admitted: false, reason: 'a token is needed' });
  });

  it('is refused in another algorithm', async () => {
    const long = SECRET.repeat(2);
    expect(await judge(long, await signed(ADA, long))).toMatchObject({ admitted: true });
    expect(await judge(long, await signed(ADA, long, 'HS512'))).toEqual(REFUSED);
  });
});

describe('a token signed with a private key', () => {
  const pairs = {
    ed25519: { alg: 'EdDSA', ...generateKeyPairSync('ed25519') },
    ec: { alg: 'ES256', ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
    rsa: { alg: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2_048 }) },
  };

  it.each(Object.entries(pairs))(
    '%s is checked with the public one',
    async (_, { alg, publicKey, privateKey }) => {
      const token = await new SignJWT(ADA).setProtectedHeader({ alg }).sign(privateKey);
      const pem = fileOf(publicKey.export({ type: 'spki', format: 'pem' }).toString());
      const jwk = await exportJWK(publicKey);
      for (const file of [pem, fileOf(JSON.stringify(jwk)), fileOf(JSON.stringify({ keys: [jwk] }))]) {
        expect(await judge(file, token)).toMatchObject({ admitted: true });
        expect(await judge(file, await signed(ADA))).toEqual(REFUSED);
      }
    },
  );

  it('is not forged with the public key for a secret', async () => {
    const pem = pairs.rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(await judge(fileOf(pem), await signed(ADA, pem))).toEqual(REFUSED);
    expect(await judge(fileOf(pem), await signed(ADA, pem.trim()))).toEqual(REFUSED);
  });
});

describe('a key', () => {
  it.each<[string, string, RegExp]>([
    ['short', 'too short', /^auth: a secret has at least 32 bytes/],
    [
      'in no file',
      '/nowhere/auth.key',
      /^auth: the file cannot be read \(ENOENT\); a secret that begins with \/ is taken for one$/,
    ],
    [
      'by a mistyped path',
      'keys/of/the/house/and/its/garden.pem',
      /^auth: the file cannot be read \(ENOENT\)$/,
    ],
  ])('%s is refused', (_, auth, message) => {
    expect(() => createAdmission(auth, () => 0)).toThrow(message);
  });

  it.each<[string, string, RegExp]>([
    ['nothing', ' \n', /^auth: the file is empty$/],
    ['a short secret', 'short', /at least 32 bytes/],
    ['broken JSON', '{', /no JWK/],
    ['no key', '{"keys":[]}', /no JWK/],
    ['a secret in a set', '{"keys":[{"kty":"oct","k":"AAAA"}]}', /no JWK/],
    ['a private JWK', '{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}', /private key/],
    ['a private PEM', '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----', /private key/],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----', /no public key/],
  ])('file with %s is refused', (_, text, message) => {
    expect(() => createAdmission(fileOf(text), () => 0)).toThrow(message);
  });

  it('may be a secret as a JWK', async () => {
    const file = fileOf(JSON.stringify({ kty: 'oct', k: Buffer.from(SECRET).toString('base64url') }));
    expect(await judge(file, await signed(ADA))).toMatchObject({ admitted: true });
  });
});
