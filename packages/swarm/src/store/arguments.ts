import {
  chunkCount,
  chunkLength,
  isChunkSize,
  LIMITS,
  type Geometry,
  type ManifestJson,
} from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import type { StoredTrackKey } from './chunk-store.ts';

const DOCUMENT_NAME = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * How the track of a manifest falls into chunks. Throws `SwarmError('invalid-argument')` when the manifest is not
 * that of `key` or its sizes make no sense; the rest of it is checked by whoever uses it.
 */
export function geometryOf(key: StoredTrackKey, manifest: ManifestJson): Geometry {
  const { trackId, root, size, chunkSize } = manifest;
  if (trackId !== key.trackId || root !== key.root) {
    throw new SwarmError('invalid-argument', `the manifest is not that of ${key.trackId}`);
  }
  if (!Number.isInteger(size) || size < 1 || size > LIMITS.maxTrackBytes || !isChunkSize(chunkSize)) {
    throw new SwarmError('invalid-argument', `the manifest of ${key.trackId} has impossible sizes`);
  }
  return { size, chunkSize };
}

/**
 * Throws `SwarmError('invalid-argument')` unless `bytes` can be that chunk. `geometry` is `undefined` when no manifest
 * was put.
 */
export function checkChunk(
  geometry: Geometry | undefined,
  chunk: number,
  bytes: Uint8Array,
): asserts geometry is Geometry {
  if (geometry === undefined) {
    throw new SwarmError('invalid-argument', 'a manifest is put before the first chunk of its track');
  }
  const count = chunkCount(geometry);
  if (!Number.isInteger(chunk) || chunk < 0 || chunk >= count) {
    throw new SwarmError('invalid-argument', `there is no chunk ${chunk} of ${count}`);
  }
  const length = chunkLength(geometry, chunk);
  if (bytes.length !== length) {
    throw new SwarmError('invalid-argument', `chunk ${chunk} has ${length} bytes, not ${bytes.length}`);
  }
}

/** Throws `SwarmError('invalid-argument')` unless `name` can name a document on every file system. */
export function checkDocumentName(name: string): void {
  if (!DOCUMENT_NAME.test(name)) {
    throw new SwarmError(
      'invalid-argument',
      'a document is named with a–z, 0–9 and -, at most 64 characters',
    );
  }
}

/** A document as JSON. Throws `SwarmError('invalid-argument')` when it cannot be written as such. */
export function documentJson(name: string, value: unknown): string {
  checkDocumentName(name);
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new SwarmError('invalid-argument', `document ${name} is not JSON`);
  return json;
}
