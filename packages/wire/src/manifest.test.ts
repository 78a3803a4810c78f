import { generateKeyPairSync, hash, sign, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64, toBase64, toHex } from './bytes.ts';
import { ProtocolError } from './errors.ts';
import { parseTrackId } from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  buildManifest,
  checkManifest,
  signManifest,
  signedBytes,
  type ManifestJson,
  type VerifySignature,
} from './manifest.ts';
import { trackRoot, type Hasher } from './merkle.ts';

const hasher: Hasher = (bytes) => hash('sha256', bytes, 'buffer');
const audio = {
  codec: 'flac',
  sampleRate: 96_000,
  bitsPerSample: 24,
  channels: 2,
  durationSeconds: 241.3,
  bitrateKbps: 2410,
  lossless: true,
};
const facts = {
  trackId: parseTrackId('first-light'),
  size: 600_000,
  chunkSize: 262_144,
  mime: 'audio/flac',
  sha256: 'ab'.repeat(32),
  chunkHashes: ['a', 'b', 'c'].map((text) => new Uint8Array(hash('sha256', text, 'buffer'))),
  audio,
  file: 'first-light.flac',
};
const valid = await buildManifest(facts, hasher);

/** As it comes from the network: nothing but JSON. */
function withFields(changes: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify({ ...valid, ...changes }));
}

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return { raw, base64: toBase64(raw), sign: (message: Uint8Array) => sign(null, message, privateKey) };
}

const verifySignature: VerifySignature = (publicKey, message, signature) => {
  const x = Buffer.from(publicKey).toString('base64url');
  return verify(null, message, { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }, signature);
};

describe('a manifest', () => {
  it('is built and read back', async () => {
    const manifest = await checkManifest(JSON.parse(JSON.stringify(valid)), {
      hasher,
      trackId: facts.trackId,
    });
    expect(manifest).toMatchObject({ ...facts, chunkCount: 3, json: valid });
    expect(manifest.root).toBe(toHex(await trackRoot(hasher, facts, facts.chunkHashes)));
  });

  it('of one chunk has that chunk’s hash for its root', async () => {
    const [only = new Uint8Array()] = facts.chunkHashes;
    const one = await buildManifest({ ...facts, size: 1, chunkHashes: [only] }, hasher);
    expect(one.root).toBe(toHex(only));
    expect((await checkManifest(one, { hasher })).chunkCount).toBe(1);
  });

  it('may go without audio, file and signature, and may say more than is known', async () => {
    const { audio: _audio, file: _file, ...bare } = valid;
    expect(await checkManifest({ ...bare, title: 'Dawn' }, { hasher })).toMatchObject({
      audio: undefined,
      file: undefined,
      json: { title: 'Dawn' },
    });
  });

  it.each([131_072, 262_144, 524_288, 1_048_576])('may be in chunks of %i', async (chunkSize) => {
    const document = await buildManifest(
      { ...facts, chunkSize, size: chunkSize * 3, chunkHashes: facts.chunkHashes },
      hasher,
    );
    expect((await checkManifest(document, { hasher })).chunkSize).toBe(chunkSize);
  });

  it('of another track than was asked for is refused', async () => {
    await expect(checkManifest(valid, { hasher, trackId: parseTrackId('other') })).rejects.toMatchObject({
      code: 'manifest-invalid',
      path: 'trackId',
    });
  });

  it('shares nothing with later changes to the hashes it was built from', async () => {
    const hashes = facts.chunkHashes.map((one) => one.slice());
    const document = await buildManifest({ ...facts, chunkHashes: hashes }, hasher);
    hashes[0]?.fill(0);
    await checkManifest(document, { hasher });
  });
});

const wrong = (...values: unknown[]) => values;
const NO_TEXT = wrong(null, 7, true, {}, [], '');
const NO_NUMBER = wrong(null, '7', true, {}, [], -1, 1e300, -0.5);
const RUBBISH: Record<string, unknown[]> = {
  version: wrong(null, 0, 2, '1', true, {}),
  trackId: [...NO_TEXT, '..', 'a b', 'x'.repeat(129), 'a/b'],
  size: [...NO_NUMBER, 0, 0.5, 600_000.5, LIMITS.maxTrackBytes + 1, 2 ** 53],
  chunkSize: [...NO_NUMBER, 0, 16_384, 65_536, 131_073, 196_608, 2_097_152, 262_144.5],
  mime: [
    ...NO_TEXT,
    'audio',
    'audio/',
    '/flac',
    'audio/flac; x=1',
    'audio/flac\r\nX: y',
    `audio/${'x'.repeat(128)}`,
  ],
  root: [...NO_TEXT, 'ab', valid.root.toUpperCase(), `${valid.root}0`, 'g'.repeat(64), '0'.repeat(64)],
  chunks: [
    ...NO_TEXT,
    'AAAA',
    valid.chunks.slice(4),
    `${valid.chunks}AAAA`,
    valid.chunks.replace(/^./, '-'),
    valid.chunks.replace(/^.{4}/, 'AAAA'),
  ],
  sha256: [...NO_TEXT, 'ab', 'AB'.repeat(32), 'zz'.repeat(32), 'ab'.repeat(33)],
  audio: wrong(null, 7, 'flac', [], {}),
  file: wrong(null, 7, {}, [], '', 'x'.repeat(4097)),
  signature: wrong(null, 7, 'x', [], {}),
};
const AUDIO_RUBBISH: Record<string, unknown[]> = {
  codec: [...NO_TEXT, 'x'.repeat(65)],
  sampleRate: [...NO_NUMBER, 0, 10_000_001],
  bitsPerSample: [...NO_NUMBER, 0, 65],
  channels: [...NO_NUMBER, 0, 256],
  durationSeconds: NO_NUMBER,
  bitrateKbps: NO_NUMBER,
  lossless: wrong(null, 1, 'true', {}),
};
const SIGNATURE = {
  algorithm: 'Ed25519',
  publicKey: toBase64(new Uint8Array(32)),
  value: toBase64(new Uint8Array(64)),
};
const SIGNATURE_RUBBISH: Record<string, unknown[]> = {
  algorithm: wrong(null, 'ed25519', 'RS256', 'none', '', 7),
  publicKey: [...NO_TEXT, 'AAAA', toBase64(new Uint8Array(31)), toBase64(new Uint8Array(33)), '!'.repeat(44)],
  value: [...NO_TEXT, 'AAAA', toBase64(new Uint8Array(63)), toBase64(new Uint8Array(65)), '!'.repeat(88)],
};

describe('a manifest is refused', () => {
  const refused = (document: unknown) =>
    expect(checkManifest(document, { hasher })).rejects.toMatchObject({
      name: 'ProtocolError',
      code: 'manifest-invalid',
    });

  it.each([null, undefined, 7, 'x', true, [], [valid], {}].map((document) => [document]))(
    'as %j',
    (document) => refused(document),
  );

  it.each(
    Object.entries(RUBBISH).flatMap(([field, values]) => values.map((value) => [field, value] as const)),
  )('with %s %j', (field, value) => refused(withFields({ [field]: value })));

  it.each(['version', 'trackId', 'size', 'chunkSize', 'mime', 'root', 'chunks', 'sha256'])(
    'without %s',
    (field) => refused(withFields({ [field]: undefined })),
  );

  it.each(
    Object.entries(AUDIO_RUBBISH).flatMap(([field, values]) =>
      values.map((value) => [field, value] as const),
    ),
  )('with audio.%s %j', (field, value) => refused(withFields({ audio: { ...audio, [field]: value } })));

  it.each(['codec', 'sampleRate', 'channels', 'durationSeconds', 'bitrateKbps', 'lossless'])(
    'without audio.%s',
    (field) => refused(withFields({ audio: { ...audio, [field]: undefined } })),
  );

  it.each(
    Object.entries(SIGNATURE_RUBBISH).flatMap(([field, values]) =>
      values.map((value) => [field, value] as const),
    ),
  )('with signature.%s %j, even where no keys are configured', (field, value) =>
    refused(withFields({ signature: { ...SIGNATURE, [field]: value } })),
  );

  it.each([
    ['one chunk fewer than its size needs', { size: 3 * 262_144 + 1 }],
    ['one chunk more than its size needs', { size: 2 * 262_144 }],
    ['chunks of another size than were counted', { chunkSize: 131_072 }],
    [
      'the largest size and the smallest chunk',
      { size: LIMITS.maxTrackBytes, chunkSize: LIMITS.minChunkBytes },
    ],
  ])('with %s', (_what, changes) => refused(withFields(changes)));

  it.each([2 * 262_144 + 1, 3 * 262_144])(
    'for no size that three chunks can hold: %i is taken',
    async (size) => {
      expect((await checkManifest(withFields({ size }), { hasher })).size).toBe(size);
    },
  );

  it('with chunk hashes in another order', async () => {
    const [first = '', second = '', third = ''] = facts.chunkHashes.map(toHex);
    const chunks = Buffer.from(second + first + third, 'hex').toString('base64');
    await refused(withFields({ chunks }));
  });

  it('naming the field', async () => {
    await expect(checkManifest(withFields({ audio: { ...audio, channels: 0 } }), { hasher })).rejects.toThrow(
      /^audio\.channels: /,
    );
  });
});

describe('a signature', () => {
  const key = newKey();
  const check = { hasher, verifySignature, publisherKeys: [key.base64] };
  const refused = (document: unknown, options = check) =>
    expect(checkManifest(document, options)).rejects.toMatchObject({
      code: 'signature-invalid',
      path: 'signature',
    });
  const signed = async (changes: Record<string, unknown> = {}): Promise<ManifestJson> =>
    JSON.parse(JSON.stringify(await signManifest({ ...valid, ...changes }, key.raw, key.sign)));

  it('by a configured key is taken', async () => {
    const document = await signed();
    expect((await checkManifest(document, check)).json.signature).toEqual(document.signature);
    const others = [newKey().base64, key.base64];
    await checkManifest(document, { ...check, publisherKeys: others });
  });

  it('is verified whatever the order of members and the spacing', async () => {
    const document = Object.fromEntries(Object.entries(await signed()).toReversed());
    await checkManifest(JSON.parse(JSON.stringify(document, null, 4)), check);
  });

  it('is needed where keys are configured', () => refused(valid));

  it('is not asked for where none are', async () => {
    await checkManifest(valid, { hasher });
    await checkManifest(valid, { hasher, publisherKeys: [] });
  });

  it('by another key is refused, even if it is right', async () => {
    const stranger = newKey();
    await refused(await signManifest(valid, stranger.raw, stranger.sign));
  });

  it('by another key under a configured name is refused', async () => {
    await refused(await signManifest(valid, key.raw, newKey().sign));
  });

  it.each([
    ['the type', { mime: 'audio/wav' }],
    ['the sum', { sha256: 'cd'.repeat(32) }],
    ['the sound', { audio: { ...audio, bitrateKbps: 1 } }],
    ['the address', { file: 'other.flac' }],
    ['the id', { trackId: 'other' }],
    ['a field nobody knows', { title: 'Dusk' }],
    ['a new field', { added: null }],
    ['a missing field', { audio: undefined }],
  ])('is refused when %s was changed after it', async (_what, changes) => {
    const document = await signed({ title: 'Dawn' });
    await checkManifest(document, check);
    await refused({ ...document, ...changes });
  });

  it('with one bit changed is refused', async () => {
    const document = await signed();
    const value = fromBase64(document.signature?.value ?? '', 64);
    value[0] = (value[0] ?? 0) ^ 1;
    await refused({ ...document, signature: { ...document.signature, value: toBase64(value) } });
  });

  it('that nobody can verify is refused', async () => {
    await expect(
      checkManifest(await signed(), { hasher, publisherKeys: [key.base64] }),
    ).rejects.toMatchObject({ code: 'signature-invalid' });
  });

  it('over what has no canonical spelling is refused', async () => {
    const document = await signed();
    const deep: unknown = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000));
    await refused({ ...document, deep });
    await refused({ ...document, text: '\ud800' });
  });

  it('replaces a former one and does not cover it', async () => {
    const once = await signed();
    expect(await signManifest(once, key.raw, key.sign)).toEqual(once);
    expect(signedBytes(once)).toEqual(signedBytes(valid));
  });
});

describe('whatever is read', () => {
  const key = newKey();
  const check = { hasher, verifySignature, publisherKeys: [key.base64] };

  const throwsNothingElse = async (document: unknown) => {
    for (const options of [{ hasher }, check]) {
      try {
        await checkManifest(document, options);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        expect(['manifest-invalid', 'signature-invalid']).toContain((error as ProtocolError).code);
      }
    }
  };

  it('as JSON is refused with a ProtocolError or taken', async () => {
    await fc.assert(fc.asyncProperty(fc.jsonValue(), throwsNothingElse));
  });

  it('as a signed manifest with one value replaced is refused with a ProtocolError or taken', async () => {
    const document = await signManifest(valid, key.raw, key.sign);
    const places = [
      ...Object.keys(document).map((field) => [field]),
      ...Object.keys(audio).map((field) => ['audio', field]),
      ...Object.keys(SIGNATURE).map((field) => ['signature', field]),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...places),
        fc.oneof(fc.jsonValue(), fc.double(), fc.string()),
        async (place, value) => {
          const changed = structuredClone(document) as Record<string, unknown>;
          const [outer = '', inner] = place;
          if (inner === undefined) changed[outer] = value;
          else changed[outer] = { ...(changed[outer] as object), [inner]: value };
          await throwsNothingElse(changed);
        },
      ),
      { numRuns: 500 },
    );
  });
});
