/**
 * The endings of files that are tracks, with their dot, best source first: where two files differ in nothing but the
 * extension, the earlier one keeps the plain track id. Opus travels in Ogg (RFC 7845).
 */
export const AUDIO_EXTENSIONS = ['.flac', '.wav', '.m4a', '.opus', '.ogg', '.mp3'] as const;

/** An ending of {@link AUDIO_EXTENSIONS}. */
export type AudioExtension = (typeof AUDIO_EXTENSIONS)[number];

const MIME_BY_EXTENSION: Readonly<Record<AudioExtension, string>> = {
  '.flac': 'audio/flac',
  '.wav': 'audio/wav',
  '.m4a': 'audio/mp4',
  '.opus': 'audio/ogg',
  '.ogg': 'audio/ogg',
  '.mp3': 'audio/mpeg',
};

/** The lower-case extension of a name or a `/`-separated path, `''` if it has none of a track; `.flac` alone is a name. */
export function audioExtension(name: string): AudioExtension | '' {
  const extension = /[^/](\.[^./]*)$/.exec(name)?.[1]?.toLowerCase();
  return AUDIO_EXTENSIONS.find((each) => each === extension) ?? '';
}

/** The media type by extension, `undefined` for what is no track. */
export function mimeOf(name: string): string | undefined {
  const extension = audioExtension(name);
  return extension === '' ? undefined : MIME_BY_EXTENSION[extension];
}
