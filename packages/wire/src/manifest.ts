import { equalBytes, fromBase64, fromHex, toBase64, toHex } from './bytes.ts';
import { chunkCount, isChunkSize } from './byte-range.ts';
import { canonicalJson } from './canonical-json.ts';
import { ProtocolError } from './errors.ts';
import { parseRootHash, parseTrackId, type RootHash, type TrackId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { joinHashes, splitHashes, trackRoot, type Hasher } from './merkle.ts';

/** What is known of a track's sound. Rates in hertz and kbit/s. */
export interface AudioFacts {
  readonly codec: string;
  readonly sampleRate: number;
  readonly bitsPerSample?: number;
  readonly channels: number;
  readonly durationSeconds: number;
  readonly bitrateKbps: number;
  readonly lossless: boolean;
}

/** An Ed25519 signature (RFC 8032) over the canonical JSON of the manifest without `signature`. */
export interface ManifestSignature {
  readonly algorithm: 'Ed25519';
  /** 32 bytes in base64. */
  readonly publicKey: string;
  /** 64 bytes in base64. */
  readonly value: string;
}

/** The manifest as JSON. Unknown fields are kept and signed. */
export interface ManifestJson {
  readonly version: 1;
  readonly trackId: string;
  readonly size: number;
  readonly chunkSize: number;
  readonly mime: string;
  readonly root: string;
  readonly chunks: string;
  readonly sha256: string;
  readonly audio?: AudioFacts;
  readonly file?: string;
  readonly signature?: ManifestSignature;
  readonly [field: string]: unknown;
}

/** A manifest whose sizes, counts and root agree. Immutable. */
export interface Manifest {
  readonly trackId: TrackId;
  /** Bytes of the track. */
  readonly size: number;
  readonly chunkSize: number;
  readonly chunkCount: number;
  readonly mime: string;
  readonly root: RootHash;
  /** The 32-byte hash of each chunk, in order; not to be changed. */
  readonly chunkHashes: readonly Uint8Array[];
  /** SHA-256 of the whole file, hexadecimal. */
  readonly sha256: string;
  readonly audio: AudioFacts | undefined;
  readonly file: string | undefined;
  /** The document it was read from: what is stored, passed on and signed. */
  readonly json: ManifestJson;
}

/** Whether `signature` (64 bytes) over `message` is by the Ed25519 key `publicKey` (32 bytes). */
export type VerifySignature = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean | Promise<boolean>;

/** Signs `message` with an Ed25519 key: 64 bytes. */
export type SignMessage = (message: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** What a manifest is checked against. */
export interface ManifestCheck {
  readonly hasher: Hasher;
  /** The id that was asked for; another is refused. */
  readonly trackId?: TrackId;
  /** Base64 Ed25519 keys. With any, the manifest must carry a signature by one of them. */
  readonly publisherKeys?: readonly string[];
  /** Needed where `publisherKeys` are given. */
  readonly verifySignature?: VerifySignature;
}

/** Facts from which {@link buildManifest} makes a document. */
export type ManifestFacts = Pick<Manifest, 'trackId' | 'size' | 'chunkSize' | 'mime' | 'sha256'> & {
  readonly chunkHashes: readonly Uint8Array[];
  readonly audio?: AudioFacts | undefined;
  readonly file?: string | undefined;
};

/** Makes the unsigned document of a track whose chunks were hashed. */
export async function buildManifest(facts: ManifestFacts, hasher: Hasher): Promise<ManifestJson> {
  return {
    version: 1,
    trackId: facts.trackId,
    size: facts.size,
    chunkSize: facts.chunkSize,
    mime: facts.mime,
    root: toHex(await trackRoot(hasher, facts, facts.chunkHashes)),
    chunks: toBase64(joinHashes(facts.chunkHashes)),
    sha256: facts.sha256,
    ...(facts.audio === undefined ? {} : { audio: facts.audio }),
    ...(facts.file === undefined ? {} : { file: facts.file }),
  };
}

/**
 * Reads and checks a manifest: every field, every count, the root over the chunk hashes, and the
 * signature where keys are configured. Throws `ProtocolError` with `manifest-invalid`, or
 * `signature-invalid` for a missing, foreign or wrong signature.
 */
export async function checkManifest(document: unknown, check: ManifestCheck): Promise<Manifest> {
  let manifest: Manifest;
  try {
    manifest = readFields(document);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ProtocolError('manifest-invalid', error.message);
  }
  if (check.trackId !== undefined && manifest.trackId !== check.trackId) {
    throw new ProtocolError('manifest-invalid', `asked for ${check.trackId}`, 'trackId');
  }
  const root = await trackRoot(check.hasher, manifest, manifest.chunkHashes);
  if (!equalBytes(root, fromHex(manifest.root, LIMITS.hashBytes))) {
    throw new ProtocolError('manifest-invalid', 'is not the tree over the chunk hashes', 'root');
  }
  if (check.publisherKeys !== undefined && check.publisherKeys.length > 0) {
    await checkSignature(manifest.json, check.publisherKeys, check.verifySignature);
  }
  return manifest;
}

/** Signs a document; a signature it already carries is replaced. `publicKey` is 32 bytes. */
export async function signManifest(
  document: ManifestJson,
  publicKey: Uint8Array,
  sign: SignMessage,
): Promise<ManifestJson> {
  const value = await sign(signedBytes(document));
  return {
    ...document,
    signature: { algorithm: 'Ed25519', publicKey: toBase64(publicKey), value: toBase64(value) },
  };
}

/** The bytes a signature covers: RFC 8785 canonical JSON without `signature`, in UTF-8. */
export function signedBytes(document: ManifestJson): Uint8Array {
  return new TextEncoder().encode(canonicalJson({ ...document, signature: undefined }));
}

async function checkSignature(
  json: ManifestJson,
  publisherKeys: readonly string[],
  verifySignature: VerifySignature | undefined,
): Promise<void> {
  const refuse = (why: string) => new ProtocolError('signature-invalid', why, 'signature');
  const { signature } = json;
  if (signature === undefined) throw refuse('is missing');
  if (!publisherKeys.includes(signature.publicKey)) throw refuse('is by an unknown publisher');
  if (verifySignature === undefined) throw refuse('cannot be verified here');
  const valid = await verifySignature(
    fromBase64(signature.publicKey, 32),
    coveredBytes(json),
    fromBase64(signature.value, 64),
  );
  if (!valid) throw refuse('is wrong');
}

/** A document that has no canonical spelling cannot have been signed. */
function coveredBytes(json: ManifestJson): Uint8Array {
  try {
    return signedBytes(json);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new ProtocolError(
      'signature-invalid',
      `covers what cannot be spelled: ${error.message}`,
      'signature',
    );
  }
}

function readFields(document: unknown): Manifest {
  const json = asObject(document, 'manifest');
  if (json['version'] !== 1) throw new ProtocolError('bad-field', 'expected 1', 'version');
  const trackId = parseTrackId(json['trackId']);
  const size = asInteger(json['size'], 'size', 1, LIMITS.maxTrackBytes);
  const chunkSize = asInteger(json['chunkSize'], 'chunkSize', LIMITS.minChunkBytes, LIMITS.maxChunkBytes);
  if (!isChunkSize(chunkSize)) throw new ProtocolError('bad-field', 'expected a power of two', 'chunkSize');
  const count = chunkCount({ size, chunkSize });
  const root = parseRootHash(json['root']);
  const sha256 = asText(json['sha256'], 'sha256', 64);
  fromHex(sha256, LIMITS.hashBytes);
  const chunkHashes = splitHashes(
    fromBase64(asText(json['chunks'], 'chunks', LIMITS.maxManifestBytes), count * LIMITS.hashBytes),
  );
  const mime = asText(json['mime'], 'mime', 128);
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(mime))
    throw new ProtocolError('bad-field', 'expected a media type', 'mime');
  const audio = json['audio'] === undefined ? undefined : readAudio(json['audio']);
  const file = json['file'] === undefined ? undefined : asText(json['file'], 'file', 4096);
  if (json['signature'] !== undefined) checkSignatureFields(json['signature']);
  return {
    trackId,
    size,
    chunkSize,
    chunkCount: count,
    mime,
    root,
    chunkHashes,
    sha256,
    audio,
    file,
    json: json as ManifestJson,
  };
}

function readAudio(value: unknown): AudioFacts {
  const json = asObject(value, 'audio');
  const bits = json['bitsPerSample'];
  if (typeof json['lossless'] !== 'boolean') {
    throw new ProtocolError('bad-field', 'expected true or false', 'audio.lossless');
  }
  return {
    codec: asText(json['codec'], 'audio.codec', 64),
    sampleRate: asNumber(json['sampleRate'], 'audio.sampleRate', 1, 10_000_000),
    ...(bits === undefined ? {} : { bitsPerSample: asNumber(bits, 'audio.bitsPerSample', 1, 64) }),
    channels: asNumber(json['channels'], 'audio.channels', 1, 255),
    durationSeconds: asNumber(json['durationSeconds'], 'audio.durationSeconds', 0, 1e9),
    bitrateKbps: asNumber(json['bitrateKbps'], 'audio.bitrateKbps', 0, 1e9),
    lossless: json['lossless'],
  };
}

function checkSignatureFields(value: unknown): void {
  const json = asObject(value, 'signature');
  if (json['algorithm'] !== 'Ed25519') {
    throw new ProtocolError('bad-field', 'expected Ed25519', 'signature.algorithm');
  }
  fromBase64(asText(json['publicKey'], 'signature.publicKey', 44), 32);
  fromBase64(asText(json['value'], 'signature.value', 88), 64);
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new ProtocolError('bad-field', 'expected an object', path);
}

function asText(value: unknown, path: string, maxLength: number): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= maxLength) return value;
  throw new ProtocolError('bad-field', `expected 1–${maxLength} characters`, path);
}

function asNumber(value: unknown, path: string, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw new ProtocolError('bad-field', `expected a number from ${least} to ${most}`, path);
}

function asInteger(value: unknown, path: string, least: number, most: number): number {
  const number = asNumber(value, path, least, most);
  if (Number.isInteger(number)) return number;
  throw new ProtocolError('bad-field', 'expected a whole number', path);
}
