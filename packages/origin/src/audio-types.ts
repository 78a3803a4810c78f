import { extname } from 'node:path';

/**
 * The files an origin serves, best source first: where two files differ in nothing but the extension,
 * the earlier one keeps the plain track id. Opus travels in Ogg (RFC 7845).
 */
const MIME_BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  ['.flac', 'audio/flac'],
  ['.wav', 'audio/wav'],
  ['.m4a', 'audio/mp4'],
  ['.opus', 'audio/ogg'],
  ['.ogg', 'audio/ogg'],
  ['.mp3', 'audio/mpeg'],
]);

const RANKED = [...MIME_BY_EXTENSION.keys()];

/** The served extensions, with their dot, best source first. */
export const AUDIO_EXTENSIONS: readonly string[] = RANKED;

/** The lower-case extension with its dot, `''` if the name has none that is served. */
export function audioExtension(name: string): string {
  const extension = extname(name).toLowerCase();
  return MIME_BY_EXTENSION.has(extension) ? extension : '';
}

/** The media type by extension, `undefined` for what is not served. */
export function mimeOf(name: string): string | undefined {
  return MIME_BY_EXTENSION.get(audioExtension(name));
}

/** Smaller is the better source. */
export function sourceRank(name: string): number {
  const rank = RANKED.indexOf(audioExtension(name));
  return rank < 0 ? RANKED.length : rank;
}
