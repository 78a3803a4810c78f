import { join } from 'node:path';
import { createPublisherKey, type PublisherKey } from '@sonantica/origin';
import type { ManifestJson } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { fetchWhole, listen } from './support/listener.ts';
import { startMirror } from './support/mirror.ts';
import { makeFolder, startPlace, type Place } from './support/place.ts';

type Change = (manifest: ManifestJson) => unknown;
const set =
  (fields: Record<string, unknown>): Change =>
  (manifest) => ({ ...manifest, ...fields });
const without =
  (field: string): Change =>
  (manifest) =>
    Object.fromEntries(Object.entries(manifest).filter(([name]) => name !== field));
const HASH = 'ab'.repeat(32);

const WRONG: readonly (readonly [string, Change])[] = [
  ['is no object', () => [1, 2]],
  ['is null', () => null],
  ['is of another version', set({ version: 2 })],
  ['has no version', without('version')],
  ['is of another track', set({ trackId: 'other' })],
  ['has a track id that is none', set({ trackId: '../noise' })],
  ['has no size', without('size')],
  ['has another size', (m) => ({ ...m, size: m.size + 600_000 })],
  ['has a size below zero', set({ size: -1 })],
  ['has a size with a fraction', (m) => ({ ...m, size: m.size + 0.5 })],
  ['has a size as text', (m) => ({ ...m, size: String(m.size) })],
  ['has an enormous size', set({ size: 2 ** 60 })],
  ['has a chunk size that is no power of two', set({ chunkSize: 200_000 })],
  ['has a tiny chunk size', set({ chunkSize: 16_384 })],
  ['has an enormous chunk size', set({ chunkSize: 2 ** 31 })],
  ['has another chunk size', set({ chunkSize: 131_072 })],
  ['has another root', set({ root: HASH })],
  ['has a root in capitals', (m) => ({ ...m, root: m.root.toUpperCase() })],
  ['has no root', without('root')],
  [
    'has one chunk hash too few',
    (m) => ({ ...m, chunks: Buffer.from(m.chunks, 'base64').subarray(32).toString('base64') }),
  ],
  [
    'has a wrong chunk hash',
    (m) => ({ ...m, chunks: Buffer.from(m.chunks, 'base64').fill(7, 3, 4).toString('base64') }),
  ],
  ['has chunks that are no base64', set({ chunks: '!!!!' })],
  ['has no chunks', without('chunks')],
  ['has a media type that is none', set({ mime: 'text' })],
  ['has no media type', without('mime')],
  ['has a SHA-256 that is none', set({ sha256: 'abc' })],
  ['has no SHA-256', without('sha256')],
  ['has audio facts that are none', set({ audio: { codec: 5 } })],
  ['has a sample rate that is none', (m) => ({ ...m, audio: { ...m.audio, sampleRate: 'high' } })],
  ['has a file that is no text', set({ file: 5 })],
  ['has a signature that is none', set({ signature: { algorithm: 'none', publicKey: '', value: '' } })],
];

describe.each(WRONG)('a manifest that %s', (_name, change) => {
  it('is refused before anything of the track is asked for', async () => {
    const place = await startPlace({ chunks: 3 });
    const { mirror, reading } = await readUnder(place, change(place.track.manifest));
    await expect(reading).rejects.toMatchObject({ name: 'SwarmError', code: 'manifest-invalid' });
    expect(mirror.asked.map(({ kind }) => kind)).toEqual(['manifest']);
  });
});

it('refuses a manifest that is no JSON', async () => {
  const place = await startPlace({ chunks: 1 });
  const mirror = await startMirror(place, (good) => ({
    ...good,
    body: new TextEncoder().encode('{"version":'),
  }));
  await expect(listen({ origin: mirror.url }).open('noise').manifest()).rejects.toMatchObject({
    code: 'manifest-invalid',
  });
});

it('refuses a manifest over the size limit without reading on', async () => {
  const place = await startPlace({ chunks: 1 });
  const mirror = await startMirror(place, (good) => ({ ...good, body: new Uint8Array(6_000_000).fill(32) }));
  await expect(listen({ origin: mirror.url }).open('noise').manifest()).rejects.toMatchObject({
    code: expect.stringMatching(/^(manifest-invalid|origin-unavailable)$/),
  });
});

it('says that a track is not there when the origin says so', async () => {
  const { origin, tracker } = await startPlace({ chunks: 1 });
  const handle = listen({ origin: origin.url, tracker: tracker.url }).open('unheard-of');
  await expect(handle.manifest()).rejects.toMatchObject({ code: 'track-not-found' });
  await expect(handle.read({ start: 0, end: 1 })).rejects.toMatchObject({ code: 'track-not-found' });
  await expect(handle.download()).rejects.toMatchObject({ code: 'track-not-found' });
});

describe('with publisher keys', () => {
  it('plays what the publisher signed', async () => {
    const publisherKey = await newKey();
    const { origin, track } = await startPlace({ chunks: 2, publisherKey });
    const listener = listen({ origin: origin.url, publisherKeys: [publisherKey.publicKey] });
    expect((await fetchWhole(listener, track.trackId)).sha256).toBe(track.sha256);
  });

  it('refuses what nobody signed', async () => {
    const { origin } = await startPlace({ chunks: 2 });
    const { publicKey } = await newKey();
    const reading = listen({ origin: origin.url, publisherKeys: [publicKey] })
      .open('noise')
      .manifest();
    await expect(reading).rejects.toMatchObject({ code: 'manifest-invalid' });
  });

  it('refuses what a stranger signed', async () => {
    const { origin } = await startPlace({ chunks: 2, publisherKey: await newKey() });
    const { publicKey } = await newKey();
    const reading = listen({ origin: origin.url, publisherKeys: [publicKey] })
      .open('noise')
      .manifest();
    await expect(reading).rejects.toMatchObject({ code: 'manifest-invalid' });
  });

  it.each([
    ['a field it knows', { mime: 'audio/flac' }],
    ['a field it does not know', { note: 'changed' }],
  ])('refuses what was changed after signing in %s', async (_name, change) => {
    const publisherKey = await newKey();
    const place = await startPlace({ chunks: 2, publisherKey });
    const { reading } = await readUnder(place, { ...place.track.manifest, ...change }, [
      publisherKey.publicKey,
    ]);
    await expect(reading).rejects.toMatchObject({ code: 'manifest-invalid' });
  });
});

async function newKey(): Promise<PublisherKey> {
  return createPublisherKey(join(await makeFolder(), 'key.pem'));
}

async function readUnder(place: Place, document: unknown, publisherKeys?: string[]) {
  const mirror = await startMirror(place, (good, { kind }) =>
    kind === 'manifest' ? { ...good, body: new TextEncoder().encode(JSON.stringify(document)) } : good,
  );
  const listener = listen({ origin: mirror.url, ...(publisherKeys === undefined ? {} : { publisherKeys }) });
  return { mirror, reading: listener.open(place.track.trackId).read({ start: 0, end: 10 }) };
}
